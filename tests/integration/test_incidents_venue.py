"""Rows of the list of incidents that concern the edge and its adapters, against the simulated venue. What
needs the order manager too is in `test_incidents_trading.py`; all rows: `test_incidents_live.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import cycle
from typing import Any

import pytest

from bus_schemas.bus.port import Owner
from bus_schemas.events import (
    AccountReport,
    AlertCode,
    CancelOrder,
    CancelRejected,
    Leg,
    LookUpOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    Side,
    VenueAlert,
    VenueRefusal,
)
from bus_schemas.runtime.pulse import Vitals
from execution.live import binance_words, kraken_words
from execution.live.work import EdgeThread
from execution.simulator.orders import Code
from tests.support.venue import RunningVenue
from tests.support.venue_worlds import LiveWorld

D = Decimal
Make = Callable[..., LiveWorld]
ASKING = ("look_up", "open_orders", "orders", "fills", "positions", "account", "cancel")


@pytest.fixture(params=["krakenfutures", "binanceusdm"])
def make(
    request: pytest.FixtureRequest, simulated: RunningVenue, redis_url: str, namespace: str
) -> Iterator[Make]:
    """Makes the edge of the test's protocol, with settings of the venue as given."""
    made: list[LiveWorld] = []

    def edge(**venue: object) -> LiveWorld:
        made.append(LiveWorld(simulated, request.param, redis_url, namespace, **venue))
        return made[0]

    yield edge
    for world in made:
        world.close()


def faults(world: LiveWorld, *rules: dict[str, Any]) -> None:
    world.sim.control.faults(*rules)


def taken(world: LiveWorld, order: PlaceOrder) -> list[dict[str, Any]]:
    """What the venue ever took under the order's id; what a stop became when it triggered aside."""
    orders = world.sim.control.orders(world.protocol).get(order.client_id, [])
    return [each for each in orders if not each["origin"]]


def filled(world: LiveWorld, order: PlaceOrder) -> bool:
    told = world.all(OrderFilled, client_id=order.client_id)
    return sum((fill.quantity for fill in told), D(0)) == order.quantity


def cancel(world: LiveWorld, order: PlaceOrder) -> CancelOrder:
    return CancelOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol)


def doubts(world: LiveWorld) -> list[object]:
    """Every word that an order does not exist."""
    return [*world.all(OrderNotFound), *world.all(OrderRejected)]


def opened(world: LiveWorld) -> PlaceOrder:
    order = world.order(kind=OrderKind.MARKET, signal="open")
    world.send(order)
    world.until(lambda: filled(world, order) or None, "the position")
    return order


# Issues of other systems -------------------------------------------------------------------------------


def test_ht_493_a_time_out_is_no_failure_and_makes_no_second_order(make: Make) -> None:
    world = make(timeout_s=0.4)
    faults(world, {"kind": "slow", "operation": "place", "delay_s": 0.8, "executed": True, "nth": 1})
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    assert len(taken(world, order)) == 1
    assert doubts(world) == []


def test_ccxt_7411_created_and_the_reply_lost_is_found_by_its_id(make: Make) -> None:
    world = make()
    entry = world.order(price="59000")
    stop = world.order(Leg.STOP, side=Side.SHORT, kind=OrderKind.STOP, trigger="58000")
    faults(world, {"kind": "lost_reply", "operation": "place", "nth": 1, "times": 2})
    world.send(entry, stop)
    for order in (entry, stop):
        accepted = world.await_(OrderAccepted, client_id=order.client_id)
        (truth,) = taken(world, order)
        assert accepted.venue_id == truth["order_id"]
    assert world.sim.control.fired() == [2]
    assert doubts(world) == []


def test_hb_8457_a_venue_out_of_reach_is_never_an_order_not_found(make: Make) -> None:
    world = make(breaker_s=0.3)
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    kinds = cycle(("lost_request", "maintenance", "status"))
    faults(world, *({"kind": next(kinds), "operation": name} for name in ASKING))
    world.send(LookUpOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    world.hear()  # what was said before
    told = len(world.all(AccountReport))
    world.until(lambda: sum(world.sim.control.fired()) >= 6 or None, "six failures")
    assert len(world.all(AccountReport)) <= told + 1
    assert doubts(world) == []
    assert world.all(OrderCancelled) == []
    faults(world)
    count = len(world.all(OrderAccepted, client_id=order.client_id))
    world.until(lambda: world.all(OrderAccepted, client_id=order.client_id)[count:] or None, "the look-up")
    world.price("58900")
    world.until(lambda: filled(world, order) or None, "it was tracked all the while")


def test_hb_601_not_found_moments_after_placing_is_waited_out(make: Make) -> None:
    world = make(lag_ms=500)
    faults(
        world,
        {"kind": "not_found", "for_ms": 300},
        {"kind": "lost_reply", "operation": "place", "nth": 1},
    )
    lost, heard = world.order(price="59000"), world.order(price="58900", signal="s2")
    world.send(lost, heard)
    for order in (lost, heard):
        accepted = world.await_(OrderAccepted, client_id=order.client_id)
        (truth,) = taken(world, order)
        assert accepted.venue_id == truth["order_id"]
    looks = world.now()
    world.until(lambda: world.now() > looks + 600 or None, "looks beyond the lag")
    assert doubts(world) == []
    assert world.resting() == sorted([lost.client_id, heard.client_id])


def test_nt_3870_a_fast_fill_that_no_list_of_open_orders_shows_is_a_fill(make: Make) -> None:
    world = make()
    faults(world, {"kind": "lost_reply", "operation": "place", "nth": 1})
    order = world.order(price="60500")  # crosses: it fills at once
    world.send(order)
    world.until(lambda: filled(world, order) or None, "its fill")
    assert len(taken(world, order)) == 1
    assert [*doubts(world), *world.all(OrderCancelled)] == []


def test_ft_3647_an_order_that_filled_before_its_cancellation_has_filled(make: Make) -> None:
    world = make(poll_s=30.0)
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    faults(
        world,
        {"kind": "slow", "operation": "cancel", "delay_s": 1.0, "nth": 1},
        {"kind": "silent_socket"},
    )
    world.send(cancel(world, order))
    world.until(lambda: world.sim.control.fired()[0] or None, "the cancellation on its way")
    world.price("58900")
    world.await_(CancelRejected, client_id=order.client_id)
    assert filled(world, order)
    assert world.all(OrderCancelled) == []


def test_ft_3647_a_cancelled_order_keeps_what_had_filled_and_says_so_first(make: Make) -> None:
    world = make()
    faults(world, {"kind": "partial_fills", "pieces": 4})
    order = world.order(price="59000", quantity="0.012")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    world.price("58900")
    world.send(cancel(world, order))
    over = world.await_(OrderCancelled, client_id=order.client_id)
    told = world.all(OrderFilled, client_id=order.client_id)
    assert sum((fill.quantity for fill in told), D(0)) == over.filled == D(taken(world, order)[0]["filled"])
    assert 0 < over.filled < order.quantity
    assert world.reports.index(told[-1]) < world.reports.index(over)


def test_nt_3317_live_system_15_fills_are_told_once_and_never_beyond_the_quantity(make: Make) -> None:
    world = make()
    faults(
        world,
        {"kind": "partial_fills", "pieces": 5},
        {"kind": "ws_duplicate"},
        {"kind": "lost_reply", "operation": "fills", "every": 2},
    )
    order = world.order(price="59000", quantity="0.01")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    for level in range(58_900, 58_000, -100):
        world.price(str(level))
    world.until(lambda: filled(world, order) or None, "all fills")
    world.send(LookUpOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    marker = world.order(Leg.STOP, side=Side.SHORT, kind=OrderKind.STOP, trigger="57000", signal="marker")
    world.send(marker)
    world.await_(OrderAccepted, client_id=marker.client_id)
    truth = {fill["fill_id"] for fill in world.sim.control.account(world.protocol)["fills"]}
    told = {fill.fill_id: fill for fill in world.all(OrderFilled)}
    assert told.keys() == truth
    assert len(truth) == 5
    assert sum((fill.quantity for fill in told.values()), D(0)) == order.quantity
    assert all(fill.price > 0 for fill in told.values())


REFUSALS = {Code.WOULD_TRIGGER, Code.PRICE_BAND, Code.BAD_TICK, Code.BAD_STEP, Code.BELOW_MINIMUM}
REFUSALS |= {Code.MARGIN, Code.BAD_PRICE, Code.LEVERAGE, Code.TOO_MANY_ORDERS, Code.REDUCE_ONLY}


def test_ft_12598_ft_10460_only_would_trigger_is_told_as_would_trigger(make: Make) -> None:
    world = make()
    opened(world)
    told = {}
    for code in sorted(REFUSALS):
        faults(world, {"kind": "refuse", "code": code.value, "nth": 1})
        stop = world.order(Leg.STOP, side=Side.SHORT, kind=OrderKind.STOP, trigger="59000", signal=code.value)
        world.send(stop)
        told[code] = world.await_(OrderRejected, client_id=stop.client_id).reason
    worth_a_market_order = {code for code, why in told.items() if why is VenueRefusal.WOULD_TRIGGER}
    venue_says_so = {Code.WOULD_TRIGGER} if world.protocol == "binanceusdm" else set()
    assert worth_a_market_order == venue_says_so
    assert told[Code.MARGIN] is VenueRefusal.MARGIN
    assert told[Code.BAD_TICK] is VenueRefusal.BAD_TICK


def test_nt_4255_nt_3907_a_silent_socket_that_pongs_is_found_and_replaced(make: Make) -> None:
    world = make(weight_per_min=60_000)
    levels = range(59_900, 59_700, -20)
    orders = [world.order(price=str(level), quantity="0.002", signal=f"at {level}") for level in levels]
    world.send(*orders)
    world.until(lambda: len(world.resting()) == len(orders) or None, "the orders")
    faults(world, {"kind": "silent_socket"})
    falling = iter(levels)

    def silent() -> VenueAlert | None:
        world.price(str(next(falling) - 5))
        world.until(lambda: _as_many_fills(world), "fills without the socket")
        return world.find(VenueAlert, code=AlertCode.SILENT_SOCKET)

    world.until(silent, "the alert")
    count = len(world.all(OrderFilled))
    faults(world)
    world.price(str(next(falling) - 5))
    world.until(lambda: world.all(OrderFilled)[count:] or None, "fills after it")


def _as_many_fills(world: LiveWorld) -> bool | None:
    truth = world.sim.control.account(world.protocol)["fills"]
    return True if len(world.all(OrderFilled)) == len(truth) else None


def test_ft_7187_a_second_worker_of_the_account_places_nothing(make: Make) -> None:
    """Nor does it ask the venue more than it must: `run.py live` refuses it (e2e/test_live_gates)."""
    world = make()
    owner = Owner("test", "1", "second")
    second = EdgeThread(world.settings, owner, Vitals("execution", owner))
    second.start()
    try:
        order = world.order(price="59000")
        world.send(order)
        world.await_(OrderAccepted, client_id=order.client_id)
        world.until(lambda: world.now() - order.time > 500 or None, "time for a second")
        second.check()
        assert (second.units, len(world.edge.units)) == ((), 1)
        assert len(taken(world, order)) == 1
    finally:
        second.stop()


# A live SMC system's incidents -------------------------------------------------------------------------


def test_live_system_04_not_found_on_a_cancellation_is_success(make: Make) -> None:
    """The order is gone by another hand, or by our own cancellation whose answer was lost."""
    world = make()
    theirs, ours = world.order(price="59000"), world.order(price="58900", signal="s2")
    world.send(theirs, ours)
    accepted = [world.await_(OrderAccepted, client_id=order.client_id) for order in (theirs, ours)]
    world.sim.control.cancel(world.protocol, accepted[0].venue_id)
    faults(world, {"kind": "lost_reply", "operation": "cancel", "nth": 1, "times": 2})
    world.send(cancel(world, theirs), cancel(world, ours))
    for order in (theirs, ours):
        assert world.await_(OrderCancelled, client_id=order.client_id).filled == 0
    assert doubts(world) == []


def test_live_system_08_a_status_that_no_table_has_is_alive_and_told(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table, words in (
        (kraken_words.STANDINGS, ("untouched", "ENTERED_BOOK", "OrderPlaced")),
        (binance_words.ORDERS, ("NEW",)),
    ):
        for word in words:
            monkeypatch.delitem(table, word)  # type: ignore[arg-type]
    world = make()
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    alert = world.await_(VenueAlert, code=AlertCode.UNLISTED_STATUS)
    assert order.client_id in alert.detail
    assert [*doubts(world), *world.all(OrderCancelled)] == []
    assert len(world.all(VenueAlert, code=AlertCode.UNLISTED_STATUS)) == 1
    world.price("58900")
    world.until(lambda: filled(world, order) or None, "it is followed all the same")
