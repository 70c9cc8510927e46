"""The incidents of other systems that concern risk, each by its row in the list of incidents."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.errors import DecisionError
from bus_schemas.events import (
    Acknowledge,
    FlattenApproved,
    HaltReason,
    KillSwitch,
    Mismatch,
    OrderApproved,
    OrderRefused,
    PositionPhase,
    ReduceOnly,
    Refusal,
    Side,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.events.venue import PositionState
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.timeframes import DAY, MINUTE
from bus_schemas.topology import Stream
from tests.unit.risk.desk import START, SYMBOLS, A, B, Desk, only


def test_incident_1_a_margin_halt_inside_the_margin_budget_does_not_start() -> None:
    with pytest.raises(ValueError, match="using the budget halts the account"):
        RiskSettings(total_margin_pct=90, total_margin_halt_pct=90)


def test_incident_1_using_the_whole_margin_budget_does_not_halt() -> None:
    desk = Desk(max_positions=7)
    for symbol in SYMBOLS[:4]:
        desk.signal(symbol, stop=99.1, targets=(101.5, 103.0))
    assert [type(o.body) for o in desk.said] == [OrderApproved] * 3 + [OrderRefused]
    for symbol in SYMBOLS[:3]:
        order = desk.orders[symbol]
        desk.fill(symbol, order.side, order.entry, order.quantity, order.quantity)
        desk.position(symbol, quantity=order.quantity)
    assert not [o for o in desk.said if isinstance(o.body, TradingHalted)]


def test_incident_2_an_open_intent_reserves_its_symbol_through_an_instant_fill() -> None:
    """The position was seen with quantity 0, archived, and entered again until 434 % of equity."""
    desk = Desk()
    order = desk.signal(A)
    assert isinstance(order, OrderApproved)
    refusals = []
    for step in range(4):
        desk.time += MINUTE
        if step == 1:
            desk.position(A, PositionPhase.OPENING, reserved=order.quantity)
        if step == 2:
            desk.fill(A, order.side, order.entry, order.quantity, order.quantity)
        if step == 3:
            desk.restart()
        refusals.append(desk.signal(A))
    assert all(isinstance(r, OrderRefused) and r.reason is Refusal.POSITION_OPEN for r in refusals)


def test_incident_2_exposure_at_the_venue_vetoes_an_entry() -> None:
    desk = Desk()
    foreign = PositionState(symbol=A, quantity=Decimal(3), entry_price=Decimal(100), mark=Decimal(100))
    desk.snapshot("10000", foreign)
    refused = desk.signal(A)
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.POSITION_OPEN
    desk.snapshot("10000")
    desk.time += MINUTE
    assert isinstance(desk.signal(A), OrderApproved)


def test_incident_2_a_snapshot_without_the_position_does_not_free_an_intent() -> None:
    desk = Desk()
    desk.open(A)
    desk.snapshot("10000")
    desk.time += MINUTE
    refused = desk.signal(A)
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.POSITION_OPEN


def test_incident_3_an_unknown_position_is_counted_and_never_flattened() -> None:
    desk = Desk()
    said = desk.position(A, quantity="3", signal_id="adopted", entry_price=Decimal(100))
    desk.restart()
    assert said == []
    assert isinstance(desk.signal(A), OrderRefused)
    assert not [o for o in desk.said if isinstance(o.body, FlattenApproved)]


def test_incident_5_the_size_of_a_position_is_limited_before_the_trade() -> None:
    desk = Desk()
    order = desk.signal(A, stop=99.99, targets=(101.0, 102.0))
    assert isinstance(order, OrderApproved)
    assert order.margin <= 2500
    assert order.quantity * order.entry <= 12_500
    assert order.risk < 50


@pytest.mark.parametrize(
    "settings", [{"daily_loss_pct": "1.2"}, {"daily_loss_pct": "1.2", "risk_per_trade_pct": "1.19"}]
)
def test_incident_5_no_stop_of_an_approved_order_reaches_a_halt(settings: dict[str, str]) -> None:
    desk = Desk(max_positions=7, **settings)
    refused = []
    for symbol in SYMBOLS:
        decision = desk.signal(symbol)
        if isinstance(decision, OrderApproved):
            desk.fill(symbol, decision.side, decision.entry, decision.quantity, decision.quantity)
            desk.position(symbol, quantity=decision.quantity)
        else:
            refused.append(decision.reason)
    assert set(refused) == {Refusal.DAILY_LOSS}
    assert len(desk.orders) == int(Decimal("1.2") / desk.settings.risk_per_trade_pct)
    for symbol in tuple(desk.orders):
        desk.close(symbol, "94.981")
    assert not [o for o in desk.said if isinstance(o.body, TradingHalted)]


def test_incident_7_the_targets_never_sum_to_more_than_the_position() -> None:
    desk = Desk()
    order = desk.open(A)
    assert len(order.targets) == 2
    assert sum(target.quantity for target in order.targets) == order.quantity


def test_incident_9_a_moved_stop_leaves_the_position_protected_and_is_never_a_reason_to_close() -> None:
    desk = Desk()
    order = desk.open(A)
    for stop, protected in (("95", False), ("96", True), ("97", False), ("100", True)):
        said = desk.position(A, quantity=order.quantity, stop=Decimal(stop), protected=protected)
        desk.time += 30_000
        assert said + desk.mark(A, "105") == []
    desk.position(A, quantity=order.quantity, protected=False)
    desk.time += DAY
    assert [type(body) for body in desk.mark(A, "105")] == [TradingHalted]


def test_incident_10_one_bad_mark_does_not_halt_and_an_old_peak_does_not_halt_for_ever() -> None:
    desk = Desk()
    desk.open(A, stop=99.7, targets=(101.0, 101.5))
    assert [b.reason for b in desk.mark(A, "80") if isinstance(b, TradingHalted)] == [HaltReason.DAILY_LOSS]
    desk.time += MINUTE
    assert [b.reason for b in desk.mark(A, "80") if isinstance(b, TradingHalted)] == [HaltReason.DRAWDOWN]
    desk.time += DAY
    desk.mark(A, "80")
    released = only(desk.feed(Stream.CONTROLS, Acknowledge(time=1, by="ann")), TradingResumed)
    assert "equity peak reset" in released.detail
    for _ in range(5):
        desk.time += MINUTE
        assert desk.mark(A, "80") == []


def test_incident_10_everything_that_forbids_entries_is_one_value() -> None:
    """Clearing one of three safety files flattened five positions."""
    desk = Desk()
    before = dict(desk.store)
    desk.feed(Stream.CONTROLS, KillSwitch(time=1, reason="drill", by="ann"))
    desk.feed(Stream.CONTROLS, ReduceOnly(time=1, on=True, by="ann"))
    desk.execution(Mismatch(time=desk.time, symbol=A, detail="venue holds 3"))
    changed = {key for key in desk.store if desk.store[key] != before.get(key)}
    assert changed == {"safety:record"}


def test_incident_11_the_days_loss_is_counted_from_real_events_and_by_a_restarted_service() -> None:
    desk = Desk(restarts=True, loss_streak=9)
    trades = 0
    while isinstance(desk.signal(A, id_=f"probe-{trades}"), OrderApproved) and trades < 20:
        desk.position(A, PositionPhase.ABANDONED)
        desk.trade(A, "95")
        trades += 1
    assert trades == 6
    refused = desk.signal(B)
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.DAILY_LOSS
    desk.time = START - START % DAY + DAY
    desk.marks()
    assert isinstance(desk.signal(B), OrderApproved)


def test_incident_15_a_fill_that_comes_twice_counts_once() -> None:
    desk = Desk()
    order = desk.open(A)
    for _ in range(2):
        desk.fill(A, Side.SHORT, "90", order.quantity, Decimal(0), fill_id="same", fee=Decimal(1))
    assert desk.equity == 10_000 - 10 * order.quantity - 1


def test_incident_15_a_zero_entry_price_is_refused() -> None:
    desk = Desk()
    with pytest.raises(DecisionError, match="entry price"):
        desk.position(A, quantity="3", entry_price=Decimal(0))


def test_defect_9_a_restart_does_not_forgive_a_loss_streak() -> None:
    desk = Desk(restarts=True)
    for _ in range(3):
        desk.trade(A, "99")
    refused = desk.signal(A)
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.LOSS_STREAK
