"""The compiled engine says what the interpreted one says, and their states are one another's."""

from __future__ import annotations

import pytest

from strategy.smc import BadCandle, Candle, Parameters, SmcEngine
from strategy.smc.compiled_engine import CompiledEngine
from tests.support.candles import sample

PARAMS = Parameters(timeframe="15m", swing_length=20)


def test_it_says_the_same_and_hands_over_at_any_time() -> None:
    candles = sample("BTCUSDT-15m")[:2_000]
    interpreted, compiled = SmcEngine(PARAMS), CompiledEngine(PARAMS)
    for number, candle in enumerate(candles):
        assert compiled.update(candle) == interpreted.update(candle)
        if number % 250 == 100:
            saved = compiled.save()
            assert saved == interpreted.save()
            interpreted, compiled = SmcEngine.restore(PARAMS, saved), CompiledEngine(PARAMS, saved)


def test_a_refused_candle_changes_nothing() -> None:
    candles = sample("BTCUSDT-15m")[:300]
    compiled = CompiledEngine(PARAMS)
    for candle in candles[:200]:
        compiled.update(candle)
    before = compiled.save()
    bad = Candle(candles[200].time, 2.0, 1.0, 3.0, 2.0, 0.0)
    for candle, words in ((bad, "high 1.0 is below low 3.0"), (candles[199], "not after the one before")):
        with pytest.raises(BadCandle, match=words):
            compiled.update(candle)
    assert compiled.save() == before
    interpreted = SmcEngine.restore(PARAMS, before)
    assert [compiled.update(c) for c in candles[200:]] == [interpreted.update(c) for c in candles[200:]]
