"""Cash, positions and margin of one simulated account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from bus_schemas.events import Millis, OrderKind, Side
from execution.books import Book, money
from execution.simulator.orders import ZERO, Quote, SimAccount, SimOrder, SimPosition
from execution.simulator.rules import Listing, Rules


class Holding:
    """One symbol's position, netted: one side at a time."""

    def __init__(self) -> None:
        self.book = Book()
        self.side = Side.LONG
        self.updated: Millis = 0

    @property
    def signed(self) -> Decimal:
        """Contracts; below zero is short."""
        return self.book.quantity * self.side.sign

    def against(self, side: Side) -> Decimal:
        """Contracts that an order of this side could close."""
        return self.book.quantity if self.side is not side else ZERO

    def trade(self, side: Side, quantity: Decimal, price: Decimal, size: Decimal) -> Decimal:
        """Change the position; returns the profit that this realised, before costs."""
        profit = ZERO
        leaving = min(quantity, self.against(side))
        if leaving:
            profit = self.book.leave(leaving, price, size, self.side.sign)
        if quantity > leaving:
            if not self.book.quantity:
                self.side, self.book = side, Book()
            self.book.enter(quantity - leaving, price, size)
        return profit


class Account:
    """The account of one exchange.

    Args:
        listings: by canonical symbol.
        cash: in settle currency.

    Attributes:
        cash: without open profit.
        quotes: the last prices by symbol, written by the exchange.
        leverage: by symbol, where it was set.
    """

    def __init__(self, rules: Rules, listings: Mapping[str, Listing], cash: Decimal) -> None:
        self.rules = rules
        self.cash = cash
        self.quotes: dict[str, Quote] = {}
        self.leverage: dict[str, int] = {}
        self._listings = listings
        self._holdings: dict[str, Holding] = {symbol: Holding() for symbol in listings}

    def reset(self, cash: Decimal) -> None:
        """Start again with nothing but cash."""
        self.cash = cash
        self.leverage.clear()
        self._holdings = {symbol: Holding() for symbol in self._listings}

    def holding(self, symbol: str) -> Holding:
        """The position of a listed symbol, empty or not."""
        return self._holdings[symbol]

    def leverage_of(self, symbol: str) -> int:
        """What initial margin is divided by."""
        return self.leverage.get(symbol, self.rules.leverage)

    def position(self, symbol: str) -> SimPosition | None:
        """The position, None where there is none."""
        holding = self._holdings[symbol]
        if not holding.book.quantity:
            return None
        size = self._listings[symbol].instrument.contract_size
        mark = self.quotes[symbol].mark
        return SimPosition(
            symbol=symbol,
            quantity=holding.signed,
            entry_price=holding.book.average(size),
            mark=mark,
            profit=money(holding.book.open_profit(mark, size, holding.side.sign)),
            margin=self._margin(symbol, holding.book.quantity, mark),
            leverage=self.leverage_of(symbol),
            updated=holding.updated,
        )

    def positions(self) -> list[SimPosition]:
        """Open positions by symbol."""
        found = (self.position(symbol) for symbol in sorted(self._holdings))
        return [position for position in found if position is not None]

    def summary(self, orders: Iterable[SimOrder]) -> SimAccount:
        """The balance with these open orders."""
        positions = self.positions()
        equity = self.cash + sum((p.profit for p in positions), ZERO)
        held = sum((p.margin for p in positions), ZERO)
        reserved = sum((self.order_margin(order) for order in orders), ZERO)
        available = max(ZERO, equity - held - reserved)
        return SimAccount(
            cash=self.cash,
            equity=equity,
            position_margin=held,
            order_margin=reserved,
            available=available,
        )

    def order_margin(self, order: SimOrder) -> Decimal:
        """Initial margin that a resting order holds: none where it can only reduce."""
        if order.reduce_only or order.conditional:
            return ZERO
        price = order.price or order.trigger or ZERO
        opening = order.remaining - self._holdings[order.symbol].against(order.side)
        return self._margin(order.symbol, max(ZERO, opening), price)

    def needed(self, symbol: str, side: Side, quantity: Decimal, kind: OrderKind, price: Decimal) -> Decimal:
        """Initial margin and, for a market order, the fee that a new order takes."""
        opening = max(ZERO, quantity - self._holdings[symbol].against(side))
        margin = self._margin(symbol, opening, price)
        if kind is not OrderKind.MARKET:
            return margin
        notional = self._listings[symbol].instrument.notional(opening, price)
        return margin + money(notional * self.rules.taker_fee)

    def _margin(self, symbol: str, quantity: Decimal, price: Decimal) -> Decimal:
        notional = self._listings[symbol].instrument.notional(quantity, price)
        return money(notional / self.leverage_of(symbol))
