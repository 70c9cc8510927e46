"""Any interleaving of events: one decision a signal, one position a symbol, and restarts that do not show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import (
    AccountSnapshot,
    Acknowledge,
    Body,
    KillSwitch,
    Mismatch,
    OrderApproved,
    OrderRefused,
    PositionPhase,
    ReduceOnly,
    Side,
    SymbolHalted,
)
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream
from tests.unit.risk.desk import SYMBOLS, Desk

SOME = SYMBOLS[:4]
STEPS = (
    *("signal", "signal", "signal", "enter", "enter", "leave", "leave", "mark", "mark", "abandon"),
    *("snapshot", "kill", "acknowledge", "acknowledge", "reduce_only", "mismatch", "halt", "poison", "wait"),
)
scripts = st.lists(
    st.tuples(st.sampled_from(STEPS), st.sampled_from(SOME), st.integers(0, 99), st.booleans()), max_size=60
)


class Actor:
    """Plays a script: execution answers approved orders, and every answer is counted."""

    def __init__(self, restarts: bool) -> None:
        self.desk = Desk(restarts=restarts, max_positions=3)
        self.waiting: dict[str, OrderApproved] = {}
        self.open: dict[str, OrderApproved] = {}
        self.signals = 0
        self.decisions: list[Body] = []

    def play(self, step: str, symbol: str, number: int, flag: bool) -> None:
        self.desk.time += number * 1000
        getattr(self, step)(symbol, number, flag)

    def signal(self, symbol: str, number: int, flag: bool) -> None:
        self.signals += 1
        distance = 0.2 + number / 20
        sign = 1 if flag else -1
        decision = self.desk.signal(
            symbol,
            id_=f"{symbol}-{number // 4}",
            side=Side.LONG if flag else Side.SHORT,
            stop=100 - sign * distance,
            targets=(100 + sign * 2.5 * distance, 100 + sign * 3 * distance),
        )
        self.decisions.append(decision)
        if isinstance(decision, OrderApproved):
            assert symbol not in self.waiting
            assert symbol not in self.open
            self.waiting[symbol] = decision
            assert len(self.waiting) + len(self.open) <= 3

    def enter(self, symbol: str, number: int, flag: bool) -> None:
        order = self.waiting.pop(symbol, None)
        if order is not None:
            signed = order.quantity * order.side.sign
            self.desk.fill(symbol, order.side, order.entry, order.quantity, signed, fee=Decimal("0.1"))
            self.desk.position(symbol, quantity=signed, protected=flag)
            self.open[symbol] = order

    def leave(self, symbol: str, number: int, flag: bool) -> None:
        if self.open.pop(symbol, None) is not None:
            self.desk.close(symbol, str(Decimal(100) + Decimal(number - 60) / 20))

    def abandon(self, symbol: str, number: int, flag: bool) -> None:
        if self.waiting.pop(symbol, None) is not None:
            self.desk.position(symbol, PositionPhase.ABANDONED)

    def mark(self, symbol: str, number: int, flag: bool) -> None:
        self.desk.mark(symbol, str(Decimal(100) + Decimal(number - 50) / (20 if flag else 2)))

    def wait(self, symbol: str, number: int, flag: bool) -> None:
        self.desk.time += number * HOUR // 8
        if flag:
            self.desk.marks()

    def snapshot(self, symbol: str, number: int, flag: bool) -> None:
        cash = self.desk.decider._portfolio.ledger.cash
        assert cash is not None
        held = self.desk.decider._portfolio
        positions: tuple[Any, ...] = ()
        if flag:
            from bus_schemas.events.venue import PositionState

            positions = tuple(
                PositionState(
                    symbol=s,
                    quantity=held.holding(s).quantity,
                    entry_price=held.average_entry(s),
                    mark=Decimal(100),
                )
                for s in held.busy
                if held.holding(s).quantity
            )
        body = AccountSnapshot(
            time=self.desk.time, cash=cash + number - 50, equity=Decimal(0), positions=positions
        )
        self.desk.execution(body)

    def kill(self, symbol: str, number: int, flag: bool) -> None:
        self.desk.feed(Stream.CONTROLS, KillSwitch(time=number, reason="drill", by="ann", flatten=flag))

    def acknowledge(self, symbol: str, number: int, flag: bool) -> None:
        self.desk.feed(
            Stream.CONTROLS, Acknowledge(time=number, by="bob", symbol=symbol if number > 90 else "*")
        )

    def reduce_only(self, symbol: str, number: int, flag: bool) -> None:
        self.desk.feed(Stream.CONTROLS, ReduceOnly(time=number, by="bob", on=flag and number > 50))

    def mismatch(self, symbol: str, number: int, flag: bool) -> None:
        if number > 70:
            self.desk.execution(Mismatch(time=self.desk.time, symbol=symbol, detail="differs"))

    def halt(self, symbol: str, number: int, flag: bool) -> None:
        body = SymbolHalted(
            time=self.desk.time, symbol=symbol if number < 80 else "*", origin="x", detail="y"
        )
        self.desk.feed(Stream.SIGNALS, body)

    def poison(self, symbol: str, number: int, flag: bool) -> None:
        if number > 70:
            self.desk.take(self.desk.decider.poisoned(symbol, "marks.p0.1", "broken"))


@settings(max_examples=60, deadline=None)
@given(scripts)
def test_one_decision_a_signal_and_no_trace_of_restarts(script: list[tuple[str, str, int, bool]]) -> None:
    steady, shaken = Actor(restarts=False), Actor(restarts=True)
    for step in script:
        steady.play(*step)
        shaken.play(*step)
    decided = [o.body for o in steady.desk.said if isinstance(o.body, OrderApproved | OrderRefused)]
    assert decided == steady.decisions
    assert len(decided) == steady.signals
    approved = [body.signal_id for body in decided if isinstance(body, OrderApproved)]
    assert len(approved) == len(set(approved))
    assert shaken.desk.said == steady.desk.said
    assert shaken.desk.store == steady.desk.store
