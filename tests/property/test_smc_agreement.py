"""Streaming, batch, and every hand-over between the two and through storage: one and the same future."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from strategy.smc import Candle, Parameters, Session, SmcEngine, StructureEvent
from strategy.smc.batch import scan, scan_on, structure_events
from strategy.smc.params import BlockCandle, BlockZone, Breaks, By
from tests.support.candles import VARIANTS, cases, columns, data_sets, outages, read, sample, stream

modest = settings(max_examples=30, deadline=None)
SOME = 2_500


def batch(candles: Any, params: Parameters) -> list[StructureEvent]:
    return list(structure_events(scan(*columns(candles), params), params))


def assert_same(ours: list[StructureEvent], theirs: list[StructureEvent]) -> None:
    """Equal to the last bit, with the first difference as the message: pytest's own is slow on long lists."""
    for one, other in zip(ours, theirs, strict=False):
        assert one == other
    assert len(ours) == len(theirs)
    assert msgspec.json.encode(ours[-SOME:]) == msgspec.json.encode(theirs[-SOME:])


@pytest.mark.parametrize(("path", "timeframe"), data_sets())
def test_streaming_and_batch_agree_on_every_data_set(path: Path, timeframe: str) -> None:
    candles, params = read(path), Parameters(timeframe=timeframe)
    said = stream(candles, params)
    assert len(said) > len(candles) / 2
    assert_same(said, batch(candles, params))


@pytest.mark.parametrize("variant", VARIANTS)
def test_they_agree_for_every_option(variant: str) -> None:
    for candles, timeframe in (
        (sample("ETHUSDT-15m")[:SOME], "15m"),
        (sample("BTCUSDT-1h-mark")[:SOME], "1h"),
        (outages(), "1h"),
    ):
        params = Parameters(timeframe=timeframe, **VARIANTS[variant])
        assert_same(stream(candles, params), batch(candles, params))


CHANGES: dict[str, Any] = {
    "internal_length": 3,
    "swing_length": 30,
    "reference_pivots": True,
    "breaks": Breaks.FOUR_SWINGS,
    "break_by": By.WICK,
    "displacement_atr": 1.0,
    "atr_period": 30,
    "adx_period": 20,
    "adx_trending": 30.0,
    "ema_fast": 40,
    "ema_slow": 90,
    "volume_period": 40,
    "block_candle": BlockCandle.EXTREME,
    "block_zone": BlockZone.BODY,
    "block_broken_by": By.WICK,
    "fvg_min_atr": 0.2,
    "fvg_joined": False,
    "pool_atr": 0.3,
    "sweep_bars": 2,
    "ote_from": 0.5,
    "ote_to": 0.9,
    "equilibrium_width": 0.2,
    "period_coverage": 0.5,
    "session_zone": "Europe/London",
    "sessions": (Session("noon", "12:00", "13:00"),),
    "zones_kept": 4,
    "levels_kept": 4,
}


def test_every_option_changes_what_is_said() -> None:
    candles = sample("ETHUSDT-15m")[40:SOME]
    usual = Parameters(timeframe="15m", swing_length=20, zones_kept=8, levels_kept=8, ema_slow=60)
    assert set(CHANGES) == set(Parameters.__struct_fields__) - {"timeframe"}
    variants = [usual, *(msgspec.structs.replace(usual, **{name: new}) for name, new in CHANGES.items())]
    said = [msgspec.json.encode(batch(candles, params)) for params in variants]
    assert len(set(said)) == len(variants)


@modest
@given(cases())
def test_streaming_and_batch_agree_and_so_do_their_states(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    engine = SmcEngine(params)
    said = [event for candle in candles for event in engine.update(candle)]
    found, state = scan_on(None, *columns(candles), params)
    assert_same(said, list(structure_events(found, params)))
    assert SmcEngine(params, state).save() == engine.save()


@modest
@given(cases(most=120))
def test_saved_and_restored_at_every_bar_it_says_the_same(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    steady, broken = SmcEngine(params), SmcEngine(params)
    for candle in candles:
        broken = SmcEngine.restore(params, broken.save())
        assert msgspec.json.encode(broken.update(candle)) == msgspec.json.encode(steady.update(candle))
        assert broken.save() == steady.save()


@modest
@given(cases(most=120))
def test_batch_and_streaming_hand_over_at_any_bar(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    engine, all_of_it = SmcEngine(params), columns(candles)
    whole = list(structure_events(scan(*all_of_it, params), params))
    said: list[StructureEvent] = []
    for at in range(0, len(candles), 7):
        kept = engine.save()
        found, state = scan_on(engine.state, *(column[at : at + 3] for column in all_of_it), params)
        assert engine.save() == kept, "the state that is given is left as it is"
        said += structure_events(found, params)
        engine = SmcEngine(params, state)
        said += [event for candle in candles[at + 3 : at + 7] for event in engine.update(candle)]
    assert_same(said, whole)


@pytest.mark.parametrize("variant", ["defaults", "reference", "cramped"])
def test_hand_overs_on_real_candles(variant: str) -> None:
    candles = sample("BTCUSDT-15m")[: SOME // 2]
    params = Parameters(timeframe="15m", **VARIANTS[variant])
    all_of_it, whole = columns(candles), stream(candles, params)
    for at in range(1, len(candles), 211):
        first, state = scan_on(None, *(column[:at] for column in all_of_it), params)
        engine = SmcEngine.restore(params, SmcEngine(params, state).save())
        said = [event for candle in candles[at : at + 300] for event in engine.update(candle)]
        rest = scan_on(engine.state, *(column[at + 300 :] for column in all_of_it), params)[0]
        ours = [*structure_events(first, params), *said, *structure_events(rest, params)]
        assert_same(ours, whole)


def test_two_engines_share_nothing() -> None:
    params = Parameters(timeframe="15m", internal_length=2, swing_length=5)
    one, other = SmcEngine(params), SmcEngine(params)
    bitcoin, solana = sample("BTCUSDT-15m")[:600], sample("SOLUSDT-15m")[:600]
    said = [(one.update(a), other.update(b)) for a, b in zip(bitcoin, solana, strict=True)]
    assert [event for left, _ in said for event in left] == stream(bitcoin, params)
    assert [event for _, right in said for event in right] == stream(solana, params)


def test_time_may_be_milliseconds_or_datetime64() -> None:
    *prices, time = columns(outages())
    whole = scan(*prices, time, Parameters())
    for unit in ("ms", "s", "ns", "us"):
        other = scan(*prices, time.astype("datetime64[ms]").astype(f"datetime64[{unit}]"), Parameters())
        assert np.array_equal(other, whole)
    lists = [column.tolist() for column in (*prices, time)]
    assert np.array_equal(scan(*lists, Parameters()), whole)
    strided = [np.repeat(column, 2)[::2] for column in (*prices, time)]
    assert np.array_equal(scan(*strided, Parameters()), whole)
