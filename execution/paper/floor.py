"""One symbol's trading: orders rest, fill, and end, and the account's cash follows."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import (
    Body,
    FundingPaid,
    Liquidity,
    Mark,
    Millis,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    OrderState,
    Side,
)
from bus_schemas.instruments import Instrument
from bus_schemas.settings import PaperSettings
from execution.books import ZERO, Book, money
from execution.paper.matching import limit_fill, passed, reached, slipped, stop_price
from execution.paper.state import Desk, Ended, Ledger, Past, PastFill, Quote, Resting


class Floor:
    """One symbol during one event.

    Attributes:
        reports: what the venue says, in order.
        paid: whether cash has changed.
    """

    def __init__(
        self,
        settings: PaperSettings,
        instrument: Instrument,
        time: Millis,
        desk: Desk,
        past: Past,
        ledger: Ledger,
    ) -> None:
        self.settings = settings
        self.instrument = instrument
        self.time = time
        self.desk = desk
        self.past = past
        self.ledger = ledger
        self.reports: list[Body] = []
        self.paid = False

    def match(self, quote: Quote) -> None:
        """Let the range meet every order that was active before it began."""
        active = [
            order
            for order in self.desk.orders.values()
            if order.time <= quote.start and (order.cancel_at is None or order.cancel_at > quote.start)
        ]
        for order in active:
            if order.kind is OrderKind.MARKET:
                price = slipped(self.instrument, quote.open, order.side, self.settings.slippage_bps)
                self.fill(order, price, order.remaining, Liquidity.TAKER)
        self._limits([o for o in active if not o.reduce_only], quote)
        stops = [o for o in active if o.kind is OrderKind.STOP]
        # The tightest first: the price meets it first.
        for order in sorted(stops, key=lambda o: o.side.sign * (o.trigger or ZERO)):
            self.trigger(order, quote)
        self._limits([o for o in active if o.reduce_only], quote)
        for order in list(self.desk.orders.values()):
            if order.cancel_at is not None and order.cancel_at <= quote.time:
                self.cancel(order)

    def _limits(self, orders: list[Resting], quote: Quote) -> None:
        for order in orders:
            if order.kind is not OrderKind.LIMIT:
                continue
            found = limit_fill(self.instrument, order, quote, self.settings.touch_share)
            if found:
                liquidity = Liquidity.TAKER if order.taker else Liquidity.MAKER
                self.fill(order, *found, liquidity)

    def trigger(self, order: Resting, quote: Quote) -> None:
        """Fill a stop where the range reaches it."""
        if order.trigger is not None and reached(order.side, order.trigger, quote):
            bps = self.settings.slippage_bps
            price = stop_price(self.instrument, order.side, order.trigger, quote, bps)
            self.fill(order, price, order.remaining, Liquidity.TAKER)

    def of_the_bar(self, order: Resting, quote: Quote) -> bool:
        """Whether a new stop is held against the bar in which its position was opened or enlarged."""
        desk = self.desk
        return (
            order.kind is OrderKind.STOP
            and order.reduce_only
            and order.trigger is not None
            and order.trigger.is_finite()
            and desk.limit is not None
            and order.time == desk.enlarged == quote.time
            and passed(order.side, desk.limit, order.trigger)
        )

    def fill(self, order: Resting, price: Decimal, quantity: Decimal, liquidity: Liquidity) -> None:
        """Trade. A reduce-only order is cut down to the position, and ends with it."""
        desk = self.desk
        if order.client_id not in desk.orders:
            return
        if order.reduce_only:
            against = desk.signed * order.side.sign < ZERO
            quantity = min(quantity, desk.book.quantity) if against else ZERO
        if quantity <= ZERO:
            self.cancel(order)
            return
        rate = self.settings.maker_fee if liquidity is Liquidity.MAKER else self.settings.taker_fee
        fee = money(self.instrument.notional(quantity, price) * rate)
        self.ledger.cash += self._trade(order, quantity, price) - fee
        self.paid = True
        order.filled += quantity
        made = PastFill(
            fill_id=f"{order.client_id}.{self.time}.{len(order.fills) + 1}",
            price=price,
            quantity=quantity,
            remaining=order.remaining,
            fee=fee,
            liquidity=liquidity,
        )
        order.fills = [*order.fills, made]
        self.reports.append(filled(self.time, order.client_id, self.instrument.symbol, order.side, made))
        if not order.remaining:
            self.end(order, OrderState.FILLED)
        elif order.reduce_only and not desk.book.quantity:
            self.cancel(order)

    def _trade(self, order: Resting, quantity: Decimal, price: Decimal) -> Decimal:
        """Change the position; the profit that this realised."""
        desk, size, profit = self.desk, self.instrument.contract_size, ZERO
        if desk.signed * order.side.sign < ZERO:
            leaving = min(quantity, desk.book.quantity)
            profit = desk.book.leave(leaving, price, size, desk.side.sign)
            quantity -= leaving
        if quantity:
            if not desk.book.quantity:
                desk.side, desk.book = order.side, Book()
            desk.book.enter(quantity, price, size)
            desk.enlarged, desk.limit = self.time, order.price
        return profit

    def fund(self, mark: Mark) -> None:
        """Settle the bar's funding on what is open at its end."""
        if mark.funding is None or not self.desk.book.quantity:
            return
        amount = money(self.instrument.notional(self.desk.signed, mark.mark) * mark.funding)
        self.ledger.cash -= amount
        self.paid = True
        paid = FundingPaid(time=self.time, symbol=mark.symbol, amount=amount, rate=mark.funding)
        self.reports.append(paid)

    def cancel(self, order: Resting) -> None:
        """Take the order out of the book."""
        symbol = self.instrument.symbol
        self.end(order, OrderState.CANCELLED)
        self.reports.append(
            OrderCancelled(time=self.time, client_id=order.client_id, symbol=symbol, filled=order.filled)
        )

    def end(self, order: Resting, state: OrderState) -> None:
        """Remember the order's fate."""
        del self.desk.orders[order.client_id]
        self.past.add(
            Ended(
                client_id=order.client_id,
                side=order.side,
                state=state,
                filled=order.filled,
                fills=tuple(order.fills),
            )
        )


def filled(time: Millis, client_id: str, symbol: str, side: Side, made: PastFill) -> OrderFilled:
    """The report of a fill, new or repeated."""
    return OrderFilled(
        time=time,
        client_id=client_id,
        symbol=symbol,
        side=side,
        fill_id=made.fill_id,
        price=made.price,
        quantity=made.quantity,
        remaining=made.remaining,
        fee=made.fee,
        liquidity=made.liquidity,
    )
