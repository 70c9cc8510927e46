"""How orders meet prices: every tick is one price, and what it reaches trades.

A limit order trades at its own price as maker when a later tick reaches it; at the last price as taker
when it could trade at once. A market order trades at once, some basis points worse than the last price. A
stop is released by the mark (or last) price and is a market order from then on. What the market does not take
of either (a fault says so) ends at once: it never rests.
"""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import Liquidity, OrderKind, Side
from bus_schemas.instruments import Instrument, Rounding
from execution.books import money
from execution.simulator.checks import crosses, released
from execution.simulator.orders import (
    ZERO,
    BalanceChanged,
    Filled,
    OrderChanged,
    Quote,
    SimFill,
    SimOrder,
    SimStatus,
    TriggerBy,
)
from execution.simulator.views import ExchangeView, copied


class Matcher:
    """The matching of one exchange.

    Args:
        exchange: whose orders and account it changes.
    """

    def __init__(self, exchange: ExchangeView) -> None:
        self._exchange = exchange

    def moved(self, quote: Quote) -> None:
        """Let a new price meet every living order of its symbol, oldest first; stops before limits, as
        protection does not wait."""
        exchange = self._exchange
        for conditional in (True, False) if exchange.rules.conditional_apart else (False,):
            for order in exchange.store(conditional).alive(quote.symbol):
                if order.status is SimStatus.WAITING:
                    self._release(order, quote)
        for order in exchange.store(False).alive(quote.symbol):
            if order.status is SimStatus.OPEN:
                self._rest(order, quote)

    def placed(self, order: SimOrder, quote: Quote, fill_now: bool) -> None:
        """Let a new (or amended) order meet the price of now."""
        if order.status is SimStatus.WAITING:
            self._release(order, quote)
        elif order.kind is OrderKind.MARKET:
            self._take(order, quote)
        elif order.price is not None and crosses(order.side, order.price, quote.last):
            self._trade(order, self._piece(order), quote.last, Liquidity.TAKER)
        elif order.price is not None and fill_now:
            self._trade(order, self._piece(order), order.price, Liquidity.MAKER)

    def end(self, order: SimOrder, status: SimStatus, reason: str) -> None:
        """Take an order out of the book."""
        order.status, order.reason, order.updated = status, reason, self._exchange.clock()
        self._exchange.store(order.conditional).ended(order)
        self._exchange.tell(OrderChanged(order=copied(order), cause="ended"))

    def _rest(self, order: SimOrder, quote: Quote) -> None:
        if not order.alive or order.price is None or not crosses(order.side, order.price, quote.last):
            return
        self._trade(order, self._piece(order), order.price, Liquidity.MAKER)

    def _release(self, order: SimOrder, quote: Quote) -> None:
        against = quote.mark if order.trigger_by is TriggerBy.MARK else quote.last
        if order.trigger is None or not released(order.side, order.trigger, against):
            return
        exchange = self._exchange
        if not order.conditional:
            order.status, order.updated = SimStatus.OPEN, exchange.clock()
            exchange.tell(OrderChanged(order=copied(order), cause="triggered"))
            self._take(order, quote)
            return
        now = exchange.clock()
        became = SimOrder(
            order_id=exchange.ids.next(),
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            kind=OrderKind.MARKET,
            quantity=order.quantity,
            reduce_only=order.reduce_only,
            created=now,
            updated=now,
            origin=order.order_id,
            pieces=order.pieces,
        )
        order.successor = became.order_id
        self.end(order, SimStatus.TRIGGERED, "triggered")
        exchange.store(False).add(became)
        exchange.tell(OrderChanged(order=copied(became), cause="placed"))
        self._take(became, quote)

    def _take(self, order: SimOrder, quote: Quote) -> None:
        instrument = self._exchange.listings[order.symbol].instrument
        price = slipped(instrument, quote.last, order.side, self._exchange.rules.slippage_bps)
        most = self._taken(order)
        while order.alive and order.filled < most:
            self._trade(order, min(self._piece(order), most - order.filled), price, Liquidity.TAKER)
        if order.alive:
            ended = SimStatus.EXPIRED if self._exchange.rules.rest_expires else SimStatus.CANCELLED
            self.end(order, ended, "ioc")

    def _taken(self, order: SimOrder) -> Decimal:
        """How much of an order at the market finds somebody to trade with."""
        exchange, could = self._exchange, order.quantity
        if order.reduce_only:
            could = min(could, exchange.books.holding(order.symbol).against(order.side))
        share = exchange.liquidity(order) if could else Decimal(1)
        return (
            order.quantity
            if share == 1
            else exchange.listings[order.symbol].instrument.quantity(could * share)
        )

    def _piece(self, order: SimOrder) -> Decimal:
        """The next part of an order that fills in several; at least one step, the rest at the end."""
        instrument = self._exchange.listings[order.symbol].instrument
        piece = instrument.quantity(order.quantity / order.pieces) or instrument.step
        left = order.remaining - piece
        return order.remaining if left < piece else piece

    def _trade(self, order: SimOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> None:
        exchange = self._exchange
        holding = exchange.books.holding(order.symbol)
        if order.reduce_only:
            quantity = min(quantity, holding.against(order.side))
        if quantity <= ZERO:
            self.end(order, SimStatus.EXPIRED, "reduce_only")
            return
        instrument, now = exchange.listings[order.symbol].instrument, exchange.clock()
        rate = exchange.rules.maker_fee if liquidity is Liquidity.MAKER else exchange.rules.taker_fee
        fee = money(instrument.notional(quantity, price) * rate)
        profit = money(holding.trade(order.side, quantity, price, instrument.contract_size))
        holding.updated = now
        exchange.books.cash += profit - fee
        order.filled += quantity
        order.value += quantity * price
        order.updated = now
        fill = SimFill(
            fill_id=exchange.ids.next(),
            order_id=order.order_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            liquidity=liquidity,
            profit=profit,
            position=holding.signed,
            time=now,
            visible=order.visible,
        )
        exchange.trades.add(fill)
        whole = not order.remaining
        if whole:
            order.status, order.reason = SimStatus.FILLED, "full_fill"
            exchange.store(order.conditional).ended(order)
        exchange.tell(Filled(fill=fill, order=copied(order)))
        exchange.tell(OrderChanged(order=copied(order), cause="filled"))
        exchange.tell(BalanceChanged(cause="fill", symbol=order.symbol, amount=profit - fee, time=now))
        self._after(order)

    def _after(self, order: SimOrder) -> None:
        """End what can no longer reduce anything."""
        exchange = self._exchange
        if exchange.books.holding(order.symbol).book.quantity:
            return
        if order.alive and order.reduce_only:
            self.end(order, SimStatus.EXPIRED, "reduce_only")
        for other in exchange.store(False).alive(order.symbol):
            if other.reduce_only and other.status is SimStatus.OPEN and other.kind is OrderKind.LIMIT:
                self.end(other, SimStatus.EXPIRED, "reduce_only")


def slipped(instrument: Instrument, price: Decimal, side: Side, bps: Decimal) -> Decimal:
    """The price after slippage, on the tick, worse for an order of this side."""
    against = Rounding.UP if side is Side.LONG else Rounding.DOWN
    return instrument.price(price * (1 + side.sign * bps / 10_000), against)
