"""Rows of the list of incidents that concern the order manager, one test at least for each; where an older
test has a row, the table names it. Rows of other services: `tests/unit/test_incidents_elsewhere.py`.

A live SMC system's incidents (`inc`: test_incidents.py beside this; `risk`: the one in tests/unit/risk):

 1  margin halt inside the budget, stops cancelled    risk incident_1 (2), inc test_1
 2  instant fill archived as stale, entered again     inc test_2 (2), risk incident_2 (3)
 3  a restart flattened positions as phantoms         inc test_3 (3), risk incident_3, live_system_03
 4  "not found" on cancel stopped the new stop        inc test_4 (2), live_system_04
 5  positions of 70-120 % of equity                   risk incident_5 (2)
 6  three spellings of one symbol                     live_system_06
 7  targets at 300 %                                  inc test_7, risk incident_7
 8  a filled stop, an unlisted status                 inc test_8, live_system_08; the status map: adapters
 9  a replaced stop's id was not stored               inc test_9, risk incident_9, defect_06
10  a stale peak, three safety files                  risk incident_10 (2)
11  a counter that was not wired                      risk incident_11, e2e/test_limits
12  half-contract exits refused 46 times              inc test_12, live_system_12, ft_7365
13  candles discarded before hydration                elsewhere live_system_13
14  a replay overwrote the live cache                 contract test_namespaces_do_not_touch_each_other,
                                                      integration test_another_namespace_is_out_of_reach,
                                                      test_namespaces_share_nothing
15  reused fill ids, a zero price                     inc test_15 (2), risk incident_15 (2)
 +  a missing exit reason; swallowed errors; a        live_system_also, elsewhere no_error_is_swallowed
    duplicate guard with an empty list

Defects read in its code:

 1, 2  partial and unfinished higher bars visible     property/test_strategy_causality, e2e/test_lookahead
 3  winners and holdings by different symbols         live_system_06
 4  no trade without a block; neutral searched short  test_playbook: any_kind_of_zone_is_enough_alone,
                                                      a_neutral_bias_searches_neither_side, fib_levels_...,
                                                      property/test_strategy_mirror
 5  a market order at mark, with no distance check    defect_05
 6  trailing never ran, a stop's id overwritten       defect_06, inc break_even
 7  the kill switch was not seen, nor an escalation   defect_07, e2e/test_control, risk test_halts
 8  all alerts but one kind dropped                   elsewhere defect_08
 9  a restart forgave losses                          risk defect_9, incident_11
10  settings that nothing reads, unknown keys         elsewhere defect_10, test_settings unknown_keys

Invariants: invariant_* here; property/test_execution_orders holds the others under any reports.

Twenty issues (older names have no underscore: hb493, ccxt7411, hb601, nt3870, nt3493, ft3647, nt3317, nt3622,
nt3104, ft8045, ft12598, ft10460, all in inc):

 1  HB 493    hb493, ht_493            11  NT 3104         nt3104, test_3
 2  ccxt 7411 ccxt7411 (2); edge       12  NT 3622         nt3622, and unknown_after_bounded_look_ups
 3  HB 8457   hb_8457; edge            13  HB-api 243      hb_api_243
 4  HB 601    hb601                    14  FT 8045         ft8045, unprotected_..._gauge_alert_and_halt
 5  NT 4152   nt_4152                  15  FT 12598/10460  ft12598, ft10460 (2)
 6  NT 3870   nt3870                   16  FT 7365         ft_7365
 7  FT 3647   ft3647                   17  FT 2478         ft_2478
 8  NT 3317   nt3317                   18  NT 4255/3907    elsewhere nt_4255; sockets: edge, feed
 9  NT 3878   nt_3878                  19  NT 4594/11725   elsewhere nt_4594, test_real_data
10  NT 3493   nt3493                   20  HB 2534         hb_2534, e2e/test_control

Asked for: why no trade (FT 6649): integration test_why_was_no_trade_taken. Dry run and live differ (FT 5489),
several bots on one address (FT 7187): the venue's conformance suite and the edge's rate limits.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from bus_schemas.events import (
    Acknowledge,
    AlertCode,
    CancelOrder,
    Fill,
    FlattenApproved,
    KillSwitch,
    Leg,
    Mismatch,
    OrderChanged,
    OrderKind,
    PlaceOrder,
    TradeClosed,
    VenueAlert,
)
from execution.records import Position
from tests.unit.execution.desk import Desk
from tests.unit.execution.world import SYMBOL, approved

D = Decimal
KILL = KillSwitch(time=9, reason="smoke", by="me")


def state(desk: Desk, name: str) -> str:
    return [o.state.value for o in desk.bodies(OrderChanged) if o.client_id.split("-")[1] == name][-1]


def restarted(desk: Desk) -> Desk:
    """Another process goes on from what was committed."""
    fresh = Desk()
    fresh.manager.load(desk.stored["manager"])
    fresh.stored, fresh.log, fresh.time, fresh.fill_ids = desk.stored, desk.log, desk.time, desk.fill_ids
    return fresh


def held(desk: Desk) -> Position:
    return msgspec.json.decode(desk.stored["manager"][f"position:{SYMBOL}"], type=Position)


# A live SMC system's incidents -------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["protected", "bare", "closing"])
def test_live_system_03_a_restart_closes_no_position(at: str) -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2")
    if at != "bare":
        desk.ack("s1", "t11", "t21")
    if at == "closing":
        desk.fill("t11", "1")
    before = len(desk.log)
    again = restarted(desk).account("2" if at != "closing" else "1")
    again.tick(1).account("2" if at != "closing" else "1").tick(1)
    assert not [c for c in again.bodies(PlaceOrder) if c.leg is Leg.CLOSE]
    assert not [o for o in again.log[before:] if isinstance(o.body, CancelOrder | PlaceOrder)]


@pytest.mark.parametrize("answer", ["not_found", "no_cancel"])
def test_live_system_04_not_found_on_cancel_does_not_stop_the_new_stop(answer: str) -> None:
    desk = Desk().open().fill("t11", "1")
    assert desk.placed[-1] == "s2"  # break-even: the new stop first
    getattr(desk, answer)("s1")  # the old one is gone before anybody cancelled it
    desk.ack("s2")
    assert desk.position.protected
    assert desk.position.stop == 100
    assert "c1" not in desk.placed


@pytest.mark.parametrize("spelling", ["X/USDT:USDT", "PF_XUSD", "xusdt", "XUSDT_UMCBL"])
def test_live_system_06_a_symbol_in_another_spelling_is_no_symbol(spelling: str) -> None:
    """Three spellings gave duplicates and ghosts. Here one is known, and any other trades nothing."""
    desk = Desk().open().approve(symbol=spelling, signal="n2")
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    refused = desk.bodies(OrderChanged)[-1]
    assert (refused.symbol, refused.detail) == (spelling, "no contract terms")
    assert {o.body.symbol for o in desk.log if isinstance(o.body, PlaceOrder)} == {SYMBOL}


def test_live_system_08_an_unlisted_status_is_told_and_ends_nothing() -> None:
    desk = Desk().open()
    alert = VenueAlert(time=desk.time, symbol=SYMBOL, code=AlertCode.UNLISTED_STATUS, detail="EXPIRED_IN_X")
    before = held(desk)
    desk.report(alert)
    assert desk.bodies(VenueAlert) == [alert]
    assert held(desk) == before


def test_live_system_12_half_contracts_never_reach_the_venue() -> None:
    desk = Desk().approve(quantity="0.3", targets="110:0.1 120:0.2").ack("e1")
    for _ in range(3):
        desk.fill("e1", "0.1").ack(desk.placed[-1])
    orders = desk.bodies(PlaceOrder)
    assert all(order.quantity > 0 and order.quantity % D("0.1") == 0 for order in orders)


def test_live_system_also_a_position_without_an_exit_reason_ends_in_peace() -> None:
    """It crash-looped the process. Without fills of ours there are no books to tell, and no reason."""
    desk = Desk().account("3").ack("s1")
    for _ in range(3):
        desk.tick(11).account(None)
    desk.cancelled("s1")
    assert desk.position.phase.value == "closed"
    assert desk.bodies(TradeClosed) == []
    desk.tick(11).account(None)


def test_live_system_also_the_duplicate_guard_knows_the_positions_after_a_restart() -> None:
    desk = restarted(Desk().open()).approve(signal="n2").approve()
    assert desk.placed == ["e1", "s1", "t11", "t21"]


# Defects read in its code ------------------------------------------------------------------------------


def test_defect_05_the_entry_is_a_limit_order_at_the_approved_price() -> None:
    (entry,) = Desk().approve(entry="99.5").bodies(PlaceOrder)
    assert (entry.kind, entry.price, entry.reduce_only) == (OrderKind.LIMIT, D("99.5"), False)


def test_defect_06_a_partial_close_keeps_every_stop_that_may_still_fill() -> None:
    desk = restarted(Desk().open().fill("t11", "0.5"))
    desk.fill("t11", "0.5")
    live = {order.client_id.split("-")[1] for order in held(desk).live(Leg.STOP)}
    assert live == {"s1", "s2"}
    desk.fill("s1", "1")  # the old one was faster
    assert desk.bodies(Mismatch) == []
    assert desk.position.quantity == 0


@pytest.mark.parametrize("word", [KillSwitch(time=9, reason="x", by="y", flatten=True), "risk"])
def test_defect_07_an_escalation_from_halt_to_flatten_is_done(word: object) -> None:
    desk = Desk().open().control(KILL)
    assert "c1" not in desk.placed
    if isinstance(word, KillSwitch):
        desk.control(word)
    else:
        desk.order(FlattenApproved(time=desk.time, symbol="*", request_id="r"))
    assert desk.placed[-1] == "c1"
    assert desk.command_of("c1").reduce_only
    assert desk.names(CancelOrder) == ["t11", "t21"]  # the stop stays until the close has filled


# Invariants --------------------------------------------------------------------------------------------


def test_invariant_one_active_position_per_symbol_and_a_full_close_before_reversal() -> None:
    desk = Desk().open()
    desk.approve(signal="n2", side="short", stop="105", targets="90:1 80:1")
    desk.fill("s1", "2")
    desk.approve(signal="n3", side="short", stop="105", targets="90:1 80:1")  # its targets still rest
    assert desk.placed == ["e1", "s1", "t11", "t21"]
    desk.cancelled("t11").cancelled("t21")
    desk.approve(signal="n4", side="short", stop="105", targets="90:1 80:1")
    assert len([c for c in desk.bodies(PlaceOrder) if c.leg is Leg.ENTRY]) == 2


def test_invariant_entry_terms_are_frozen_once_placed() -> None:
    desk = Desk().approve().ack("e1")
    terms = ("side", "planned", "stop", "targets", "expires")
    before = {name: getattr(held(desk), name) for name in terms}
    desk.order(approved(desk.time, quantity="7", stop="90", targets="130:3 140:4"))  # the same signal again
    desk.fill("e1", "2").ack("s1")
    assert {name: getattr(held(desk), name) for name in terms} == before


def test_invariant_an_exit_is_closed_only_when_it_filled() -> None:
    desk = Desk().open().order(FlattenApproved(time=1, symbol="*", request_id="r")).ack("c1").tick(5)
    assert desk.position.phase.value == "closing"
    assert desk.bodies(TradeClosed) == []
    desk.fill("c1", "2").cancelled("s1").cancelled("t11").cancelled("t21")
    assert len(desk.bodies(TradeClosed)) == 1


# Issues of other systems -------------------------------------------------------------------------------


def test_ht_493_timeouts_are_not_failures() -> None:
    """No second order, and what the first may still fill stays reserved, however long the silence."""
    desk = Desk().approve()
    for _ in range(50):
        desk.tick(11)
    assert desk.placed == ["e1"]
    assert state(desk, "e1") == "unknown"
    assert desk.position.reserved == 2
    assert desk.fill("e1", "2").position.quantity == 2


def test_hb_8457_no_answer_is_never_counted_as_not_found() -> None:
    desk = Desk().open()
    for _ in range(6):
        desk.control(Acknowledge(time=1, by="me")).account("2").tick(3600)
    assert state(desk, "s1") == "accepted"
    desk.fill("t11", "1")  # s2 is placed, and nobody answers any more
    for _ in range(6):
        desk.tick(60)
    assert "rejected" not in {state(desk, name) for name in desk.placed}
    assert "cancelled" not in {state(desk, name) for name in desk.placed}


def test_nt_4152_a_submit_that_timed_out_is_rejected_only_by_evidence() -> None:
    desk = Desk().approve().tick(11)
    for _ in range(20):
        desk.tick(3600)
    assert state(desk, "e1") == "unknown"
    assert "no answer to 5 look-ups" in desk.bodies(Mismatch)[0].detail  # risk halts the symbol
    assert state(desk.not_found("e1"), "e1") == "rejected"
    assert desk.position.phase.value == "abandoned"


def test_nt_3878_ids_of_an_adopted_position_are_the_same_on_each_restart() -> None:
    desk = Desk().account("3")
    first = held(desk)
    for _ in range(3):
        desk = restarted(desk).account("3").tick(1)
        assert held(desk).signal_id == first.signal_id
    assert Desk().account("3").placed == desk.placed
    assert Desk().account("3").command_of("s1").client_id == desk.command_of("s1").client_id


def test_hb_api_243_a_restart_is_a_fold_of_the_log_and_arms_the_stop_again() -> None:
    desk = restarted(Desk().approve().ack("e1").fill("e1", "2"))  # killed before anybody answered for s1
    assert state(desk, "s1") == "pending"
    desk.tick(11)
    assert desk.looked_up == ["s1"]
    again = restarted(desk)
    assert again.ack("s1").position.protected
    assert again.placed.count("s1") == 1


@pytest.mark.parametrize(
    ("targets", "filled"),
    [("110:1.95 120:0.05", "1.95"), ("110:0.05 120:1.95", "1.95"), ("110:1 120:1", "0.95")],
)
def test_ft_7365_a_slice_or_remainder_below_the_minimum_is_no_emergency(targets: str, filled: str) -> None:
    desk = Desk().approve(targets=targets).ack("e1").fill("e1", "2").ack("s1")
    orders = [c for c in desk.bodies(PlaceOrder) if c.leg in (Leg.TARGET_1, Leg.TARGET_2)]
    assert sum(order.quantity for order in orders) == 2  # a slice that is too small went to the other
    assert all(order.quantity >= D("0.1") for order in orders)
    name = orders[0].client_id.split("-")[1]
    desk.ack(name).fill(name, filled).tick(1).tick(60)
    assert not [c for c in desk.bodies(PlaceOrder) if c.leg is Leg.CLOSE]
    assert desk.bodies(Mismatch) == []


def test_ft_2478_a_fee_never_changes_the_contracts() -> None:
    desk = Desk().approve().ack("e1").fill("e1", "2", fee=D("0.0123456789"))
    assert desk.position.quantity == 2
    assert desk.command_of("s1").quantity == 2
    assert desk.bodies(Fill)[0].fee == D("0.0123456789")
    desk.ack("s1").fill("s1", "2", fee=D("0.5"))
    assert desk.position.quantity == 0


@pytest.mark.parametrize("before", ["nothing", "pending", "resting", "unknown", "part", "open", "bare"])
def test_hb_2534_the_kill_switch_works_whatever_the_state_and_keeps_every_stop(before: str) -> None:
    """Nothing but the manager lives here: no strategy, no risk, no market data."""
    desk = Desk()
    if before != "nothing":
        desk.approve()
    if before == "unknown":
        desk.tick(11)
    if before in ("resting", "part", "bare"):
        desk.ack("e1")
    if before == "part":
        desk.fill("e1", "1").ack("s1")
    if before == "bare":
        desk.fill("e1", "2")
    if before == "open":
        desk.ack("e1").fill("e1", "2").ack("s1", "t11", "t21")
    desk = restarted(desk).control(KILL).control(KILL)
    if before == "unknown":
        desk.ack("e1")  # the look-up finds it resting
    entry = ["e1"] if before in ("pending", "resting", "unknown", "part") else []
    targets = ["t11", "t21"] if before in ("part", "open") else []
    assert desk.names(CancelOrder) == entry + targets
    desk.approve(signal="after")
    assert "after" not in {c.signal_id for c in desk.bodies(PlaceOrder)}
    assert not [c for c in desk.bodies(CancelOrder) if c.client_id.startswith("cw-s")]
