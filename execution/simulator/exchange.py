"""One simulated exchange: an account under one venue's rules, fed with prices by a `Market`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from bus_schemas.events import Millis, OrderKind
from execution.books import money
from execution.simulator.checks import (
    check_change,
    check_form,
    check_means,
    check_position,
    check_prices,
    check_room,
)
from execution.simulator.matching import Matcher
from execution.simulator.orders import (
    TREATMENT,
    ZERO,
    AccountReset,
    BalanceChanged,
    Code,
    OrderChanged,
    OrderRequest,
    Quote,
    SimFunding,
    SimOrder,
    SimRefusal,
    SimStatus,
    Ticked,
)
from execution.simulator.rules import Listing, Rules
from execution.simulator.store import FillStore, Ids, OrderStore
from execution.simulator.views import ExchangeView, copied

CASH = Decimal(10_000)
"""What a demo account begins with, in settle currency."""


class Exchange(ExchangeView):
    """One account at one venue. Not safe for threads; everything happens in the caller's turn.

    Args:
        rules: of the venue.
        listings: what it lists.
        clock: the venue's time, milliseconds UTC.
        cash: in settle currency.
    """

    def __init__(
        self, rules: Rules, listings: Iterable[Listing], clock: Callable[[], Millis], cash: Decimal = CASH
    ) -> None:
        super().__init__(rules, listings, clock, cash)
        self._conditional_ids = Ids(f"{rules.name}-algo", rules.uuids, 1_000_000_000_000)
        self._matcher = Matcher(self)

    # Commands -----------------------------------------------------------------------------------

    def place(self, request: OrderRequest) -> SimOrder:
        """Take an order; what can trade now has traded when this returns.

        Returns:
            A copy.

        Raises:
            SimRefusal: nothing happened.
        """
        treatment, now = TREATMENT.get(), self.clock()
        listing = self.listing(request.symbol)
        if treatment.refuse is not None:
            raise SimRefusal(treatment.refuse, "by a fault")
        check_form(self.rules, listing, request)
        conditional = self.rules.conditional_apart and request.kind is OrderKind.STOP
        store = self.store(conditional)
        check_room(self.rules, store, request)
        quote = self.quote_of(request.symbol)
        check_prices(self.rules, listing.instrument, request, quote)
        check_position(self.rules, listing.instrument, request, self.books.holding(request.symbol).signed)
        check_means(self.books, request, quote, conditional, self.account().available)
        order = SimOrder(
            order_id=(self._conditional_ids if conditional else self.ids).next(),
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
            visible=now + treatment.hide_ms if treatment.hide_ms else 0,
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
        quote = self.quote_of(order.symbol)
        listing = self.listings[order.symbol]
        check_change(self.rules, listing, order, quote, (quantity, price, trigger))
        changed = copied(order)
        changed.quantity, changed.price = quantity or order.quantity, price or order.price
        if changed.quantity > order.quantity:
            held = self.books.holding(order.symbol).signed - order.filled * order.side.sign
            check_position(self.rules, listing.instrument, changed, held)
        more = self.books.order_margin(changed) - self.books.order_margin(order)
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
        before = self.books.leverage_of(symbol)
        self.books.leverage[symbol] = leverage
        account = self.account()
        if account.position_margin + account.order_margin > max(ZERO, account.equity) and leverage < before:
            self.books.leverage[symbol] = before
            raise SimRefusal(Code.MARGIN, f"not enough margin for leverage {leverage}")

    # From the market ----------------------------------------------------------------------------

    def quote(self, quote: Quote) -> None:
        """The prices moved: match, then tell."""
        self.books.quotes[quote.symbol] = quote
        self._matcher.moved(quote)
        self.tell(Ticked(quote=quote))

    def settle_funding(self, symbol: str, rate: Decimal) -> None:
        """Longs pay shorts `rate` of notional at mark."""
        holding, quote = self.books.holding(symbol), self.books.quotes.get(symbol)
        if quote is None or not holding.book.quantity:
            return
        amount = money(self.listings[symbol].instrument.notional(holding.signed, quote.mark) * rate)
        self.books.cash -= amount
        now = self.clock()
        self._funding.append(
            SimFunding(
                funding_id=self.ids.next(),
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
        self.books.reset(cash)
        self._regular, self._conditional, self.trades = OrderStore(), OrderStore(), FillStore()
        self._funding.clear()
        self.tell(AccountReset(time=self.clock()))

    def set_cash(self, cash: Decimal) -> None:
        """Change the balance by hand, as a deposit would."""
        amount, self.books.cash = cash - self.books.cash, cash
        self.tell(BalanceChanged(cause="set", symbol="", amount=amount, time=self.clock()))

    def _living(self, order_id: str, conditional: bool) -> SimOrder:
        order = self.store(conditional).get(order_id)
        if order is None or not order.alive:
            raise SimRefusal(Code.UNKNOWN_ORDER, "no such open order")
        return order
