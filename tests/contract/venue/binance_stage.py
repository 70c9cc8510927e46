"""The Binance adapter at the simulated venue, for tests: both run for a whole module."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from bus_schemas.events import Leg, OrderKind, PlaceOrder, Side
from bus_schemas.settings import VenueSettings
from execution.live.binance import BinanceFutures
from execution.live.port import OrderRef, VenueOrder
from execution.live.records import Held
from tests.support.venue import RunningVenue, simulated_here

D = Decimal
NAME = "binanceusdm"
BTC = "BTCUSDT"
T = TypeVar("T")


class Stage:
    """The adapter, and the venue's levers."""

    def __init__(self, server: RunningVenue, runner: asyncio.Runner) -> None:
        self.server = server
        self.control = server.control
        self._runner = runner
        self.adapter = self.another()
        self.run(self.adapter.open())

    def another(self, symbols: tuple[str, ...] = (BTC,), **settings: Any) -> BinanceFutures:
        """An adapter that is not open."""
        key, secret = self.server.keys(NAME)
        given = {"name": NAME, "rest_url": self.server.rest_url, "api_key": key, "api_secret": secret}
        return BinanceFutures(VenueSettings(**given | settings), symbols)

    def reset(self) -> None:
        """The account and the price begin again."""
        self.adapter._still_until = 0.0  # of a rate limit in an earlier test
        self.control.reset()
        self.control.price(BTC, 60_000)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """To the end, in the loop that the adapter lives in."""

        async def bounded() -> T:
            async with asyncio.timeout(15):
                return await work

        return self._runner.run(bounded())

    def place(self, order: PlaceOrder, valid_ms: int = 5000) -> VenueOrder:
        return self.run(self.adapter.place(order, valid_ms))

    def look_up(self, order: PlaceOrder, **known: Any) -> VenueOrder | None:
        return self.run(self.adapter.look_up(ref(order, **known)))

    def cancel(self, order: PlaceOrder, **known: Any) -> None:
        self.run(self.adapter.cancel(ref(order, **known)))

    def orders(self, client_id: str) -> list[dict[str, Any]]:
        """The truth."""
        return self.control.orders(NAME).get(client_id, [])


@contextmanager
def binance_stage() -> Iterator[Stage]:
    """A simulated venue and an open adapter."""
    with simulated_here() as server, asyncio.Runner() as runner:
        stage = Stage(server, runner)
        yield stage
        stage.run(stage.adapter.close())


def order(client_id: str, **changes: Any) -> PlaceOrder:
    """A limit order far below the price."""
    given: dict[str, Any] = {
        "time": 0,
        "client_id": client_id,
        "signal_id": "s",
        "symbol": BTC,
        "side": Side.LONG,
        "leg": Leg.ENTRY,
        "kind": OrderKind.LIMIT,
        "quantity": D("0.01"),
        "price": D("59000.00"),
    }
    return PlaceOrder(**given | changes)


def market(client_id: str, **changes: Any) -> PlaceOrder:
    return order(client_id, **{"kind": OrderKind.MARKET, "price": None} | changes)


def stop(client_id: str, trigger: str = "59000.0", **changes: Any) -> PlaceOrder:
    given = {"kind": OrderKind.STOP, "price": None, "trigger": D(trigger), "side": Side.SHORT}
    return order(client_id, **given | {"leg": Leg.STOP, "reduce_only": True} | changes)


def ref(order: PlaceOrder, **known: Any) -> OrderRef:
    return msgspec.structs.replace(Held.of(order).ref, **known)
