"""A judge of assessments that shares no code with strategy: it works on the raw base candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bus_schemas.events import Assessment, Candle, Evidence, Gap, NoSignal
from bus_schemas.settings.strategy import EntryAt, Step, StopBeyond, StrategySettings
from bus_schemas.timeframes import length

SWITCHED = (
    *("bias", "sweep", "shift", "displacement", "volume", "kill_zone"),
    *("zone", "discount", "ote", "inducement"),
)
"""Steps that a setting makes required, scored or off."""
ORDER = (
    *("data", "warmup", "bias", "sweep", "shift", "displacement", "volume", "kill_zone", "zone", "repeat"),
    *("entry", "discount", "ote", "inducement", "stop", "targets", "score"),
)


class Whole(NamedTuple):
    """A higher candle as the base candles make it."""

    open: float
    high: float
    low: float
    close: float
    count: int


Bars = dict[int, Whole]


def complete_bars(feed: Sequence[Candle | Gap], timeframe: str) -> Bars:
    """Each higher candle by open time, from all base candles."""
    span = length(timeframe)
    bars: Bars = {}
    for body in feed:
        if isinstance(body, Candle):
            at = body.open_time // span * span
            o, high, low, _, count = bars.get(at, Whole(body.open, body.high, body.low, 0.0, 0))
            bars[at] = Whole(o, max(high, body.high), min(low, body.low), body.close, count + 1)
    return bars


def judge(feed: Sequence[Candle | Gap], found: Sequence[Assessment], settings: StrategySettings) -> None:
    """Assert what must hold of any assessments of this feed, which is in order and has no repeats."""
    span, base = length(settings.decision_timeframe), length(settings.entry_timeframe)
    decision = complete_bars(feed, settings.decision_timeframe)
    bias = complete_bars(feed, settings.bias_timeframe)
    newest = max((b.end - base if isinstance(b, Gap) else b.open_time for b in feed), default=0)
    due = [at for at in sorted(decision) if newest + base >= at + span]
    assert [a.evidence[0].at for a in found] == due, "one assessment for each closed decision candle"
    times = [a.time for a in found]
    assert times == sorted(times)
    _once(found)
    for assessment in found:
        at = assessment.evidence[0].at
        assert at is not None
        assert assessment.time >= at + span, "judged before it closed"
        numbers = assessment.evidence[0].numbers
        assert (numbers["close"], numbers["count"]) == (decision[at].close, decision[at].count)
        told = [e.step for e in assessment.evidence]
        assert (assessment.reason is NoSignal.DATA_GAP and told == ["data"]) == (
            numbers["count"] != span // base
        )
        _order(assessment, settings)
        _closed_beyond(assessment, "bias", bias, length(settings.bias_timeframe))
        _closed_beyond(assessment, "shift", decision, span)
        _pushed(assessment, decision, span)
        if settings.sweep_bars == 1:
            _swept(assessment, decision, span)
        _measured(assessment, settings)
        if assessment.signal:
            _signal(assessment, settings)
            _ahead(assessment, decision)
            _held(assessment, decision, span)
            _fresh(assessment, decision, span, span // base)


def _order(assessment: Assessment, settings: StrategySettings) -> None:
    """The chain is in order and whole up to its end; what is off is not in it."""
    told = [e.step for e in assessment.evidence]
    off = {name for name in SWITCHED if getattr(settings, f"{name}_step") is Step.OFF}
    expected = [name for name in ORDER if name not in off and name != "warmup"]
    nothing_broke = told[-1] == "shift" and "level" not in assessment.evidence[-1].numbers
    if nothing_broke and settings.bias_step is not Step.REQUIRED:
        expected = [name for name in expected if name != "sweep"]  # no side to look for one on
    if told[-1] != "warmup" and not (told[-1] == "zone" and "zone" in off):
        assert told == expected[: len(told)], "a step is missing or out of order"
    assert all(e.known_at <= assessment.time for e in assessment.evidence), "knew the future"
    failed = [e for e in assessment.evidence if not e.passed]
    if assessment.signal is None:
        assert assessment.reason is not None
        assert failed == [assessment.evidence[-1]]
        assert failed[0].numbers
        return
    assert told == expected, "the chain is not whole"
    assert assessment.reason is None
    assert not failed
    for e in assessment.evidence:
        if e.step in SWITCHED and getattr(settings, f"{e.step}_step") is Step.REQUIRED:
            assert e.numbers["met"] == 1


def _signal(assessment: Assessment, settings: StrategySettings) -> None:
    assert assessment.signal is not None
    signal, sign = assessment.signal, assessment.signal.side.sign
    first, second = signal.targets
    ordered = [signal.stop * sign, signal.entry * sign, first * sign, second * sign]
    assert ordered == sorted(set(ordered)), "stop, entry, first and second target in order"
    assert settings.min_score <= signal.score <= 1
    assert signal.expires > assessment.time
    for name in ("bias", "shift"):
        step = _step(assessment, name)
        if step and step.numbers["met"]:
            assert step.text["side"] == signal.side.value
    zone = _step(assessment, "zone")
    if zone:
        assert zone.text["kind"] == signal.setup
        near, far = zone.numbers["near"], zone.numbers["far"]
        assert (near - far) * sign >= 0
        assert (far - signal.stop) * sign >= 0, "the stop is not beyond the zone"
        assert signal.entry == (near if settings.entry_at is EntryAt.EDGE else (near + far) / 2)
    sweep = _step(assessment, "sweep")
    if sweep and sweep.numbers["met"] and settings.stop_beyond is StopBeyond.SWEEP:
        assert (sweep.numbers["extreme"] - signal.stop) * sign >= 0, "the stop is not beyond the sweep"
        shift = _step(assessment, "shift")
        if shift and shift.numbers["met"]:
            assert sweep.known_at <= shift.known_at, "the sweep came after the shift"


def _once(found: Sequence[Assessment]) -> None:
    """No two signals from one place; nor from blocks of one candle."""
    zones = [(a.signal.side, z) for a in found if a.signal and (z := _step(a, "zone")) and "event" in z.text]
    events = [(side, z.text["event"]) for side, z in zones]
    assert len(events) == len(set(events)), "a second signal from a zone"
    blocks = [(side, z.at) for side, z in zones if z.text["kind"] == "order_block"]
    assert len(blocks) == len(set(blocks)), "a second signal from a candle"


def _ahead(assessment: Assessment, decision: Bars) -> None:
    """Entry and stop lie where price still has to come to."""
    signal, at = assessment.signal, assessment.evidence[0].at
    assert signal is not None
    assert at is not None
    close, sign = decision[at].close, signal.side.sign
    assert (close - signal.entry) * sign > 0, "the entry is beyond the market"
    assert (close - signal.stop) * sign > 0, "the stop is beyond the market"


def _held(assessment: Assessment, decision: Bars, span: int) -> None:
    """From the sweep on every candle is there, and none goes farther out."""
    sweep, bar = _step(assessment, "sweep"), assessment.evidence[0].at
    if sweep is None or sweep.at is None or not sweep.numbers["met"]:
        return
    assert assessment.signal is not None
    assert bar is not None
    extreme, sign = sweep.numbers["extreme"], assessment.signal.side.sign
    for at in range(sweep.at, bar + span, span):
        assert at in decision, "the sweep rests on missing candles"
        reach = decision[at].low if sign > 0 else decision[at].high
        assert (reach - extreme) * sign >= 0, "the sweep was overrun"


def _step(assessment: Assessment, name: str) -> Evidence | None:
    return next((e for e in assessment.evidence if e.step == name), None)


def _closed_beyond(assessment: Assessment, step: str, bars: Bars, span: int) -> None:
    e = _step(assessment, step)
    if e is not None and e.at is not None:
        assert e.at + span == e.known_at <= assessment.time, f"{step} on a forming candle"
        close, level = bars[e.at].close, e.numbers["level"]
        assert close > level if e.text["side"] == "long" else close < level, f"{step} not closed beyond"


def _pushed(assessment: Assessment, bars: Bars, span: int) -> None:
    e = _step(assessment, "displacement")
    if e is not None and e.at is not None:
        assert e.at + span == e.known_at <= assessment.time, "displacement on a forming candle"
        assert abs(bars[e.at].close - bars[e.at].open) == e.numbers["body"]
        shift = _step(assessment, "shift")
        if shift and shift.numbers["met"]:
            assert e.at >= shift.numbers["started"], "displacement before the leg"


def _swept(assessment: Assessment, bars: Bars, span: int) -> None:
    e = _step(assessment, "sweep")
    if e is None or e.at is None:
        return
    assert e.at + span == e.known_at <= assessment.time, "sweep on a forming candle"
    bar, level, extreme = bars[e.at], e.numbers["level"], e.numbers["extreme"]
    if extreme < level:
        assert bar.low == extreme < level < bar.close, "no sweep of lows"
    else:
        assert bar.high == extreme > level > bar.close, "no sweep of highs"


def _measured(assessment: Assessment, settings: StrategySettings) -> None:
    """Discount and optimal trade entry, by their definitions."""
    zone, band, place = (_step(assessment, name) for name in ("zone", "ote", "discount"))
    if zone is None:
        return
    long = zone.numbers.get("near", 0) >= zone.numbers.get("far", 0)
    if assessment.signal:
        long = assessment.signal.side.sign > 0
    if place and "top" in place.numbers:
        n = place.numbers
        assert n["bottom"] <= n["middle"] <= n["top"]
        assert n["met"] == (n["price"] < n["middle"] if long else n["price"] > n["middle"])
    if band and "start" in band.numbers:
        n = band.numbers
        assert (n["end"] > n["start"]) == long, "an impulse to the other side"
        size = abs(n["end"] - n["start"])
        for name, share in (("near", settings.ote_from), ("far", settings.ote_to)):
            assert abs(abs(n["end"] - n[name]) - share * size) <= 1e-9 * max(1.0, abs(n["end"]))
        low, high = sorted((n["near"], n["far"]))
        bottom, top = sorted((zone.numbers["near"], zone.numbers["far"]))
        assert n["met"] == (bottom <= high and top >= low)


def _fresh(assessment: Assessment, decision: Bars, span: int, expected: int) -> None:
    """A signal's zone was not reached, hence not broken, between its birth and the signal; and every candle
    since is there to say so."""
    zone, bar = _step(assessment, "zone"), assessment.evidence[0].at
    if zone is None or zone.text["kind"] == "optimal_trade_entry":
        return
    assert bar is not None
    assert assessment.signal is not None
    near, long = zone.numbers["near"], assessment.signal.side.sign > 0
    for at in range(zone.known_at, bar + span, span):
        assert at in decision, "the zone rests on missing candles"
        assert decision[at].count == expected, "the zone rests on missing candles"
        reached = decision[at].low <= near if long else decision[at].high >= near
        assert not reached, "the zone was spoiled"
