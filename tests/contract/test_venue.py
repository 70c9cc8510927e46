"""One suite for every venue: on paper, and both adapters behind the edge against the simulated venue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from bus_schemas.events import (
    AccountReport,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ClockTick,
    Leg,
    Liquidity,
    LookUpOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    Side,
    VenueRefusal,
)
from execution.live.venues import make_venue
from tests.support.venue import RunningVenue, simulated_here
from tests.support.venue_worlds import LiveWorld, PaperWorld, VenueWorld

D = Decimal
Make = Callable[[str], VenueWorld]


@pytest.fixture
def simulated() -> Iterator[RunningVenue]:
    """A venue of the test's own, prices by hand."""
    with simulated_here() as venue:
        yield venue


@pytest.fixture(params=["paper", "krakenfutures", "binanceusdm"])
def world(request: pytest.FixtureRequest) -> Iterator[VenueWorld]:
    if request.param == "paper":
        stage: VenueWorld = PaperWorld()
    else:
        sim = request.getfixturevalue("simulated")
        url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("namespace")
        stage = LiveWorld(sim, request.param, url, namespace)
    yield stage
    stage.close()


def _filled(world: VenueWorld, order: PlaceOrder) -> Decimal:
    return sum((fill.quantity for fill in world.all(OrderFilled, client_id=order.client_id)), D(0))


def _fill(world: VenueWorld, order: PlaceOrder, level: str) -> None:
    """Move the price until the order has filled whole."""
    world.price(level)
    world.until(
        lambda: True if _filled(world, order) == order.quantity else None, f"{order.client_id} filled"
    )


def _opened(world: VenueWorld, side: Side = Side.LONG) -> PlaceOrder:
    """A position of 0.01 by a market order."""
    order = world.order(kind=OrderKind.MARKET, side=side, signal="open")
    world.send(order)
    world.until(lambda: True if _filled(world, order) == order.quantity else None, "the position")
    return order


def test_a_limit_order_rests_and_is_cancelled(world: VenueWorld) -> None:
    order = world.order(price="59000")
    world.send(order)
    accepted = world.await_(OrderAccepted, client_id=order.client_id)
    assert accepted.symbol == world.symbol
    assert accepted.venue_id
    assert world.resting() == [order.client_id]
    world.send(CancelOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    assert world.await_(OrderCancelled, client_id=order.client_id).filled == 0
    assert world.resting() == []


def test_a_limit_order_fills_as_maker_when_the_price_passes_it(world: VenueWorld) -> None:
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    _fill(world, order, "58900")
    fills = world.all(OrderFilled, client_id=order.client_id)
    assert {fill.price for fill in fills} == {D(59000)}
    assert {fill.liquidity for fill in fills} == {Liquidity.MAKER}
    assert fills[-1].remaining == 0
    assert len({fill.fill_id for fill in fills}) == len(fills)
    assert all(fill.fee > 0 for fill in fills)


def test_a_market_order_fills_as_taker(world: VenueWorld) -> None:
    order = _opened(world)
    fills = world.all(OrderFilled, client_id=order.client_id)
    assert {fill.liquidity for fill in fills} == {Liquidity.TAKER}
    assert all(abs(fill.price - 60_000) < 100 for fill in fills)
    assert all(fill.side is Side.LONG for fill in fills)


def test_a_stop_closes_the_position_when_the_mark_reaches_it(world: VenueWorld) -> None:
    _opened(world)
    stop = world.order(Leg.STOP, side=Side.SHORT, kind=OrderKind.STOP, trigger="59000")
    world.send(stop)
    world.await_(OrderAccepted, client_id=stop.client_id)
    _fill(world, stop, "58900")
    report = world.until(lambda: _after(world, ()), "an account without the position")
    assert report.positions == ()


def _after(world: VenueWorld, quantities: tuple[Decimal, ...]) -> AccountReport | None:
    last = (world.all(AccountReport) or [None])[-1]
    return last if last and tuple(state.quantity for state in last.positions) == quantities else None


def test_the_account_is_told_with_its_position(world: VenueWorld) -> None:
    _opened(world, Side.SHORT)
    report = world.until(lambda: _after(world, (D("-0.01"),)), "an account with the position")
    (state,) = report.positions
    assert state.symbol == world.symbol
    assert abs(state.entry_price - 60_000) < 100
    assert report.equity <= report.cash + 10
    assert world.await_(ClockTick).time > 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "59000.55"}, VenueRefusal.BAD_TICK),
        ({"price": "59000", "quantity": "0.0105555"}, VenueRefusal.BAD_STEP),
        ({"price": "59000", "quantity": "100"}, VenueRefusal.MARGIN),
    ],
    ids=["tick", "step", "margin"],
)
def test_an_order_against_the_rules_is_refused_with_its_reason(
    world: VenueWorld, fields: dict[str, str], reason: VenueRefusal
) -> None:
    order = world.order(**fields)  # type: ignore[arg-type]
    world.send(order)
    assert world.await_(OrderRejected, client_id=order.client_id).reason is reason
    assert world.resting() == []


def test_reduce_only_without_a_position_is_refused(world: VenueWorld) -> None:
    order = world.order(Leg.CLOSE, side=Side.SHORT, kind=OrderKind.MARKET)
    world.send(order)
    assert world.await_(OrderRejected, client_id=order.client_id).reason is VenueRefusal.REDUCE_ONLY


def test_the_same_command_twice_is_one_order(world: VenueWorld) -> None:
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    world.send(order)
    marker = world.order(price="58000", signal="s2")
    world.send(marker)
    world.await_(OrderAccepted, client_id=marker.client_id)
    assert world.resting() == sorted([order.client_id, marker.client_id])
    refused = world.all(OrderRejected, client_id=order.client_id)
    assert all(body.reason is VenueRefusal.DUPLICATE_ID for body in refused)


def test_an_amended_order_fills_its_new_quantity(world: VenueWorld) -> None:
    _opened(world)
    target = world.order(Leg.TARGET_1, side=Side.SHORT, price="61000")
    world.send(target)
    world.await_(OrderAccepted, client_id=target.client_id)
    count = len(world.all(OrderAccepted, client_id=target.client_id))
    amend = AmendOrder(time=world.now(), client_id=target.client_id, symbol=world.symbol, quantity=D("0.006"))
    world.send(amend)
    accepted = lambda: world.all(OrderAccepted, client_id=target.client_id)[count:] or None  # noqa: E731
    world.until(accepted, "the amendment")
    world.price("61100")
    world.until(lambda: True if _filled(world, target) == D("0.006") else None, "its new quantity")
    assert world.until(lambda: _after(world, (D("0.004"),)), "the rest of the position")


def test_cancelling_what_is_filled_says_that_it_is_no_longer_open(world: VenueWorld) -> None:
    order = world.order(price="59000")
    world.send(order)
    world.await_(OrderAccepted, client_id=order.client_id)
    _fill(world, order, "58900")
    world.send(CancelOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    world.await_(CancelRejected, client_id=order.client_id)
    assert not world.all(OrderCancelled, client_id=order.client_id)


def test_a_look_up_tells_the_fate_again(world: VenueWorld) -> None:
    live, ended = world.order(price="58000", signal="live"), world.order(price="59000", signal="ended")
    world.send(live, ended)
    for order in (live, ended):
        world.await_(OrderAccepted, client_id=order.client_id)
    world.send(CancelOrder(time=world.now(), client_id=ended.client_id, symbol=world.symbol))
    world.await_(OrderCancelled, client_id=ended.client_id)
    filled = _opened(world)
    before = [fill.fill_id for fill in world.all(OrderFilled, client_id=filled.client_id)]
    world.reports.clear()
    for order in (live, ended, filled):
        world.send(LookUpOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    world.await_(OrderAccepted, client_id=live.client_id)
    assert world.await_(OrderCancelled, client_id=ended.client_id).filled == 0
    world.await_(OrderFilled, client_id=filled.client_id)
    assert {fill.fill_id for fill in world.all(OrderFilled, client_id=filled.client_id)} <= set(before)


def test_an_order_that_was_never_placed_is_not_found(world: VenueWorld) -> None:
    order = world.order(price="59000")
    world.send(LookUpOrder(time=world.now(), client_id=order.client_id, symbol=world.symbol))
    world.await_(OrderNotFound, client_id=order.client_id)


def test_a_restarted_edge_tells_nothing_twice(world: VenueWorld) -> None:
    if not isinstance(world, LiveWorld):
        pytest.skip("the paper venue's restarts are the chaos suite's")
    order = _opened(world)
    resting = world.order(Leg.TARGET_1, side=Side.SHORT, price="61000")
    world.send(resting)
    world.await_(OrderAccepted, client_id=resting.client_id)
    world.edge.stop()
    world.edge = world.start()
    world.until(lambda: _after(world, (D("0.01"),)), "an account with the position")
    for order_ in (order, resting):
        assert len(world.all(OrderAccepted, client_id=order_.client_id)) == 1
    fills = [fill.fill_id for fill in world.all(OrderFilled)]
    assert len(fills) == len(set(fills))


def test_binance_counts_the_weight_of_the_whole_host(world: VenueWorld) -> None:
    if not isinstance(world, LiveWorld) or world.protocol != "binanceusdm":
        pytest.skip("only Binance tells it")
    world.sim.control.clock(advance_ms=60_000 - world.now() % 60_000)  # it is counted by the minute
    world.hear()
    told = len(world.all(AccountReport))
    world.until(lambda: len(world.all(AccountReport)) > told + 2 or None, "looks in this minute")
    world.edge.stop()

    async def another() -> float | None:
        venue = make_venue(world.settings.venue, (world.symbol,))
        try:
            await venue.open()
            await venue.positions()
            return venue.used_weight
        finally:
            await venue.close()

    used = asyncio.run(another())
    assert used is not None
    assert used > 80, "the looks of the edge before it too"
