"""An exchange on the bench: one symbol, prices by hand, a clock that stands still."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.events import OrderKind, Side
from execution.simulator.exchange import Exchange
from execution.simulator.orders import Code, OrderRequest, Quote, SimEvent, SimOrder, SimRefusal, TriggerBy
from execution.simulator.rules import (
    BINANCE_USDM,
    KRAKEN_FUTURES,
    Rules,
    binance_listings,
    kraken_listings,
)

BUY, SELL = Side.LONG, Side.SHORT
SOURCES = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class Bench:
    """One exchange.

    Attributes:
        symbol: the one that is traded: bitcoin.
        events: everything that was told.
        time: what its clock shows.
    """

    def __init__(self, rules: Rules = BINANCE_USDM, cash: int = 100_000, price: int | None = 60_000) -> None:
        listed = kraken_listings(SOURCES) if rules.uuids else binance_listings(SOURCES)
        self.time = 1_000_000
        self.exchange = Exchange(rules, listed, lambda: self.time, Decimal(cash))
        self.symbol = listed[0].symbol
        self.events: list[SimEvent] = []
        self.exchange.subscribe(self.events.append)
        if price is not None:
            self.price(price)

    def price(self, last: float | str, mark: float | str | None = None) -> None:
        self.time += 1000
        mark = last if mark is None else mark
        self.exchange.quote(
            Quote(
                symbol=self.symbol,
                last=Decimal(str(last)),
                mark=Decimal(str(mark)),
                index=Decimal(str(last)),
                time=self.time,
            )
        )

    def request(self, side: Side, kind: OrderKind, quantity: str, **more: Any) -> OrderRequest:
        numbers = {k: Decimal(str(v)) for k, v in more.items() if k in ("price", "trigger")}
        given: dict[str, Any] = {"symbol": self.symbol, **more, **numbers}
        return OrderRequest(side=side, kind=kind, quantity=Decimal(quantity), **given)

    def limit(self, side: Side, quantity: str, price: float | str, **more: Any) -> SimOrder:
        return self.exchange.place(self.request(side, OrderKind.LIMIT, quantity, price=price, **more))

    def market(self, side: Side, quantity: str, **more: Any) -> SimOrder:
        return self.exchange.place(self.request(side, OrderKind.MARKET, quantity, **more))

    def stop(self, side: Side, quantity: str, trigger: float | str, **more: Any) -> SimOrder:
        more = {"reduce_only": True, "trigger_by": TriggerBy.MARK} | more
        return self.exchange.place(self.request(side, OrderKind.STOP, quantity, trigger=trigger, **more))

    def refused(self, code: Code, request: OrderRequest) -> None:
        before = self.exchange.account(), len(self.exchange.orders()), len(self.events)
        with pytest.raises(SimRefusal) as caught:
            self.exchange.place(request)
        assert caught.value.code is code, caught.value
        assert before == (self.exchange.account(), len(self.exchange.orders()), len(self.events))

    def now(self, order: SimOrder) -> SimOrder:
        found = self.exchange.order(order.order_id, order.conditional)
        assert found is not None
        return found

    @property
    def position(self) -> Decimal:
        return self.exchange.books.holding(self.symbol).signed


def kraken(**options: Any) -> Bench:
    return Bench(KRAKEN_FUTURES, **options)


def binance(**options: Any) -> Bench:
    return Bench(BINANCE_USDM, **options)


BOTH = pytest.mark.parametrize("make", [kraken, binance], ids=["krakenfutures", "binanceusdm"])
