"""Fair value gaps (FVG): three candles whose outer wicks do not meet, and what becomes of them.

Upwards: the first candle's high is below the third's low and the middle one closed up. The mirror downwards.
Gaps of one side on consecutive candles are joined into one that spans both. Price coming back *touches* the
near edge, *half fills* the gap at its middle (consequent encroachment), *fills* it at the far edge; a close
beyond that *inverts* it: from then on it is a zone of the other side.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import books, flips
from strategy.smc.candle import Candle
from strategy.smc.kinds import (
    FVG,
    FVG_FILLED,
    FVG_HALF_FILLED,
    FVG_INVERTED,
    FVG_JOINED,
    FVG_TOUCHED,
    NONE,
)
from strategy.smc.memory import Out, add, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Book, Slot, Window, Zone

FRESH: Final = 0
TOUCHED: Final = 1
HALF_FILLED: Final = 2
FILLED: Final = 3


def side_of(window: Window, slots: list[Slot], bar: Candle, atr: float, rules: Rules) -> int:
    """Side of the gap that the bar completes, 0 for none. The bar is in the window already."""
    if window.count < 3:
        return 0
    first, middle = slots[(window.count - 3) & rules.mask], slots[(window.count - 2) & rules.mask]
    if first.high < bar.low:
        return 1 if middle.close > middle.open and bar.low - first.high >= rules.fvg_min_atr * atr else 0
    if first.low > bar.high:
        return -1 if middle.close < middle.open and first.low - bar.high >= rules.fvg_min_atr * atr else 0
    return 0


def before(zones: list[Zone], book: Book, bar: Candle, rules: Rules) -> int:
    """Index of the gap that the bar before completed, below zero if there is none or gaps are not joined."""
    index = book.count - 1 if rules.fvg_joined else -1
    while index >= 0 and zones[index].since != bar.time - rules.length:
        index -= 1
    return index


def found(
    zones: list[Zone],
    book: Book,
    side: int,
    joined: int,
    top: float,
    bottom: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Add the gap that the bar completes.

    Args:
        joined: id of the gap that it takes the place of, 0 if of none.
        top, bottom: its edges, those of the other included.
    """
    at, middle = bar.time - rules.length, (top + bottom) / 2
    kind = FVG_JOINED if joined != 0 else FVG
    books.make_room(zones, book, rules.zones_kept, out)
    name = emit(out, kind, NONE, side, at, middle, top, bottom, top - bottom, joined, 0, 0)
    zone = add(zones, book)
    zone.id = name
    zone.kind = FVG
    zone.side = side
    zone.at = at
    zone.since = bar.time
    zone.top = top
    zone.bottom = bottom
    zone.next = top if side > 0 else bottom
    zone.on = joined
    books.placed(zones, book, side)


def meet(
    zones: list[Zone],
    book: Book,
    side: int,
    other: list[Zone],
    other_book: Book,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Let the bar meet the gaps of a side. Inverted ones go to `other`, the flips of the other side."""
    reach = bar.low if side > 0 else bar.high
    start = books.reached(zones, book, reach, side)
    for index in range(book.count - 1, start - 1, -1):
        zone = zones[index]
        if _fill(zone, side, reach, bar, out):
            flips.put(other, other_book, -side, FVG_INVERTED, zone, bar, 0, 0, rules, out)
            zone.stage = books.GONE
    books.settle(zones, book, start, side)


def _fill(zone: Zone, side: int, reach: float, bar: Candle, out: Out) -> bool:
    """Move a gap through its states; whether the bar inverts it."""
    middle = (zone.top + zone.bottom) / 2
    far = zone.bottom if side > 0 else zone.top
    if zone.stage == FRESH:
        _pass(zone, FVG_TOUCHED, TOUCHED, middle, side, reach, bar, out)
    if zone.stage == TOUCHED and (reach - middle) * side <= 0:
        _pass(zone, FVG_HALF_FILLED, HALF_FILLED, far, side, reach, bar, out)
    if zone.stage == HALF_FILLED and (reach - far) * side <= 0:
        _pass(zone, FVG_FILLED, FILLED, far, side, reach, bar, out)
    return zone.stage == FILLED and (bar.close - far) * side < 0


def _pass(
    zone: Zone, kind: int, stage: int, following: float, side: int, reach: float, bar: Candle, out: Out
) -> None:
    middle = (zone.top + zone.bottom) / 2
    emit(out, kind, NONE, side, bar.time, middle, zone.top, zone.bottom, reach, zone.id, 0, 0)
    zone.stage = stage
    zone.next = following
