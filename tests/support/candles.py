"""Candles for tests of the structure engine: real ones, and makers of awkward ones."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from bus_schemas.timeframes import HOUR, length, parse_time
from strategy.smc import Candle, Parameters, Session, SmcEngine, StructureEvent
from strategy.smc.params import BlockCandle, BlockZone, Breaks, By

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "market_data" / "sample"
OUTAGES = ROOT / "tests" / "data" / "BTCUSDT-1h-gaps.csv.gz"
START = 1_704_067_200_000
"""2024-01-01T00:00:00Z, a Monday."""

WHOLE_SETS = (
    ("BTCUSDT-15m", "15m"),
    ("ETHUSDT-15m", "15m"),
    ("SOLUSDT-15m", "15m"),
    ("BTCUSDT-1h-2018-2023", "1h"),
    ("BTCUSDT-1h-mark", "1h"),
    ("ETHUSDT-1h-mark", "1h"),
)
"""Every file of candles in the shared folder; the other two hold funding rates."""


@cache
def read(path: Path) -> tuple[Candle, ...]:
    """The candles of a file, in order; volume 0 where it has no such column (mark prices)."""
    with gzip.open(path, "rt", newline="") as lines:
        rows = [row for row in csv.reader(lines) if row]
    return tuple(Candle(parse_time(row[0]), *map(float, row[1:])) for row in rows[1:])


def sample(name: str) -> tuple[Candle, ...]:
    """Candles that are always there: 75 days of the bundled sample."""
    return read(SAMPLE / f"{name}.csv.gz")


def outages() -> tuple[Candle, ...]:
    """The hours about each of the exchange's 27 outages: always there, and full of holes."""
    return read(OUTAGES)


def data_sets() -> list[Any]:
    """Name, timeframe and file of every set of real candles, for `pytest.mark.parametrize`."""
    absent = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no folder {SHARED.parent.name}/data beside us")
    sets = [
        pytest.param(SHARED / f"{name}.csv.gz", timeframe, id=name, marks=absent)
        for name, timeframe in WHOLE_SETS
    ]
    for path in sorted(SAMPLE.glob("*USDT-1*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        sets.append(pytest.param(path, "15m" if "15m" in name else "1h", id=f"sample-{name}"))
    sets.append(pytest.param(OUTAGES, "1h", id="outages"))
    return sets


def columns(candles: Sequence[Candle]) -> tuple[NDArray[Any], ...]:
    """Arguments of `scan`: open, high, low, close, volume, time."""
    names = ("open", "high", "low", "close", "volume")
    floats = (np.array([getattr(c, name) for c in candles], dtype=np.float64) for name in names)
    return (*floats, np.array([c.time for c in candles], dtype=np.int64))


def stream(candles: Sequence[Candle], params: Parameters) -> list[StructureEvent]:
    """What a fresh engine says of them."""
    engine = SmcEngine(params)
    return [event for candle in candles for event in engine.update(candle)]


def mirrored(candle: Candle) -> Candle:
    """Prices negated: exact in floating point, unlike any other mirror."""
    c = candle
    return msgspec.structs.replace(c, open=-c.open, high=-c.low, low=-c.high, close=-c.close)


def stretches(candles: Sequence[Candle], step: int) -> Iterator[Sequence[Candle]]:
    """Runs of candles without a hole."""
    first = 0
    for index in range(1, len(candles) + 1):
        if index == len(candles) or candles[index].time != candles[index - 1].time + step:
            yield candles[first:index]
            first = index


_TICKS = (1.0, 0.01, 0.05, 1e-8, 2.5e5)
_BYTES = 4
_SIGNED = (0, 1, -1, 2, -2, 3, -3, 0)


def from_bytes(drawn: bytes, timeframe: str, tick: float, base: int, start: int) -> list[Candle]:
    """Candles that four bytes each describe: few distinct prices, so that ties abound.

    Runs of one price, gaps between candles, spikes, outside bars and holes in time all occur.
    """
    step, at, price, out = length(timeframe), start, base, list[Candle]()
    before = (base, base)
    for index in range(0, len(drawn) - _BYTES + 1, _BYTES):
        what, move, wicks, rest = drawn[index : index + _BYTES]
        shape, body = what % 32, _SIGNED[move % 7]
        if shape == 31:
            at += step * (1, 2, 5, 23, 24, 47, 168, 800)[rest % 8]
        opening = price + (_SIGNED[what >> 5] * 2 if shape > 25 else 0)
        close = opening if shape in (7, 8, 9) else opening + body * (4 if shape == 1 else 1)
        high = max(opening, close) + (0 if shape == 8 else wicks % 4) + (40 if shape == 2 else 0)
        low = min(opening, close) - (0 if shape == 8 else wicks // 4 % 4) - (40 if shape == 3 else 0)
        if shape in (4, 5):
            high, low = max(high, before[0] + shape - 4), min(low, before[1] - shape + 4)
        prices = (opening * tick, high * tick, low * tick, close * tick)
        out.append(Candle(at, *prices, float(rest) if what % 3 else 0.0))
        at, price, before = at + step, close, (high, low)
    return out


_TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_STARTS = (0, START, START + 5 * HOUR, 1_709_164_800_000, 1_710_028_800_000, 1_730_505_600_000)
"""The epoch; a Monday; some hour; 2024-02-29; the days before both changes of New York's clock in 2024."""


@st.composite
def candle_lists(draw: st.DrawFn, least: int = 0, most: int = 250, timeframe: str = "") -> list[Candle]:
    """Awkward candles of one timeframe: of `timeframe`, or of one that is drawn."""
    size = _BYTES * draw(st.integers(least, most))
    drawn = draw(st.binary(min_size=size, max_size=size))
    frame = timeframe or draw(st.sampled_from(_TIMEFRAMES))
    start = draw(st.sampled_from(_STARTS)) // length(frame) * length(frame)
    return from_bytes(
        drawn, frame, draw(st.sampled_from(_TICKS)), draw(st.sampled_from((0, 100, 9_000))), start
    )


_SESSIONS = (
    Parameters().sessions,
    (),
    (Session("night", "22:30", "03:15"), Session("noon", "12:00", "13:00")),
    (Session("long", "04:00", "03:00"), Session("quarter", "09:30", "09:45")),
)


@st.composite
def parameter_sets(draw: st.DrawFn, timeframe: str = "1h", **fixed: Any) -> Parameters:
    """Any variant, with lengths so short that a hundred candles have everything in them."""
    internal = draw(st.integers(1, 3))
    flag, price = st.booleans(), st.sampled_from(By)
    drawn: dict[str, Any] = {
        "timeframe": timeframe,
        "internal_length": internal,
        "swing_length": draw(st.integers(internal + 1, 6)),
        "reference_pivots": draw(flag),
        "breaks": draw(st.sampled_from(Breaks)),
        "break_by": draw(price),
        "displacement_atr": draw(st.sampled_from((0.0, 0.5, 1.5))),
        "atr_period": draw(st.integers(1, 5)),
        "adx_period": draw(st.integers(1, 4)),
        "ema_fast": draw(st.integers(1, 3)),
        "ema_slow": draw(st.integers(4, 9)),
        "volume_period": draw(st.integers(1, 4)),
        "block_candle": draw(st.sampled_from(BlockCandle)),
        "block_zone": draw(st.sampled_from(BlockZone)),
        "block_broken_by": draw(price),
        "fvg_min_atr": draw(st.sampled_from((0.0, 0.1, 0.5))),
        "fvg_joined": draw(flag),
        "pool_atr": draw(st.sampled_from((0.0, 0.1, 0.7))),
        "sweep_bars": draw(st.integers(1, 3)),
        "ote_from": draw(st.sampled_from((0.0, 0.5, 0.62))),
        "ote_to": draw(st.sampled_from((0.79, 1.0))),
        "equilibrium_width": draw(st.sampled_from((0.0, 0.05, 0.4))),
        "period_coverage": draw(st.sampled_from((0.0, 0.5, 1.0))),
        "session_zone": draw(st.sampled_from(("America/New_York", "UTC", "Australia/Lord_Howe"))),
        "sessions": draw(st.sampled_from(_SESSIONS)),
        "zones_kept": draw(st.sampled_from((1, 2, 3, 4, 32))),
        "levels_kept": draw(st.sampled_from((1, 2, 3, 4, 32))),
    }
    return Parameters(**(drawn | fixed))


@st.composite
def cases(draw: st.DrawFn, least: int = 0, most: int = 250, **fixed: Any) -> tuple[list[Candle], Parameters]:
    """Candles with parameters for them."""
    frame = fixed.pop("timeframe", None) or draw(st.sampled_from(_TIMEFRAMES))
    return draw(candle_lists(least, most, frame)), draw(parameter_sets(frame, **fixed))


VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "short": {"internal_length": 2, "swing_length": 5},
    "long": {"internal_length": 30, "swing_length": 300},
    "reference": {"reference_pivots": True, "breaks": Breaks.FOUR_SWINGS, "swing_length": 12},
    "wicks": {"break_by": By.WICK, "block_broken_by": By.WICK, "block_zone": BlockZone.BODY},
    "four_swings_by_wick": {"breaks": Breaks.FOUR_SWINGS, "break_by": By.WICK, "swing_length": 9},
    "extreme": {"block_candle": BlockCandle.EXTREME, "displacement_atr": 1.0, "fvg_joined": False},
    "extreme_body": {"block_candle": BlockCandle.EXTREME, "block_zone": BlockZone.BODY, "fvg_min_atr": 0.0},
    "wide": {"pool_atr": 1.0, "sweep_bars": 3, "equilibrium_width": 0.3, "ote_from": 0.5, "ote_to": 0.9},
    "cramped": {"zones_kept": 1, "levels_kept": 2, "internal_length": 1, "swing_length": 3},
    "slow": {"atr_period": 100, "adx_period": 40, "ema_fast": 3, "ema_slow": 900, "volume_period": 96},
    "london": {"session_zone": "Europe/London", "period_coverage": 0.5, "adx_trending": 40.0},
    "no_sessions": {"sessions": (), "period_coverage": 0.0, "swing_length": 20},
}
"""Parameter sets that between them turn every option, for runs over real candles."""
