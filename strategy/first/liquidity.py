"""Liquidity: confirmed swing levels that price has not gone through since."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Side
from strategy.aggregate import Bar
from strategy.first.swings import Pivot


class Liquidity(msgspec.Struct):
    """State: swing highs above the price and swing lows below it, not yet swept.

    A stack on each side, sorted by construction, the nearest last: any newer high that were above
    an older one would have swept it. So a bar costs one comparison and what it sweeps. An equal
    high does not sweep.
    """

    highs: list[Pivot] = []
    lows: list[Pivot] = []

    def advance(self, bar: Bar) -> None:
        """Take away what the bar sweeps."""
        while self.highs and bar.high > self.highs[-1].price:
            self.highs.pop()
        while self.lows and bar.low < self.lows[-1].price:
            self.lows.pop()

    def confirm(self, high: Pivot | None, low: Pivot | None, keep: int) -> None:
        """Add new pivots; of more than `keep` on a side, the farthest is forgotten."""
        if high is not None:
            self.highs.append(high)
            del self.highs[:-keep]
        if low is not None:
            self.lows.append(low)
            del self.lows[:-keep]

    def beyond(self, side: Side, price: float) -> Sequence[Pivot]:
        """Levels that a trade to this side from this price runs into, nearest first."""
        if side is Side.LONG:
            return [pivot for pivot in reversed(self.highs) if pivot.price > price]
        return [pivot for pivot in reversed(self.lows) if pivot.price < price]
