"""Books of zones: sorted by the price at which something happens next, the nearest to the market last.

A bar that does not reach the nearest price of a book costs one comparison; one that does costs as much as the
zones that it reaches.
"""

from __future__ import annotations

from typing import Final

from strategy.smc.kinds import EXPIRED
from strategy.smc.memory import Out, cut, drop, emit, move, sink
from strategy.smc.state import NOWHERE_ABOVE, Book, Zone

GONE: Final = -1
"""The stage of a zone that is to leave its book."""


def reached(zones: list[Zone], book: Book, reach: float, side: int) -> int:
    """Index of the first zone that a price reaches, or the count if it reaches none.

    Args:
        side: +1 for zones below the price.
    """
    index = book.count
    while index > 0 and (reach - zones[index - 1].next) * side <= 0:
        index -= 1
    return index


def settle(zones: list[Zone], book: Book, start: int, side: int) -> None:
    """Put zones from `start` on where they belong now, and let those go that are gone."""
    kept = start
    for index in range(start, book.count):
        if zones[index].stage == GONE:
            continue
        if kept != index:
            move(zones, kept, index)
        if kept > 0 and (zones[kept - 1].next - zones[kept].next) * side > 0:
            sink(zones, kept, side)
        kept += 1
    cut(zones, book, kept)
    book.near = zones[kept - 1].next if kept > 0 else -side * NOWHERE_ABOVE


def placed(zones: list[Zone], book: Book, side: int) -> None:
    """Put the zone that was added last where it belongs."""
    last = book.count - 1
    if last > 0 and (zones[last - 1].next - zones[last].next) * side > 0:
        sink(zones, last, side)
    book.near = zones[last].next


def make_room(zones: list[Zone], book: Book, most: int, out: Out) -> None:
    """Let the oldest zone expire, with an event, where there is no room for one more."""
    if book.count < most:
        return
    oldest = 0
    for index in range(1, book.count):
        if zones[index].id < zones[oldest].id:
            oldest = index
    expire(zones, book, oldest, out)


def expire(zones: list[Zone], book: Book, index: int, out: Out) -> None:
    """Forget a zone, with an event."""
    lost = zones[index]
    middle = (lost.top + lost.bottom) / 2
    emit(
        out, EXPIRED, lost.scope, lost.side, lost.at, middle, lost.top, lost.bottom, 0.0, lost.id, 0, 0
    )  # fmt: skip
    drop(zones, book, index)
