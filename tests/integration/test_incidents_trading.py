"""Rows of the list of incidents for which order manager and edge work together, against the simulated venue.
The edge alone is in `test_incidents_venue.py`; all rows: `tests/unit/execution/test_incidents_live.py`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
import redis

from bus_schemas.events import (
    AccountReport,
    CancelOrder,
    ExitReason,
    Fill,
    FlattenApproved,
    KillSwitch,
    Mismatch,
    OrderCancelled,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    PositionChanged,
    StrayOrder,
    SymbolHalted,
    TradeClosed,
    VenueAlert,
)
from tests.support.trading import Trading
from tests.support.venue import RunningVenue

D = Decimal
Make = Callable[..., Trading]
DAY_MS = 86_400_000
KILL = KillSwitch(time=1, reason="drill", by="test")


def peaceful(world: Trading) -> None:
    """Every fill is told, nothing happened that a person would have to look into, and nothing was doubled."""
    fills = world.account()["fills"]
    world.until(lambda: len(world.all(Fill)) >= len(fills), "every fill is told")
    assert [*world.all(Mismatch), *world.all(SymbolHalted), *world.all(StrayOrder)] == []
    assert all(len(orders) == 1 for orders in world.taken().values()), world.picture()
    truth = {fill["fill_id"]: D(fill["quantity"]) for fill in fills}
    told = world.all(Fill)
    assert len({fill.fill_id for fill in told}) == len(told)
    assert {fill.fill_id: fill.quantity for fill in told} == truth


def over(world: Trading) -> bool:
    return bool(world.all(TradeClosed)) and not world.alive() and not world.held()


# A live SMC system's incidents -------------------------------------------------------------------------


def test_live_system_02_an_instant_fill_is_a_position_and_no_second_entry_follows(world: Trading) -> None:
    world.faults({"kind": "fill_before_ack", "delay_s": 0.2, "nth": 1})
    world.approve()
    world.approve(signal="s2")
    world.until(lambda: world.rest("s1", "t11", "t21"), "stop and targets")
    world.approve(signal="s3")
    world.work_for(0.2)
    assert world.rest("s1", "t11", "t21")
    assert world.held() == D("0.012")
    assert world.names(PlaceOrder).count("e1") == 1
    peaceful(world)


def test_live_system_02_a_position_at_the_venue_vetoes_an_entry(make: Make, simulated: RunningVenue) -> None:
    """By another hand, in the moment before the entry goes out: whoever decided did not know of it."""
    world = make(poll_s=30.0)
    world.until(lambda: not world.vitals.preparing, "ready")
    theirs = {"side": "long", "kind": "market", "quantity": "0.005"}
    simulated.control.order(world.protocol, symbol=world.symbol, **theirs)
    world.approve()
    world.until(lambda: world.states("e1")[-1:] == ["rejected"], "the veto")
    assert "e1" not in world.taken()
    assert world.held() == D("0.005")


def test_live_system_03_nt_3878_nt_3104_a_restart_adopts_with_the_same_ids_and_flattens_nothing(
    make: Make, simulated: RunningVenue, protocol: str
) -> None:
    """The position is older than what the venue tells of fills."""
    symbol = "BTCUSD" if protocol == "krakenfutures" else "BTCUSDT"
    simulated.control.order(protocol, symbol=symbol, side="short", kind="market", quantity="0.02")
    simulated.control.clock(advance_ms=100 * DAY_MS)
    world = make()
    world.until(lambda: world.rest("s1"), "adopted and protected")
    before = world.taken()["s1"][0]
    assert (before["side"], D(before["quantity"]), before["reduce_only"]) == ("long", D("0.02"), True)
    world.stop()
    world.start()
    reports = len(world.all(AccountReport))
    world.until(lambda: len(world.all(AccountReport)) > reports + 2, "looks at the account")
    assert world.taken().keys() == {"s1"}
    assert world.taken()["s1"][0]["order_id"] == before["order_id"]
    assert world.held() == D("-0.02")
    assert len({place.signal_id for place in world.all(PositionChanged)}) == 1


def test_live_system_04_a_lost_answer_to_a_cancellation_leaves_the_new_stop(world: Trading) -> None:
    world.open()
    world.faults({"kind": "lost_reply", "operation": "cancel", "nth": 1})
    world.price("60610")
    world.until(lambda: world.rest("s2", "t21"), "the stop at break-even, alone")
    new, old = world.taken()["s2"][0], world.taken()["s1"][0]
    assert new["created"] <= old["updated"]
    assert world.protected()
    peaceful(world)


def test_live_system_06_no_spelling_of_a_venue_is_on_the_bus(world: Trading, redis_url: str) -> None:
    world.open()
    world.faults({"kind": "refuse", "code": "price_band", "nth": 1})
    world.control(KillSwitch(time=1, reason="drill", by="test", flatten=True))
    world.until(lambda: over(world), "flat")
    theirs = (b"PF_", b"XBT", b"/USD", b":USD", b"xbt", b"BTC/", b"_UMCBL")
    seen = 0
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"cw:{world.settings.bus.namespace}:*", count=1000):
            content = client.dump(key)
            kind = client.type(key)
            if kind == b"stream":
                content = b"".join(b"".join([*fields, *fields.values()]) for _, fields in client.xrange(key))
            elif kind == b"hash":
                content = b"".join(b"".join(pair) for pair in client.hgetall(key).items())
            seen += world.symbol.encode() in content
            assert [word for word in theirs if word in content] == [], key
    assert seen >= 3


def test_live_system_09_a_replaced_stop_is_known_after_a_restart(world: Trading) -> None:
    world.open()
    world.price("60610")
    world.until(lambda: world.rest("s2", "t21"), "the stop at break-even")
    world.stop()
    world.start()
    world.until(lambda: not world.vitals.preparing, "ready")
    world.price("59930")
    world.until(lambda: over(world), "the stop's fill")
    assert [trade.reason for trade in world.all(TradeClosed)] == [ExitReason.BREAK_EVEN]
    assert world.taken().keys() == {"e1", "s1", "s2", "t11", "t21"}
    peaceful(world)


def test_live_system_12_live_system_07_ft_7365_odd_parts_are_never_refused(world: Trading) -> None:
    """Parts, slices and remainders of a step or less than a target's share, at the least quantity."""
    world.faults({"kind": "partial_fills", "pieces": 5})
    world.approve(quantity="0.005", targets="60600:0.003 61200:0.002")
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    for level in range(59_890, 59_700, -10):
        world.price(str(level))
        world.step()
        targets = [o for o in world.account()["orders"] if o["kind"] == "limit" and o["reduce_only"]]
        resting = sum((D(o["quantity"]) - D(o["filled"]) for o in targets if o["status"] == "open"), D(0))
        assert resting <= max(world.held(), D(0)) + D("0.001"), "more than the position, beside a late shrink"
    world.until(lambda: world.held() == D("0.005") and world.protected(), "the whole")
    world.until(
        lambda: _resting(world) == {"s": D("0.005"), "t1": D("0.003"), "t2": D("0.002")}, "for the whole"
    )
    for level in range(60_610, 60_700, 10):
        world.price(str(level))
        world.step()
    world.until(lambda: world.held() == D("0.002"), "the first target")
    world.until(lambda: len(world.alive()) == 2, "the rest is protected")
    assert world.all(OrderRejected) == []
    assert "c1" not in world.taken()
    peaceful(world)


def _resting(world: Trading) -> dict[str, Decimal]:
    """What is open of each leg's orders at the venue."""
    found: dict[str, Decimal] = {}
    for name in world.alive():
        (order,) = world.taken()[name]
        found[name[:-1]] = found.get(name[:-1], D(0)) + D(order["quantity"]) - D(order["filled"])
    return found


# Issues of other systems -------------------------------------------------------------------------------


def test_nt_4152_nt_3622_a_submit_without_an_answer_is_unknown_until_the_venue_tells(make: Make) -> None:
    """What is asked is bounded; then a person is told, once."""
    world = make(execution={"answer_ms": 150, "look_up_attempts": 3}, breaker_s=0.2, timeout_s=0.5)
    world.until(lambda: not world.vitals.preparing, "ready")
    world.faults(
        {"kind": "lost_reply", "operation": "place"},
        *(
            {"kind": "lost_request", "operation": name}
            for name in ("look_up", "orders", "fills", "open_orders")
        ),
    )
    world.approve()
    world.until(lambda: world.all(Mismatch), "a person is told")
    world.work_for(0.6)
    assert world.states("e1") == ["pending", "unknown"]
    assert ["no answer to 3 look-ups" in told.detail for told in world.all(Mismatch)] == [True]
    assert world.position is not None
    assert world.position.reserved == D("0.012")
    assert [*world.all(OrderRejected), *world.all(OrderNotFound), *world.all(OrderCancelled)] == []
    world.faults()
    world.until(lambda: world.rest("e1"), "the venue's word")
    assert world.names(PlaceOrder) == ["e1"]
    assert len(world.taken()["e1"]) == 1


def test_nt_3493_a_fill_that_the_venue_lists_late_is_booked_once(make: Make) -> None:
    world = make(execution={"mismatch_grace_ms": 3000}, lag_ms=700)
    world.faults({"kind": "not_found", "for_ms": 400, "nth": 1})
    world.approve(entry="60500", stop="59000")  # crosses: filled at once, and hidden
    world.until(lambda: world.held() == D("0.012"), "the venue's position")
    world.until(lambda: world.rest("s1", "t11", "t21"), "stop and targets")
    reports = len(world.all(AccountReport))
    world.until(lambda: len(world.all(AccountReport)) > reports + 3, "looks after it")
    assert world.position is not None
    assert world.position.quantity == D("0.012")
    peaceful(world)


def test_hb_api_243_a_restart_arms_the_stop_again(world: Trading, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop was asked for and never came to the venue; then the process ends."""
    monkeypatch.setattr("execution.live.work.LANES_S", 0.1)
    world.approve()
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    world.faults({"kind": "lost_request", "operation": "place"})
    world.price("59890")
    world.until(lambda: world.states("s1") == ["pending"], "the stop is asked for")
    world.stop()
    assert world.alive() == []
    world.faults()
    world.start()
    world.until(lambda: world.rest("s1", "t11", "t21"), "armed again")
    assert world.names(PlaceOrder).count("s1") == 1
    peaceful(world)


def test_hb_api_243_a_stop_that_went_missing_meanwhile_is_known_before_ready(world: Trading) -> None:
    world.open()
    stop = world.taken()["s1"][0]
    world.stop()
    world.sim.control.cancel(world.protocol, stop["order_id"], stop["conditional"])
    assert world.all(OrderCancelled) == []
    world.start()
    world.until(lambda: not world.vitals.preparing, "ready")
    world.step()
    assert [body.client_id for body in world.all(OrderCancelled)] == [stop["client_id"]]
    world.until(lambda: world.rest("s2", "t11", "t21"), "a new stop")
    peaceful(world)


def test_ft_8045_the_stop_stays_until_the_exit_is_confirmed(world: Trading) -> None:
    world.open()
    world.faults({"kind": "status", "status": 503, "operation": "place"})
    world.risk(FlattenApproved(time=1, symbol="*", request_id="r"))
    world.until(lambda: sum(world.sim.control.fired()) >= 2, "the exit fails, and again")
    assert "s1" in world.alive()
    assert world.protected()
    world.faults()
    world.until(lambda: over(world), "flat")
    close, stop = world.taken()["c1"][0], world.taken()["s1"][0]
    assert stop["updated"] >= close["updated"]
    assert [trade.reason for trade in world.all(TradeClosed)] == [ExitReason.FLATTEN]
    peaceful(world)


def test_ft_12598_ft_10460_a_stop_refused_by_a_filter_is_asked_for_again(world: Trading) -> None:
    world.approve()
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    world.faults({"kind": "refuse", "code": "price_band", "nth": 1, "times": 2})
    world.price("59890")
    world.until(lambda: world.rest("s3", "t11", "t21"), "the third stop")
    assert "c1" not in world.names(PlaceOrder)
    assert len(world.all(OrderRejected)) == 2
    peaceful(world)


def test_ft_12598_ft_10460_a_stop_that_would_trigger_now_ends_the_position(world: Trading) -> None:
    world.approve()
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    world.faults({"kind": "slow", "operation": "place", "delay_s": 0.8, "nth": 1})
    world.price("59890")
    world.until(lambda: "s1" in world.names(PlaceOrder), "the stop is on its way")
    world.price("58000")
    world.until(lambda: over(world), "out of the position")
    refused = [name for name in world.names(OrderRejected) if name.startswith("s")]
    if world.protocol == "binanceusdm":  # Kraken takes such a stop, and triggers it at once
        assert (refused, "c1" in world.taken()) == (["s1"], True)
    else:
        assert (refused, "c1" in world.taken()) == ([], False)
    peaceful(world)


def test_ft_2478_fees_change_no_contracts(world: Trading) -> None:
    world.open(quantity="0.013", targets="60600:0.007 61200:0.006")
    assert D(world.taken()["s1"][0]["quantity"]) == world.held() == D("0.013")
    world.price("58900")
    world.until(lambda: over(world), "stopped out")
    told = world.all(Fill)
    assert all(fill.fee > 0 for fill in told)
    (trade,) = world.all(TradeClosed)
    assert trade.quantity == D("0.013")
    assert trade.net == D(world.account()["account"]["cash"]) - 10_000
    peaceful(world)


def test_hb_2534_the_kill_switch_takes_entries_and_targets_and_keeps_the_stop(world: Trading) -> None:
    """Nothing lives here but execution: no strategy, no risk, no market data."""
    world.faults({"kind": "partial_fills", "pieces": 2})
    world.approve()
    world.until(lambda: world.alive() == ["e1"], "the entry rests")
    world.price("59890")
    world.until(lambda: {"e1", "s1"} <= set(world.alive()) and world.protected(), "half of it is protected")
    world.faults(
        {"kind": "status", "operation": "cancel", "nth": 1, "times": 2},
        {"kind": "lost_reply", "operation": "cancel", "nth": 2},
        {"kind": "silent_socket"},
    )
    world.control(KILL)
    world.until(lambda: set(world.alive()) == {"s1"}, "only the stop is left")
    world.approve(signal="after")
    world.work_for(0.3)
    assert world.names(CancelOrder).count("s1") == 0
    assert world.names(PlaceOrder).count("e1") == 1
    world.control(KillSwitch(time=2, reason="drill", by="test", flatten=True))
    world.until(lambda: over(world), "flattened")
    assert world.taken()["c1"][0]["reduce_only"]
    assert world.all(VenueAlert) == []
    peaceful(world)
