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
)
from bus_schemas.timeframes import DAY, MINUTE
from bus_schemas.topology import Stream
from risk.limits import LIMITS
from tests.unit.risk.desk import SYMBOLS, A, B, Desk

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
NARROW = POOR | {"max_quantity": Decimal("1.0529")}
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
    Row(Refusal.BELOW_MINIMUM, lambda d: d.signal(), {"terms": NARROW}, ("maximum", "1.052")),
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
