"""The bus has lost its last moments, the venue has not: what was sent then is neither lost nor doubled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.events import OrderAccepted, OrderFilled, OrderKind, StrayOrder
from tests.support.venue import simulated_here
from tests.support.venue_worlds import LiveWorld


class Tail:
    """A live world whose bus can be set back."""

    def __init__(self, world: LiveWorld, server: EmbeddedServer) -> None:
        self.world = world
        self._server = server
        self._mark = self._length()

    def _length(self) -> int:
        return self._server.append_only_file().stat().st_size

    def lose(self) -> None:
        """The server dies and comes back as it was at the start."""
        self._server.kill()
        os.truncate(self._server.append_only_file(), self._mark)
        self._server.start()
        self.world.connect()

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.sim.control.account(self.world.protocol)["orders"]
        return found


@pytest.fixture(params=["krakenfutures", "binanceusdm"])
def tail(request: pytest.FixtureRequest, embedded: EmbeddedServer) -> Iterator[Tail]:
    with simulated_here() as venue:
        # the doubt is on: it is what this is about
        world = LiveWorld(venue, request.param, embedded.url, "tail", doubt_s=60)
        try:
            yield Tail(world, embedded)
        finally:
            world.close()


def test_an_entry_that_is_decided_again_is_found_and_not_sent_again(tail: Tail) -> None:
    world = tail.world
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    tail.lose()
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    assert [found["client_id"] for found in tail.orders()] == [order.client_id]


def test_an_entry_that_had_filled_is_found_with_its_fills(tail: Tail) -> None:
    world = tail.world
    order = world.order(kind=OrderKind.MARKET)
    world.send(order)
    before = world.await_(OrderFilled, client_id=order.client_id)
    tail.lose()
    world.send(order)
    again = world.await_(OrderFilled, client_id=order.client_id)
    assert again.fill_id == before.fill_id
    assert [found["client_id"] for found in tail.orders()] == [order.client_id]


def test_an_order_that_nobody_decides_again_is_told_as_a_stray(tail: Tail) -> None:
    world = tail.world
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    tail.lose()
    stray = world.await_(StrayOrder, client_id=order.client_id)
    assert (stray.quantity, stray.price, stray.reduce_only) == (order.quantity, order.price, False)
