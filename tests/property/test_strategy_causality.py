"""What was said stays said: no forming candle, no future, no dependence on restarts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategy.decider
from bus_schemas.events import Assessment, Candle, Gap
from bus_schemas.settings.strategy import EntryAt, Scope, Step, StopBeyond, StrategySettings
from bus_schemas.timeframes import length
from strategy.aggregate import NOTHING, Bar, Forming, take
from strategy.decider import StrategyDecider
from strategy.frame import Frame
from strategy.smc import BadCandle
from tests.unit.strategy.check import SWITCHED, complete_bars, judge
from tests.unit.strategy.make import DENSE, QUARTER, QUICK, Feed, event, from_bytes, real, run, steps, walk

codes = st.binary(min_size=200, max_size=500)
modest = settings(max_examples=40, deadline=None)


mode = st.sampled_from((Step.SCORED, Step.SCORED, Step.OFF, Step.REQUIRED))
modes = st.fixed_dictionaries({f"{name}_step": mode for name in SWITCHED}).filter(
    lambda drawn: Step.REQUIRED in (drawn["bias_step"], drawn["shift_step"])
)


@modest
@given(codes)
def test_the_judge_finds_no_fault(drawn: bytes) -> None:
    feed = from_bytes(drawn, holes=True)
    judge(feed, run(feed, StrategyDecider(DENSE)), DENSE)


@modest
@given(codes, modes, st.sampled_from(EntryAt), st.sampled_from(StopBeyond), st.sampled_from(Scope))
def test_nor_does_it_whatever_is_required_scored_or_off(
    drawn: bytes, steps: dict[str, Step], entry: EntryAt, stop: StopBeyond, scope: Scope
) -> None:
    change = {"entry_at": entry, "stop_beyond": stop, "shift_scope": scope, "min_score": 0.4} | steps
    options, feed = DENSE.model_copy(update=change), from_bytes(drawn, holes=True)
    judge(feed, run(feed, StrategyDecider(options)), options)


@modest
@given(codes)
def test_engines_take_every_whole_candle_that_has_closed(drawn: bytes) -> None:
    feed, decider = from_bytes(drawn, holes=True), StrategyDecider(DENSE)
    run(feed, decider)
    state = decider.changes()
    now = max((b.end if isinstance(b, Gap) else b.open_time + QUARTER for b in feed), default=0)
    for prefix, frame in (("decision", DENSE.decision_timeframe), ("bias", DENSE.bias_timeframe)):
        stored = state.get(f"{prefix}:BTCUSDT")
        seen = msgspec.msgpack.decode(stored, type=Frame).state.averages.bars if stored else 0
        whole, span = length(frame) // QUARTER, length(frame)
        bars = complete_bars(feed, frame)
        assert seen == sum(at + span <= now and bar.count == whole for at, bar in bars.items())


@modest
@given(codes, codes, codes)
def test_nothing_emitted_depends_on_what_comes_after(past: bytes, one: bytes, other: bytes) -> None:
    before = from_bytes(past, holes=True)
    said = run(before, StrategyDecider(DENSE))
    for future in (one, other):
        longer = from_bytes(past[: len(past) // 2 * 2] + future, holes=True)
        assert longer[: len(before)] == before
        assert run(longer, StrategyDecider(DENSE))[: len(said)] == said


def test_every_prefix_of_real_candles_says_what_the_whole_says() -> None:
    feed, options = real()[:1600], StrategySettings()
    whole = steps(feed, StrategyDecider(options))
    assert any(a.signal for answers in whole for a in answers)
    for cut in range(80, 1600, 190):
        said = run(feed[:cut], StrategyDecider(options))
        assert said == list(itertools.chain(*whole[:cut]))
        judge(feed[:cut], said, options)


def _restarting(feed: Feed, options: StrategySettings) -> tuple[list[Assessment], dict[str, bytes]]:
    """Run with a new decider for every event, loaded from what the ones before it wrote."""
    stored: dict[str, bytes] = {}
    out: list[Assessment] = []
    for seq, body in enumerate(feed, 1):
        decider = StrategyDecider(options)
        decider.load(stored)
        out += [o.body for o in decider.handle(event(body, seq)) if isinstance(o.body, Assessment)]
        stored |= {key: value for key, value in decider.changes().items() if value is not None}
    return out, stored


@modest
@given(codes)
def test_a_restart_at_every_event_changes_nothing(drawn: bytes) -> None:
    feed, steady = from_bytes(drawn, holes=True), StrategyDecider(DENSE)
    said, stored = _restarting(feed, DENSE)
    assert said == run(feed, steady)
    assert stored == dict(steady.changes())


def test_a_restart_at_every_real_candle_changes_nothing() -> None:
    feed, steady = real()[:1200], StrategyDecider(StrategySettings())
    said, stored = _restarting(feed, StrategySettings())
    assert any(a.signal for a in said)
    assert said == run(feed, steady)
    assert stored == dict(steady.changes())


def test_load_forgets_what_was_in_memory() -> None:
    feed, used = walk(500, seed=9), StrategyDecider(QUICK)
    run(walk(300, seed=1), used)
    used.load({})
    assert used.changes() == {}
    assert run(feed, used) == run(feed, StrategyDecider(QUICK))


def _peeking(which: int) -> Callable[[Forming, Candle, int, int], tuple[Bar, ...]]:
    """The planted fault: bars of this length are handed out, as if whole, when half of them is there."""

    def peek(forming: Forming, candle: Candle, base: int, span: int) -> tuple[Bar, ...]:
        closed = take(forming, candle, base, span)
        if span != which:
            return closed
        f = forming
        if f.at == NOTHING or f.count * 2 * base != span:
            return ()
        return (Bar(f.at, candle.time, f.open, f.high, f.low, f.close, f.volume, span // base),)

    return peek


@pytest.mark.parametrize("hours", [1, 4])
def test_a_forming_candle_would_be_noticed(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = walk(800, seed=11)
    judge(feed, run(feed, StrategyDecider(QUICK)), QUICK)
    monkeypatch.setattr(strategy.decider, "take", _peeking(hours * 3_600_000))
    with pytest.raises(AssertionError, match=r"forming|one assessment|closed|future"):
        judge(feed, run(feed, StrategyDecider(QUICK)), QUICK)


@pytest.mark.parametrize("hours", [1, 4])
def test_no_candle_can_be_seen_twice(hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forming candle that is handed out again when it closes is refused by the engine itself."""

    def again(forming: Forming, candle: Candle, base: int, span: int) -> tuple[Bar, ...]:
        early = _peeking(hours * 3_600_000)
        copy = msgspec.structs.replace(forming)
        return (*early(copy, candle, base, span), *take(forming, candle, base, span))

    monkeypatch.setattr(strategy.decider, "take", again)
    with pytest.raises(BadCandle, match="not after the one before"):
        run(walk(800, seed=11), StrategyDecider(QUICK))


def test_knowledge_of_the_future_would_be_noticed() -> None:
    feed = walk(300, seed=11)
    said = run(feed, StrategyDecider(QUICK))
    last = said[-1]
    early = msgspec.structs.replace(last.evidence[0], known_at=last.time + 1)
    with pytest.raises(AssertionError, match="future"):
        judge(feed, [*said[:-1], msgspec.structs.replace(last, evidence=(early, *last.evidence[1:]))], QUICK)
