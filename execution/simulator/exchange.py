"""One simulated exchange: an account under one venue's rules, fed with prices by a `Market`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Protocol

import msgspec

from bus_schemas.events import Millis, OrderKind
from execution.books import money
from execution.simulator.checks import (
    check_band,
    check_form,
    check_notional,
    check_price,
    check_quantity,
    crosses,
    released,
)
from execution.simulator.margin import Account
from execution.simulator.matching import Matcher
from execution.simulator.orders import (
    TREATMENT,
    ZERO,
    BalanceChanged,
    CandleChanged,
    Code,
    OrderChanged,
    OrderRequest,
    Quote,
    SimAccount,
    SimBar,
    SimEvent,
    SimFill,
    SimFunding,
    SimOrder,
    SimPosition,
    SimRefusal,
    SimStatus,
    Ticked,
    TriggerBy,
)
from execution.simulator.rules import Listing, Rules
from execution.simulator.store import FillStore, Ids, OrderStore

Listener = Callable[[SimEvent], None]
CASH = Decimal(10_000)
"""What a demo account begins with, in settle currency."""


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


class Exchange:
    """One account at one venue. Not safe for threads; everything happens in the caller's turn.

    Args:
        rules: of the venue.
        listings: what it lists.
        clock: the venue's time, milliseconds UTC.
        cash: in settle currency.

    Attributes:
        listings: by canonical symbol.
        history: where candles come from; set by the market.
    """

    def __init__(
        self, rules: Rules, listings: Iterable[Listing], clock: Callable[[], Millis], cash: Decimal = CASH
    ) -> None:
        self.rules = rules
        self.clock = clock
        self.listings = {listing.symbol: listing for listing in listings}
        self.history: PriceHistory | None = None
        self._by_name = {listing.name: listing for listing in self.listings.values()}
        self._account = Account(rules, self.listings, cash)
        self._fills = FillStore()
        self._funding: list[SimFunding] = []
        self._listeners: list[Listener] = []
        self._ids = Ids(f"{rules.name}-order", rules.uuids, 4_000_000_000)
        self._conditional_ids = Ids(f"{rules.name}-algo", rules.uuids, 1_000_000_000_000)
        self._regular = OrderStore()
        self._conditional = OrderStore()
        self._matcher = Matcher(self)

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

    # Commands -----------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> SimOrder:
        """Take an order; what can trade now has traded when this returns.

        Returns:
            A copy.

        Raises:
            SimRefusal: nothing happened.
        """
        listing = self.listing(request.symbol)
        check_form(self.rules, listing.instrument, request)
        conditional = self.rules.conditional_apart and request.kind is OrderKind.STOP
        store = self.store(conditional)
        self._check_id(store, request.client_id)
        quote = self.quote_of(request.symbol)
        self._check_order(request, quote, conditional, store)
        treatment, now = TREATMENT.get(), self.clock()
        order = SimOrder(
            order_id=(self._conditional_ids if conditional else self._ids).next(),
            client_id=request.client_id,
            symbol=request.symbol,
            side=request.side,
            kind=request.kind,
            quantity=request.quantity,
            price=request.price,
            trigger=request.trigger,
            trigger_by=request.trigger_by,
            reduce_only=request.reduce_only,
            post_only=request.post_only,
            status=SimStatus.WAITING if request.kind is OrderKind.STOP else SimStatus.OPEN,
            created=now,
            updated=now,
            conditional=conditional,
            visible=now + treatment.hide_ms,
            pieces=treatment.pieces or self.rules.pieces,
        )
        store.add(order)
        self.tell(OrderChanged(order=copied(order), cause="placed"))
        self._matcher.placed(order, quote, treatment.fill_now)
        return copied(order)

    def cancel(self, order_id: str, conditional: bool = False, reason: str = "user") -> SimOrder:
        """Take a living order out.

        Raises:
            SimRefusal: UNKNOWN_ORDER: never held, or no longer alive.
        """
        order = self._living(order_id, conditional)
        self._matcher.end(order, SimStatus.CANCELLED, reason)
        return copied(order)

    def amend(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
        conditional: bool = False,
    ) -> SimOrder:
        """Change a living order in place; None leaves as it is. A whole quantity that is filled already
        ends the order.

        Raises:
            SimRefusal: it stays as it was.
        """
        order = self._living(order_id, conditional)
        instrument = self.listing(order.symbol).instrument
        quote = self.quote_of(order.symbol)
        if quantity is not None:
            check_quantity(instrument, quantity)
        if price is not None:
            if order.kind is not OrderKind.LIMIT:
                raise SimRefusal(Code.NOT_AMENDABLE, "only a limit order has a limit price")
            check_price(instrument, price)
            check_band(self.rules, order.side, price, quote)
        if trigger is not None:
            if order.status is not SimStatus.WAITING:
                raise SimRefusal(Code.NOT_AMENDABLE, "only a stop that waits has a trigger")
            check_price(instrument, trigger)
        changed = copied(order)
        changed.quantity, changed.price = quantity or order.quantity, price or order.price
        more = self._account.order_margin(changed) - self._account.order_margin(order)
        if more > self.account().available:
            raise SimRefusal(Code.MARGIN, "not enough margin for the change")
        order.quantity, order.price = changed.quantity, changed.price
        order.trigger = trigger or order.trigger
        order.updated = self.clock()
        if order.quantity <= order.filled:
            order.quantity = order.filled
            self._matcher.end(order, SimStatus.CANCELLED, "amended")
        else:
            self.tell(OrderChanged(order=copied(order), cause="amended"))
            self._matcher.placed(order, quote, False)
        return copied(order)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Set what the symbol's initial margin is divided by.

        Raises:
            SimRefusal: LEVERAGE: beyond the venue's; MARGIN: what is open would need more than there is.
        """
        self.listing(symbol)
        if not 1 <= leverage <= self.rules.max_leverage:
            raise SimRefusal(Code.LEVERAGE, f"leverage must be from 1 to {self.rules.max_leverage}")
        before = self._account.leverage_of(symbol)
        self._account.leverage[symbol] = leverage
        account = self.account()
        if account.position_margin + account.order_margin > max(ZERO, account.equity) and leverage < before:
            self._account.leverage[symbol] = before
            raise SimRefusal(Code.MARGIN, f"not enough margin for leverage {leverage}")

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
        return [f for f in self._fills if f.time >= since and f.visible <= now and symbol in (None, f.symbol)]

    def positions(self) -> list[SimPosition]:
        """Open positions by symbol."""
        return self._account.positions()

    def account(self) -> SimAccount:
        """The balance."""
        return self._account.summary([*self._regular.alive(), *self._conditional.alive()])

    def funding(self, symbol: str | None = None, since: Millis = 0) -> list[SimFunding]:
        """Funding settled on positions at `since` or later, oldest first."""
        return [f for f in self._funding if f.time >= since and symbol in (None, f.symbol)]

    def leverage(self, symbol: str) -> int:
        """What the symbol's initial margin is divided by."""
        return self._account.leverage_of(symbol)

    def quote_of(self, symbol: str) -> Quote:
        """The last prices.

        Raises:
            SimRefusal: NO_PRICE: there were none yet; UNKNOWN_SYMBOL.
        """
        self.listing(symbol)
        quote = self._account.quotes.get(symbol)
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
        return self.history.candles(self.listing(symbol).source, timeframe, since, until, limit, price)

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

        def moved(bar: SimBar, closed: bool) -> None:
            self.tell(CandleChanged(symbol=symbol, timeframe=timeframe, bar=bar, closed=closed))

        return self.history.watch(self.listing(symbol).source, timeframe, moved)

    # From the market ----------------------------------------------------------------------------

    def quote(self, quote: Quote) -> None:
        """The prices moved: match, then tell."""
        self._account.quotes[quote.symbol] = quote
        self._matcher.moved(quote)
        self.tell(Ticked(quote=quote))

    def settle_funding(self, symbol: str, rate: Decimal) -> None:
        """Longs pay shorts `rate` of notional at mark."""
        holding, quote = self._account.holding(symbol), self._account.quotes.get(symbol)
        if quote is None or not holding.book.quantity:
            return
        amount = money(self.listings[symbol].instrument.notional(holding.signed, quote.mark) * rate)
        self._account.cash -= amount
        now = self.clock()
        self._funding.append(
            SimFunding(
                funding_id=self._ids.next(),
                symbol=symbol,
                amount=amount,
                rate=rate,
                position=holding.signed,
                mark=quote.mark,
                time=now,
            )
        )
        self.tell(BalanceChanged(cause="funding", symbol=symbol, amount=-amount, time=now))

    def reset(self, cash: Decimal = CASH) -> None:
        """Forget orders, fills and positions, and start again with this cash. Ids are not given again."""
        self._account.reset(cash)
        self._regular, self._conditional, self._fills = OrderStore(), OrderStore(), FillStore()
        self._funding.clear()

    def set_cash(self, cash: Decimal) -> None:
        """Change the balance by hand, as a deposit would."""
        amount, self._account.cash = cash - self._account.cash, cash
        self.tell(BalanceChanged(cause="set", symbol="", amount=amount, time=self.clock()))

    # For the matcher ----------------------------------------------------------------------------

    def store(self, conditional: bool) -> OrderStore:
        """The id space; conditional orders share the only one where the rules do not keep them apart."""
        return self._conditional if conditional and self.rules.conditional_apart else self._regular

    @property
    def books(self) -> Account:
        """Cash and positions, to be changed by fills."""
        return self._account

    @property
    def trades(self) -> FillStore:
        """Every fill, hidden ones too."""
        return self._fills

    @property
    def ids(self) -> Ids:
        """Ids of ordinary orders and of fills."""
        return self._ids

    def tell(self, event: SimEvent) -> None:
        """Let every listener hear."""
        for listener in tuple(self._listeners):
            listener(event)

    def _living(self, order_id: str, conditional: bool) -> SimOrder:
        order = self.store(conditional).get(order_id)
        if order is None or not order.alive:
            raise SimRefusal(Code.UNKNOWN_ORDER, "no such open order")
        return order

    def _shown(self, order: SimOrder | None) -> SimOrder | None:
        return copied(order) if order is not None and order.visible <= self.clock() else None

    def _check_id(self, store: OrderStore, client_id: str) -> None:
        used = store.by_client_id(client_id) if client_id else None
        if used is not None and (self.rules.client_id_once or used.alive):
            raise SimRefusal(Code.DUPLICATE_ID, "this client order id was used")

    def _check_order(self, request: OrderRequest, quote: Quote, conditional: bool, store: OrderStore) -> None:
        instrument = self.listings[request.symbol].instrument
        if store.count(request.symbol) >= self.rules.max_open:
            raise SimRefusal(Code.TOO_MANY_ORDERS, f"more than {self.rules.max_open} open orders")
        price = request.price or request.trigger or quote.last
        check_notional(instrument, request, price)
        stop = request.kind is OrderKind.STOP
        if request.kind is OrderKind.LIMIT:
            check_band(self.rules, request.side, price, quote)
            if request.post_only and crosses(request.side, price, quote.last):
                raise SimRefusal(Code.WOULD_TAKE, f"last price {quote.last}")
        if stop and self.rules.refuse_would_trigger:
            against = quote.mark if request.trigger_by is TriggerBy.MARK else quote.last
            if released(request.side, price, against):
                raise SimRefusal(Code.WOULD_TRIGGER, f"{request.trigger_by.value} price {against}")
        if request.reduce_only:
            reducible = self._account.holding(request.symbol).against(request.side)
            if not reducible and (not stop or self.rules.reduce_only_stop_needs_position):
                raise SimRefusal(Code.REDUCE_ONLY, "no position to reduce")
        elif not conditional:
            needed = self._account.needed(request.symbol, request.side, request.quantity, request.kind, price)
            if needed > self.account().available:
                raise SimRefusal(Code.MARGIN, f"needs {needed} of margin")


def copied(order: SimOrder) -> SimOrder:
    """A copy that does not change any more."""
    return msgspec.structs.replace(order)
