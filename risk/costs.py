"""What a trade costs besides its price difference."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bus_schemas.errors import ConfigurationError


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Costs that risk expects, each as a fraction of notional.

    Attributes:
        maker_fee: of a fill that gives liquidity. Below zero is a rebate.
        taker_fee: of a fill that takes liquidity.
        slippage: how much worse than its trigger a stop fills.

    Raises:
        ConfigurationError: a figure is not a fraction that a venue could mean.
    """

    maker_fee: Decimal
    taker_fee: Decimal
    slippage: Decimal

    def __post_init__(self) -> None:
        bounds = {"maker_fee": (-1, 1), "taker_fee": (0, 1), "slippage": (0, 1)}
        faults = [
            f"{name} is {value}, not a fraction from {low} to {high}"
            for name, (low, high) in bounds.items()
            if not (value := getattr(self, name)).is_finite() or not low <= value < high
        ]
        if faults:
            raise ConfigurationError("costs: " + "; ".join(faults))
