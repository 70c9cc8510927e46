"""Liquidity: levels beyond which stops rest, equal highs and lows, and what price does to them.

Levels are internal pivots, previous days, weeks and months, and sessions. Pivots of one side within the
tolerance of each other are a *pool* (equal highs, equal lows). Price that goes beyond a level and closes back
inside within `sweep_bars` candles, the first included, has *swept* it; price that stays beyond has *run* it.
"""

from __future__ import annotations

from strategy.smc.candle import Candle
from strategy.smc.kinds import EQUALS, EXPIRED, INTERNAL, POOL, POOL_GROWN, RUN, SWEPT
from strategy.smc.memory import Out, add, cut, drop, emit, move
from strategy.smc.params import Rules
from strategy.smc.state import NOWHERE_ABOVE, Book, Zone


def pivot(
    zones: list[Zone],
    book: Book,
    side: int,
    name: int,
    at: int,
    level: float,
    atr: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """A new internal pivot: joins an untouched level or pool within the tolerance, else is a level itself."""
    tolerance = rules.pool_atr * atr
    for index in range(book.count):
        zone = zones[index]
        if zone.stage != 0 or (zone.scope != INTERNAL and zone.scope != EQUALS):
            continue
        top, bottom = max(zone.top, level), min(zone.bottom, level)
        if top - bottom > tolerance:
            continue
        zone.top = top
        zone.bottom = bottom
        zone.next = top if side > 0 else bottom
        zone.kind += 1
        kind = POOL if zone.scope == INTERNAL else POOL_GROWN
        made = emit(
            out, kind, EQUALS, side, at, zone.next, top, bottom, float(zone.kind), name, zone.id, zone.on
        )
        if kind == POOL:
            zone.id = made
            zone.scope = EQUALS
        return
    level_at(zones, book, side, INTERNAL, name, at, level, bar, rules, out)


def level_at(
    zones: list[Zone],
    book: Book,
    side: int,
    scope: int,
    name: int,
    at: int,
    level: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Add a level. Where there are too many, the oldest pivot expires, or else the oldest."""
    if book.count >= rules.levels_kept:
        oldest = 0
        for index in range(book.count):
            if zones[index].scope == INTERNAL and zones[index].stage == 0:
                oldest = index
                break
        lost = zones[oldest]
        emit(out, EXPIRED, lost.scope, side, lost.at, lost.next, lost.top, lost.bottom, 0.0, lost.id, 0, 0)
        if lost.stage != 0:
            book.waiting -= 1
        drop(zones, book, oldest)
    zone = add(zones, book)
    zone.id = name
    zone.kind = 1
    zone.scope = scope
    zone.side = side
    zone.at = at
    zone.since = bar.time
    zone.top = zone.bottom = zone.next = level
    if (level - book.near) * side < 0:
        book.near = level


def replace(zones: list[Zone], book: Book, scope: int) -> None:
    """Forget the untouched level of a scope: a new day, week, month or session takes its place."""
    index = 0
    while index < book.count:
        if zones[index].scope == scope and zones[index].stage == 0:
            drop(zones, book, index)
        else:
            index += 1


def meet(zones: list[Zone], book: Book, side: int, atr: float, bar: Candle, rules: Rules, out: Out) -> None:
    """Let the bar meet the levels of a side: +1 those above the price."""
    reach = bar.high if side > 0 else bar.low
    near = side * NOWHERE_ABOVE
    kept = 0
    book.waiting = 0
    for index in range(book.count):
        zone = zones[index]
        if zone.stage != 0 or (reach - zone.next) * side > 0:
            if zone.stage == 0:
                zone.changed = bar.time
                zone.mark = reach
            elif (reach - zone.mark) * side > 0:
                zone.mark = reach
            zone.stage += 1
            level = zone.next
            if (bar.close - level) * side < 0:
                depth = abs(zone.mark - level) / atr if atr > 0.0 else 0.0
                top, bottom = (zone.mark, level) if side > 0 else (level, zone.mark)
                book.last = emit(
                    out, SWEPT, zone.scope, -side, zone.changed, level, top, bottom, depth, zone.id, 0, 0
                )
                continue
            if zone.stage >= rules.sweep_bars:
                emit(
                    out, RUN, zone.scope, side, zone.changed, level, zone.top, zone.bottom, bar.close,
                    zone.id, 0, 0,
                )  # fmt: skip
                continue
            book.waiting += 1
        elif (zone.next - near) * side < 0:
            near = zone.next
        if kept != index:
            move(zones, kept, index)
        kept += 1
    cut(zones, book, kept)
    book.near = near
