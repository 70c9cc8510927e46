"""Market structure: break of structure (BOS) and change of character (CHoCH).

A break is a close beyond the last confirmed pivot. Each pivot breaks once. It is a CHoCH if it goes
against the direction of the break before it, else a BOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from bus_schemas.events import Millis, Side
from strategy.aggregate import Bar
from strategy.first.swings import Pivot


class BreakKind(StrEnum):
    """Whether a break goes with the trend before it or against it."""

    BOS = "bos"
    CHOCH = "choch"


class Break(msgspec.Struct, frozen=True, gc=False):
    """A close beyond the last confirmed pivot.

    Attributes:
        side: `long` for a break upwards.
        level: price of the pivot.
        pivot_at: open time of the pivot's candle.
        at, known_at: open time and close of the candle that broke it.
        origin_at: open time of the leg's extreme: where the move that broke the pivot began.
        body: the breaking candle's body in its direction, in quote currency.
    """

    side: Side
    kind: BreakKind
    level: float
    pivot_at: Millis
    at: Millis
    known_at: Millis
    origin_at: Millis
    body: float


class Leg(msgspec.Struct):
    """State: what came after a pivot and before its break. Two candles are enough.

    Attributes:
        pivot: the last confirmed pivot on its side, not broken yet.
        extreme: the candle farthest away from the pivot since; of equals the last.
        opposite: the last candle that closed away from the pivot, if there was one.
    """

    pivot: Pivot
    extreme: Bar
    opposite: Bar | None = None

    def extend(self, bar: Bar, side: Side) -> None:
        """Take a candle that did not break the pivot."""
        if side is Side.LONG:
            if bar.low <= self.extreme.low:
                self.extreme = bar
            if bar.close < bar.open:
                self.opposite = bar
        else:
            if bar.high >= self.extreme.high:
                self.extreme = bar
            if bar.close > bar.open:
                self.opposite = bar


class Structure(msgspec.Struct):
    """State: the two pivots that may break next, and the last break.

    Attributes:
        up: leg under the last swing high; None when that has been broken.
        down: leg above the last swing low.
    """

    up: Leg | None = None
    down: Leg | None = None
    last: Break | None = None

    def advance(self, bar: Bar) -> tuple[Break, Leg] | None:
        """Look whether the bar breaks a pivot that was known before it; else add it to the legs.

        Both cannot break at once: a swing high below a swing low would have been broken by the
        candle of whichever came later.
        """
        broken = self._broken(bar)
        if broken is not None and broken[0].side is Side.LONG:
            self.up = None
        elif broken is not None:
            self.down = None
        if self.up is not None:
            self.up.extend(bar, Side.LONG)
        if self.down is not None:
            self.down.extend(bar, Side.SHORT)
        return broken

    def confirm(self, high: Pivot | None, low: Pivot | None, since: Sequence[Bar]) -> None:
        """Take new pivots; `since` holds the bars after them, the newest included."""
        if high is not None:
            self.up = _leg(high, since, Side.LONG)
        if low is not None:
            self.down = _leg(low, since, Side.SHORT)

    def _broken(self, bar: Bar) -> tuple[Break, Leg] | None:
        if self.up is not None and bar.close > self.up.pivot.price:
            leg, side = self.up, Side.LONG
        elif self.down is not None and bar.close < self.down.pivot.price:
            leg, side = self.down, Side.SHORT
        else:
            return None
        against = self.last is not None and self.last.side is not side
        self.last = Break(
            side=side,
            kind=BreakKind.CHOCH if against else BreakKind.BOS,
            level=leg.pivot.price,
            pivot_at=leg.pivot.at,
            at=bar.at,
            known_at=bar.known_at,
            origin_at=leg.extreme.at,
            body=(bar.close - bar.open) * side.sign,
        )
        return self.last, leg


def _leg(pivot: Pivot, since: Sequence[Bar], side: Side) -> Leg:
    leg = Leg(pivot, since[0])
    for bar in since:
        leg.extend(bar, side)
    return leg
