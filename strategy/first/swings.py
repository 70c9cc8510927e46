"""Swings: confirmed pivots, known only at the close of the last candle that confirms them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Millis
from strategy.aggregate import Bar


class Pivot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A swing high or low.

    Attributes:
        price: the high or the low, in quote currency.
        at: open time of the candle that has it.
        known_at: close of the candle `length` later.
    """

    price: float
    at: Millis
    known_at: Millis


def confirmed(recent: Sequence[Bar], length: int) -> tuple[Pivot | None, Pivot | None]:
    """The swing high and the swing low that the newest bar confirms.

    The bar `length` before the newest is a swing high if its high is above those of the `length`
    bars before it and not below those of the `length` bars after it: of equal highs the earliest
    counts. Lows are the mirror. Nothing about a pivot changes later.

    Args:
        recent: the newest bars, oldest first; the last 2 * length + 1 are looked at.
    """
    span = 2 * length + 1
    if len(recent) < span:
        return None, None
    window = recent[-span:]
    middle, known_at = window[length], window[-1].known_at
    before, after = window[:length], window[length + 1 :]
    high = low = None
    top, bottom = middle.high, middle.low
    if all(b.high < top for b in before) and all(b.high <= top for b in after):
        high = Pivot(top, middle.at, known_at)
    if all(b.low > bottom for b in before) and all(b.low >= bottom for b in after):
        low = Pivot(bottom, middle.at, known_at)
    return high, low
