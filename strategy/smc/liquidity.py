"""Liquidity: levels beyond which stops rest, equal highs and lows, and what price does to them.

Levels are internal pivots, previous days, weeks and months, and sessions. Pivots of one side within the
tolerance of each other are a *pool* (equal highs, equal lows). Price that goes beyond a level and closes back
inside within `sweep_bars` candles, the first included, has *swept* it; price that stays beyond has *run* it.
"""

from __future__ import annotations

from strategy.smc import books
from strategy.smc.candle import Candle
from strategy.smc.kinds import EQUALS, INTERNAL, POOL, POOL_GROWN, RUN, SWEPT
from strategy.smc.memory import Out, add, drop, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Book, State, Zone


def pivot(
    zones: list[Zone],
    book: Book,
    side: int,
    name: int,
    at: int,
    level: float,
    last: int,
    last_level: float,
    atr: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """A new internal pivot: a level, or one of equal highs or lows.

    It joins an untouched pivot or pool within the tolerance. Where there is none but the pivot before lies
    within it, which this one then has gone beyond, the two are a pool all the same.

    Args:
        last, last_level: the pivot before on this side, id 0 if this one only extends it.
    """
    tolerance = rules.pool_atr * atr
    for index in range(book.count - 1, -1, -1):
        zone = zones[index]
        if (zone.next - level) * side > tolerance:
            break
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
        made = emit(out, kind, EQUALS, side, at, zone.next, top, bottom, float(zone.kind), name, zone.id, 0)
        if kind == POOL:
            zone.id = made
            zone.scope = EQUALS
        books.settle(zones, book, 0, -side)
        return
    if last != 0 and abs(level - last_level) <= tolerance:
        top, bottom = max(level, last_level), min(level, last_level)
        edge = top if side > 0 else bottom
        made = emit(out, POOL, EQUALS, side, at, edge, top, bottom, 2.0, name, last, 0)
        level_at(zones, book, side, EQUALS, made, at, top, bottom, 2, bar, rules, out)
    else:
        level_at(zones, book, side, INTERNAL, name, at, level, level, 1, bar, rules, out)


def level_at(
    zones: list[Zone],
    book: Book,
    side: int,
    scope: int,
    name: int,
    at: int,
    top: float,
    bottom: float,
    pivots: int,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Add a level. Where there are too many, the oldest pivot expires, or else the oldest."""
    if book.count >= rules.levels_kept:
        oldest, pivots_only = 0, False
        for index in range(book.count):
            one = zones[index]
            is_pivot = one.scope == INTERNAL and one.stage == 0
            if (is_pivot and not pivots_only) or (is_pivot == pivots_only and one.id < zones[oldest].id):
                oldest, pivots_only = index, is_pivot
        if zones[oldest].stage != 0:
            book.waiting -= 1
        books.expire(zones, book, oldest, out)
    zone = add(zones, book)
    zone.id = name
    zone.kind = pivots
    zone.scope = scope
    zone.side = side
    zone.at = at
    zone.since = bar.time
    zone.top = top
    zone.bottom = bottom
    zone.next = top if side > 0 else bottom
    books.placed(zones, book, -side)


def renew(
    state: State,
    scope: int,
    name: int,
    at: int,
    high: float,
    low: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """The high and low of a new day, week, month or session, in place of the untouched ones before."""
    _forget(state.highs, state.highs_book, 1, scope)
    _forget(state.lows, state.lows_book, -1, scope)
    level_at(state.highs, state.highs_book, 1, scope, name, at, high, high, 1, bar, rules, out)
    level_at(state.lows, state.lows_book, -1, scope, name, at, low, low, 1, bar, rules, out)


def _forget(zones: list[Zone], book: Book, side: int, scope: int) -> None:
    index = 0
    while index < book.count:
        if zones[index].scope == scope and zones[index].stage == 0:
            drop(zones, book, index)
        else:
            index += 1
    books.settle(zones, book, book.count, -side)


def meet(zones: list[Zone], book: Book, side: int, atr: float, bar: Candle, rules: Rules, out: Out) -> None:
    """Let the bar meet the levels of a side: +1 those above the price.

    Those that price is beyond are the last of the book, save for a few new ones that may lie among them.
    """
    reach = bar.high if side > 0 else bar.low
    start = book.count
    left = book.waiting
    while start > 0 and (left > 0 or (reach - zones[start - 1].next) * side > 0):
        if zones[start - 1].stage != 0:
            left -= 1
        start -= 1
    book.waiting = 0
    for index in range(book.count - 1, start - 1, -1):
        zone = zones[index]
        if zone.stage == 0 and (reach - zone.next) * side <= 0:
            continue
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
            zone.stage = books.GONE
        elif zone.stage >= rules.sweep_bars:
            emit(
                out, RUN, zone.scope, side, zone.changed, level, zone.top, zone.bottom, bar.close,
                zone.id, 0, 0,
            )  # fmt: skip
            zone.stage = books.GONE
        else:
            book.waiting += 1
    books.settle(zones, book, start, -side)
