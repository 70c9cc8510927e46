"""Each limit tripped end to end: real events in, a refusal with its code out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from bus_schemas.events import (
    KillSwitch,
    OrderApproved,
    OrderRefused,
    PositionPhase,
    ReduceOnly,
    Refusal,
    Side,
    SymbolHalted,
    TradingHalted,
)
from bus_schemas.timeframes import DAY, HOUR, MINUTE
from bus_schemas.topology import Stream
from risk.limits import LIMITS
from tests.unit.risk.desk import START, SYMBOLS, A, B, C, Desk

TIGHT: dict[str, Any] = {"stop": 99.7, "targets": (101.0, 101.5)}
HALF: dict[str, Any] = {"stop": 99.1, "targets": (101.5, 103.0)}
Decision = OrderApproved | OrderRefused


class Row(NamedTuple):
    """How a limit is tripped, on which account, and a figure that its refusal must carry."""

    reason: Refusal
    trip: Callable[[Desk], Decision]
    desk: dict[str, Any] = {}
    figure: tuple[str, str] | None = None


def duplicate(desk: Desk) -> Decision:
    desk.signal(A, id_="same")
    desk.position(A, PositionPhase.ABANDONED)
    return desk.signal(A, id_="same")


def unknown(desk: Desk) -> Decision:
    return desk.signal("XXXUSDT")


def killed(desk: Desk) -> Decision:
    desk.feed(Stream.CONTROLS, KillSwitch(time=1, reason="fire drill", by="ann"))
    return desk.signal()


def halted(desk: Desk) -> Decision:
    desk.feed(
        Stream.SIGNALS, SymbolHalted(time=desk.time, symbol="*", origin="candles.p0.7", detail="broken")
    )
    return desk.signal()


def reduce_only(desk: Desk) -> Decision:
    desk.feed(Stream.CONTROLS, ReduceOnly(time=1, on=True, by="ann"))
    return desk.signal()


def symbol_halted(desk: Desk) -> Decision:
    desk.execution(SymbolHalted(time=desk.time, symbol=A, origin="reports.MAIN.7", detail="broken"))
    assert isinstance(desk.signal(B), OrderApproved)
    return desk.signal(A)


def streak(desk: Desk) -> Decision:
    for _ in range(3):
        desk.trade(A, "99")
    assert isinstance(desk.signal(B), OrderApproved)
    return desk.signal(A)


def daily_loss(desk: Desk) -> Decision:
    desk.open(A)
    desk.mark(A, "68")
    return desk.signal(B)


def daily_loss_gate(desk: Desk) -> Decision:
    desk.open(A)
    desk.mark(A, "72")
    return desk.signal(B)


def drawdown(desk: Desk) -> Decision:
    desk.open(A, **TIGHT)
    desk.mark(A, "91")
    desk.time += MINUTE
    desk.mark(A, "87")
    desk.time += DAY
    desk.marks()
    desk.mark(A, "87")
    return desk.signal(B)


def drawdown_gate(desk: Desk) -> Decision:
    desk.open(A, **TIGHT)
    desk.close(A, "87.5")
    desk.time += DAY
    desk.marks()
    return desk.signal(B)


def stale(desk: Desk) -> Decision:
    desk.time += 31 * MINUTE
    desk.mark(B, "100")
    return desk.signal(A)


def late_signal(desk: Desk) -> Decision:
    desk.time += 31 * MINUTE
    desk.marks()
    desk.time -= 31 * MINUTE
    return desk.signal(A)


def expired(desk: Desk) -> Decision:
    return desk.signal(A, expires=0)


def no_account(desk: Desk) -> Decision:
    desk.mark(A, "100")
    return desk.signal(A)


def no_mark(desk: Desk) -> Decision:
    desk.snapshot("10000")
    return desk.signal(A)


def basis(desk: Desk) -> Decision:
    desk.mark(A, "100.76", spot="100")
    return desk.signal(A)


def taken_by_intent(desk: Desk) -> Decision:
    assert isinstance(desk.signal(A), OrderApproved)
    desk.time += MINUTE
    return desk.signal(A)


def taken_by_position(desk: Desk) -> Decision:
    desk.open(A)
    desk.time += MINUTE
    return desk.signal(A)


def too_many(desk: Desk) -> Decision:
    for symbol in SYMBOLS[:3]:
        desk.open(symbol)
    for symbol in SYMBOLS[3:5]:
        assert isinstance(desk.signal(symbol), OrderApproved)
    return desk.signal(SYMBOLS[5])


def bad_levels(**levels: Any) -> Callable[[Desk], Decision]:
    return lambda desk: desk.signal(A, **levels)


def passed_stop(desk: Desk) -> Decision:
    desk.mark(A, "94.99")
    return desk.signal(A)


def low_reward(desk: Desk) -> Decision:
    return desk.signal(A, targets=(105.0, 107.0))


def funding_eats_reward(desk: Desk) -> Decision:
    assert isinstance(desk.signal(B, targets=(107.0, 110.0)), OrderApproved)
    desk.mark(A, "100", funding="0.004")
    return desk.signal(A, targets=(107.0, 110.0))


def total_margin(desk: Desk) -> Decision:
    for symbol in SYMBOLS[:3]:
        desk.open(symbol, **HALF)
    return desk.signal(SYMBOLS[3], **HALF)


def total_notional(desk: Desk) -> Decision:
    desk.open(A, **TIGHT)
    return desk.signal(B, **TIGHT)


POOR = {"min_notional": Decimal(100)}
ROWS = [
    Row(Refusal.DUPLICATE_SIGNAL, duplicate),
    Row(Refusal.UNKNOWN_INSTRUMENT, unknown),
    Row(Refusal.KILL_SWITCH, killed),
    Row(Refusal.HALTED, halted),
    Row(Refusal.REDUCE_ONLY, reduce_only),
    Row(Refusal.SYMBOL_HALTED, symbol_halted),
    Row(Refusal.LOSS_STREAK, streak),
    Row(Refusal.DAILY_LOSS, daily_loss),
    Row(Refusal.DAILY_LOSS, daily_loss_gate, figure=("limit_pct", "3")),
    Row(Refusal.DRAWDOWN, drawdown),
    Row(Refusal.DRAWDOWN, drawdown_gate, figure=("limit_pct", "15")),
    Row(Refusal.STALE_DATA, stale, figure=("age_s", "1860")),
    Row(Refusal.STALE_DATA, late_signal, figure=("age_s", "1860")),
    Row(Refusal.STALE_DATA, expired),
    Row(Refusal.STALE_DATA, no_account, {"cash": None}),
    Row(Refusal.STALE_DATA, no_mark, {"cash": None}),
    Row(Refusal.BASIS, basis, figure=("basis_pct", "0.76")),
    Row(Refusal.POSITION_OPEN, taken_by_intent, figure=("position", "0")),
    Row(Refusal.POSITION_OPEN, taken_by_position, figure=("reserved", "0")),
    Row(Refusal.MAX_POSITIONS, too_many, figure=("positions", "5")),
    Row(Refusal.BAD_LEVELS, bad_levels(stop=100.0)),
    Row(Refusal.BAD_LEVELS, bad_levels(stop=105.0)),
    Row(Refusal.BAD_LEVELS, bad_levels(side=Side.SHORT)),
    Row(Refusal.BAD_LEVELS, bad_levels(targets=(99.0, 120.0))),
    Row(Refusal.BAD_LEVELS, bad_levels(targets=(112.0, 111.0))),
    Row(Refusal.BAD_LEVELS, bad_levels(entry=float("nan")), figure=("stop", "95")),
    Row(Refusal.BAD_LEVELS, bad_levels(entry=float("inf"))),
    Row(Refusal.BAD_LEVELS, bad_levels(stop=-1.0)),
    Row(Refusal.BAD_LEVELS, bad_levels(stop=0.001)),
    Row(Refusal.BAD_LEVELS, bad_levels(targets=(1e300, 1e301))),
    Row(Refusal.BAD_LEVELS, passed_stop, figure=("mark", "94.99")),
    Row(Refusal.REWARD_TO_RISK, low_reward, figure=("limit", "1.5")),
    Row(Refusal.REWARD_TO_RISK, funding_eats_reward),
    Row(Refusal.BELOW_MINIMUM, lambda d: d.signal(), {"cash": "60", "terms": POOR}, ("minimum", "1.053")),
    Row(
        Refusal.LEVERAGE,
        lambda d: d.signal(A, **TIGHT),
        {"cash": "15", "terms": POOR, "risk_per_trade_pct": "2.9"},
        ("limit", "5"),
    ),
    Row(
        Refusal.POSITION_MARGIN,
        lambda d: d.signal(A, **TIGHT),
        {"cash": "60", "terms": POOR, "risk_per_trade_pct": 1},
        ("limit", "15"),
    ),
    Row(Refusal.TOTAL_MARGIN, total_margin, figure=("limit", "9000")),
    Row(Refusal.TOTAL_NOTIONAL, total_notional, figure=("limit", "20000")),
    Row(Refusal.LIQUIDATION, bad_levels(stop=45.0, targets=(250.0, 300.0)), figure=("needed", "110")),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.reason.value}")
def test_the_limit_refuses_with_its_code_figures_and_a_sentence(row: Row) -> None:
    decision = row.trip(Desk(**row.desk))
    assert isinstance(decision, OrderRefused), decision
    assert decision.reason is row.reason, decision.detail
    assert len(decision.detail) > 15
    if row.figure:
        assert decision.numbers[row.figure[0]] == Decimal(row.figure[1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.reason.value}")
def test_a_restart_after_every_event_changes_nothing(row: Row) -> None:
    steady, shaken = Desk(**row.desk), Desk(**row.desk, restarts=True)
    row.trip(steady)
    row.trip(shaken)
    assert shaken.said == steady.said
    assert shaken.store == steady.store


def test_every_refusal_has_a_row_and_every_limit_a_place() -> None:
    assert {row.reason for row in ROWS} == set(Refusal)
    assert {limit.code for limit in LIMITS} == set(Refusal)
    assert all(type(limit).__doc__ for limit in LIMITS)


@pytest.mark.parametrize("row", [r for r in ROWS if r.figure], ids=lambda row: row.reason.value)
def test_the_figures_of_a_refusal_are_plain_numbers(row: Row) -> None:
    decision = row.trip(Desk(**row.desk))
    assert isinstance(decision, OrderRefused)
    assert all("E" not in str(value) and value.is_finite() for value in decision.numbers.values())


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
