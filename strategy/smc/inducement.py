"""Inducement: the first minor pullback that forms between price and a waiting order block.

Stops gather beyond that internal pivot; price that takes them on its way to the block has its fuel. Here: the
first internal low after the block, above it, while it is untouched. The mirror above the price.
"""

from __future__ import annotations

from strategy.smc import books
from strategy.smc.kinds import INDUCEMENT
from strategy.smc.memory import Out, emit
from strategy.smc.order_blocks import FRESH
from strategy.smc.state import Book, Zone


def found(zones: list[Zone], book: Book, side: int, pivot: int, at: int, level: float, out: Out) -> None:
    """A new internal pivot: a low for bullish blocks (`side` +1), a high for bearish ones."""
    found_one = False
    for index in range(book.count):
        zone = zones[index]
        near = zone.top if side > 0 else zone.bottom
        if zone.stage != FRESH or zone.marked != 0 or at < zone.since or (level - near) * side <= 0:
            continue
        zone.marked = emit(out, INDUCEMENT, zone.scope, side, at, level, level, level, 0.0, pivot, zone.id, 0)
        zone.mark = level
        zone.next = level
        found_one = True
    if found_one:
        books.settle(zones, book, 0, side)
