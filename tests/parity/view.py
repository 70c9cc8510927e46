"""Our events folded into the reference library's columns, by row number.

What the library does after the fact is a step here: it keeps the last of what a pivot became, puts a break at
the pivot that it breaks, and erases earlier breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from strategy.smc import StructureEvent

Pivots = dict[int, tuple[int, float]]
"""Row: HighLow, Level."""
Gaps = dict[int, tuple[int, float, float, int]]
"""Row: FVG, Top, Bottom, MitigatedIndex (0 for never)."""
Breaks = dict[int, tuple[int, int, float, int]]
"""Row: BOS, CHOCH (0 for not), Level, BrokenIndex."""
Days = dict[int, tuple[float, float]]
"""Row: PreviousHigh, PreviousLow."""

_PIVOTS = ("pivot", "pivot_extended")
_GAPS = ("fvg", "fvg_joined")


def pivots(events: Iterable[StructureEvent], scope: str, rows: Mapping[int, int]) -> Pivots:
    """The final pivots.

    Args:
        scope: `internal` or `swing`.
        rows: row number by open time, here and below.
    """
    found: Pivots = {}
    newest = -1
    for event in events:
        if event.scope != scope or event.kind not in _PIVOTS:
            continue
        if event.kind == "pivot_extended":
            del found[newest]
        newest = rows[event.at]
        found[newest] = (event.direction, event.level)
    return found


def pivots_known(events: Iterable[StructureEvent], scope: str, rows: Mapping[int, int]) -> list[list[int]]:
    """Every pivot that was ever told, in order: side, row, row of the bar at which it was known."""
    return [
        [event.direction, rows[event.at], rows[event.known_at]]
        for event in events
        if event.scope == scope and event.kind in _PIVOTS
    ]


def gaps(events: Iterable[StructureEvent], rows: Mapping[int, int]) -> Gaps:
    """Fair value gaps, with the bar that first touched each."""
    found: Gaps = {}
    places: dict[int, int] = {}
    for event in events:
        if event.kind == "fvg_joined":
            del found[places[event.on[0]]]
        if event.kind in _GAPS:
            places[event.id] = rows[event.at]
            found[rows[event.at]] = (event.direction, event.top, event.bottom, 0)
        elif event.kind == "fvg_touched":
            place = places[event.on[0]]
            found[place] = (*found[place][:3], rows[event.at])
    return found


def gaps_expired(events: Iterable[StructureEvent], rows: Mapping[int, int]) -> dict[int, int]:
    """Rows of the gaps that were given up, with the bar at which they were."""
    found: dict[int, int] = {}
    places: dict[int, int] = {}
    for event in events:
        if event.kind in _GAPS:
            places[event.id] = rows[event.at]
        elif event.kind == "expired" and event.on[0] in places:
            found[places[event.on[0]]] = rows[event.known_at]
    return found


def breaks(events: Iterable[StructureEvent], scope: str, rows: Mapping[int, int]) -> Breaks:
    """Breaks at the pivots that they break; none erased, levels exact."""
    found: Breaks = {}
    places: dict[int, int] = {}
    for event in events:
        if event.scope != scope:
            continue
        if event.kind in _PIVOTS:
            places[event.id] = rows[event.at]
        elif event.kind in ("bos", "choch"):
            names = (event.direction, 0) if event.kind == "bos" else (0, event.direction)
            found[places[event.on[0]]] = (*names, event.level, rows[event.at])
    return dict(sorted(found.items()))


def erased(found: Breaks) -> Breaks:
    """What the library leaves: a break takes away those of earlier pivots that come no sooner than itself."""
    left: Breaks = {}
    for row, this in found.items():
        left = {earlier: other for earlier, other in left.items() if other[3] < this[3]}
        left[row] = this
    return left


def stored(found: Breaks) -> Breaks:
    """Levels as the library stores them: in 32 bits."""
    return {
        row: (bos, choch, float(np.float32(level)), bar) for row, (bos, choch, level, bar) in found.items()
    }


def days(events: Iterable[StructureEvent], rows: Mapping[int, int]) -> Days:
    """For each row the high and low of the day before, as known when the candle opened, in 32 bits."""
    found: Days = {}
    known = [event for event in events if event.kind == "previous" and event.scope == "day"]
    firsts = [rows[event.known_at] + 1 for event in known]
    for event, first, end in zip(known, firsts, [*firsts[1:], len(rows)], strict=False):
        value = (float(np.float32(event.top)), float(np.float32(event.bottom)))
        found.update(dict.fromkeys(range(first, end), value))
    return found
