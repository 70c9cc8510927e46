"""Candles as a venue told them, merged by their open time. Pure.

An answer of the venue is a page: its candles, the time at which it was asked, and how far it reaches. The
last candle of a page may still be forming. So a candle is final only where the same page has a later one, and
the venue's clock had passed its close, with a moment to settle, when it was asked.

Pages overlap, repeat each other and arrive in any order: a live one may be there before the history.
`merge` takes the best sighting of every candle, and the order of pages does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import NamedTuple

import msgspec

MOST = 1e15
"""Largest price and volume that strategy takes."""


class Row(NamedTuple):
    """A candle as the venue told it: open time in milliseconds UTC, prices, traded base currency."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Sighting(NamedTuple):
    """A candle in one answer. The greater of two is the better: a total order, so that merging is a maximum.

    Attributes:
        final: it cannot change any more.
        asked: the venue's time when we asked; of two final ones, the later answer is taken.
    """

    final: bool
    asked: int
    row: Row


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to: the candles from `since` on.

    Attributes:
        since: open time that was asked for.
        until: what opens before this was looked at; the rest the answer says nothing of.
        asked: the venue's time when we asked.
    """

    symbol: str
    since: int
    until: int
    asked: int
    rows: tuple[Row, ...]


Book = dict[int, Sighting]
"""The best sighting of each candle, by open time."""


def page_of(symbol: str, since: int, limit: int, span: int, asked: int, rows: Sequence[Row]) -> Page:
    """The page that an answer of at most `limit` candles is.

    An answer reaches as far as its last candle. An empty one reaches over the window that was asked for:
    some venues answer by window, and a window may lie before the market began.
    """
    sound = tuple(
        sorted({row.time: row for row in rows if row.time >= since and is_sound(row, span)}.values())
    )
    until = sound[-1].time + span if sound else min(since + limit * span, asked)
    return Page(symbol=symbol, since=since, until=max(since, until), asked=asked, rows=sound)


def is_sound(row: Row, span: int) -> bool:
    """Whether it can be a candle at all; one that cannot counts as missing."""
    prices = row[1:5]
    return (
        row.time % span == 0
        and all(isfinite(price) and 0 < price <= MOST for price in prices)
        and row.low <= min(row.open, row.close)
        and max(row.open, row.close) <= row.high
        and 0 <= row.volume <= MOST
    )


def sightings(page: Page, span: int, settle_ms: int) -> Book:
    """The page's candles, each with whether it is final."""
    last = page.rows[-1].time if page.rows else 0
    return {
        row.time: Sighting(row.time < last and page.asked >= row.time + span + settle_ms, page.asked, row)
        for row in page.rows
    }


def merge(books: Iterable[Book]) -> Book:
    """The best sighting of each candle; the order of the books does not matter."""
    best: Book = {}
    for book in books:
        for time, seen in book.items():
            known = best.get(time)
            if known is None or seen > known:
                best[time] = seen
    return best
