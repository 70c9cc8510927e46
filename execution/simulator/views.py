"""What an exchange holds, and every question about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from bus_schemas.events import Millis
from execution.simulator.margin import Account
from execution.simulator.orders import (
    CandleChanged,
    Code,
    Quote,
    SimAccount,
    SimBar,
    SimEvent,
    SimFill,
    SimFunding,
    SimOrder,
    SimPosition,
    SimRefusal,
)
from execution.simulator.rules import Listing, Rules
from execution.simulator.store import KEPT, FillStore, Ids, OrderStore

Listener = Callable[[SimEvent], None]


class PriceHistory(Protocol):
    """Where candles come from: the market."""

    def candles(
        self, source: str, timeframe: str, since: Millis, until: Millis, limit: int, price: str
    ) -> list[SimBar]:
        """See `Exchange.candles`."""

    def watch(
        self, source: str, timeframe: str, listener: Callable[[SimBar, bool], None]
    ) -> Callable[[], None]:
        """See `Exchange.watch_candles`; the second argument says whether the bar closed."""


class ExchangeView:
    """Everything that can be asked. Answers are copies; they do not change any more.

    Args:
        rules: of the venue.
        listings: what it lists.
        clock: the venue's time, milliseconds UTC.
        cash: in settle currency.

    Attributes:
        listings: by canonical symbol.
        history: where candles come from; set by the market.
        liquidity: the share of a market order or triggered stop that the market takes; set by the server.
        books: cash and positions, changed by fills alone.
        trades: every fill, hidden ones too.
        ids: of ordinary orders and of fills.
    """

    def __init__(
        self, rules: Rules, listings: Iterable[Listing], clock: Callable[[], Millis], cash: Decimal
    ) -> None:
        self.rules = rules
        self.clock = clock
        self.listings = {listing.symbol: listing for listing in listings}
        self.history: PriceHistory | None = None
        self.liquidity: Callable[[SimOrder], Decimal] = lambda _order: Decimal(1)
        self.books = Account(rules, self.listings, cash)
        self.trades = FillStore()
        self.ids = Ids(f"{rules.name}-order", rules.uuids, 4_000_000_000)
        self._by_name = {listing.name: listing for listing in self.listings.values()}
        self._funding: deque[SimFunding] = deque(maxlen=KEPT)
        self._listeners: list[Listener] = []
        self._regular = OrderStore()
        self._conditional = OrderStore()

    # What is listed -----------------------------------------------------------------------------

    def listing(self, symbol: str) -> Listing:
        """The listing of a canonical symbol.

        Raises:
            SimRefusal: UNKNOWN_SYMBOL.
        """
        try:
            return self.listings[symbol]
        except KeyError:
            raise SimRefusal(Code.UNKNOWN_SYMBOL, f"there is no {symbol}") from None

    def named(self, name: str) -> Listing:
        """The listing of the venue's own name, in any case.

        Raises:
            SimRefusal: UNKNOWN_SYMBOL.
        """
        try:
            return self._by_name[name.upper()]
        except KeyError:
            raise SimRefusal(Code.UNKNOWN_SYMBOL, f"there is no {name}") from None

    # Questions ----------------------------------------------------------------------------------

    def order(self, order_id: str, conditional: bool = False) -> SimOrder | None:
        """The order of this id, alive or ended; None while queries do not show it."""
        return self._shown(self.store(conditional).get(order_id))

    def by_client_id(self, client_id: str, conditional: bool = False) -> SimOrder | None:
        """The last order with this client id, alive or ended; likewise."""
        return self._shown(self.store(conditional).by_client_id(client_id))

    def open_orders(self, symbol: str | None = None, conditional: bool = False) -> list[SimOrder]:
        """Living orders, oldest first."""
        now = self.clock()
        return [copied(o) for o in self.store(conditional).alive(symbol) if o.visible <= now]

    def orders(
        self, symbol: str | None = None, since: Millis = 0, conditional: bool = False, limit: int = 0
    ) -> list[SimOrder]:
        """Every order placed at `since` or later, oldest first; the newest `limit` of them, 0 for all."""
        now = self.clock()
        found = [
            copied(o)
            for o in self.store(conditional)
            if o.created >= since and o.visible <= now and symbol in (None, o.symbol)
        ]
        return found[-limit:] if limit else found

    def fills(self, symbol: str | None = None, since: Millis = 0) -> list[SimFill]:
        """Every fill at `since` or later, oldest first."""
        now = self.clock()
        return [f for f in self.trades if f.time >= since and f.visible <= now and symbol in (None, f.symbol)]

    def positions(self) -> list[SimPosition]:
        """Open positions by symbol."""
        return self.books.positions()

    def account(self) -> SimAccount:
        """The balance."""
        return self.books.summary([*self._regular.alive(), *self._conditional.alive()])

    def funding(self, symbol: str | None = None, since: Millis = 0) -> list[SimFunding]:
        """Funding settled on positions at `since` or later, oldest first."""
        return [f for f in self._funding if f.time >= since and symbol in (None, f.symbol)]

    def leverage(self, symbol: str) -> int:
        """What the symbol's initial margin is divided by."""
        return self.books.leverage_of(symbol)

    def quote_of(self, symbol: str) -> Quote:
        """The last prices.

        Raises:
            SimRefusal: NO_PRICE: there were none yet; UNKNOWN_SYMBOL.
        """
        self.listing(symbol)
        quote = self.books.quotes.get(symbol)
        if quote is None:
            raise SimRefusal(Code.NO_PRICE, f"{symbol} has no price yet")
        return quote

    def candles(
        self,
        symbol: str,
        timeframe: str,
        since: Millis = 0,
        until: Millis = 1 << 62,
        limit: int = 500,
        price: str = "last",
    ) -> list[SimBar]:
        """Candles that open from `since` up to and including `until`, oldest first; the last one is
        forming. Where there are more than `limit`: the oldest if `since` is given, else the newest.

        Args:
            price: `last`, `mark` or `index`.

        Raises:
            ConfigurationError: there is no such timeframe.
        """
        if self.history is None:
            return []
        listing = self.listing(symbol)
        bars = self.history.candles(listing.source, timeframe, since, until, limit, price)
        return [_on_tick(bar, listing) for bar in bars]

    # News ---------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear every event from now on, in order, in the turn in which it happens; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def watch_candles(self, symbol: str, timeframe: str) -> Callable[[], None]:
        """Have `CandleChanged` told for these candles; returns how to stop. Ask once for each need: the
        event is told once for each."""
        if self.history is None:
            return lambda: None

        listing = self.listing(symbol)

        def moved(bar: SimBar, closed: bool) -> None:
            shown = _on_tick(bar, listing)
            self.tell(CandleChanged(symbol=symbol, timeframe=timeframe, bar=shown, closed=closed))

        return self.history.watch(listing.source, timeframe, moved)

    # For those who change it --------------------------------------------------------------------

    def store(self, conditional: bool) -> OrderStore:
        """The id space; conditional orders share the only one where the rules do not keep them apart."""
        return self._conditional if conditional and self.rules.conditional_apart else self._regular

    def tell(self, event: SimEvent) -> None:
        """Let every listener hear."""
        for listener in tuple(self._listeners):
            listener(event)

    def _shown(self, order: SimOrder | None) -> SimOrder | None:
        return copied(order) if order is not None and order.visible <= self.clock() else None


def copied(order: SimOrder) -> SimOrder:
    """A copy that does not change any more."""
    return msgspec.structs.replace(order)


def _on_tick(bar: SimBar, listing: Listing) -> SimBar:
    """The candle of the source with prices that this venue has."""
    price = listing.instrument.price
    return SimBar(bar.time, price(bar.open), price(bar.high), price(bar.low), price(bar.close), bar.volume)
