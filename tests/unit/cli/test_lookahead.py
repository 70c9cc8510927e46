"""The look-ahead check finds every way in which we could think of looking ahead, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Assessment, Candle, Evidence, Gap, Side
from bus_schemas.settings import Settings, load
from bus_schemas.timeframes import HOUR, iso, parse_time
from bus_schemas.topology import Place, Stream
from cli.differences import difference, pairs, said_at
from cli.futures import FUTURES
from cli.lookahead import _faults, _sound, candles
from cli.planted import PeekingDecider
from cli.truncation import Check, Found
from market_data.feed import FileFeed
from strategy.decider import StrategyDecider
from tests.support.shell import QUICK, TRADED, short_data

QUARTER = HOUR // 4


def settings_for(data: Path, **more: Any) -> Settings:
    return load(None, QUICK | {"market_data": {"data": data} | more})


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_for(short_data(tmp_path_factory.mktemp("data"), {"BTCUSDT": "BTCUSDT"}))


@pytest.fixture(scope="module")
def events(settings: Settings) -> list[Event]:
    ((symbol, found),) = candles(settings)
    assert symbol == "BTCUSDT"
    assert len(found) == 288
    return found


class Wrapped(Decider):
    """The strategy with a fault around it, which a test writes into `handle`."""

    def __init__(self, settings: Settings, data: Sequence[Event]) -> None:
        self.inner: Decider = StrategyDecider(settings.strategy)
        self.data = data
        self.taken = 0

    def load(self, state: Mapping[str, bytes]) -> None:
        self.inner.load(state)

    def changes(self) -> Mapping[str, bytes | None]:
        return self.inner.changes()

    def handle(self, event: Event) -> Sequence[Output]:
        self.taken += 1
        return [self.change(out, event) for out in self.inner.handle(event)]

    def change(self, out: Output, event: Event) -> Output:
        return out

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return self.inner.poisoned(symbol, origin, detail)


def check(
    settings: Settings, events: Sequence[Event], kind: type[Wrapped] = Wrapped, cuts: int = 12
) -> Found:
    return Check(lambda data: kind(settings, data), "BTCUSDT", events, settings.strategy, cuts).run()


def with_step(out: Output, **more: Any) -> Output:
    """The assessment with one more step at the front of its evidence."""
    assert isinstance(out.body, Assessment)
    step = Evidence(step="planted", passed=True, known_at=out.body.time)
    evidence = (msgspec.structs.replace(step, **more), *out.body.evidence)
    return Output(out.stream, out.key, msgspec.structs.replace(out.body, evidence=evidence))


def test_an_honest_strategy_passes(settings: Settings, events: list[Event]) -> None:
    found = check(settings, events)
    assert (found.candles, found.assessments) == (288, 288)
    assert (found.differing, found.early, found.first, found.first_early) == (0, 0, None, None)
    assert (found.misdated, found.first_misdated) == (0, None)
    assert found.signals > 12
    assert found.after_signal == 12
    assert 12 < found.cuts <= 24
    assert found.runs == 3 * found.cuts
    assert found.scratch >= 4
    assert found.judged > 100


def test_as_many_cuts_as_wanted_and_no_more_than_there_are(settings: Settings, events: list[Event]) -> None:
    found = check(settings, events, cuts=1)
    assert (found.cuts, found.after_signal) == (2, 1)
    # an hour's candles of 15 minutes: at its close, 15 minutes and half an hour before it
    found = check(settings, events[:48], cuts=100_000)
    assert (found.cuts, found.signals) == (12 * 3, 0)
    found = check(settings, events, cuts=100_000)
    assert found.after_signal == found.signals
    assert found.cuts >= 72 * 3


class Late(Wrapped):
    """Says everything one candle later, under the old time."""

    held: Sequence[Output] = ()

    def handle(self, event: Event) -> Sequence[Output]:
        said, self.held = self.held, super().handle(event)
        return said


class Knowing(Wrapped):
    """Knows whether the next candle of its data rises."""

    def change(self, out: Output, event: Event) -> Output:
        following = self.data[self.taken].body if self.taken < len(self.data) else None
        rises = isinstance(following, Candle) and following.close > following.open
        return with_step(out, numbers={"rises": float(rises)})


class Resampling(Wrapped):
    """Joins the hour's last close to each of its candles, by their open time: the classic."""

    def __init__(self, settings: Settings, data: Sequence[Event]) -> None:
        super().__init__(settings, data)
        self.closes = {
            event.body.open_time // HOUR: event.body.close for event in data if isinstance(event.body, Candle)
        }

    def change(self, out: Output, event: Event) -> Output:
        assert isinstance(event.body, Candle)
        return with_step(out, numbers={"hour": self.closes[event.body.open_time // HOUR]})


class Forgetting(Wrapped):
    """Does not store all that it says."""

    def change(self, out: Output, event: Event) -> Output:
        return with_step(out, numbers={"taken": float(self.taken)})


class Counting(Wrapped):
    """Depends on how many of it there have been."""

    made = 0

    def __init__(self, settings: Settings, data: Sequence[Event]) -> None:
        super().__init__(settings, data)
        Counting.made += 1
        self.number = Counting.made

    def change(self, out: Output, event: Event) -> Output:
        return with_step(out, numbers={"number": float(self.number)})


@pytest.mark.parametrize(
    ("kind", "step", "name", "future"),
    [
        (Late, "assessment", "said", "nothing"),
        (Knowing, "planted", "rises", ""),
        (Resampling, "planted", "hour", ""),
        (Forgetting, "planted", "taken", ""),
        (Counting, "planted", "number", ""),
    ],
)
def test_a_fault_is_found(
    settings: Settings, events: list[Event], kind: type[Wrapped], step: str, name: str, future: str
) -> None:
    found = check(settings, events, kind)
    assert found.differing > 0
    assert found.first is not None
    assert (found.first.step, found.first.name) == (step, name)
    assert found.first.whole != found.first.truncated
    assert found.first.time <= found.first.cut
    assert future in found.first.future


class NextLow(Wrapped):
    """Enters at the next candle's extreme where that is a better price."""

    def change(self, out: Output, event: Event) -> Output:
        assert isinstance(out.body, Assessment)
        signal = out.body.signal
        following = self.data[self.taken].body if self.taken < len(self.data) else None
        if signal is None or not isinstance(following, Candle):
            return out
        long = signal.side is Side.LONG
        entry = min(signal.entry, following.low) if long else max(signal.entry, following.high)
        signal = msgspec.structs.replace(signal, entry=entry)
        return Output(out.stream, out.key, msgspec.structs.replace(out.body, signal=signal))


def test_a_better_price_from_the_next_candle_is_found_at_any_number_of_cuts(
    settings: Settings, events: list[Event]
) -> None:
    """Signals are rare, so that cuts which are only spread evenly would miss it."""
    for cuts in (6, 24):
        found = check(settings, events, NextLow, cuts)
        assert found.differing > 0
        assert found.first is not None
        assert (found.first.step, found.first.name) == ("signal", "entry")
        assert found.first.time == found.first.cut


def test_a_difference_names_both_numbers(settings: Settings, events: list[Event]) -> None:
    first = check(settings, events, Resampling, cuts=30).first
    assert first is not None
    close = {e.body.open_time + QUARTER: e.body.close for e in events if isinstance(e.body, Candle)}
    end = first.time - 1 - (first.time - 1) % HOUR + HOUR
    assert float(first.whole) == close[end]
    if first.future == "nothing":
        assert float(first.truncated) == close[first.cut]


class Foretelling(Wrapped):
    """Says that it knew something when it was not known yet."""

    def change(self, out: Output, event: Event) -> Output:
        assert isinstance(out.body, Assessment)
        return with_step(out, known_at=out.body.time + 1)


class OnForming(Wrapped):
    """Rests on an hour that has not closed: all the same whatever comes, and wrong."""

    def change(self, out: Output, event: Event) -> Output:
        assert isinstance(event.body, Candle)
        at = event.body.open_time // HOUR * HOUR
        return with_step(out, step="bias", at=at, known_at=event.body.time)


def test_evidence_from_the_future_is_found_even_if_nothing_differs(
    settings: Settings, events: list[Event]
) -> None:
    found = check(settings, events, Foretelling, cuts=3)
    assert (found.differing, found.early) == (0, 288)
    assert found.first_early is not None
    assert found.first_early.known == found.first_early.time + 1


def test_evidence_on_a_forming_bias_candle_is_found_even_if_nothing_differs(
    settings: Settings, events: list[Event]
) -> None:
    found = check(settings, events, OnForming, cuts=3)
    assert (found.differing, found.early) == (0, 288 * 3 // 4)
    assert found.first_early is not None
    assert found.first_early.step == "bias"


class EarlyDecision(Wrapped):
    """Takes an hour's last quarter together with the third, which nothing that is said gives away."""

    def handle(self, event: Event) -> Sequence[Output]:
        self.taken += 1
        said = list(self.inner.handle(event))
        if self.taken < len(self.data) and event.body.time % HOUR == HOUR - QUARTER:
            said += self.inner.handle(self.data[self.taken])
        return said


def test_what_is_said_before_its_time_is_found_even_if_nothing_differs(
    settings: Settings, events: list[Event]
) -> None:
    found = check(settings, events, EarlyDecision)
    assert (found.differing, found.early) == (0, 0)
    assert found.misdated == 288 // 4
    assert found.first_misdated is not None
    assert found.first_misdated.time == found.first_misdated.caused + QUARTER
    assert not _sound(found)
    (sentence,) = _faults(found)
    assert sentence.startswith(
        "72 assessments bear another time than the event that caused them: the first says"
    )


class TestPlanted:
    def test_is_found_both_ways(self, settings: Settings, events: list[Event]) -> None:
        def make(data: Sequence[Event]) -> Decider:
            return PeekingDecider(settings.strategy, data)

        found = Check(make, "BTCUSDT", events, settings.strategy, 25).run()
        assert found.differing > 0
        assert found.early > 0
        assert found.first is not None
        assert found.first_early is not None

    def test_stores_what_an_honest_one_stores(self, settings: Settings, events: list[Event]) -> None:
        peeking, honest = PeekingDecider(settings.strategy, events), StrategyDecider(settings.strategy)
        stored: dict[str, bytes | None] = {}
        differing = 0
        for number, event in enumerate(events):
            differing += [o.body for o in peeking.handle(event)] != [o.body for o in honest.handle(event)]
            if number % 5 == 0:
                stored |= honest.changes()
                bias = {key for key in stored if key.startswith("bias:")}
                found = peeking.changes()
                assert {key: found[key] for key in bias} == {key: stored[key] for key in bias}
        assert differing > 0

    def test_sees_nothing_beyond_its_data(self, settings: Settings, events: list[Event]) -> None:
        honest, opening = StrategyDecider(settings.strategy), 88
        for given in events[:opening]:
            honest.handle(given)
        stored = {key: value for key, value in honest.changes().items() if value is not None}
        data = events[opening : opening + 3]  # of four quarters: nobody can show the whole hour
        peeking = PeekingDecider(settings.strategy, data)
        peeking.load(stored)
        for given in data:
            assert [o.body for o in peeking.handle(given)] == [o.body for o in honest.handle(given)]
        assert peeking.changes() == stored | dict(honest.changes())

    def test_needs_a_bias_above_the_decision(self, settings: Settings) -> None:
        flat = settings.strategy.model_copy(update={"decision_timeframe": "1h"})
        with pytest.raises(ConfigurationError, match="needs a bias timeframe above"):
            PeekingDecider(flat, ())


def test_nothing_is_compared_of_nothing(settings: Settings) -> None:
    found = check(settings, [])
    assert (found.runs, found.compared, found.judged) == (0, 0, 0)


def test_the_warm_up_is_compared_but_is_no_judgement(settings: Settings, events: list[Event]) -> None:
    found = check(settings, events[:11])
    assert found.compared > 0
    assert (found.judged, found.differing) == (0, 0)


def event(body: Candle | Gap) -> Event:
    return Event(Place(Stream.CANDLES, "p0"), 1, body.symbol, body)


def test_the_mirror_keeps_candles_sound_and_gaps_as_they_are(events: list[Event]) -> None:
    close = 60_000.0
    rest = [*events[:50], event(Gap(time=9, symbol="X", timeframe="15m", start=0, end=9, missing=1))]
    mirrored = FUTURES["mirrored"](close, rest)
    assert mirrored[-1] == rest[-1]
    for given, turned in zip(rest[:-1], mirrored[:-1], strict=True):
        assert isinstance(given.body, Candle)
        assert isinstance(turned.body, Candle)
        assert turned.body.low <= min(turned.body.open, turned.body.close)
        assert turned.body.high >= max(turned.body.open, turned.body.close)
        assert (turned.body.time, turned.body.open_time) == (given.body.time, given.body.open_time)
        assert (given.body.close > close) == (turned.body.close < close)
    assert FUTURES["mirrored"](close, rest) == mirrored
    assert FUTURES["nothing"](close, rest) == ()
    assert FUTURES["the same"](close, rest) == rest


def test_what_only_one_run_says_is_a_pair(settings: Settings, events: list[Event]) -> None:
    decider = StrategyDecider(settings.strategy)
    said = [one for given in events[:20] for one in said_at(decider, given)]
    assert list(pairs(said, said)) == [(one, one) for one in said]
    holed = [said[0], *said[2:]]
    assert (said[1], None) in list(pairs(said, holed))
    missing = difference(said[1], None, 5, "nothing")
    assert (missing.time, missing.name, missing.whole, missing.truncated) == (
        said[1].time,
        "said",
        "yes",
        "no",
    )
    assert difference(None, said[1], 5, "nothing").whole == "no"


class TestCandles:
    def test_are_those_of_a_run_and_all_judged_aloud(self, tmp_path: Path) -> None:
        data = short_data(tmp_path / "data")
        file = data / "ETHUSDT-15m.csv"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:50] + lines[60:]))
        chosen = settings_for(data, trade_from=TRADED)
        steps = FileFeed(chosen.market_data, chosen.strategy.entry_timeframe).steps({})
        published: dict[str, list[Any]] = {}
        for step in steps:
            bodies = [out.body for out in step.outputs if isinstance(out.body, Candle | Gap)]
            published.setdefault(step.symbol, []).extend(bodies)
        found = dict(candles(chosen))
        assert list(found) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        for symbol, given in found.items():
            aloud = [msgspec.structs.replace(body, hydration=False) for body in published[symbol]]
            assert [one.body for one in given] == aloud
            assert [one.seq for one in given] == list(range(1, len(given) + 1))
        assert sum(isinstance(one.body, Gap) for one in found["ETHUSDT"]) == 1

    def test_keep_to_the_chosen_time(self, tmp_path: Path) -> None:
        data = short_data(tmp_path / "data", {"BTCUSDT": "BTCUSDT"})
        chosen = settings_for(data, start="2024-09-10T06:00:00Z", end="2024-09-10T07:00:00Z")
        ((_, given),) = candles(chosen)
        opened = [one.body.open_time for one in given if isinstance(one.body, Candle)]
        first = parse_time("2024-09-10T06:00:00Z")
        assert [iso(time) for time in opened] == [iso(first + n * QUARTER) for n in range(4)]

    def test_none_in_the_chosen_time_is_an_error(self, tmp_path: Path) -> None:
        data = short_data(tmp_path / "data", {"BTCUSDT": "BTCUSDT"})
        with pytest.raises(ConfigurationError, match="no candles in the chosen time"):
            dict(candles(settings_for(data, start="2024-01-01", end="2024-01-02")))
