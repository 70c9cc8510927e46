"""The edge in bad hours: what must go on goes on, and nothing is done on old grounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from bus_schemas.events import (
    AccountReport,
    AlertCode,
    AmendOrder,
    ClockTick,
    Leg,
    OrderAccepted,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    Side,
    VenueAlert,
)
from execution.live import edge
from tests.support.venue import simulated_here
from tests.support.venue_worlds import LiveWorld

D = Decimal


@pytest.fixture(params=["krakenfutures", "binanceusdm"])
def world(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> Iterator[LiveWorld]:
    with simulated_here() as venue:
        stage = LiveWorld(venue, request.param, redis_url, namespace)
        try:
            yield stage
        finally:
            stage.close()


def test_fills_that_cannot_be_read_after_a_failed_amendment_do_not_end_the_edge(world: LiveWorld) -> None:
    opened = world.order(kind=OrderKind.MARKET, quantity="0.02", signal="open")
    world.send(opened)
    world.await_(OrderFilled, client_id=opened.client_id)
    target = world.order(Leg.TARGET_1, side=Side.SHORT, price="61000")
    world.send(target)
    world.await_(OrderAccepted, client_id=target.client_id)
    world.sim.control.faults(
        {"kind": "slow", "operation": "open_orders", "delay_s": 0.5},
        {"kind": "status", "operation": "fills", "until_s": 1},
    )
    world.price("61500")
    amend = AmendOrder(time=world.now(), client_id=target.client_id, symbol=world.symbol, quantity=D("0.005"))
    world.send(amend)
    world.await_(OrderRejected, client_id=target.client_id)
    world.await_(OrderFilled, client_id=target.client_id)
    assert len(world.all(OrderFilled, client_id=target.client_id)) == 1


def test_the_clock_goes_on_while_the_venue_wants_to_be_left_alone(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "SYNC_S", 0.1)
    world.sim.control.faults({"kind": "rate_limit", "operation": "positions", "retry_after_s": 3, "times": 1})
    world.until(lambda: world.sim.control.fired() == [1] or None, "the rate limit")
    world.hear()
    ticks, began = len(world.all(ClockTick)), time.monotonic()
    world.until(lambda: len(world.all(ClockTick)) >= ticks + 3 or None, "three ticks")
    assert time.monotonic() - began < 2.5


def test_an_entry_that_waited_too_long_for_its_turn_is_not_sent(
    world: LiveWorld, redis_url: str, namespace: str
) -> None:
    world.close()
    late = LiveWorld(world.sim, world.protocol, redis_url, f"{namespace}-late", entry_patience_ms=400)
    try:
        world.sim.control.faults(
            {"kind": "rate_limit", "operation": "positions", "retry_after_s": 2, "nth": 2, "times": 1}
        )
        late.until(lambda: late.sim.control.fired() == [1] or None, "the rate limit")
        order = late.order(price="59000")
        late.send(order)
        if world.protocol == "binanceusdm":  # one budget for all: it had to wait
            late.await_(OrderNotFound, client_id=order.client_id)
            assert late.resting() == []
        else:
            late.until(
                lambda: (
                    late.find(OrderAccepted, client_id=order.client_id)
                    or late.find(OrderNotFound, client_id=order.client_id)
                ),
                "an answer",
            )
    finally:
        late.close()


@pytest.mark.parametrize("outage", [False, True], ids=["at_once", "after_an_outage"])
def test_a_clock_that_is_off_is_set_at_once_and_not_after_minutes(world: LiveWorld, outage: bool) -> None:
    if outage:
        world.sim.control.faults({"kind": "maintenance"})
        world.until(lambda: world.vitals.gauges["venue_breaker_open"] or None, "an open breaker")
    world.sim.control.clock(skew_ms=60_000)
    world.sim.control.faults()
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)


def test_a_venue_that_is_away_is_told_by_how_long(world: LiveWorld) -> None:
    assert world.vitals.gauges["venue_silent_s"] < 5
    world.sim.control.faults({"kind": "maintenance", "operation": "*"})
    world.until(lambda: world.vitals.gauges["venue_silent_s"] > 0.8 or None, "the silence")
    world.sim.control.faults()
    world.until(lambda: world.vitals.gauges["venue_silent_s"] < 0.5 or None, "the end of it")


@pytest.mark.parametrize("world", ["krakenfutures"], indirect=True)
def test_a_closed_history_keeps_back_neither_a_stop_nor_the_looks(world: LiveWorld) -> None:
    """Kraken's histories have a narrow limit of their own. Once it left a position bare for 16 s."""
    opened = world.order(kind=OrderKind.MARKET, signal="open")
    world.send(opened)
    world.await_(OrderFilled, client_id=opened.client_id)
    world.sim.control.faults(
        {"kind": "rate_limit", "operation": "orders"},  # for 15 s where the venue does not say
        {"kind": "lost_request", "operation": "place", "nth": 1},
        {"kind": "lost_reply", "operation": "place", "nth": 2},
    )
    stop = world.order(Leg.STOP, side=Side.SHORT, kind=OrderKind.STOP, trigger="59000", signal="open")
    world.send(stop)
    world.await_(OrderAccepted, client_id=stop.client_id)
    assert world.resting() == [stop.client_id]
    world.sim.control.faults(
        {"kind": "rate_limit", "operation": "orders"}, {"kind": "not_found", "for_ms": 60_000}
    )
    hidden = world.order(Leg.TARGET_1, side=Side.SHORT, price="61000", signal="open")
    world.send(hidden)
    world.await_(OrderAccepted, client_id=hidden.client_id)
    told = len(world.all(AccountReport))
    world.until(lambda: len(world.all(AccountReport)) > told + 3 or None, "more looks at the account")
    assert not [alert for alert in world.all(VenueAlert) if alert.code is AlertCode.UNREACHABLE]
