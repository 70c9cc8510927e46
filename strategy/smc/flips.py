"""Zones that changed sides: breakers, mitigation blocks, inverted fair value gaps.

A flip is *retested* when price comes back to it from the other side, and *fails* when a candle closes beyond
its far edge.
"""

from __future__ import annotations

from typing import Final

from strategy.smc.candle import Candle
from strategy.smc.kinds import EXPIRED, FLIP_FAILED, FLIP_RETESTED
from strategy.smc.memory import Out, add, cut, drop, emit, move
from strategy.smc.params import Rules
from strategy.smc.state import NOWHERE_ABOVE, Book, Zone

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
    if book.count >= rules.zones_kept:
        lost = zones[0]
        middle = (lost.top + lost.bottom) / 2
        emit(out, EXPIRED, lost.scope, side, lost.at, middle, lost.top, lost.bottom, 0.0, lost.id, 0, 0)
        drop(zones, book, 0)
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
    zone.next = top if side > 0 else bottom
    if (zone.next - book.near) * side > 0:
        book.near = zone.next


def meet(zones: list[Zone], book: Book, side: int, bar: Candle, out: Out) -> None:
    """Let the bar meet the flips of a side."""
    reach = bar.low if side > 0 else bar.high
    near = -side * NOWHERE_ABOVE
    kept = 0
    for index in range(book.count):
        zone = zones[index]
        if (reach - zone.next) * side <= 0:
            far = zone.bottom if side > 0 else zone.top
            middle = (zone.top + zone.bottom) / 2
            if zone.stage == FRESH:
                emit(
                    out, FLIP_RETESTED, zone.scope, side, bar.time, middle, zone.top, zone.bottom, reach,
                    zone.id, 0, 0,
                )  # fmt: skip
                zone.stage, zone.next, zone.changed = RETESTED, far, bar.time
            if (bar.close - far) * side < 0:
                emit(
                    out, FLIP_FAILED, zone.scope, side, bar.time, middle, zone.top, zone.bottom, bar.close,
                    zone.id, 0, 0,
                )  # fmt: skip
                continue
        if (zone.next - near) * side > 0:
            near = zone.next
        if kept != index:
            move(zones, kept, index)
        kept += 1
    cut(zones, book, kept)
    book.near = near
