"""Candles that cannot be are refused, by streaming and batch alike, and change nothing."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import msgspec
import numpy as np
import pytest

from bus_schemas.errors import EXIT_BAD_DATA, DataError
from bus_schemas.timeframes import HOUR
from strategy.smc import BadCandle, Candle, Parameters, SmcEngine
from strategy.smc.batch import scan, scan_on, structure_events
from tests.support.candles import START, columns, sample, stream

PARAMS = Parameters(timeframe="15m", internal_length=2, swing_length=6)
BEFORE, LATER = sample("BTCUSDT-15m")[:400], sample("BTCUSDT-15m")[400:600]
NEXT = LATER[0].time
GOOD = {"time": NEXT, "open": 100.0, "high": 110.0, "low": 90.0, "close": 105.0, "volume": 1.0}
AT = "candle at 2024-07-15T04:00:00Z"

BAD: list[tuple[dict[str, Any], str]] = [
    *(({name: nan}, f"{AT}: {name} is nan") for name in ("open", "high", "low", "close", "volume")),
    *(({name: inf}, f"{AT}: {name} is inf") for name in ("open", "high", "low", "close", "volume")),
    *(({name: -inf}, f"{AT}: {name} is -inf") for name in ("open", "high", "low", "close", "volume")),
    ({"high": 89.0}, f"{AT}: high 89.0 is below low 90.0"),
    ({"open": 89.0}, f"{AT}: open 89.0 or close 105.0 lies outside low 90.0 to high 110.0"),
    ({"open": 111.0}, f"{AT}: open 111.0 or close 105.0 lies outside low 90.0 to high 110.0"),
    ({"close": 89.0}, f"{AT}: open 100.0 or close 89.0 lies outside low 90.0 to high 110.0"),
    ({"close": 111.0}, f"{AT}: open 100.0 or close 111.0 lies outside low 90.0 to high 110.0"),
    ({"volume": -1.0}, f"{AT}: volume -1.0 is below zero"),
    ({"volume": 2e15}, f"{AT}: volume 2000000000000000.0 is beyond 1e+15"),
    ({"high": 1e16}, f"{AT}: high 1e+16 is beyond 1e+15"),
    ({"low": -1e16}, f"{AT}: low -1e+16 is beyond 1e+15"),
    ({"time": NEXT + 1}, "candle at 2024-07-15T04:00:00.001Z is not on the grid of 900 s candles"),
    ({"time": NEXT + 60_000}, "candle at 2024-07-15T04:01:00Z is not on the grid of 900 s candles"),
    (
        {"time": NEXT - 900_000},
        "candle at 2024-07-15T03:45:00Z is not after the one before, at 2024-07-15T03:45:00Z",
    ),
    (
        {"time": NEXT - 1_800_000},
        "candle at 2024-07-15T03:30:00Z is not after the one before, at 2024-07-15T03:45:00Z",
    ),
    ({"time": -900_000}, "candle at -900000 ms: not between 1970 and 2100-01-01T00:00:00Z"),
    ({"time": 4_102_445_700_000}, "candle at 4102445700000 ms: not between 1970 and 2100-01-01T00:00:00Z"),
    ({"time": 2**62}, f"candle at {2**62} ms: not between 1970 and 2100-01-01T00:00:00Z"),
]
IDS = [", ".join(f"{name}={value}" for name, value in change.items()) for change, _ in BAD]


@pytest.fixture(scope="module")
def state() -> bytes:
    engine = SmcEngine(PARAMS)
    for candle in BEFORE:
        engine.update(candle)
    return engine.save()


def test_the_candle_that_is_spoilt_below_is_sound() -> None:
    assert SmcEngine(PARAMS).update(Candle(**GOOD)) is not None


@pytest.mark.parametrize(("change", "words"), BAD, ids=IDS)
def test_streaming_refuses_and_goes_on_as_if_nothing_had_been(
    change: dict[str, Any], words: str, state: bytes
) -> None:
    engine = SmcEngine.restore(PARAMS, state)
    with pytest.raises(BadCandle) as caught:
        engine.update(Candle(**(GOOD | change)))
    assert str(caught.value) == words
    assert engine.save() == state
    said = [event for candle in LATER for event in engine.update(candle)]
    assert said == stream((*BEFORE, *LATER), PARAMS)[-len(said) :]


@pytest.mark.parametrize(("change", "words"), BAD, ids=IDS)
def test_batch_refuses_the_same_row_with_the_same_words(
    change: dict[str, Any], words: str, state: bytes
) -> None:
    bad = Candle(**(GOOD | change))
    with pytest.raises(BadCandle) as caught:
        scan(*columns((*BEFORE, bad, *LATER[1:])), PARAMS)
    assert str(caught.value) == f"row {len(BEFORE)}: {words}"
    engine = SmcEngine.restore(PARAMS, state)
    with pytest.raises(BadCandle) as caught:
        scan_on(engine.state, *columns((bad, *LATER[1:])), PARAMS)
    assert str(caught.value) == f"row 0: {words}"
    assert engine.save() == state


def test_of_several_bad_rows_the_first_is_named() -> None:
    candles = [*BEFORE]
    for row, change in ((7, {"high": 0.0}), (9, {"volume": nan}), (30, {"time": 0})):
        candles[row] = msgspec.structs.replace(candles[row], **change)
    with pytest.raises(BadCandle, match=r"^row 7: candle at 2024-07-11T01:45:00Z: high 0\.0 is below"):
        scan(*columns(candles), PARAMS)


def test_a_bad_candle_is_a_fault_of_the_data() -> None:
    with pytest.raises(DataError) as caught:
        SmcEngine(PARAMS).update(Candle(NEXT + 1, 1, 1, 1, 1, 1))
    assert caught.value.exit_code == EXIT_BAD_DATA


def test_columns_must_fit_each_other() -> None:
    *prices, volume, time = columns(BEFORE)
    shapes = (
        r"one dimension and equal lengths, not \(400,\), \(400,\), \(400,\), \(400,\), \(399,\), \(400,\)"
    )
    with pytest.raises(BadCandle, match=shapes):
        scan(*prices, volume[1:], time, PARAMS)
    with pytest.raises(BadCandle, match="one dimension"):
        scan(*(column.reshape(2, 200) for column in (*prices, volume, time)), PARAMS)
    with pytest.raises(BadCandle, match="whole milliseconds UTC or datetime64, not float64"):
        scan(*prices, volume, time.astype(float), PARAMS)
    missing = time.astype("datetime64[ms]")
    missing[3] = np.datetime64("NaT")
    with pytest.raises(BadCandle, match=r"^row 3: candle at -\d+ ms: not between 1970"):
        scan(*prices, volume, missing, PARAMS)


def test_no_candles_say_nothing() -> None:
    assert scan(*columns([]), PARAMS).size == 0


def test_prices_may_be_zero_or_negative_and_volume_nothing() -> None:
    candles = [Candle(START + n * HOUR, -1.0, 0.0, -2.0, -1.5, 0.0) for n in range(30)]
    assert list(structure_events(scan(*columns(candles)))) == stream(candles, Parameters())


def test_the_ends_of_time_are_taken() -> None:
    engine = SmcEngine(PARAMS)
    engine.update(Candle(0, 1.0, 1.0, 1.0, 1.0, 0.0))
    gap = engine.update(Candle(4_102_444_800_000, 1.0, 1.0, 1.0, 1.0, 0.0))[0]
    assert (gap.kind, gap.value) == ("data_gap", 4_102_444_800_000 / 900_000 - 1)
