"""Halts and the kill switch: latched, stored, released by a person or the clock, never touching stops."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.errors import DecisionError
from bus_schemas.events import (
    Acknowledge,
    Body,
    FlattenApproved,
    HaltReason,
    KillSwitch,
    OrderApproved,
    OrderRefused,
    ReduceOnly,
    Refusal,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.events.venue import PositionState
from bus_schemas.timeframes import DAY, MINUTE
from bus_schemas.topology import Stream
from tests.unit.risk.desk import START, A, B, Desk, only

TIGHT: dict[str, Any] = {"stop": 99.7, "targets": (101.0, 101.5)}
WALL_CLOCK = START + 800 * DAY


def kill(desk: Desk, **fields: Any) -> list[Body]:
    usual: dict[str, Any] = {"reason": "fire drill", "by": "ann"}
    return desk.feed(Stream.CONTROLS, KillSwitch(time=WALL_CLOCK, **(usual | fields)))


def acknowledge(desk: Desk, symbol: str = "*") -> list[Body]:
    return desk.feed(Stream.CONTROLS, Acknowledge(time=WALL_CLOCK, by="bob", symbol=symbol))


def refusal(desk: Desk, symbol: str = A) -> Refusal | None:
    desk.time += 1
    decision = desk.signal(symbol)
    if isinstance(decision, OrderRefused):
        return decision.reason
    desk.orders.pop(symbol)
    return None


class TestKillSwitch:
    def test_it_halts_the_account_and_says_why_and_who(self) -> None:
        desk = Desk()
        halted = only(kill(desk), TradingHalted)
        assert (halted.symbol, halted.reason, halted.until) == ("*", HaltReason.OPERATOR, None)
        assert "fire drill" in halted.detail
        assert "ann" in halted.detail
        assert desk.said[-1].key == "MAIN"

    def test_it_is_latched_through_restarts_and_days_until_acknowledged(self) -> None:
        desk = Desk()
        kill(desk)
        desk.restart()
        desk.time += 3 * DAY
        desk.marks()
        assert refusal(desk) is Refusal.KILL_SWITCH
        resumed = only(acknowledge(desk), TradingResumed)
        assert (resumed.symbol, resumed.by) == ("*", "bob")
        desk.restart()
        assert refusal(desk) is None

    def test_it_leaves_positions_and_stops_alone(self) -> None:
        desk = Desk()
        desk.open(A)
        before = dict(desk.store)
        assert [type(body) for body in kill(desk)] == [TradingHalted]
        assert {k for k in desk.store if desk.store[k] != before.get(k)} == {"safety:record"}

    def test_pressed_twice_it_says_nothing_new(self) -> None:
        desk = Desk()
        kill(desk)
        assert kill(desk, reason="again") == []

    def test_an_escalation_to_flatten_is_not_lost_where_it_is_latched_already(self) -> None:
        desk = Desk()
        kill(desk)
        flatten = only(kill(desk, flatten=True), FlattenApproved)
        assert flatten.symbol == "*"
        assert flatten.request_id.startswith("controls.all.")

    def test_without_a_word_to_flatten_nothing_is_flattened(self) -> None:
        desk = Desk()
        desk.open(A)
        kill(desk)
        assert not [o for o in desk.said if isinstance(o.body, FlattenApproved)]

    def test_a_persons_clock_does_not_move_event_time(self) -> None:
        desk = Desk()
        halted = only(kill(desk), TradingHalted)
        assert halted.time == desk.time
        acknowledge(desk)
        assert refusal(desk) is None

    def test_it_works_before_anything_else_was_read(self) -> None:
        desk = Desk(cash=None)
        assert only(kill(desk), TradingHalted).time == WALL_CLOCK
        desk.snapshot("10000")
        desk.marks()
        assert refusal(desk) is Refusal.KILL_SWITCH
        assert only(acknowledge(desk), TradingResumed).time == desk.time
        assert refusal(desk) is None


def test_reduce_only_is_a_switch_that_survives_restarts() -> None:
    desk = Desk()
    desk.feed(Stream.CONTROLS, ReduceOnly(time=1, on=True, by="ann"))
    desk.restart()
    assert refusal(desk) is Refusal.REDUCE_ONLY
    assert acknowledge(desk) == []
    assert refusal(desk) is Refusal.REDUCE_ONLY
    desk.feed(Stream.CONTROLS, ReduceOnly(time=1, on=False, by="ann"))
    assert refusal(desk) is None


def lose_a_sixth(desk: Desk) -> list[Body]:
    desk.open(A, **TIGHT)
    desk.mark(A, "91")
    desk.time += MINUTE
    return desk.mark(A, "86")


class TestDrawdown:
    def test_it_halts_until_acknowledged(self) -> None:
        desk = Desk()
        reasons = [b.reason for b in lose_a_sixth(desk) if isinstance(b, TradingHalted)]
        assert reasons == [HaltReason.DRAWDOWN]
        desk.time += 2 * DAY
        desk.marks()
        desk.restart()
        assert refusal(desk, B) is Refusal.DRAWDOWN

    def test_it_halts_where_no_trade_has_room_and_nothing_is_open(self) -> None:
        desk = Desk()
        desk.snapshot("8530")
        desk.time += DAY
        desk.marks()
        desk.said.clear()
        assert refusal(desk, B) is Refusal.DRAWDOWN
        halted = only([output.body for output in desk.said], TradingHalted)
        assert (halted.symbol, halted.reason, halted.until) == ("*", HaltReason.DRAWDOWN, None)
        assert "no position is open" in halted.detail
        acknowledge(desk)
        desk.time += 1
        assert refusal(desk, B) is None

    def test_it_does_not_halt_while_a_position_may_win_the_room_back(self) -> None:
        desk = Desk()
        desk.open(A, **TIGHT)
        desk.snapshot("8530")
        desk.time += DAY
        desk.marks()
        desk.said.clear()
        assert refusal(desk, B) is Refusal.DRAWDOWN
        assert not [o for o in desk.said if isinstance(o.body, TradingHalted)]

    def test_acknowledging_resets_the_peak_and_says_so(self) -> None:
        desk = Desk()
        lose_a_sixth(desk)
        desk.time += DAY
        desk.mark(B, "100")
        resumed = only(acknowledge(desk), TradingResumed)
        assert "equity peak reset from 10,000.00 to 8,3" in resumed.detail
        desk.time += 1
        assert desk.mark(A, "86") == []
        assert refusal(desk, B) is None

    def test_acknowledging_leaves_the_days_loss_and_says_that_it_remains(self) -> None:
        desk = Desk()
        lose_a_sixth(desk)
        said = acknowledge(desk)
        remains = only(said, TradingHalted)
        assert remains.reason is HaltReason.DAILY_LOSS
        assert "acknowledged by bob; equity peak reset" in remains.detail
        assert not [body for body in said if isinstance(body, TradingResumed)]
        assert refusal(desk, B) is Refusal.DAILY_LOSS

    def test_a_steep_fall_is_looked_at_twice_and_forgiven_if_the_next_mark_denies_it(self) -> None:
        desk = Desk()
        desk.open(A, **TIGHT)
        assert HaltReason.DRAWDOWN not in reasons(desk.mark(A, "50"))
        desk.time += MINUTE
        assert HaltReason.DRAWDOWN not in reasons(desk.mark(A, "100"))

    def test_every_steep_fall_gets_its_own_second_look(self) -> None:
        desk = Desk()
        desk.open(A, **TIGHT)
        said: list[Body] = []
        for price in ("80", "100", "80", "100"):
            desk.time += MINUTE
            said += desk.mark(A, price)
        assert HaltReason.DRAWDOWN not in reasons(said)

    def test_a_steep_fall_that_stays_halts_also_when_the_position_is_gone(self) -> None:
        desk = Desk()
        desk.open(A, **TIGHT)
        assert HaltReason.DRAWDOWN not in reasons(desk.mark(A, "80"))
        assert HaltReason.DRAWDOWN not in reasons(desk.close(A, "80"))
        desk.restart()
        desk.time += MINUTE
        assert HaltReason.DRAWDOWN in reasons(desk.mark(B, "100"))


def reasons(bodies: list[Body]) -> list[HaltReason]:
    return [body.reason for body in bodies if isinstance(body, TradingHalted)]


class TestDailyLoss:
    def test_it_halts_until_midnight_and_the_clock_resumes(self) -> None:
        desk = Desk()
        desk.open(A)
        halted = only(desk.mark(A, "69"), TradingHalted)
        midnight = START - START % DAY + DAY
        assert (halted.reason, halted.until) == (HaltReason.DAILY_LOSS, midnight)
        assert acknowledge(desk) == []
        desk.restart()
        desk.time = midnight - 1
        assert desk.mark(A, "69") == []
        desk.time = midnight
        resumed = only(desk.mark(A, "69"), TradingResumed)
        assert (resumed.symbol, resumed.by) == ("*", "clock")
        assert desk.mark(A, "69") == []

    def test_realised_loss_fees_and_funding_count(self) -> None:
        desk = Desk()
        desk.trade(A, "90")
        desk.trade(B, "90")
        assert not [o for o in desk.said if isinstance(o.body, TradingHalted)]
        order = desk.open(A)
        said = desk.fill(A, order.side.opposite, "100", order.quantity, Decimal(0), fee=Decimal(110))
        assert reasons(said) == [HaltReason.DAILY_LOSS]

    def test_money_that_comes_in_does_not_hide_a_loss(self) -> None:
        desk = Desk()
        desk.trade(A, "71.5")
        desk.snapshot("15000")
        desk.open(B, **TIGHT)
        assert HaltReason.DAILY_LOSS in reasons(desk.mark(B, "98.5"))


def test_margin_in_use_above_its_halt_stops_the_account() -> None:
    desk = Desk()
    desk.open(A, **TIGHT)
    said = desk.snapshot(
        "2500",
        PositionState(
            symbol=A, quantity=desk.orders[A].quantity, entry_price=Decimal(100), mark=Decimal(100)
        ),
    )
    assert HaltReason.TOTAL_MARGIN in reasons(said)
    desk.restart()
    assert refusal(desk, B) is Refusal.HALTED


def test_margin_in_use_at_its_budget_does_not_halt() -> None:
    desk = Desk()
    desk.open(A, **TIGHT)
    margin = desk.orders[A].margin
    quantity = desk.orders[A].quantity
    state = PositionState(symbol=A, quantity=quantity, entry_price=Decimal(100), mark=Decimal(100))
    said = desk.snapshot(str(margin / Decimal("0.94")), state)
    assert HaltReason.TOTAL_MARGIN not in reasons(said)


class TestProtection:
    def test_a_position_without_a_stop_halts_its_symbol_after_a_minute(self) -> None:
        desk = Desk()
        order = desk.open(A)
        desk.position(A, quantity=order.quantity, stop=None, protected=False)
        desk.time += 59_000
        assert desk.mark(A, "100") == []
        desk.restart()
        desk.time += 1000
        halted = only(desk.mark(A, "100"), TradingHalted)
        assert (halted.symbol, halted.reason) == (A, HaltReason.UNPROTECTED)
        assert desk.said[-1].key == A

    def test_a_stop_in_time_is_silent(self) -> None:
        desk = Desk()
        order = desk.open(A)
        desk.position(A, quantity=order.quantity, stop=None, protected=False)
        desk.time += 59_000
        desk.position(A, quantity=order.quantity)
        desk.time += DAY
        assert desk.mark(A, "100") == []


@pytest.mark.parametrize("price", ["0", "-1"])
def test_a_price_not_above_zero_is_an_error_and_changes_no_equity(price: str) -> None:
    desk = Desk()
    order = desk.open(A)
    equity = desk.equity
    with pytest.raises(DecisionError):
        desk.mark(A, price)
    with pytest.raises(DecisionError):
        desk.fill(A, order.side.opposite, price, order.quantity, Decimal(0))
    desk.restart()
    assert desk.equity == equity
    assert isinstance(desk.signal(B), OrderApproved)
