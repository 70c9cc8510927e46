"""The reference library's breaks: a pattern of four pivots, and a close beyond its second.

Low, high, higher low, higher high is a BOS upwards at the first of the two highs; if the second low is
below the first it is a CHoCH. The mirror downwards. Known once the pattern and the break are both known;
the library labels the second pivot, bars or days earlier.
"""

from __future__ import annotations

from strategy.smc import books
from strategy.smc.candle import Candle
from strategy.smc.kinds import BOS, CHOCH
from strategy.smc.memory import Out, add, cut, emit, move
from strategy.smc.rules import Rules
from strategy.smc.state import Book, Turn, Zone


def watch(turns: list[Turn], bar: Candle, rules: Rules) -> None:
    """Note the first close, or wick, beyond each of the pivots."""
    for index in range(4):
        turn = turns[index]
        if turn.id == 0 or turn.broken != 0 or bar.time < turn.at + 2 * rules.length:
            continue
        price = bar.close
        if rules.break_by_wick:
            price = bar.high if turn.side > 0 else bar.low
        if (price - turn.level) * turn.side > 0:
            turn.broken = bar.time


def take(
    turns: list[Turn],
    waits: list[Zone],
    book: Book,
    side: int,
    extended: bool,
    name: int,
    at: int,
    level: float,
    scope: int,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    """Take a new or extended pivot, and look at the four that are the newest now."""
    if not extended:
        for index in range(3):
            to, source = turns[index], turns[index + 1]
            to.id = source.id
            to.side = source.side
            to.at = source.at
            to.level = source.level
            to.broken = source.broken
            to.used = source.used
    newest = turns[3]
    newest.id = name
    newest.side = side
    newest.at = at
    newest.level = level
    newest.broken = 0
    newest.used = 0
    a, b, c = turns[0], turns[1], turns[2]
    if a.id == 0 or b.used != 0:
        return
    if (newest.level - b.level) * side <= 0 or (b.level - a.level) * side <= 0:
        return
    if (b.level - c.level) * side <= 0 or c.level == a.level:
        return
    kind = BOS if (c.level - a.level) * side > 0 else CHOCH
    b.used = 1
    if b.broken != 0:
        emit(out, kind, scope, side, b.broken, b.level, b.level, b.level, 0.0, b.id, name, 0)
    else:
        _wait(waits, book, b, kind, scope, name, bar, rules, out)


def _wait(
    waits: list[Zone],
    book: Book,
    turn: Turn,
    kind: int,
    scope: int,
    on: int,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> None:
    if book.count >= rules.zones_kept:
        books.expire(waits, book, 0, out)
    zone = add(waits, book)
    zone.id = turn.id
    zone.kind = kind
    zone.scope = scope
    zone.side = turn.side
    zone.at = turn.at
    zone.since = bar.time
    zone.top = zone.bottom = zone.next = turn.level
    zone.on = on


def meet(waits: list[Zone], book: Book, bar: Candle, rules: Rules, out: Out) -> None:
    """Patterns that wait for their break."""
    kept = 0
    for index in range(book.count):
        zone = waits[index]
        price = bar.close
        if rules.break_by_wick:
            price = bar.high if zone.side > 0 else bar.low
        if (price - zone.next) * zone.side > 0:
            emit(
                out, zone.kind, zone.scope, zone.side, bar.time, zone.next, zone.next, zone.next, 0.0,
                zone.id, zone.on, 0,
            )  # fmt: skip
        else:
            if kept != index:
                move(waits, kept, index)
            kept += 1
    cut(waits, book, kept)
