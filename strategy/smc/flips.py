"""Zones that changed sides: breakers, mitigation blocks, inverted fair value gaps.

A flip is *retested* when price comes back to it from the other side, and *fails* when a candle closes beyond
its far edge.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import books
from strategy.smc.candle import Candle
from strategy.smc.kinds import FLIP_FAILED, FLIP_RETESTED
from strategy.smc.memory import Out, add, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Book, Zone

FRESH: Final = 0
RETESTED: Final = 1


def put(
    zones: list[Zone],
    book: Book,
    side: int,
    kind: int,
    source: Zone,
    bar: Candle,
    on2: int,
    on3: int,
    rules: Rules,
    out: Out,
) -> None:
    """Turn a zone of the other side into one of this side, with an event.

    Args:
        kind: of the event: `BREAKER`, `MITIGATION_BLOCK` or `FVG_INVERTED`.
    """
    books.make_room(zones, book, rules.zones_kept, out)
    top, bottom = source.top, source.bottom
    name = emit(
        out, kind, source.scope, side, bar.time, (top + bottom) / 2, top, bottom, bar.close,
        source.id, on2, on3,
    )  # fmt: skip
    zone = add(zones, book)
    zone.id = name
    zone.kind = kind
    zone.scope = source.scope
    zone.side = side
    zone.at = bar.time
    zone.since = bar.time
    zone.top = top
    zone.bottom = bottom
    zone.on = source.id
    zone.marked = source.at
    zone.next = top if side > 0 else bottom
    books.placed(zones, book, side)


def meet(zones: list[Zone], book: Book, side: int, bar: Candle, out: Out) -> None:
    """Let the bar meet the flips of a side."""
    reach = bar.low if side > 0 else bar.high
    start = books.reached(zones, book, reach, side)
    for index in range(book.count - 1, start - 1, -1):
        zone = zones[index]
        far = zone.bottom if side > 0 else zone.top
        if zone.stage == FRESH:
            _say(FLIP_RETESTED, zone, side, reach, bar, out)
            zone.stage = RETESTED
            zone.next = far
        if (bar.close - far) * side < 0:
            _say(FLIP_FAILED, zone, side, bar.close, bar, out)
            zone.stage = books.GONE
    books.settle(zones, book, start, side)


def _say(kind: int, zone: Zone, side: int, price: float, bar: Candle, out: Out) -> None:
    middle = (zone.top + zone.bottom) / 2
    emit(out, kind, zone.scope, side, bar.time, middle, zone.top, zone.bottom, price, zone.id, 0, 0)
