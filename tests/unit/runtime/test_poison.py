"""Events that cannot be handled: dead letter, halt, and a limit beyond which the service stops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bus_schemas.codec import decode
from bus_schemas.envelope import Output
from bus_schemas.errors import Poisoned
from bus_schemas.events import HaltReason, SymbolHalted, TradingHalted
from bus_schemas.settings import Settings, StrategySettings
from bus_schemas.topology import Stream
from risk.service import deciders as risk_deciders
from strategy.decider import StrategyDecider
from tests.unit.runtime.toy import CANDLES, EXECUTIONS, GARBAGE, ORDERS, RISK, SIGNALS, STRATEGY, Bench, Toy


def test_garbage_is_buried_at_once_and_halts_its_symbol_in_the_same_commit() -> None:
    bench = Bench(decider=StrategyDecider(StrategySettings()))
    bench.raw(CANDLES, {**GARBAGE, b"key": b"BTCUSDT"})
    bench.work()
    (halted,) = (decode(*entry) for entry in bench.bus.range(SIGNALS, 0, 9))
    assert isinstance(halted.body, SymbolHalted)
    assert (halted.key, halted.body.symbol, halted.body.origin) == ("BTCUSDT", "BTCUSDT", "candles.p0.1")
    assert halted.cause == "candles.p0.1"
    assert (bench.bus.dead_count(STRATEGY), bench.counters.commits, bench.counters.retries) == (1, 1, 0)


@pytest.mark.parametrize(
    ("key", "halted"), [(b"BTCUSDT", "BTCUSDT"), (b"MAIN", "*"), (b"\xff\xfe", "*"), (b"", "*")]
)
def test_risk_halts_the_symbol_or_everything_where_the_key_is_the_account(key: bytes, halted: str) -> None:
    bench = Bench(RISK, risk_deciders(Settings())(RISK))
    bench.raw(EXECUTIONS, {**GARBAGE, b"key": key})
    bench.work()
    (event,) = (decode(*entry) for entry in bench.bus.range(ORDERS, 0, 9))
    assert isinstance(event.body, TradingHalted)
    assert (event.body.symbol, event.body.reason) == (halted, HaltReason.DEAD_LETTER)
    assert "executions.MAIN.1 could not be handled" in event.body.detail
    assert bench.bus.dead_count(RISK) == 1


def test_the_account_is_no_symbol() -> None:
    bench = Bench(RISK)
    bench.raw(EXECUTIONS, {**GARBAGE, b"key": b"MAIN"})
    bench.work()
    assert [key for key, _ in bench.wrote(ORDERS)] == ["*"]


def test_an_entry_without_a_key_halts_everything() -> None:
    bench = Bench()
    bench.raw(CANDLES, GARBAGE)
    bench.work()
    assert [key for key, _ in bench.wrote()] == ["*"]


def test_so_many_in_a_row_stop_the_service_with_nothing_committed() -> None:
    bench = Bench(attempts=1, dead_in_row=3)
    bench.put(CANDLES, "A", "FAIL", "FAIL", "FAIL")
    with pytest.raises(Poisoned, match="3 events in a row"):
        bench.work()
    assert bench.wrote() == []
    assert bench.bus.positions(STRATEGY) == {CANDLES: 0}
    assert (bench.bus.dead_count(STRATEGY), bench.counters.dead_letters) == (0, 0)


def test_the_row_goes_on_over_batches_and_restarts() -> None:
    bench = Bench(attempts=1, dead_in_row=3)
    bench.put(CANDLES, "FAIL", "FAIL")
    assert (bench.work(1), bench.work(1)) == (1, 1)
    successor = Bench(memory=bench.memory, attempts=1, dead_in_row=3)
    bench.put(CANDLES, "FAIL")
    with pytest.raises(Poisoned):
        successor.work(1)
    assert successor.bus.dead_count(STRATEGY) == 2


def test_one_event_that_works_ends_the_row() -> None:
    bench = Bench(attempts=1, dead_in_row=3)
    bench.put(CANDLES, *["FAIL", "FAIL", "A"] * 4)
    while bench.work(2):
        pass
    assert bench.bus.dead_count(STRATEGY) == 8


def test_too_large_a_share_stops_the_service() -> None:
    bench = Bench(attempts=1, dead_share=0.2, dead_window=10)
    bench.put(CANDLES, *["A"] * 8, "FAIL", "FAIL")
    assert bench.work() == 10
    bench.put(CANDLES, "A", "A", "FAIL")
    with pytest.raises(Poisoned, match="3 of the last 10"):
        bench.work()
    assert bench.bus.positions(STRATEGY)[CANDLES] == 10
    assert bench.bus.dead_count(STRATEGY) == 2


def test_a_small_share_does_not() -> None:
    bench = Bench(attempts=1, dead_share=0.2, dead_window=10)
    bench.put(CANDLES, *(["A"] * 4 + ["FAIL"]) * 10)
    while bench.work(7):
        pass
    assert bench.bus.dead_count(STRATEGY) == 10


class _Speechless(Toy):
    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        raise RuntimeError("no words")


@pytest.mark.parametrize("garbage", [True, False], ids=["garbage", "failure"])
def test_a_decider_that_cannot_say_so_stops_the_service_instead_of_going_round(garbage: bool) -> None:
    bench = Bench(decider=_Speechless(Stream.SIGNALS))
    bench.raw(CANDLES, {**GARBAGE, b"key": b"A"}) if garbage else bench.put(CANDLES, "FAIL")
    with pytest.raises(Poisoned, match="no words"):
        bench.work()
    assert bench.bus.positions(STRATEGY) == {CANDLES: 0}
