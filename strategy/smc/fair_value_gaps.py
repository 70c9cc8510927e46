"""Fair value gaps (FVG): three candles whose outer wicks do not meet, and what becomes of them.

Upwards: the first candle's high is below the third's low and the middle one closed up. The mirror downwards.
Gaps of one side on consecutive candles are joined into one that spans both. Price coming back *touches* the
near edge, *half fills* the gap at its middle (consequent encroachment), *fills* it at the far edge; a close
beyond that *inverts* it: from then on it is a zone of the other side.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import flips
from strategy.smc.candle import Candle
from strategy.smc.kinds import (
    EXPIRED,
    FVG,
    FVG_FILLED,
    FVG_HALF_FILLED,
    FVG_INVERTED,
    FVG_JOINED,
    FVG_TOUCHED,
    NONE,
)
from strategy.smc.memory import Out, add, cut, drop, emit, move
from strategy.smc.params import Rules
from strategy.smc.state import NOWHERE_ABOVE, Book, Slot, Window, Zone

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


def joins(zones: list[Zone], book: Book, bar: Candle, rules: Rules) -> bool:
    """Whether a gap completed by this bar follows on one that the bar before completed."""
    if book.count == 0 or not rules.fvg_joined:
        return False
    return zones[book.count - 1].since == bar.time - rules.length


def found(
    zones: list[Zone],
    book: Book,
    side: int,
    joined: bool,
    window: Window,
    slots: list[Slot],
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Add the gap that the bar completes, or join it to the newest."""
    first = slots[(window.count - 3) & rules.mask]
    top, bottom = (bar.low, first.high) if side > 0 else (first.low, bar.high)
    at = bar.time - rules.length
    if joined:
        zone = zones[book.count - 1]
        top, bottom = max(top, zone.top), min(bottom, zone.bottom)
        name = emit(
            out, FVG_JOINED, NONE, side, at, (top + bottom) / 2, top, bottom, top - bottom, zone.id, 0, 0
        )
        zone.on = zone.id
        zone.stage = FRESH
        zone.changed = 0
    else:
        if book.count >= rules.zones_kept:
            lost = zones[0]
            middle = (lost.top + lost.bottom) / 2
            emit(out, EXPIRED, NONE, side, lost.at, middle, lost.top, lost.bottom, 0.0, lost.id, 0, 0)
            drop(zones, book, 0)
        name = emit(out, FVG, NONE, side, at, (top + bottom) / 2, top, bottom, top - bottom, 0, 0, 0)
        zone = add(zones, book)
        zone.side = side
    zone.id = name
    zone.kind = FVG
    zone.at = at
    zone.since = bar.time
    zone.top = top
    zone.bottom = bottom
    zone.next = top if side > 0 else bottom
    if (zone.next - book.near) * side > 0:
        book.near = zone.next


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
    near = -side * NOWHERE_ABOVE
    kept = 0
    for index in range(book.count):
        zone = zones[index]
        reached = zone.since != bar.time and (reach - zone.next) * side <= 0
        if reached and _fill(zone, side, reach, bar, out):
            flips.put(other, other_book, -side, FVG_INVERTED, zone, bar, 0, 0, rules, out)
            continue
        if (zone.next - near) * side > 0:
            near = zone.next
        if kept != index:
            move(zones, kept, index)
        kept += 1
    cut(zones, book, kept)
    book.near = near


def _fill(zone: Zone, side: int, reach: float, bar: Candle, out: Out) -> bool:
    """Move a gap through its states; whether the bar inverts it."""
    top, bottom = zone.top, zone.bottom
    middle = (top + bottom) / 2
    far = bottom if side > 0 else top
    if zone.stage == FRESH:
        _say(out, FVG_TOUCHED, zone, side, reach, bar)
        zone.stage, zone.next, zone.changed = TOUCHED, middle, bar.time
    if zone.stage == TOUCHED and (reach - middle) * side <= 0:
        _say(out, FVG_HALF_FILLED, zone, side, reach, bar)
        zone.stage, zone.next, zone.changed = HALF_FILLED, far, bar.time
    if zone.stage == HALF_FILLED and (reach - far) * side <= 0:
        _say(out, FVG_FILLED, zone, side, reach, bar)
        zone.stage, zone.changed = FILLED, bar.time
    return zone.stage == FILLED and (bar.close - far) * side < 0


def _say(out: Out, kind: int, zone: Zone, side: int, reach: float, bar: Candle) -> None:
    emit(
        out, kind, NONE, side, bar.time, (zone.top + zone.bottom) / 2, zone.top, zone.bottom, reach,
        zone.id, 0, 0,
    )  # fmt: skip
