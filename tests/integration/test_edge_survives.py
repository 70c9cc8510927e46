"""The edge in bad hours: what must go on goes on, and nothing is done on old grounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from bus_schemas.events import (
    AmendOrder,
    ClockTick,
    Leg,
    OrderAccepted,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    Side,
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
            {"kind": "rate_limit", "operation": "positions", "retry_after_s": 1, "nth": 2, "times": 1}
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
