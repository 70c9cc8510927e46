from __future__ import annotations

import math
import time
from typing import Any

import msgspec
import pytest

from bus_schemas.envelope import Event
from bus_schemas.errors import ConfigurationError, DecisionError
from bus_schemas.events import Assessment, Candle, Mark, NoSignal, SymbolHalted
from bus_schemas.settings.strategy import StrategySettings
from bus_schemas.topology import Place, Stream
from strategy.decider import StrategyDecider
from tests.unit.strategy.check import judge
from tests.unit.strategy.make import (
    DENSE,
    HOUR,
    QUARTER,
    QUICK,
    START,
    Feed,
    candle,
    event,
    gap,
    real,
    run,
    steps,
    walk,
)


def quarters(*numbers: int, hydration: bool = False) -> list[Candle]:
    return [candle(START + n * QUARTER, 10, 11, 9, 10, hydration=hydration) for n in numbers]


def told(feed: Feed, settings: StrategySettings = QUICK) -> list[tuple[int, int, str]]:
    """Hour, time in quarters and reason of each assessment."""
    out = []
    for a in run(feed, StrategyDecider(settings)):
        at = a.evidence[0].at
        assert at is not None
        out.append(((at - START) // HOUR, (a.time - START) // QUARTER, str(a.reason)))
    return out


W, G = "warming_up", "data_gap"


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        (quarters(0, 1, 2, 3), [(0, 4, W)]),
        (quarters(0, 1, 2), []),
        # a hole in the middle
        (quarters(0, 1, 3), [(0, 4, G)]),
        # its end swallowed, told by the gap
        ([*quarters(0, 1), gap(START + 2 * QUARTER, START + 5 * QUARTER)], [(0, 5, G)]),
        # told by the next candle alone
        (quarters(0, 1, 5), [(0, 6, G)]),
        # told by the next candle, which closes its own hour
        (quarters(0, 1, 7), [(0, 8, G), (1, 8, G)]),
        # a gap inside, with the end still to come
        ([*quarters(0), gap(START + QUARTER, START + 3 * QUARTER), *quarters(3)], [(0, 4, G)]),
        # hours wholly inside a gap do not exist
        (
            [*quarters(0, 1, 2, 3), gap(START + HOUR, START + 9 * HOUR), *quarters(36, 37, 38, 39)],
            [(0, 4, W), (9, 40, W)],
        ),
        # the gap is told twice, and once more by a candle that lies inside it
        (
            [*quarters(0, 1), *[gap(START + 2 * QUARTER, START + 8 * QUARTER)] * 2, *quarters(4, 5, 6, 7)],
            [(0, 8, G)],
        ),
        # a gap before anything else
        ([gap(START, START + 2 * QUARTER), *quarters(0, 1, 2, 3)], [(0, 4, G)]),
    ],
)  # fmt: skip
def test_one_assessment_for_each_decision_candle_that_exists(
    feed: Feed, expected: list[tuple[int, int, str]]
) -> None:
    assert told(feed) == expected


def test_candles_that_are_not_newer_have_no_effect() -> None:
    plain = walk(600, seed=3)
    noisy = [body for i, body in enumerate(plain) for body in (body, plain[max(0, i - i % 7)])]
    noisy = [
        msgspec.structs.replace(body, close=body.low) if i % 2 and isinstance(body, Candle) else body
        for i, body in enumerate(noisy)
    ]
    one, other = StrategyDecider(QUICK), StrategyDecider(QUICK)
    assert run(plain, one) == run(noisy, other)
    assert one.changes() == other.changes()


def test_an_ignored_candle_changes_no_state() -> None:
    decider = StrategyDecider(QUICK)
    run(quarters(0, 1), decider)
    assert decider.changes()
    run([*quarters(1, 0), gap(START, START + QUARTER), gap(START, START + 2 * QUARTER)], decider)
    assert decider.changes() == {}


def test_engines_are_written_only_when_a_candle_of_theirs_closes() -> None:
    decider, written = StrategyDecider(QUICK), []
    for body in quarters(*range(16)):
        decider.handle(event(body))
        written.append(sorted(key.split(":")[0] for key in decider.changes()))
    assert written[:4] == [["feed"], ["feed"], ["feed"], ["decision", "feed"]]
    assert written[15] == ["bias", "decision", "feed"]


@pytest.mark.parametrize("cut", [0, 37, 400, 700])
def test_hydration_emits_nothing_and_changes_nothing_else(cut: int) -> None:
    feed = walk(800, seed=5, holes=True)
    all_live = steps(feed, StrategyDecider(QUICK))
    hydrated = [msgspec.structs.replace(body, hydration=i < cut) for i, body in enumerate(feed)]
    assert steps(hydrated, StrategyDecider(QUICK)) == [[]] * cut + all_live[cut:]


def test_symbols_do_not_meet() -> None:
    def named(feed: Feed, symbol: str) -> list[Candle]:
        return [msgspec.structs.replace(b, symbol=symbol) for b in feed if isinstance(b, Candle)]

    one, two = named(walk(500, 1), "AAA"), named(walk(500, 2), "BBB")
    both = run([b for pair in zip(one, two, strict=True) for b in pair], StrategyDecider(QUICK))
    for feed, symbol in ((one, "AAA"), (two, "BBB")):
        assert [a for a in both if a.symbol == symbol] == run(feed, StrategyDecider(QUICK))


@pytest.mark.parametrize(
    "frames",
    [
        ("15m", "15m", "1h"),
        ("15m", "1h", "1h"),
        ("15m", "15m", "15m"),
        ("15m", "30m", "6h"),
        ("15m", "4h", "1d"),
    ],
)
def test_any_nested_timeframes_work(frames: tuple[str, str, str]) -> None:
    names = ("entry_timeframe", "decision_timeframe", "bias_timeframe")
    settings = QUICK.model_copy(update=dict(zip(names, frames, strict=True)))
    feed = walk(12_000, seed=8) if frames[2] == "1d" else walk(1200, seed=8, holes=True)
    found = run(feed, StrategyDecider(settings))
    judge(feed, found, settings)
    assert any(a.signal for a in found)
    assert {a.timeframe for a in found} == {frames[1]}


def test_neutral_bias_searches_neither_side() -> None:
    blind = QUICK.model_copy(update={"bias_internal_length": 50, "bias_swing_length": 60})
    found = run(walk(1500, seed=2), StrategyDecider(blind))
    assert any(a.signal for a in run(walk(1500, seed=2), StrategyDecider(QUICK)))
    assert not any(a.signal for a in found)
    assert {a.reason for a in found[20:]} == {NoSignal.NO_BIAS}
    assert {a.evidence[-1].step for a in found[20:]} == {"bias"}


def test_real_candles_give_signals_at_a_sensible_rate() -> None:
    feed, settings = real(), StrategySettings()
    found = run(feed, StrategyDecider(settings))
    judge(feed, found, settings)
    signals = [a.signal for a in found if a.signal]
    assert 0.2 <= len(signals) / 35 <= 2.0
    assert {s.setup for s in signals} >= {"order_block", "fair_value_gap"}
    assert {s.side.value for s in signals} == {"long", "short"}
    assert len({s.id for s in signals}) == len(signals)
    rewards = [(sum(s.targets) / 2 - s.entry) / (s.entry - s.stop) for s in signals]
    assert min(rewards) >= 2
    common = {NoSignal.NO_SWEEP, NoSignal.NO_BREAK, NoSignal.BREAK_AGAINST_BIAS, NoSignal.ZONE_SPOILED}
    assert common <= {a.reason for a in found}


@pytest.mark.parametrize(
    "change",
    [
        {"timeframe": "1h"},
        {"open_time": START + 1},
        {"open_time": -HOUR},
        {"open_time": 4_102_444_800_000 + HOUR},
        {"high": 8.0},
        {"low": 10.5},
        {"close": math.nan},
        {"open": math.nan},
        {"high": math.inf},
        {"high": 1.1e15},
        {"volume": 1.1e15},
        {"volume": 1.7e308},
        {"volume": math.nan},
        {"volume": -1.0},
    ],
)
def test_what_is_no_candle_is_refused_before_anything_changes(change: dict[str, Any]) -> None:
    decider = StrategyDecider(QUICK)
    wrong = msgspec.structs.replace(quarters(0)[0], **change)
    with pytest.raises(DecisionError, match="BTCUSDT"):
        decider.handle(event(wrong))
    assert decider.changes() == {}


def test_other_events_are_passed_over() -> None:
    mark = Mark(time=START, symbol="BTCUSDT", mark=1, spot=1)  # type: ignore[arg-type]
    assert StrategyDecider(QUICK).handle(Event(Place(Stream.MARKS, "p0"), 1, "BTCUSDT", mark)) == ()


@pytest.mark.parametrize(("symbol", "hours"), [("BTCUSDT", 1), ("ETHUSDT", 2), ("*", 2), ("NEVER", 2)])
def test_a_poisoned_event_halts_its_symbol(symbol: str, hours: int) -> None:
    decider = StrategyDecider(QUICK)
    run(quarters(0, 1, 2, 3), decider)
    run([msgspec.structs.replace(b, symbol="ETHUSDT") for b in quarters(4, 5, 6, 7)], decider)
    (output,) = decider.poisoned(symbol, "candles.p0.7", "broken")
    assert (output.stream, output.key) == (Stream.SIGNALS, symbol)
    assert output.body == SymbolHalted(
        time=START + hours * HOUR, symbol=symbol, origin="candles.p0.7", detail="broken"
    )


def test_a_poisoned_event_before_any_other() -> None:
    (output,) = StrategyDecider(QUICK).poisoned("*", "candles.p0.1", "broken")
    assert output.body.time == 0


def test_state_for_other_timeframes_is_refused() -> None:
    decider = StrategyDecider(QUICK)
    run(quarters(0), decider)
    state = {key: value for key, value in decider.changes().items() if value is not None}
    other = StrategyDecider(StrategySettings(bias_timeframe="1d"))
    with pytest.raises(ConfigurationError, match="15m,1h,4h"):
        other.load(state)


def test_state_made_with_other_structure_is_refused() -> None:
    """Else levels would be made of two definitions, or of a window that does not fit."""
    decider = StrategyDecider(QUICK)
    run(quarters(0, 1, 2, 3), decider)
    state = {key: value for key, value in decider.changes().items() if value is not None}
    for change in ({"swing_length": 5}, {"bias_swing_length": 5}, {"sessions": ()}):
        other = StrategyDecider(QUICK.model_copy(update=change))
        with pytest.raises(ConfigurationError, match="choose another namespace"):
            other.load(state)
    StrategyDecider(QUICK.model_copy(update={"min_score": 0.2})).load(state)


def test_state_stays_small_and_a_candle_is_quick() -> None:
    feed, decider, largest = walk(20_000, seed=4), StrategyDecider(StrategySettings()), 0
    events = [event(body, seq) for seq, body in enumerate(feed, 1)]
    spent = 0.0
    for i in range(0, len(events), 250):
        start = time.perf_counter()
        for e in events[i : i + 250]:
            decider.handle(e)
        spent += time.perf_counter() - start
        changes = decider.changes()
        assert len(changes) == 3
        largest = max(largest, *(len(value or b"") for value in changes.values()))
    assert largest < 9_000
    assert spent / len(events) < 300e-6


def test_assessments_survive_the_wire() -> None:
    found = run(walk(600, seed=6), StrategyDecider(QUICK))
    assert any(a.signal for a in found)
    for a in found:
        assert msgspec.json.decode(msgspec.json.encode(a), type=Assessment) == a


def test_the_candles_of_the_property_tests_hold_signals() -> None:
    counts = [
        sum(a.signal is not None for a in run(walk(200, seed), StrategyDecider(DENSE))) for seed in range(30)
    ]
    assert sum(count > 0 for count in counts) >= 25


@pytest.mark.parametrize("first", [0, 4_102_444_800_000 - 95 * QUARTER])
def test_the_first_and_the_last_candles_that_are_allowed_are_taken(first: int) -> None:
    """And the largest prices and volumes: nothing that passes here is refused by the engine."""
    decider = StrategyDecider(QUICK.model_copy(update={"bias_timeframe": "1d"}))
    feed = [candle(first + n * QUARTER, 0, 1e15, -1e15, 1e15 * (-1) ** n, volume=1e15) for n in range(96)]
    assert run(feed, decider)
    assert decider.changes()
