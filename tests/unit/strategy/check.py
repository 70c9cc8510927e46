"""A judge of assessments that shares no code with strategy: it works on the raw base candles."""

from __future__ import annotations

from collections.abc import Sequence

from bus_schemas.events import Assessment, Candle, Evidence, Gap, NoSignal, Side
from bus_schemas.settings.strategy import StrategySettings
from bus_schemas.timeframes import length


def complete_bars(feed: Sequence[Candle | Gap], timeframe: str) -> dict[int, tuple[float, float, float, int]]:
    """High, low, close and count of each higher candle, by open time, from all base candles."""
    span = length(timeframe)
    bars: dict[int, tuple[float, float, float, int]] = {}
    for body in feed:
        if isinstance(body, Candle):
            at = body.open_time // span * span
            high, low, _, count = bars.get(at, (body.high, body.low, 0.0, 0))
            bars[at] = (max(high, body.high), min(low, body.low), body.close, count + 1)
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
    for assessment in found:
        _shape(assessment)
        at = assessment.evidence[0].at
        assert at is not None
        assert assessment.time >= at + span, "judged before it closed"
        _, _, close, count = decision[at]
        assert assessment.evidence[0].numbers["close"] == close
        assert assessment.evidence[0].numbers["count"] == count
        assert (assessment.reason is NoSignal.DATA_GAP) == (count != span // base)
        for step, bars, frame in (
            ("bias", bias, settings.bias_timeframe),
            ("break", decision, settings.decision_timeframe),
        ):
            _closed_beyond(assessment, step, bars, length(frame))
        _fresh(assessment, decision, span)


def _shape(assessment: Assessment) -> None:
    failed = [e for e in assessment.evidence if not e.passed]
    assert all(e.known_at <= assessment.time for e in assessment.evidence), "knew the future"
    if assessment.signal is None:
        assert assessment.reason is not None
        assert failed == [assessment.evidence[-1]]
        return
    assert assessment.reason is None
    assert not failed
    signal, sign = assessment.signal, assessment.signal.side.sign
    first, second = signal.targets
    ordered = [signal.stop * sign, signal.entry * sign, first * sign, second * sign]
    assert ordered == sorted(set(ordered)), "stop, entry, first and second target in order"
    assert _step(assessment, "bias").text["side"] == signal.side.value
    assert _step(assessment, "break").text["side"] == signal.side.value
    assert 0 <= signal.score <= 1
    assert signal.expires > assessment.time


def _step(assessment: Assessment, name: str) -> Evidence:
    (found,) = (e for e in assessment.evidence if e.step == name)
    return found


def _closed_beyond(
    assessment: Assessment, step: str, bars: dict[int, tuple[float, float, float, int]], span: int
) -> None:
    for e in assessment.evidence:
        if e.step == step and e.at is not None:
            assert e.at + span <= e.known_at <= assessment.time, f"{step} on a forming candle"
            close, level = bars[e.at][2], e.numbers["level"]
            assert close > level if e.text["side"] == "long" else close < level


def _fresh(assessment: Assessment, decision: dict[int, tuple[float, float, float, int]], span: int) -> None:
    """A signal's zone was not reached, hence not broken, between its birth and the signal."""
    if assessment.signal is None:
        return
    zone, bar = _step(assessment, "zone"), assessment.evidence[0].at
    assert bar is not None
    for at, (high, low, _, _) in decision.items():
        if zone.known_at <= at <= bar:
            reached = (
                low <= zone.numbers["top"]
                if assessment.signal.side is Side.LONG
                else high >= zone.numbers["bottom"]
            )
            assert not reached, "the zone was spoiled"
