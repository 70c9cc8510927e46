"""What execution and the venue say changes what is held, reserved and at risk."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.errors import DecisionError
from bus_schemas.events import FundingCharged, OrderApproved, OrderRefused, PositionPhase, Refusal, Side
from bus_schemas.events.venue import PositionState
from bus_schemas.timeframes import MINUTE
from risk.portfolio import Portfolio
from tests.unit.risk.desk import SYMBOLS, A, B, Desk


def book(desk: Desk) -> Portfolio:
    return desk.decider._portfolio


def test_an_intent_reserves_margin_notional_and_risk_before_anything_fills() -> None:
    desk = Desk()
    order = desk.signal(A)
    assert isinstance(order, OrderApproved)
    assert book(desk).margin == order.margin
    assert book(desk).notional == order.quantity * order.entry
    assert book(desk).at_risk(Decimal(0)) == order.risk


def test_a_partial_fill_moves_the_reservation_into_the_position() -> None:
    desk = Desk()
    order = desk.signal(A)
    assert isinstance(order, OrderApproved)
    half = order.quantity / 2
    desk.fill(A, Side.LONG, order.entry, half, half)
    intent = book(desk).holding(A).intent
    assert intent is not None
    assert intent.reserved == half
    assert book(desk).margin == order.margin
    desk.position(A, quantity=half, reserved=Decimal(0))
    assert book(desk).margin == order.margin / 2


def test_what_execution_says_is_reserved_counts() -> None:
    desk = Desk()
    order = desk.signal(A)
    assert isinstance(order, OrderApproved)
    desk.position(A, PositionPhase.OPENING, reserved=Decimal(1))
    assert book(desk).notional == order.entry


def test_intents_count_in_the_days_worst_case() -> None:
    desk = Desk(daily_loss_pct="1.2")
    decisions = [desk.signal(symbol) for symbol in SYMBOLS[:3]]
    assert [type(d) for d in decisions] == [OrderApproved, OrderApproved, OrderRefused]
    assert isinstance(decisions[2], OrderRefused)
    assert decisions[2].reason is Refusal.DAILY_LOSS


def test_a_stop_beyond_the_entry_puts_nothing_but_costs_at_risk() -> None:
    desk = Desk()
    order = desk.open(A)
    assert book(desk).at_risk(Decimal(0)) == 5 * order.quantity
    desk.position(A, quantity=order.quantity, stop=Decimal(101))
    assert book(desk).at_risk(Decimal(0)) == 0
    assert book(desk).at_risk(Decimal("0.01")) == order.quantity * Decimal("1.01")


def test_a_stop_that_is_not_live_for_a_moment_keeps_its_planned_level() -> None:
    desk = Desk()
    order = desk.open(A)
    desk.position(A, quantity=order.quantity, stop=None, protected=False)
    assert book(desk).at_risk(Decimal(0)) == 5 * order.quantity


def test_the_end_of_another_position_does_not_free_our_intent() -> None:
    desk = Desk()
    desk.signal(A)
    desk.position(A, PositionPhase.CLOSED, signal_id="somebody-else")
    desk.time += MINUTE
    refused = desk.signal(A)
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.POSITION_OPEN


def test_a_foreign_entry_that_may_still_fill_takes_its_symbol() -> None:
    desk = Desk()
    desk.position(A, PositionPhase.OPENING, signal_id="foreign", reserved=Decimal(3), entry_price=Decimal(0))
    refused = desk.signal(A)
    assert isinstance(refused, OrderRefused)
    assert refused.numbers["reserved"] == 3
    assert book(desk).notional == 300


def test_a_foreign_position_without_a_stop_risks_its_whole_margin() -> None:
    desk = Desk()
    desk.position(A, quantity="-10", side=Side.SHORT, signal_id="foreign", protected=False)
    assert book(desk).at_risk(Decimal(0)) == Decimal(1000) / 5


@pytest.mark.parametrize("side", list(Side))
def test_a_position_known_before_its_fill_books_the_fills_own_profit(side: Side) -> None:
    desk = Desk()
    sign = side.sign
    stop, targets = 100.0 - 5 * sign, (100.0 + 12 * sign, 100.0 + 20 * sign)
    order = desk.signal(A, side=side, stop=stop, targets=targets)
    assert isinstance(order, OrderApproved)
    signed = order.quantity * sign
    desk.position(A, quantity=signed)
    desk.fill(A, side, order.entry, order.quantity, signed, fee=Decimal(1))
    assert desk.equity == 9999
    assert book(desk).average_entry(A) == 100
    desk.position(A, quantity=0, phase=PositionPhase.CLOSING)
    desk.fill(A, side.opposite, "110", order.quantity, Decimal(0), profit=Decimal(7))
    assert desk.equity == 10_006
    assert book(desk).holding(A).quantity == 0


def test_an_older_mark_changes_nothing() -> None:
    desk = Desk()
    order = desk.open(A)
    desk.time += MINUTE
    desk.mark(A, "101")
    desk.time -= 2 * MINUTE
    desk.mark(A, "90")
    assert desk.equity == 10_000 + order.quantity


def test_funding_is_paid_from_cash() -> None:
    desk = Desk()
    desk.open(A)
    charge = FundingCharged(time=desk.time, signal_id="s", symbol=A, amount=Decimal(3), rate=Decimal(0))
    desk.execution(charge)
    assert desk.equity == 9997


def test_a_snapshot_corrects_the_cash_and_says_by_how_much_in_all() -> None:
    desk = Desk()
    desk.snapshot("9990")
    desk.snapshot("9995")
    assert desk.equity == 9995
    assert book(desk).ledger.corrected == -5


def test_a_snapshot_values_a_position_that_has_had_no_mark() -> None:
    desk = Desk(cash=None)
    state = PositionState(symbol=A, quantity=Decimal(-2), entry_price=Decimal(100), mark=Decimal(90))
    desk.snapshot("1000", state)
    assert desk.equity == 1020
    desk.mark(B, "100")
    desk.restart()
    assert desk.equity == 1020


@pytest.mark.parametrize("cash", ["NaN", "Infinity"])
def test_cash_that_is_no_number_is_an_error(cash: str) -> None:
    with pytest.raises(DecisionError):
        Desk().snapshot(cash)


def test_events_of_unknown_instruments_are_errors_where_money_is_concerned() -> None:
    desk = Desk()
    desk.mark("XXXUSDT", "1")
    with pytest.raises(DecisionError, match="no such instrument"):
        desk.position("XXXUSDT", quantity="1")
