"""Rows of the list of incidents that concern the order manager, one test at least for each.

This is also the table of all rows, of every service: `row: file part-of-a-name …; file …`. Files are named
from `tests/`, without `test_` where it begins one of these: `here`; `inc` unit/execution/test_incidents;
`risk` unit/risk/test_incidents; `else` unit/test_incidents_elsewhere; `chain` unit/test_safety_chain; `table`
unit/execution/test_incidents_table, which reads this; and, at the simulated venue, `venue`, `trading` and
`data`: integration/test_incidents_*.

A live SMC system's incidents:

 live 1, a margin halt inside the budget, stops cancelled: inc test_1_; risk incident_1_; trading hb_2534
 live 2, an instant fill, entered again: inc test_2_; risk incident_2_; trading live_system_02
 live 3, a restart flattened: inc test_3_; risk incident_3_; here live_system_03; trading live_system_03
 live 4, not found on cancel: inc test_4_; here live_system_04; venue live_system_04; trading live_system_04
 live 5, positions of 70-120 % of equity: risk incident_5_
 live 6, three spellings: here live_system_06; else live_system_06; trading live_system_06
 live 7, targets at 300 %: inc test_7_; risk incident_7_; trading live_system_07
 live 8, an unlisted status: inc test_8_; here live_system_08; venue live_system_08;
    contract/venue/test_kraken_words incident_8; contract/venue/test_binance_words unlisted_status
 live 9, a replaced stop's id: inc test_9_; risk incident_9_; here defect_06; trading live_system_09
 live 10, a stale peak, three safety files: risk incident_10_
 live 11, a counter that was not wired: risk incident_11_; e2e/test_limits test_limit
 live 12, half-contract exits: inc test_12_; here live_system_12; trading live_system_12
 live 13, candles before hydration: else live_system_13; data live_system_13
 live 14, a replay in the live cache: contract/test_bus namespaces_do_not_touch; table live_system_14;
    integration/test_acl another_namespace; integration/test_ledger namespaces_share_nothing
 live 15, reused fill ids, a zero price: inc test_15_; risk incident_15_; venue live_system_15
 live +, exit reason, swallowed errors, duplicate guard: here live_system_also; else live_system_also

Defects read in its code:

 defect 1, partial higher bars visible: property/test_strategy_causality whole_candle forming_candle
 defect 2, unfinished higher bars: property/test_strategy_causality depends_on; e2e/test_lookahead fails_with
 defect 3, winners and holdings by different symbols: here live_system_06; trading live_system_06
 defect 4, no trade without a block: unit/strategy/test_playbook any_kind_of_zone neutral_bias fib_levels;
    property/test_strategy_mirror negated
 defect 5, a market order at mark: here defect_05
 defect 6, trailing never ran, a stop's id lost: here defect_06; inc break_even
 defect 7, the kill switch was not seen: here defect_07; e2e/test_control kill_latches; trading hb_2534
 defect 8, alerts dropped: else defect_08
 defect 9, a restart forgave losses: risk defect_9_ incident_11_
 defect 10, settings that nothing reads: else defect_10; unit/bus_schemas/test_settings unknown_keys

Issues of other systems; invariants are here and in property/test_execution_orders:

 issue 1, HB 493: inc hb493; here ht_493; venue ht_493
 issue 2, ccxt 7411: inc ccxt7411; venue ccxt_7411
 issue 3, HB 8457: here hb_8457; venue hb_8457; contract/venue/test_kraken_fates issue_3
 issue 4, HB 601: inc hb601; venue hb_601; contract/venue/test_kraken_fates issue_4
 issue 5, NT 4152: here nt_4152; trading nt_4152; contract/venue/test_kraken_words issue_5
 issue 6, NT 3870: inc nt3870; venue nt_3870; contract/venue/test_kraken_fates issue_6
 issue 7, FT 3647: inc ft3647; venue ft_3647
 issue 8, NT 3317: inc nt3317; venue nt_3317
 issue 9, NT 3878: here nt_3878; trading nt_3878; property/test_execution_reconciliation test_
 issue 10, NT 3493: inc nt3493; trading nt_3493
 issue 11, NT 3104: inc nt3104; trading nt_3104
 issue 12, NT 3622: inc nt3622; trading nt_3622; chain unknown_after_bounded
 issue 13, hummingbot-api 243: here hb_api_243; trading hb_api_243
 issue 14, FT 8045: inc ft8045; trading ft_8045; chain unprotected_positions
 issue 15, FT 12598 and 10460: inc ft12598 ft10460; venue ft_12598_ft_10460; trading ft_12598_ft_10460
 issue 16, FT 7365: here ft_7365; trading ft_7365
 issue 17, FT 2478: here ft_2478; trading ft_2478
 issue 18, NT 4255 and 3907: else nt_4255; venue nt_4255_nt_3907;
    integration/test_live_data faults_of_the_venue
 issue 19, NT 4594 and FT 11725: else nt_4594; integration/test_live_data nt_4594; data ft_11725
 issue 20, HB 2534: here hb_2534; trading hb_2534; e2e/test_control kill_latches

Asked for:

 asked 1, why no trade (FT 6649): integration/test_health_http why_was_no_trade
 asked 2, dry run and live differ (FT 5489): table ft_5489
 asked 3, several bots on one address (FT 7187): venue ft_7187; e2e/test_live_gates account_that_somebody_has
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
