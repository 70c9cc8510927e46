"""Causes of differences, each shown for the row that it is said to explain.

A cause is either in the candles around the row, or a counterfactual: without it the row would be equal.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bus_schemas.timeframes import DAY
from tests.parity.view import Breaks, Gaps, Pivots, erased

BOOKEND = "invented label on the first or last row"
FROM_BOOKEND = "rests on an invented first or last label"
FLOAT32 = "level rounded to 32 bits is passed at another bar"
EXPIRED = "gap was given up before it was touched"
SMALL = "gap lower than that"
LATE = "theirs is a day old on a day's first candle"
PART = "we tell no high and low of a day of which part is missing"
WINDOW = "one candle more looked at before the pivot"
EQUAL = "of equal extremes only the earliest counts"
OUTSIDE = "candle is both high and low"
EARLY = "before theirs begins (row 2L-1)"
FOLLOWS = "follows from the row beside it"
REPLACED = "a newer pivot stood before the break"
NO_PATTERN = "no pattern of four pivots around it"
ERASED = "theirs erases it later"
MOVED = "pivot moved on after its break"
NAMED = "called BOS by one, CHoCH by the other"


def bookends(frame: pd.DataFrame) -> dict[int, str]:
    """Of pivots: the first and the last row."""
    return {0: BOOKEND, len(frame) - 1: BOOKEND}


def expired(theirs: Gaps, ours: Gaps, given_up: Mapping[int, int]) -> dict[int, str]:
    """Of gaps: the same gap, which we gave up no later than they saw it touched."""
    return {
        row: EXPIRED
        for row, bar in given_up.items()
        if row in theirs and ours[row] == (*theirs[row][:3], 0) and theirs[row][3] >= bar
    }


def small(frame: pd.DataFrame, theirs: Gaps, least: float, period: int) -> dict[int, str]:
    """Of gaps: lower than so many ATR (Wilder's, the mean of what there is before it is full)."""
    before = frame["close"].shift(1)
    up, down = (frame["high"] - before).abs(), (frame["low"] - before).abs()
    ranges = pd.concat([frame["high"] - frame["low"], up, down], axis=1).max(axis=1)
    atr, averages = 0.0, []
    for number, span in enumerate(ranges, 1):
        atr += (span - atr) / min(number, period)
        averages.append(atr)
    return {
        row: SMALL for row, (_, top, bottom, _) in theirs.items() if top - bottom < least * averages[row + 1]
    }


def of_days(times: list[int]) -> dict[int, str]:
    """Of the day before: first candles of days, and the day after a first day that is not whole."""
    starts = [row for row, time in enumerate(times) if time % DAY == 0]
    after_part = range(starts[0], starts[1]) if starts[0] > 0 else ()
    return dict.fromkeys(after_part, PART) | dict.fromkeys(starts, LATE)


def rebroken(found: Breaks, frame: pd.DataFrame, by_close: bool) -> Breaks:
    """Breaks as they would be had the level been rounded before prices were compared with it, then erased."""
    columns = ("close", "close") if by_close else ("high", "low")
    up, down = (frame[column].to_numpy() for column in columns)
    again: Breaks = {}
    for row, (bos, choch, level, _) in found.items():
        near = float(np.float32(level))
        beyond = up[row + 2 :] > near if bos + choch > 0 else down[row + 2 :] < near
        if beyond.any():
            again[row] = (bos, choch, near, row + 2 + int(np.argmax(beyond)))
    return erased(again)


def of_breaks(theirs: Breaks, honest: Breaks, ours: Breaks, as_stored: Breaks) -> dict[int, str]:
    """Of breaks: rows that would be equal but for the bookends and the rounding.

    Args:
        theirs, ours: what is compared.
        honest: theirs from swings without bookends.
        as_stored: ours with levels rounded before prices are compared.
    """
    found = {}
    for row in theirs.keys() | ours.keys():
        if honest.get(row) != as_stored.get(row):
            continue
        if theirs.get(row) != honest.get(row):
            found[row] = FROM_BOOKEND
        elif ours.get(row) != as_stored.get(row):
            found[row] = FLOAT32
    return found


def of_windows(frame: pd.DataFrame, length: int, theirs: Pivots, ours: Pivots) -> dict[int, str]:
    """Of our own definition of a pivot beside theirs: what the candles around the row say.

    A row that both windows allow differs only because a row beside it does: a pivot between two of the same
    side is there or not, which makes them two or one.
    """
    found = bookends(frame)
    edges = {1: frame["high"].to_numpy(), -1: -frame["low"].to_numpy()}
    rows = sorted(theirs.keys() | ours.keys())
    differ = {row for row in rows if theirs.get(row) != ours.get(row)}
    for place, row in enumerate(rows):
        if row not in differ or row in found:
            continue
        side = (theirs.get(row) or ours[row])[0]
        if row < 2 * length - 1:
            found[row] = EARLY
        elif all(_extreme(edge, row, length) for edge in edges.values()):
            found[row] = OUTSIDE
        elif row in theirs and edges[side][row - length] >= edges[side][row]:
            found[row] = WINDOW
        elif row in theirs and (edges[side][row - length : row] >= edges[side][row]).any():
            found[row] = EQUAL
        elif any(beside in differ for beside in rows[max(place - 1, 0) : place + 2] if beside != row):
            found[row] = FOLLOWS
    return found


def _extreme(edge: np.ndarray, row: int, length: int) -> bool:
    return bool(edge[row] >= edge[row - length + 1 : row + length + 1].max())


def of_last_pivot(
    theirs: Breaks, ours: Breaks, patterns: Breaks, pivots: Pivots, known: list[list[int]]
) -> dict[int, str]:
    """Of breaks of the last pivot beside theirs of a pattern of four.

    Args:
        patterns: theirs before erasing, as our events have them.
        pivots: the final ones.
        known: every pivot ever told: side, row, row at which it was known.
    """
    found = {}
    for row in theirs.keys() | ours.keys():
        this, other = theirs.get(row), ours.get(row)
        if this is None:
            found[row] = MOVED if row not in pivots else ERASED if row in patterns else NO_PATTERN
        elif other is None:
            side = this[0] + this[1]
            if any(side == turn and place > row and bar < this[3] for turn, place, bar in known):
                found[row] = REPLACED
        elif this[2:] == other[2:]:
            found[row] = NAMED
    return found
