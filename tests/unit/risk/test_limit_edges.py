"""What lies on a limit passes, and what limits look at beyond the table of test_limits."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import (
    OrderApproved,
    OrderRefused,
    PositionPhase,
    Refusal,
    Side,
    TradingHalted,
)
from bus_schemas.timeframes import DAY, HOUR, MINUTE
from bus_schemas.topology import Stream
from tests.unit.risk.desk import START, SYMBOLS, A, B, C, Desk


class TestOnTheLimit:
    """A value on its limit passes: the neighbour of each row above."""

    def test_five_positions(self) -> None:
        desk = Desk()
        assert all(isinstance(desk.signal(symbol), OrderApproved) for symbol in SYMBOLS[:5])

    def test_basis(self) -> None:
        desk = Desk()
        desk.mark(A, "100.75", spot="100")
        assert isinstance(desk.signal(A), OrderApproved)

    def test_data_age(self) -> None:
        desk = Desk()
        desk.time += 30 * MINUTE
        desk.mark(B, "100")
        assert isinstance(desk.signal(A), OrderApproved)

    def test_two_losses_and_a_gain_between_do_not_pause(self) -> None:
        desk = Desk()
        for price in ("99", "99", "101", "99", "99"):
            desk.trade(A, price)
        assert isinstance(desk.signal(A), OrderApproved)

    def test_a_trade_without_gain_or_loss_is_not_a_loss(self) -> None:
        desk = Desk()
        for price in ("99", "99", "100", "99", "99"):
            desk.trade(A, price)
        assert isinstance(desk.signal(A), OrderApproved)

    def test_losses_of_different_symbols_are_counted_apart(self) -> None:
        desk = Desk()
        for symbol in (A, B, C):
            desk.trade(symbol, "99")
        assert isinstance(desk.signal(A), OrderApproved)

    def test_the_pause_ends_after_four_hours(self) -> None:
        desk = Desk()
        for _ in range(3):
            desk.trade(A, "99")
        desk.time += 4 * HOUR - 2 * MINUTE
        desk.marks()
        assert isinstance(desk.signal(A), OrderRefused)
        desk.time += MINUTE
        desk.marks()
        assert isinstance(desk.signal(A), OrderApproved)

    def test_a_fourth_loss_in_a_row_pauses_again(self) -> None:
        desk = Desk()
        for _ in range(3):
            desk.trade(A, "99")
        desk.time += 5 * HOUR
        desk.marks()
        desk.trade(A, "99")
        refused = desk.signal(A)
        assert isinstance(refused, OrderRefused)
        assert refused.reason is Refusal.LOSS_STREAK
        assert "4 losses in a row" in refused.detail

    def test_a_new_utc_day_forgets_yesterdays_loss(self) -> None:
        desk = Desk()
        desk.open(A)
        desk.mark(A, "68")
        desk.close(A, "68")
        assert isinstance(desk.signal(B), OrderRefused)
        desk.time = START - START % DAY + DAY
        desk.marks()
        assert isinstance(desk.signal(B), OrderApproved)

    def test_a_symbol_is_free_again_once_its_intent_is_abandoned(self) -> None:
        desk = Desk()
        desk.signal(A)
        desk.position(A, PositionPhase.ABANDONED)
        desk.time += MINUTE
        assert isinstance(desk.signal(A), OrderApproved)

    def test_receiving_funding_is_not_counted_as_a_gain(self) -> None:
        desk = Desk()
        desk.mark(A, "100", funding="-0.02")
        refused = desk.signal(A, targets=(105.0, 107.0))
        assert isinstance(refused, OrderRefused)
        assert refused.numbers["funding"] == 0


def test_a_short_is_sized_and_checked_like_a_long() -> None:
    desk = Desk()
    order = desk.signal(A, side=Side.SHORT, stop=105.0, targets=(90.0, 85.0))
    assert isinstance(order, OrderApproved)
    assert order.stop == Decimal("105.00")
    assert [target.price for target in order.targets] == [Decimal("90.00"), Decimal("85.00")]
    assert Decimal("49.9") < order.risk <= 50


def test_a_drawdown_refuses_before_it_is_believed() -> None:
    desk = Desk(daily_loss_pct=10)
    desk.open(A, stop=99.7, targets=(101.0, 101.5))
    desk.mark(A, "93.3")
    desk.time += DAY
    desk.marks("93.3")
    desk.time += MINUTE
    desk.mark(A, "86.5")
    assert not [o for o in desk.said if isinstance(o.body, TradingHalted)]
    refused = desk.signal(B, entry=93.0, stop=90.0, targets=(101.0, 102.0))
    assert isinstance(refused, OrderRefused)
    assert refused.reason is Refusal.DRAWDOWN
    assert "has reached its limit" in refused.detail


def test_signals_for_unknown_symbols_leave_nothing_behind() -> None:
    desk = Desk()
    before = set(desk.store)
    for number in range(5):
        desk.signal(f"X{number}USDT")
    assert set(desk.store) == before


def test_an_assessment_without_a_signal_is_not_answered() -> None:
    from bus_schemas.events import Assessment, NoSignal

    desk = Desk()
    body = Assessment(time=desk.time, symbol=A, timeframe="1h", reason=NoSignal.NO_BIAS)
    assert desk.feed(Stream.SIGNALS, body) == []
