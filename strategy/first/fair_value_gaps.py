"""Fair value gaps: three candles whose outer wicks do not meet."""

from __future__ import annotations

from collections.abc import Sequence

from bus_schemas.events import Side
from strategy.aggregate import Bar
from strategy.first.zones import Zone, ZoneKind


def fair_value_gap(recent: Sequence[Bar], length: int, least: float) -> Zone | None:
    """The fair value gap that the newest bar completes.

    Upwards: the first candle's high is below the third's low and the middle one closed up; downwards
    is the mirror. The three must follow one another without missing candles: a hole in the data is
    not a gap in value.

    Args:
        recent: the newest bars, oldest first; the last three are looked at.
        length: milliseconds of a bar.
        least: smallest height in quote currency; a gap of no height is none.
    """
    if len(recent) < 3:
        return None
    first, middle, last = recent[-3], recent[-2], recent[-1]
    if first.high < last.low and middle.close > middle.open:
        side, top, bottom = Side.LONG, last.low, first.high
    elif first.low > last.high and middle.close < middle.open:
        side, top, bottom = Side.SHORT, first.low, last.high
    else:
        return None
    if top - bottom < least or last.at - first.at != 2 * length or first.gap or middle.gap or last.gap:
        return None
    return Zone(
        kind=ZoneKind.FAIR_VALUE_GAP,
        side=side,
        top=top,
        bottom=bottom,
        at=middle.at,
        known_at=last.known_at,
    )
