"""The one instrument type, and the one place where a float level becomes a Decimal price.

A venue's own symbol string exists only inside that venue's adapter.
"""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from enum import Enum
from typing import Literal

import msgspec

from bus_schemas.errors import ConfigurationError, InvalidOrder

_EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_ONE, _TWO = Decimal(1), Decimal(2)


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
        max_quantity: most contracts that one order of any kind may have; None where nobody tells. What is
            larger could be entered in pieces, but neither be protected by one stop nor closed by one order.
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
    max_quantity: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("tick", "step", "min_quantity", "contract_size"):
            value = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise ConfigurationError(f"instrument {self.symbol}: {name} must be above zero, not {value}")
        if not self.min_notional.is_finite() or self.min_notional < 0:
            raise ConfigurationError(
                f"instrument {self.symbol}: min_notional must not be below zero, but is {self.min_notional}"
            )
        if not self.maintenance_rate.is_finite() or not 0 <= self.maintenance_rate < 1:
            raise ConfigurationError(
                f"instrument {self.symbol}: maintenance_rate must be from 0 to below 1, "
                f"but is {self.maintenance_rate}"
            )
        if self.max_quantity is not None and not self._countable(self.max_quantity):
            raise ConfigurationError(
                f"instrument {self.symbol}: max_quantity must be a number of contracts above zero, not "
                f"{self.max_quantity}; leave it out where the venue tells none"
            )

    def _countable(self, amount: Decimal) -> bool:
        try:
            return amount.is_finite() and amount > 0 and self.quantity(amount) >= 0
        except InvalidOrder:
            return False

    def price(self, level: float | Decimal, rounding: Rounding = Rounding.NEAREST) -> Decimal:
        """The level as a Decimal on the tick. A float stands for its shortest decimal form.

        Raises:
            InvalidOrder: the level is not finite or not above zero, before or after rounding.
        """
        # float() because a numpy float is a float whose repr is not a number
        value = Decimal(repr(float(level))) if isinstance(level, float) else Decimal(level)
        if not value.is_finite() or value <= 0:
            raise InvalidOrder(f"{self.symbol}: {level} is not a price")
        rounded = self._multiple(value, self.tick, rounding)
        if rounded <= 0:
            raise InvalidOrder(f"{self.symbol}: {level} rounds to zero on the tick of {self.tick}")
        return rounded

    def quantity(self, amount: Decimal) -> Decimal:
        """The amount rounded down to the step, never above it and never below zero.

        Raises:
            InvalidOrder: the amount has too many digits to be one.
        """
        if not amount.is_finite() or amount <= 0:
            return Decimal(0)
        return self._multiple(amount, self.step, Rounding.DOWN)

    def _multiple(self, value: Decimal, unit: Decimal, rounding: Rounding) -> Decimal:
        """A neighbouring multiple of the unit. Exact: a division would round first, and could round up."""
        try:
            count, rest = _EXACT.divmod(value, unit)
            if rest and (
                rounding is Rounding.UP or (rounding is Rounding.NEAREST and _up(count, rest, unit))
            ):
                count = _EXACT.add(count, _ONE)
            product = _EXACT.multiply(count, unit)
            return _EXACT.quantize(product, unit if unit.as_tuple().exponent < 0 else _ONE)  # type: ignore[operator]
        except ArithmeticError:
            raise InvalidOrder(f"{self.symbol}: {value} is beyond any market in units of {unit}") from None

    @property
    def largest(self) -> Decimal | None:
        """`max_quantity` on the step: contracts of the largest order. None where nobody tells."""
        return None if self.max_quantity is None else self.quantity(self.max_quantity)

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Value of the quantity at the price, in quote currency."""
        return quantity * self.contract_size * price

    def tradable(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether an order of this size passes the venue's minimums."""
        return quantity >= self.min_quantity and self.notional(quantity, price) >= self.min_notional


def _up(count: Decimal, rest: Decimal, unit: Decimal) -> bool:
    twice = _EXACT.add(rest, rest)
    return twice > unit or (twice == unit and _EXACT.remainder(count, _TWO) == _ONE)


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
