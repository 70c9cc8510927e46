"""Halts of one symbol: dead letters, mismatches, pauses after losses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from bus_schemas.events import (
    Body,
    ExitReason,
    HaltReason,
    Mismatch,
    PositionPhase,
    Refusal,
    Side,
    SymbolHalted,
    TradeClosed,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.events.venue import PositionState
from bus_schemas.timeframes import HOUR, MINUTE
from bus_schemas.topology import Stream
from tests.unit.risk.desk import A, B, Desk, only
from tests.unit.risk.test_halts import acknowledge, kill, refusal


def by_dead_letter(desk: Desk, symbol: str) -> list[Body]:
    return desk.take(desk.decider.poisoned(symbol, "marks.p0.9", "not JSON"))


def by_strategy(desk: Desk, symbol: str) -> list[Body]:
    body = SymbolHalted(time=desk.time, symbol=symbol, origin="candles.p0.9", detail="not JSON")
    return desk.feed(Stream.SIGNALS, body)


def by_mismatch(desk: Desk, symbol: str) -> list[Body]:
    return desk.execution(Mismatch(time=desk.time, symbol=symbol, detail="venue holds 3"))


CASES = [
    (by_dead_letter, HaltReason.DEAD_LETTER),
    (by_strategy, HaltReason.DEAD_LETTER),
    (by_mismatch, HaltReason.MISMATCH),
]


def lost_trade(desk: Desk) -> TradeClosed:
    return TradeClosed(
        time=desk.time,
        signal_id="adopted",
        symbol=A,
        side=Side.LONG,
        quantity=Decimal(1),
        entry_price=Decimal(100),
        exit_price=Decimal(99),
        profit=Decimal(-1),
        fees=Decimal(0),
        funding=Decimal(0),
        net=Decimal(-1),
        reason=ExitReason.STOP,
        opened=desk.time,
    )


class TestSymbolHalts:
    @pytest.mark.parametrize(("how", "reason"), CASES)
    def test_one_symbol_stops_the_rest_goes_on_and_a_person_releases(
        self, how: Callable[[Desk, str], list[Body]], reason: HaltReason
    ) -> None:
        desk = Desk()
        halted = only(how(desk, A), TradingHalted)
        assert (halted.symbol, halted.reason, halted.until) == (A, reason, None)
        assert how(desk, A) == []
        desk.restart()
        assert refusal(desk, A) is Refusal.SYMBOL_HALTED
        assert refusal(desk, B) is None
        assert acknowledge(desk, B) == []
        assert only(acknowledge(desk, A), TradingResumed).symbol == A
        assert refusal(desk, A) is None

    @pytest.mark.parametrize(("how", "reason"), CASES)
    @pytest.mark.parametrize("symbol", ["*", "MAIN", "garbage"])
    def test_where_the_symbol_is_unclear_the_account_stops(
        self, how: Callable[[Desk, str], list[Body]], reason: HaltReason, symbol: str
    ) -> None:
        desk = Desk()
        halted = only(how(desk, symbol), TradingHalted)
        assert (halted.symbol, halted.reason) == ("*", reason)
        assert refusal(desk) is Refusal.HALTED

    def test_one_acknowledgement_of_everything_releases_every_symbol(self) -> None:
        desk = Desk()
        by_mismatch(desk, B)
        by_dead_letter(desk, A)
        by_mismatch(desk, A)
        kill(desk)
        resumed = [b.symbol for b in acknowledge(desk) if isinstance(b, TradingResumed)]
        assert resumed == ["*", A, B]

    def test_a_symbols_acknowledgement_does_not_release_the_kill_switch(self) -> None:
        desk = Desk()
        kill(desk)
        by_mismatch(desk, A)
        acknowledge(desk, A)
        assert refusal(desk, A) is Refusal.KILL_SWITCH

    def test_a_pause_after_losses_is_not_lifted_by_hand(self) -> None:
        desk = Desk()
        for _ in range(3):
            desk.trade(A, "99")
        acknowledge(desk)
        assert refusal(desk, A) is Refusal.LOSS_STREAK

    def test_the_pause_is_said_with_its_end(self) -> None:
        desk = Desk()
        for _ in range(2):
            desk.trade(A, "99")
        desk.open(A)
        halted = only(desk.close(A, "99"), TradingHalted)
        assert (halted.symbol, halted.reason) == (A, HaltReason.LOSS_STREAK)
        assert halted.until == desk.time + 4 * HOUR

    def test_a_loss_during_the_pause_prolongs_it(self) -> None:
        desk = Desk()
        for _ in range(3):
            desk.trade(A, "99")
        desk.time += HOUR
        desk.orders.clear()
        halted = only(desk.execution(lost_trade(desk)), TradingHalted)
        assert halted.until == desk.time + 4 * HOUR
        desk.time += 3 * HOUR + MINUTE
        desk.marks()
        assert refusal(desk, A) is Refusal.LOSS_STREAK

    @pytest.mark.parametrize(("how", "reason"), CASES)
    @pytest.mark.parametrize("said", [A, "*"])
    def test_an_order_that_execution_never_spoke_of_is_dropped(
        self, how: Callable[[Desk, str], list[Body]], reason: HaltReason, said: str
    ) -> None:
        desk = Desk(restarts=True)
        lost = desk.signal(A)
        how(desk, A)
        assert desk.decider._portfolio.holding(A).intent is not None
        resumed = only(acknowledge(desk, said), TradingResumed)
        assert resumed.detail == f"order of signal {lost.signal_id} dropped: execution never spoke of it"
        assert refusal(desk, A) is None

    @pytest.mark.parametrize(("how", "reason"), CASES)
    def test_an_order_that_execution_spoke_of_stays(
        self, how: Callable[[Desk, str], list[Body]], reason: HaltReason
    ) -> None:
        desk = Desk(restarts=True)
        order = desk.signal(A)
        desk.position(A, PositionPhase.OPENING, reserved=order.quantity)
        how(desk, A)
        assert only(acknowledge(desk), TradingResumed).detail == ""
        assert refusal(desk, A) is Refusal.POSITION_OPEN

    def test_an_acknowledgement_of_something_else_drops_no_order(self) -> None:
        desk = Desk()
        desk.signal(A)
        by_mismatch(desk, B)
        acknowledge(desk)
        kill(desk)
        acknowledge(desk)
        assert refusal(desk, A) is Refusal.POSITION_OPEN

    def test_a_dropped_order_that_arrives_after_all_is_adopted(self) -> None:
        desk = Desk()
        lost = desk.signal(A)
        by_dead_letter(desk, A)
        acknowledge(desk)
        desk.position(A, PositionPhase.OPENING, reserved=lost.quantity)
        assert refusal(desk, A) is Refusal.POSITION_OPEN
        desk.position(A, PositionPhase.ABANDONED, stop=None)
        assert refusal(desk, A) is None

    def test_a_position_at_the_venue_without_terms_stops_the_account(self) -> None:
        desk = Desk()
        stranger = PositionState(
            symbol="DOGEUSDT", quantity=Decimal(7), entry_price=Decimal(1), mark=Decimal(1)
        )
        halted = only(desk.snapshot("10000", stranger), TradingHalted)
        assert halted.reason is HaltReason.MISMATCH
        assert "DOGEUSDT" in halted.detail
