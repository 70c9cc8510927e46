"""The benchmark's candles: sound, without a hole, the same at every run, and as restless as the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from strategy.smc import Parameters, SmcEngine
from tests.bench.walk import SPAN, Walk, bootstrap, zigzag


@pytest.mark.parametrize("walk", [bootstrap(5_000), zigzag(1_000)], ids=["bootstrap", "zigzag"])
def test_candles_are_sound_and_without_a_hole(walk: Walk) -> None:
    assert set(np.diff(walk.time)) == {SPAN}
    engine = SmcEngine(Parameters(timeframe="15m"))
    kinds = [event.kind for candle in walk.candles() for event in engine.update(candle)]
    assert "data_gap" not in kinds
    assert "pivot" in kinds


def test_a_walk_is_the_same_at_every_run_and_another_for_another_seed() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(bootstrap(960), bootstrap(960), strict=True))
    assert not np.array_equal(bootstrap(960).close, bootstrap(960, seed=2).close)


def test_a_million_candles_stay_in_the_order_of_the_sample() -> None:
    walk = bootstrap(1_000_000)
    assert 1_000 < walk.low.min() < walk.high.max() < 10_000_000


def test_both_lengths_tell_the_same_pivots_on_straight_legs() -> None:
    candles = zigzag(2_000).candles()

    def pivots(length: int) -> list[int]:
        engine = SmcEngine(Parameters(timeframe="15m", swing_length=length))
        found = [event for candle in candles for event in engine.update(candle)]
        return [event.at for event in found if event.kind == "pivot" and event.scope == "swing"]

    late = pivots(50)
    assert pivots(6)[: len(late)] == late
    assert len(late) > 25
