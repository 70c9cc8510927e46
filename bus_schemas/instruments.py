"""The one instrument type, and the one place where a float level becomes a Decimal price.

A venue's own symbol string exists only inside that venue's adapter.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import Enum
from typing import Literal

import msgspec

from bus_schemas.errors import ConfigurationError, InvalidOrder


class Rounding(Enum):
    """Which neighbouring tick a level goes to."""

    DOWN = ROUND_FLOOR
    UP = ROUND_CEILING
    NEAREST = ROUND_HALF_EVEN


class Instrument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tradable contract.

    Attributes:
        symbol: canonical name, the same in every service, file and stream, for example `BTCUSDT`.
        base, quote, settle: currency codes.
        kind: `perpetual` (linear) is the only kind that the order path takes.
        tick: smallest price step, in quote currency.
        step: smallest quantity step, in contracts.
        min_quantity: smallest order, in contracts.
        min_notional: smallest order, in quote currency.
        contract_size: base currency per contract.
        maintenance_rate: maintenance margin as a share of notional, for the liquidation estimate.
    """

    symbol: str
    base: str
    quote: str
    settle: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    kind: Literal["perpetual"] = "perpetual"
    contract_size: Decimal = Decimal(1)
    maintenance_rate: Decimal = Decimal("0.005")

    def __post_init__(self) -> None:
        for name in ("tick", "step", "min_quantity", "contract_size"):
            value = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise ConfigurationError(f"instrument {self.symbol}: {name} must be above zero, not {value}")

    def price(self, level: float | Decimal, rounding: Rounding = Rounding.NEAREST) -> Decimal:
        """The level as a Decimal on the tick.

        Raises:
            InvalidOrder: the level is not finite or not above zero, before or after rounding.
        """
        value = Decimal(repr(level)) if isinstance(level, float) else level
        if not value.is_finite() or value <= 0:
            raise InvalidOrder(f"{self.symbol}: {level} is not a price")
        rounded = (value / self.tick).to_integral_value(rounding.value) * self.tick
        if rounded <= 0:
            raise InvalidOrder(f"{self.symbol}: {level} is below half a tick of {self.tick}")
        return rounded.quantize(self.tick)

    def quantity(self, amount: Decimal) -> Decimal:
        """The amount rounded down to the step, never below zero."""
        if not amount.is_finite() or amount <= 0:
            return Decimal(0)
        return ((amount / self.step).to_integral_value(ROUND_DOWN) * self.step).quantize(self.step)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Value of the quantity at the price, in quote currency."""
        return quantity * self.contract_size * price

    def tradable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether an order of this size passes the venue's minimums."""
        return quantity >= self.min_quantity and self.notional(quantity, price) >= self.min_notional


def _usdt(base: str, tick: str, step: str, notional: str) -> Instrument:
    return Instrument(
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        min_quantity=Decimal(step),
        min_notional=Decimal(notional),
    )


DEFAULT_INSTRUMENTS: dict[str, Instrument] = {
    i.symbol: i
    for i in (
        _usdt("BTC", "0.10", "0.001", "100"),
        _usdt("ETH", "0.01", "0.001", "20"),
        _usdt("SOL", "0.01", "0.01", "5"),
    )
}
"""Contract terms that the paper venue uses where the settings name none (USDⓈ-M perpetuals)."""
