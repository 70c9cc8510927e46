"""What the collector's thread hands to the thread that commits: bounded, and prices only the latest."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import msgspec

from market_data.live.bars import Page
from market_data.live.prices import Quote
from market_data.rows import Settlement

MOST_PAGES = 64


class Mail(msgspec.Struct):
    """What has come since the last look.

    Attributes:
        quotes: the latest of each symbol.
        universe: what is traded now, and what else gets marks; None where that did not change.
        error: the collector has ended with this.
    """

    pages: list[Page] = []
    quotes: dict[str, Quote] = {}
    settlements: dict[str, list[Settlement]] = {}
    universe: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    error: BaseException | None = None


class Mailbox:
    """Written by one thread, emptied by another."""

    def __init__(self) -> None:
        self._mail = Mail()
        self._changed = threading.Condition()
        self._any = False

    @property
    def full(self) -> bool:
        """Whether the reader is behind: no more pages then."""
        return len(self._mail.pages) >= MOST_PAGES

    def page(self, page: Page) -> None:
        """An answer with candles."""
        with self._changed:
            self._mail.pages.append(page)
            self._tell()

    def quotes(self, quotes: Iterable[Quote]) -> None:
        """Prices; they replace older ones of the same symbol."""
        with self._changed:
            self._mail.quotes |= {quote.symbol: quote for quote in quotes}
            self._tell()

    def settlements(self, symbol: str, found: Sequence[Settlement]) -> None:
        """Funding that was settled."""
        with self._changed:
            self._mail.settlements[symbol] = self._mail.settlements.get(symbol, []) + list(found)
            self._tell()

    def universe(self, symbols: tuple[str, ...], also: tuple[str, ...]) -> None:
        """What is traded from now on, and what else gets marks."""
        with self._changed:
            self._mail.universe = (symbols, also)
            self._tell()

    def fail(self, error: BaseException) -> None:
        """The collector has ended."""
        with self._changed:
            self._mail.error = error
            self._tell()

    def drain(self, wait_s: float) -> Mail:
        """Everything since the last call; waits so long for something to come."""
        with self._changed:
            if not self._any:
                self._changed.wait(wait_s)
            mail, self._mail, self._any = self._mail, Mail(), False
            return mail

    def _tell(self) -> None:
        self._any = True
        self._changed.notify()
