"""Orders at the venue that no state of ours knows, alerts of the venue, and fills that are heard of late."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from bus_schemas.events import (
    AccountReport,
    AlertCode,
    CancelOrder,
    CancelRejected,
    Fill,
    KillSwitch,
    Leg,
    Liquidity,
    Mismatch,
    OrderCancelled,
    OrderChanged,
    OrderFilled,
    PositionState,
    Side,
    StrayOrder,
    VenueAlert,
)
from bus_schemas.topology import Stream
from execution.ids import client_id
from execution.records import STRAY_MS, STRAYS, Strays
from tests.unit.execution.desk import Desk
from tests.unit.execution.world import SYMBOL

D = Decimal
GRACE_S = 10


def stray(desk: Desk, leg: Leg = Leg.ENTRY, signal: str = "lost", symbol: str = SYMBOL) -> str:
    """The venue's list of open orders has this one, of the lost signal's first attempt."""
    name = client_id(signal, leg, 1)
    entry = leg is Leg.ENTRY
    desk.report(
        StrayOrder(
            time=desk.time,
            client_id=name,
            symbol=symbol,
            side=Side.LONG if entry else Side.SHORT,
            quantity=D(2),
            price=D(100) if entry else None,
            trigger=None if entry else D(95),
            reduce_only=not entry,
        )
    )
    return name


def cancels(desk: Desk, name: str) -> int:
    return sum(c.client_id == name for c in desk.bodies(CancelOrder))


def alerts(desk: Desk) -> list[VenueAlert]:
    return desk.bodies(VenueAlert)


def remembered(desk: Desk) -> Strays:
    raw = desk.stored["manager"].get("strays:")
    return msgspec.json.decode(raw, type=Strays) if raw else Strays()


def fill_of(desk: Desk, name: str, side: Side = Side.LONG) -> None:
    desk.report(
        OrderFilled(
            time=desk.time, client_id=name, symbol=SYMBOL, side=side, fill_id=f"of-{name}", price=D(100),
            quantity=D(2), remaining=D(0), fee=D(0), liquidity=Liquidity.MAKER,
        )
    )  # fmt: skip


def test_a_stray_entry_is_cancelled_and_told_once_after_the_grace() -> None:
    desk = Desk(restore=True)
    name = stray(desk)
    desk.tick(GRACE_S - 1)
    stray(desk)
    assert (cancels(desk, name), alerts(desk)) == (0, [])
    desk.tick(1)
    stray(desk)
    (told,) = alerts(desk)
    assert (told.code, told.symbol) == (AlertCode.STRAY_ORDER, SYMBOL)
    assert name in told.detail
    assert "to be cancelled" in told.detail
    assert cancels(desk, name) == 1
    stray(desk)
    assert (cancels(desk, name), len(alerts(desk))) == (1, 1)


def test_a_stray_that_outlives_its_cancellation_is_cancelled_again_ever_more_slowly() -> None:
    desk = Desk()
    name = stray(desk)
    for _ in range(120):
        desk.tick(GRACE_S)
        stray(desk)
    assert 3 < cancels(desk, name) < 20
    assert len(alerts(desk)) == 1


@pytest.mark.parametrize("word", [OrderCancelled, CancelRejected])
def test_the_venues_word_ends_a_stray_and_nothing_is_kept(word: type) -> None:
    desk = Desk()
    name = stray(desk)
    desk.tick(GRACE_S)
    stray(desk)
    more = {"filled": D(0)} if word is OrderCancelled else {}
    desk.report(word(time=desk.time, client_id=name, symbol=SYMBOL, **more))
    assert sorted(desk.stored["manager"]) == ["clock:"]


def test_an_order_that_was_decided_again_is_no_stray() -> None:
    desk = Desk()
    name = stray(desk, signal="s1")
    desk.approve()
    desk.reject("e1", "duplicate_id")  # the venue holds it: it is looked up
    desk.tick(GRACE_S)
    assert stray(desk, signal="s1") == name
    assert (cancels(desk, name), alerts(desk)) == (0, [])
    assert remembered(desk).orders == {}
    assert desk.ack("e1").position.reserved == 2


def test_an_entry_whose_stray_is_being_cancelled_is_not_placed_under_the_same_id() -> None:
    """The cancellation on its way would end the new order, and nobody would know of it."""
    desk = Desk()
    stray(desk, signal="s1")
    desk.tick(GRACE_S)
    stray(desk, signal="s1")
    desk.approve()
    assert desk.placed == []
    (refused,) = desk.bodies(OrderChanged)
    assert refused.state.value == "rejected"
    assert desk.position.phase.value == "abandoned"  # what risk has reserved is free


def test_a_stray_stop_protects_until_the_position_has_one_of_its_own() -> None:
    desk = Desk(restore=True).account("2")
    assert desk.placed == ["s1"]  # adopted
    name = stray(desk, Leg.STOP)
    for _ in range(3):
        desk.tick(GRACE_S / 2)
        stray(desk, Leg.STOP)
    assert cancels(desk, name) == 0
    (told,) = alerts(desk)
    assert "left for now" in told.detail
    desk.ack("s1")
    stray(desk, Leg.STOP)
    assert cancels(desk, name) == 1
    assert len(alerts(desk)) == 1


def test_a_stray_stop_of_no_position_goes_once_the_venue_says_that_there_is_none() -> None:
    desk = Desk()
    name = stray(desk, Leg.STOP)
    desk.tick(GRACE_S)
    stray(desk, Leg.STOP)
    assert cancels(desk, name) == 0  # we have no position; the venue may
    desk.account(None)
    stray(desk, Leg.STOP)
    assert cancels(desk, name) == 1


def test_a_stray_stop_stays_while_the_venue_holds_a_position_that_we_may_not_adopt() -> None:
    held = PositionState(symbol="ZUSDT", quantity=D(2), entry_price=D(1), mark=D(1))
    desk = Desk()
    name = stray(desk, Leg.STOP, symbol="ZUSDT")
    for _ in range(3):
        desk.tick(GRACE_S)
        desk.report(AccountReport(time=desk.time, cash=D(1), equity=D(1), positions=(held,)))
        stray(desk, Leg.STOP, symbol="ZUSDT")
    assert cancels(desk, name) == 0


def test_a_stray_stop_stays_while_a_stray_entry_could_still_make_a_position() -> None:
    desk = Desk(restore=True)
    entry, stop = stray(desk), stray(desk, Leg.STOP)
    desk.tick(GRACE_S).account(None)
    for leg in (Leg.STOP, Leg.ENTRY, Leg.STOP):
        stray(desk, leg)
    assert (cancels(desk, entry), cancels(desk, stop)) == (1, 0)
    desk.report(OrderCancelled(time=desk.time, client_id=entry, symbol=SYMBOL, filled=D(0)))
    stray(desk, Leg.STOP)
    assert cancels(desk, stop) == 0  # had it filled before? the next account tells
    desk.account(None)
    stray(desk, Leg.STOP)
    assert cancels(desk, stop) == 1


def test_a_fill_of_nobody_knows_what_makes_the_last_account_old() -> None:
    desk = Desk()
    stop = stray(desk, Leg.STOP)
    desk.tick(GRACE_S).account(None)
    fill_of(desk, client_id("gone", Leg.ENTRY, 1))
    stray(desk, Leg.STOP)
    assert cancels(desk, stop) == 0
    desk.account("2").tick(1)
    stray(desk, Leg.STOP)
    assert cancels(desk, stop) == 0  # adopted, and its own stop is not acknowledged yet
    desk.ack("s1")
    stray(desk, Leg.STOP)
    assert cancels(desk, stop) == 1


def test_a_filled_stray_entry_halts_and_its_position_is_adopted_and_protected() -> None:
    desk = Desk()
    name = stray(desk)
    fill_of(desk, name)
    assert "do not know" in desk.bodies(Mismatch)[-1].detail
    assert remembered(desk).orders == {}  # nothing of it is left at the venue
    desk.account("2")
    assert desk.placed == ["s1"]
    assert desk.ack("s1").position.protected
    fill_of(desk, "cw-s1-" + "a" * 26, Side.SHORT)
    assert desk.position.quantity == 2  # its own stop is untouched


def test_a_terminal_order_that_rests_after_all_is_cancelled_and_its_fills_count() -> None:
    desk = Desk().approve().tick(11).not_found("e1").tick(10).not_found("e1")
    desk.approve(signal="s2", stop="94").ack("e1")
    name = client_id("s1", Leg.ENTRY, 1)
    for _ in range(2):
        stray(desk, signal="s1")
        desk.tick(GRACE_S)
    stray(desk, signal="s1")
    assert cancels(desk, name) == 1


def test_the_memory_of_strays_is_bounded_and_none_starves() -> None:
    desk = Desk()
    names = [stray(desk, signal=f"n{n}") for n in range(STRAYS + 5)]
    assert len(remembered(desk).orders) == STRAYS
    desk.tick(GRACE_S)
    for n in range(STRAYS):
        stray(desk, signal=f"n{n}")
        desk.report(OrderCancelled(time=desk.time, client_id=names[n], symbol=SYMBOL, filled=D(0)))
    for _ in range(2):
        for n in range(STRAYS, STRAYS + 5):
            stray(desk, signal=f"n{n}")
        desk.tick(GRACE_S)
    assert all(cancels(desk, name) == 1 for name in names[:STRAYS])
    for n in range(STRAYS, STRAYS + 5):
        stray(desk, signal=f"n{n}")
        assert cancels(desk, names[n]) == 1


def test_a_stray_that_is_reported_no_more_is_forgotten() -> None:
    desk = Desk()
    name = stray(desk)
    desk.tick(STRAY_MS / 1000 + GRACE_S + 1)
    stray(desk, signal="other")
    assert list(remembered(desk).orders) != [name]
    assert len(remembered(desk).orders) == 1
    stray(desk)
    assert cancels(desk, name) == 0  # its grace begins anew


@pytest.mark.parametrize("name", ["by-hand", "", "cw-e1", "web_123", "cw-x1-" + "a" * 26])
def test_an_order_that_is_not_of_our_form_is_left_alone(name: str) -> None:
    desk = Desk().account(None)
    for _ in range(3):
        desk.report(StrayOrder(time=desk.time, client_id=name, symbol=SYMBOL, side=Side.LONG, quantity=D(1)))
        desk.tick(GRACE_S)
    assert desk.bodies(CancelOrder, VenueAlert) == []


@pytest.mark.parametrize("symbol", [SYMBOL, "*"])
def test_an_alert_of_the_venue_is_handed_on_unchanged(symbol: str) -> None:
    desk = Desk()
    alert = VenueAlert(time=desk.time, symbol=symbol, code=AlertCode.CLOCK, detail="1.4 s ahead")
    desk.report(alert)
    (output,) = desk.log
    assert (output.stream, output.body) == (Stream.EXECUTIONS, alert)


# Fills that are heard of late ------------------------------------------------------------------------


def test_the_trades_own_time_is_told_with_the_fill() -> None:
    desk = Desk().approve().ack("e1")
    desk.fill("e1", "1").fill("e1", "1", traded=desk.time - 700)
    assert [f.traded for f in desk.bodies(Fill)] == [None, desk.time - 700]


def test_a_position_is_naked_since_its_trade_and_not_since_we_heard() -> None:
    desk = Desk().approve().ack("e1")
    traded = desk.time
    desk.tick(9).fill("e1", "2", traded=traded)
    assert "c1" not in desk.tick(6).placed
    assert "c1" not in desk.tick(4).placed  # the venue has its time to answer
    assert desk.tick(1).placed[-1] == "c1"
    assert f"since {traded}" in desk.bodies(Mismatch)[-1].detail


def test_a_restart_that_hears_of_an_old_fill_does_not_close_the_position() -> None:
    """Its stop was only just asked for: nobody has had the time to acknowledge it."""
    desk = Desk(restore=True).approve().ack("e1")
    traded = desk.time
    desk.tick(3600).fill("e1", "2", traded=traded).tick(1).tick(5).ack("s1").tick(60)
    assert "c1" not in desk.placed
    assert desk.position.protected


def test_an_outage_between_a_fill_and_its_stop_does_not_close_the_position() -> None:
    """The clock stood still, and with it the way to the venue: the stop was asked for and may be there."""
    desk = Desk(restore=True).approve().ack("e1").fill("e1", "2").tick(60)
    assert "c1" not in desk.placed
    desk.tick(5).ack("s1").tick(60, step=5)
    assert "c1" not in desk.placed
    assert desk.position.protected


def test_an_outage_leaves_a_stop_that_never_comes_its_deadline_once() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2").tick(60).tick(11)
    assert desk.placed[-1] == "c1"


@pytest.mark.parametrize("ahead", [0, 500])
def test_a_trade_that_is_not_older_than_its_report_changes_nothing(ahead: int) -> None:
    desk = Desk().approve().ack("e1")
    desk.fill("e1", "2", traded=desk.time + ahead).tick(15, step=5)
    assert "c1" not in desk.placed
    assert desk.tick(1).placed[-1] == "c1"


def test_the_kill_switch_leaves_a_stray_stop_alone() -> None:
    desk = Desk().account("2")
    name = stray(desk, Leg.STOP)
    desk.tick(GRACE_S).control(KillSwitch(time=9, reason="x", by="y"))
    stray(desk, Leg.STOP)
    assert cancels(desk, name) == 0


def test_an_entry_that_was_given_up_and_comes_up_is_cancelled_and_no_other_enters_beside_it() -> None:
    desk = Desk().approve().ack("e1").tick(60).not_found("e1").tick(11).not_found("e1")
    assert desk.position.phase.value == "abandoned"
    name = desk.ack("e1").command_of("e1").client_id  # the venue lists it again
    assert stray(desk, signal="s1") == name
    desk.approve(signal="s2")
    assert "stray entry" in desk.bodies(OrderChanged)[-1].detail
    desk.tick(GRACE_S)
    stray(desk, signal="s1")
    assert cancels(desk, name) == 1


@pytest.mark.parametrize("word", ["ack", "fill"])
def test_the_rest_of_a_given_up_entry_is_cancelled_however_it_comes_up(word: str) -> None:
    desk = Desk().approve().ack("e1").fill("e1", "0.5").ack("s1", "t11").tick(60).not_found("e1")
    desk.tick(11).not_found("e1")
    name = desk.command_of("e1").client_id
    if word == "ack":
        desk.ack("e1")
    else:
        desk.fill("e1", "0.5")
        assert desk.position.quantity == 1
    for _ in range(2):
        stray(desk, signal="s1")
        desk.tick(GRACE_S)
    assert cancels(desk, name) == 1


def test_a_stop_that_was_given_up_and_comes_up_stays_until_another_protects() -> None:
    desk = Desk().open().tick(60).not_found("s1").not_found("s1")
    assert (desk.placed[-1], desk.position.protected) == ("s2", False)
    name = desk.ack("s1").command_of("s1").client_id
    for _ in range(2):
        stray(desk, Leg.STOP, signal="s1")
        desk.tick(GRACE_S)
    assert cancels(desk, name) == 0
    desk.ack("s2")
    stray(desk, Leg.STOP, signal="s1")
    assert cancels(desk, name) == 1
