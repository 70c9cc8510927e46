"""Marks out of what a venue told: prices as they come, funding once it was settled. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from bus_schemas.events import Mark
from market_data.rows import Settlement


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one symbol, in quote currency.

    Attributes:
        time: the venue's time of the mark price; never that of our asking again for an old one.
        index, spot: None where they are not told.
    """

    symbol: str
    time: int
    mark: Decimal
    index: Decimal | None = None
    spot: Decimal | None = None

    def with_spot(self, spot: Decimal | None) -> Quote:
        """The same beside this spot price."""
        return msgspec.structs.replace(self, spot=spot)


class Prices:
    """One symbol's marks: each newer than the last, with the funding settled since then, and only that.

    Attributes:
        marked: time of the last mark; None before the first.
        settled: time of the last settlement that a mark has told; that of the first mark before any.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.marked: int | None = None
        self.settled: int | None = None
        self._settlements: dict[int, Decimal] = {}

    def resume(self, marked: int | None, settled: int | None) -> None:
        """Go on after what is committed."""
        self.marked, self.settled = marked, settled

    def take(self, settlements: Iterable[Settlement]) -> None:
        """Take settlements from the venue's history, in any order, again and again."""
        self._settlements |= {one.time: one.rate for one in settlements}
        while len(self._settlements) > 1000:
            del self._settlements[min(self._settlements)]

    def mark(self, quote: Quote) -> Mark | None:
        """The mark of this quote; None where it is no newer than the last. Changes nothing."""
        if self.marked is not None and quote.time <= self.marked:
            return None
        rates = [
            rate
            for time, rate in self._settlements.items()
            if self.settled is not None and self.settled < time <= quote.time
        ]
        return Mark(
            time=quote.time,
            symbol=self.symbol,
            mark=quote.mark,
            spot=quote.spot or quote.index or quote.mark,
            index=quote.index,
            funding=sum(rates, Decimal(0)) if rates else None,
        )

    def settled_after(self, mark: Mark) -> int:
        """What `settled` is once this mark is committed."""
        if self.settled is None:
            return mark.time
        return max((self.settled, *(time for time in self._settlements if time <= mark.time)))

    def advance(self, mark: Mark) -> None:
        """It is committed."""
        self.settled = self.settled_after(mark)
        self.marked = mark.time
