"""A service that begins in an account whose mode was changed while it was away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

import pytest

from bus_schemas.errors import Fenced
from bus_schemas.events import (
    AccountReport,
    AlertCode,
    OrderFilled,
    OrderKind,
    OrderRejected,
    TradeClosed,
    VenueAlert,
)
from cli.gatekeeper import told_to_doctor
from execution.live.binance import BinanceFutures
from execution.live.desk import Desk
from tests.support.trading import Trading
from tests.support.venue import simulated_here
from tests.support.venue_worlds import LiveWorld

Make = Callable[..., Trading]


def change(world: Trading | LiveWorld, method: str, request: dict[str, str]) -> None:
    """As the user would on the venue's pages."""

    async def changed() -> None:
        venue = BinanceFutures(world.settings.venue, [world.symbol])
        try:
            await venue.open()
            await getattr(venue._client, method)(request)
        finally:
            await venue.close()

    asyncio.run(changed())


@pytest.mark.parametrize("protocol", ["binanceusdm"])
@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("fapiPrivatePostMultiAssetsMargin", {"multiAssetsMargin": "true"}),
        ("fapiPrivatePostMarginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}),
    ],
)
def test_an_entry_that_filled_meanwhile_gets_its_stop_and_no_other_is_opened(
    make: Make, method: str, request_: dict[str, str]
) -> None:
    world = make()
    world.approve()
    world.until(lambda: world.rest("e1"), "the entry rests")
    world.stop()
    change(world, method, request_)
    world.price("59890")  # the entry fills
    notes = [gate.what for gate in told_to_doctor(world.settings, None) if gate.level == "note"]
    assert any("nothing new is opened" in note for note in notes), "a person is told before the start too"
    world.start()
    world.until(lambda: world.rest("s1", "t11", "t21") and world.protected(), "stop and targets")
    world.until(lambda: len(world.all(VenueAlert)) == 2, "the manager has handed the edge's alert on")
    assert {(told.code, told.symbol) for told in world.all(VenueAlert)} == {(AlertCode.DENIED, "*")}
    world.price("58990")
    world.until(lambda: world.all(TradeClosed), "the stop has closed it")
    world.approve("58900", signal="s2", stop="58000", targets="59600:0.006 60200:0.006")
    # the venue may refuse a target of the first trade too, as its stop may just have closed it
    world.until(
        lambda: any("no new positions" in refused.detail for refused in world.all(OrderRejected)),
        "the next entry is refused",
    )
    assert world.alive() == []


@pytest.fixture
def edge(redis_url: str, namespace: str) -> Iterator[LiveWorld]:
    with simulated_here() as venue:
        world = LiveWorld(venue, "binanceusdm", redis_url, namespace)
        try:
            yield world
        finally:
            world.close()


def begin_again(world: LiveWorld) -> None:
    """A process ends and another begins, and has looked at the account."""
    world.edge.stop()
    world.edge = world.start()


def test_a_person_is_told_at_each_start_and_each_hour_and_not_when_it_loads_again(
    edge: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = edge.order(kind=OrderKind.MARKET)
    edge.send(opened)
    edge.await_(OrderFilled, client_id=opened.client_id)
    assert edge.all(VenueAlert) == []
    change(edge, "fapiPrivatePostMultiAssetsMargin", {"multiAssetsMargin": "true"})
    begin_again(edge)
    told = edge.await_(VenueAlert)
    assert (told.symbol, told.code) == ("*", AlertCode.DENIED)
    assert re.match("nothing new is opened: .* multi-assets mode; .* start again$", told.detail)

    fence, lost = Desk.fence, [Fenced("lost in this test")]

    def once(desk: Desk) -> None:
        if lost:
            raise lost.pop()
        fence(desk)

    monkeypatch.setattr(Desk, "fence", once)
    edge.until(lambda: edge.vitals.counters.reloads or None, "it loads again")
    looks = len(edge.all(AccountReport))
    edge.until(lambda: len(edge.all(AccountReport)) > looks + 2 or None, "it works again")
    assert edge.all(VenueAlert) == [told]

    monkeypatch.setattr("execution.live.edge.WARN_S", 0.3)
    begin_again(edge)
    edge.until(lambda: len(edge.all(VenueAlert)) >= 3 or None, "another start tells it, and goes on to")
    edge.edge.stop()
    told_before = len(edge.all(VenueAlert))
    change(edge, "fapiPrivatePostMultiAssetsMargin", {"multiAssetsMargin": "false"})
    edge.edge = edge.start()
    looks = len(edge.all(AccountReport))
    edge.until(lambda: len(edge.all(AccountReport)) > looks or None, "a look at the account")
    assert len(edge.all(VenueAlert)) == told_before
