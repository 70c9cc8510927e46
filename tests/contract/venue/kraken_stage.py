"""The Kraken Futures adapter on a stage: a simulated venue behind it, a loop to run in, and orders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from bus_schemas.events import Leg, OrderKind, PlaceOrder, Side
from bus_schemas.settings import VenueSettings
from execution.live.faults import VenueFault
from execution.live.kraken import KrakenFutures
from execution.live.port import OrderRef, VenueOrder
from execution.live.records import Held
from tests.support.venue import RunningVenue, simulated_here

NAME, SYMBOL = "krakenfutures", "BTCUSD"
D = Decimal
_ids = count(1)


class Stage:
    """An adapter that is open, the venue behind it, and a loop to run in."""

    def __init__(self, venue: RunningVenue, **more: Any) -> None:
        self.venue = venue
        self.control = venue.control
        self._runner = asyncio.Runner()
        self.adapter = KrakenFutures(settings(venue, **more), [SYMBOL])
        self.run(self.adapter.open())

    def run(self, answer: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            async with asyncio.timeout(20):
                return await answer

        return self._runner.run(wait())

    def fails(self, answer: Awaitable[Any]) -> VenueFault:
        with pytest.raises(VenueFault) as failed:
            self.run(answer)
        return failed.value

    def place(self, order: PlaceOrder) -> VenueOrder:
        placed: VenueOrder = self.run(self.adapter.place(order, 5000))
        return placed

    def look_up(self, order: PlaceOrder, venue_id: str = "") -> VenueOrder | None:
        found: VenueOrder | None = self.run(self.adapter.look_up(ref(order, venue_id)))
        return found

    def close(self) -> None:
        self.run(self.adapter.close())
        self._runner.close()


def settings(venue: RunningVenue, **more: Any) -> VenueSettings:
    key, secret = venue.keys(NAME)
    given = {
        "name": NAME,
        "rest_url": venue.rest_url,
        "api_key": SecretStr(key),
        "api_secret": SecretStr(secret),
    }
    return VenueSettings(**(given | more))


@contextmanager
def staged(**options: Any) -> Iterator[Stage]:
    """A stage in front of a simulated venue of its own."""
    with simulated_here(**options) as venue:
        stage = Stage(venue, clock_rate=venue.clock_rate)
        try:
            yield stage
        finally:
            stage.close()


def order(
    kind: OrderKind = OrderKind.LIMIT,
    side: Side = Side.LONG,
    quantity: str = "0.01",
    price: str | None = "50000",
    trigger: str | None = None,
    reduce_only: bool = False,
    symbol: str = SYMBOL,
) -> PlaceOrder:
    return PlaceOrder(
        time=0,
        client_id=f"cw-{next(_ids)}",
        signal_id="s",
        symbol=symbol,
        side=side,
        leg=Leg.ENTRY,
        kind=kind,
        quantity=D(quantity),
        price=D(price) if price and kind is OrderKind.LIMIT else None,
        trigger=D(trigger) if trigger else None,
        reduce_only=reduce_only,
    )


def market(side: Side = Side.LONG, **more: Any) -> PlaceOrder:
    return order(OrderKind.MARKET, side, **more)


def stop(trigger: str = "55000") -> PlaceOrder:
    return order(OrderKind.STOP, Side.SHORT, trigger=trigger, reduce_only=True)


def ref(order: PlaceOrder, venue_id: str = "") -> OrderRef:
    return msgspec.structs.replace(Held.of(order).ref, venue_id=venue_id)


def long_ago(stage: Stage) -> None:
    """Beyond the seconds for which orders/status remembers."""
    stage.control.clock(advance_ms=6000)
