"""What went wrong elsewhere, as tests: numbers are rows of the list of incidents."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.errors import DecisionError, IllegalTransition, InvalidOrder
from bus_schemas.events import (
    Acknowledge,
    CancelOrder,
    Fill,
    KillSwitch,
    Leg,
    Mismatch,
    OrderChanged,
    PlaceOrder,
    Side,
    TradeClosed,
)
from bus_schemas.settings import ExecutionSettings
from tests.unit.execution.desk import Desk
from tests.unit.execution.world import SYMBOL

D = Decimal


def state(desk: Desk, name: str) -> str:
    return [o.state.value for o in desk.bodies(OrderChanged) if o.client_id.split("-")[1] == name][-1]


# An SMC system's incidents -----------------------------------------------------------------------


def test_1_the_kill_switch_never_cancels_a_protective_stop() -> None:
    desk = Desk().open().control(KillSwitch(time=9, reason="x", by="y"))
    assert desk.names(CancelOrder) == ["t11", "t21"]
    assert desk.cancelled("t11").cancelled("t21").tick(60).position.protected
    assert desk.names(CancelOrder) == ["t11", "t21"]


def test_1_targets_come_back_when_a_person_has_looked() -> None:
    desk = Desk().open().control(KillSwitch(time=9, reason="x", by="y")).cancelled("t11", "0.5")
    desk.fill("t11", "0.5").control(Acknowledge(time=10, by="y", symbol="XUSDT"))
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    desk.control(Acknowledge(time=10, by="y"))
    assert desk.placed == ["e1", "s1", "t11", "t21", "t12"]  # t21 is not gone yet
    desk.cancelled("t21")
    assert {desk.command_of(name).quantity for name in ("t12", "t22")} == {D("0.5"), D(1)}


def test_2_an_instant_fill_before_the_acknowledgement_is_a_position() -> None:
    desk = Desk().approve().fill("e1", "2").ack("e1")
    assert desk.position.quantity == 2
    assert desk.placed == ["e1", "s1"]
    assert state(desk, "e1") == "filled"


def test_2_an_open_position_vetoes_an_entry() -> None:
    desk = Desk().account("3").approve()
    assert [c.leg for c in desk.bodies(PlaceOrder)] == [Leg.STOP]


@pytest.mark.parametrize("quantity", ["3", "-3"])
def test_3_an_unknown_position_is_adopted_and_protected_never_flattened(quantity: str) -> None:
    desk = Desk().account(quantity).ack("s1").account(quantity).tick(60).account(quantity)
    (stop,) = desk.bodies(PlaceOrder)
    assert (stop.leg, stop.quantity, stop.reduce_only) == (Leg.STOP, 3, True)
    assert stop.trigger == (98 if quantity == "3" else 102)
    assert desk.position.quantity == D(quantity)
    assert desk.position.protected
    desk.fill("s1", "3")
    assert desk.bodies(TradeClosed)[0].reason.value == "stop"


def test_3_an_adopted_position_follows_the_venues_word() -> None:
    desk = Desk().account("3").ack("s1").account(None).tick(11).account(None).tick(11).account(None)
    desk.cancelled("s1")
    assert desk.position.phase.value == "closed"
    assert not desk.bodies(TradeClosed)  # no fill of ours, so no books


def test_3_a_snapshot_from_before_the_end_adopts_no_ghost() -> None:
    desk = Desk().open().fill("s1", "2").cancelled("t11").cancelled("t21").account("2")
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    desk.tick(11).account("2")
    assert desk.placed[-1] == "s1"  # now it is really there


@pytest.mark.parametrize("answer", ["no_cancel", "not_found"])
def test_4_not_found_on_cancelling_the_old_stop_is_success(answer: str) -> None:
    desk = Desk().open().fill("t11", "1").ack("s2")
    assert desk.names(CancelOrder) == ["s1"]
    getattr(desk, answer)("s1")
    assert desk.position.protected
    assert desk.position.stop == 100
    assert desk.looked_up == ["s1"]  # had it filled? only the venue can tell
    desk.tick(20).not_found("s1")
    assert state(desk, "s1") == "cancelled"
    assert desk.fill("s2", "1").cancelled("t21").bodies(TradeClosed)


def test_4_the_old_stop_lives_until_the_new_one_is_acknowledged() -> None:
    desk = Desk().open().fill("t11", "1")
    assert desk.names(CancelOrder) == []
    assert desk.position.stop == 95
    desk.ack("s2")
    assert desk.names(CancelOrder) == ["s1"]


def test_7_the_sum_of_targets_never_exceeds_the_remaining_quantity() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "0.5").ack("s1")
    assert sum(c.quantity for c in desk.bodies(PlaceOrder) if "target" in c.leg.value) == D(
        "0.4"
    )  # on the step


def test_8_a_filled_stop_is_not_a_missing_stop() -> None:
    desk = Desk().open().fill("s1", "2")
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    assert desk.cancelled("t11").cancelled("t21").bodies(TradeClosed)[0].net == -10


def test_9_the_replacements_id_is_stored_with_its_command() -> None:
    desk = Desk().open().fill("t11", "1")
    stored = desk.stored["manager"][f"position:{SYMBOL}"].decode()
    assert desk.command_of("s2").client_id in stored
    fresh = Desk()
    fresh.manager.load(desk.stored["manager"])
    fresh.log, fresh.time = desk.log, desk.time
    assert fresh.ack("s2").names(CancelOrder) == ["s1"]


def test_12_a_slice_below_the_minimum_is_not_sent() -> None:
    desk = Desk().approve(quantity="0.1", targets="110:0.05 120:0.05").ack("e1").fill("e1", "0.1").ack("s1")
    targets = [(c.leg.value, c.quantity) for c in desk.bodies(PlaceOrder) if "target" in c.leg.value]
    assert targets == [("target2", D("0.1"))]


def test_15_reused_fill_ids_count_once_and_are_told() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "1", fill_id="x").fill("e1", "1", fill_id="x")
    assert [f.quantity for f in desk.bodies(Fill)] == [1]
    assert "duplicate fill x" in [o.detail for o in desk.bodies(OrderChanged)][-1]


@pytest.mark.parametrize(("price", "quantity"), [("0", "1"), ("-1", "1"), ("100", "0"), ("100", "-1")])
def test_15_a_price_or_quantity_not_above_zero_is_invalid(price: str, quantity: str) -> None:
    desk = Desk().approve().ack("e1")
    with pytest.raises(InvalidOrder, match="fill"):
        desk.fill("e1", quantity, price=price)


def test_a_fill_of_the_other_side_is_an_error() -> None:
    with pytest.raises(DecisionError, match="side"):
        Desk().approve().ack("e1").fill("e1", "1", side=Side.SHORT)


def test_a_rejection_of_a_held_order_is_illegal() -> None:
    with pytest.raises(IllegalTransition, match="reject in state accepted"):
        Desk().approve().ack("e1").reject("e1")


# Other systems' issues ---------------------------------------------------------------------------


def test_hb493_silence_is_unknown_not_failed_and_keeps_its_exposure() -> None:
    desk = Desk().approve().tick(11)
    assert state(desk, "e1") == "unknown"
    assert desk.looked_up == ["e1"]
    assert desk.position.reserved == 2
    assert desk.placed == ["e1"]


def test_ccxt7411_a_lost_reply_is_looked_up_and_the_fill_counts() -> None:
    desk = Desk().approve().tick(11).ack("e1").fill("e1", "2")
    assert desk.placed == ["e1", "s1"]
    assert state(desk, "e1") == "filled"


def test_ccxt7411_a_duplicate_id_means_that_the_venue_holds_it() -> None:
    desk = Desk().approve().reject("e1", "duplicate_id")
    assert (state(desk, "e1"), desk.looked_up) == ("unknown", ["e1"])
    assert state(desk.ack("e1"), "e1") == "accepted"


def test_hb601_not_found_moments_after_placing_is_not_believed() -> None:
    desk = (
        Desk(ExecutionSettings(answer_ms=1000, not_found_grace_ms=10_000)).approve().tick(2).not_found("e1")
    )
    assert state(desk, "e1") == "unknown"
    desk.tick(10)
    assert desk.looked_up == ["e1", "e1"]
    desk.not_found("e1")
    assert desk.position.phase.value == "abandoned"


def test_hb601_not_found_moments_after_a_late_acceptance_is_not_believed() -> None:
    desk = Desk().approve().tick(11)  # execution was away when it was decided
    desk.ack("e1").not_found("e1").not_found("e1")
    assert state(desk, "e1") == "unknown"
    desk.fill("e1", "1")
    assert (state(desk, "e1"), desk.placed) == ("partly_filled", ["e1", "s1"])
    desk.tick(60).not_found("e1").tick(1).not_found("e1")  # and no old word counts
    assert state(desk, "e1") == "unknown"


def test_hb601_an_entry_that_the_venue_forgets_for_good_is_gone() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "1").ack("s1", "t11").tick(60).not_found("e1")
    desk.tick(11).not_found("e1")
    assert state(desk, "e1") == "cancelled"
    assert desk.position.quantity == 1
    desk.ack("e1").fill("e1", "0.5")  # it lives after all
    assert desk.position.quantity == D("1.5")


def test_nt3870_a_fast_fill_supersedes_not_found_in_between() -> None:
    desk = Desk().approve().tick(11).fill("e1", "2").not_found("e1")
    assert desk.position.quantity == 2


def test_nt3493_the_real_word_supersedes_the_inferred_one() -> None:
    desk = Desk().open().fill("t11", "1").tick(11).not_found("s2")
    assert state(desk, "s2") == "rejected"
    assert desk.placed[-1] == "s3"
    desk.ack("s2")  # it lived after all
    assert desk.position.stop == 100


def test_ft3647_a_fill_after_the_cancellation_counts() -> None:
    desk = Desk().approve().ack("e1").control(KillSwitch(time=9, reason="x", by="y")).cancelled("e1", "1")
    assert desk.looked_up == ["e1"]  # one contract is owed
    assert desk.position.phase.value == "opening"
    desk.fill("e1", "1")
    assert (desk.position.quantity, desk.placed) == (1, ["e1", "s1"])


def test_nt3317_refills_with_fresh_ids_are_capped_by_the_order() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2").fill("e1", "2")
    assert desk.position.quantity == 2
    assert desk.bodies(Mismatch)


def test_nt3622_look_ups_are_bounded_then_reported() -> None:
    desk = Desk().approve()
    for _ in range(30):
        desk.tick(11)
    assert len(desk.bodies(Mismatch)) == 1
    assert len(desk.looked_up) < 9  # ever slower
    assert desk.position.reserved == 2


def test_nt3104_a_lasting_difference_is_reported_and_the_excess_protected() -> None:
    desk = Desk().open().account("3").tick(1).account("3")
    assert not desk.bodies(Mismatch)  # a fill may be on its way
    desk.tick(11).account("3")
    assert "venue has 3, we have 2" in desk.bodies(Mismatch)[-1].detail
    assert set(desk.looked_up) == {"s1", "t11", "t21"}
    desk.tick(11).account("3")
    assert desk.command_of("s2").quantity == 3


def test_two_looks_that_each_lag_behind_a_fill_are_no_lasting_difference() -> None:
    desk = Desk().open().fill("t11", "1").account("2").tick(11).fill("t21", "1").account("1")
    assert not desk.bodies(Mismatch)
    desk.tick(11).account("1")
    assert "venue has 1, we have 0" in desk.bodies(Mismatch)[-1].detail


def test_a_difference_from_other_books_is_told_anew() -> None:
    desk = Desk().open().account("1").tick(11).account("1").fill("t11", "0.5").account("1")
    assert [told.detail[-5:] for told in desk.bodies(Mismatch)] == ["ave 2"]
    desk.tick(11).account("1")
    assert "venue has 1, we have 1.5" in desk.bodies(Mismatch)[-1].detail


def test_a_position_that_the_venue_lost_waits_for_a_person() -> None:
    desk = Desk().open().account(None).tick(11).account(None).ack("s1", "t11", "t21").tick(11).account(None)
    assert desk.position.quantity == 2
    desk.control(Acknowledge(time=1, by="me")).cancelled("s1").cancelled("t11").cancelled("t21")
    assert desk.position.phase.value == "closed"


def test_ft8045_no_stop_within_the_deadline_closes_the_position() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2").tick(14, step=5)
    assert "c1" not in desk.placed
    desk.tick(2)
    assert "no acknowledged stop" in desk.bodies(Mismatch)[-1].detail
    assert desk.placed[-1] == "c1"
    assert desk.fill("c1", "2").cancelled("s1").bodies(TradeClosed)[0].reason.value == "emergency"


def test_ft12598_only_would_trigger_closes_at_once() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2").reject("s1", "would_trigger")
    assert desk.placed == ["e1", "s1", "c1"]
    assert desk.command_of("c1").quantity == 2


def test_ft10460_another_refusal_is_tried_again_then_escalates() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2").reject("s1", "bad_tick").reject("s2").reject("s2")
    assert desk.placed == ["e1", "s1", "s2", "s3"]
    assert not desk.bodies(Mismatch)
    desk.reject("s3")
    assert desk.placed[-1] == "c1"
    assert "refused 3 times" in desk.bodies(Mismatch)[0].detail


def test_ft10460_a_refused_replacement_leaves_the_old_stop_at_work() -> None:
    desk = Desk().open().fill("t11", "1").reject("s2").reject("s3").reject("s4")
    assert (desk.position.stop, desk.position.protected) == (95, True)
    assert "c1" not in desk.placed
    assert len(desk.bodies(Mismatch)) == 1


def test_a_break_even_stop_that_would_trigger_closes_as_break_even() -> None:
    desk = Desk().open().fill("t11", "1").reject("s2", "would_trigger")
    assert desk.placed[-1] == "c1"
    assert desk.names(CancelOrder) == ["t21"]  # and the old stop stays
    desk.fill("c1", "1", price="99").cancelled("s1").cancelled("t21")
    assert desk.bodies(TradeClosed)[0].reason.value == "break_even"


def test_a_stop_that_the_venue_cancels_is_placed_again() -> None:
    desk = Desk().open().cancelled("s1")
    assert not desk.position.protected
    assert desk.placed[-1] == "s2"
    assert desk.ack("s2").position.protected


def test_a_late_entry_fill_while_closing_is_protected_and_closed() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "1").ack("s1").fill("s1", "1").fill("e1", "1")
    assert desk.placed[-2:] == ["s2", "c1"]
    desk.ack("s2").cancelled("e1", "2").fill("c1", "1")
    desk.cancelled("s2").cancelled("t11").cancelled("t21")
    assert desk.bodies(TradeClosed)[0].quantity == 2


def test_a_refused_amendment_replaces_the_target() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "1").ack("s1", "t11", "t21").fill("e1", "1")
    desk.ack("s2").reject("t11").reject("t11")
    assert "t11" in desk.names(CancelOrder)
    desk.cancelled("t11")
    assert desk.command_of("t12").quantity == 1


def test_an_unknown_fill_is_a_mismatch_and_a_late_duplicate_is_not() -> None:
    desk = Desk().open().fill("s1", "2").cancelled("t11").cancelled("t21")
    desk.fill("s1", "2", fill_id="f2")
    assert not desk.bodies(Mismatch)
    desk.fill("s1", "2", client_id="someone-else")
    assert "do not know" in desk.bodies(Mismatch)[0].detail


def test_state_is_dropped_with_the_position_and_bounded() -> None:
    desk = Desk()
    for n in range(60):
        desk.log.clear()
        desk.approve(signal=f"n{n}").ack("e1").fill("e1", "2").ack("s1", "t11", "t21").fill("s1", "2")
        desk.cancelled("t11").cancelled("t21")
    assert sorted(desk.stored["manager"]) == ["clock:", "recent:"]
    assert sum(map(len, desk.stored["manager"].values())) < 6_000


@pytest.mark.parametrize("late", ["reject", "ack"])
def test_an_amendment_that_crosses_with_a_cancellation_and_a_fill_is_legal(late: str) -> None:
    desk = Desk().approve().ack("e1").fill("e1", "1").ack("s1", "t11", "t21").fill("e1", "1")
    desk.reject("s2", "would_trigger")  # the exit cancels the targets, whose amendments are on their way
    desk.fill("t11", "0.5")
    getattr(desk, late)("t11")
    assert desk.position.quantity == D("1.5")
    assert state(desk, "t11") == ("filled" if late == "reject" else "cancelling")


def test_two_stops_that_both_fill_never_turn_the_position() -> None:
    desk = Desk().open().fill("t11", "1").fill("s1", "1").fill("s2", "1")
    assert [f.position for f in desk.bodies(Fill)] == [2, 1, 0]
    assert "only 0 can be ours" in desk.bodies(Mismatch)[0].detail


def test_break_even_never_loosens_the_stop() -> None:
    settings = ExecutionSettings(break_even_bps=D(0))
    desk = Desk(settings).approve(stop="99.9").ack("e1").fill("e1", "2", price="99").ack("s1", "t11", "t21")
    desk.fill("t11", "1")
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    assert desk.position.stop == D("99.9")
