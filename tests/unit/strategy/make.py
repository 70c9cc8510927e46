"""Candles for tests of strategy, and ways to run them."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from bus_schemas.envelope import Event
from bus_schemas.events import Assessment, Candle, Gap
from bus_schemas.settings.strategy import Step, StrategySettings
from bus_schemas.timeframes import length, parse_time
from bus_schemas.topology import Place, Stream
from strategy.decider import StrategyDecider

MINUTE = 60_000
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
START = 1_714_521_600_000  # 2024-05-01T00:00:00Z
DATA = Path(__file__).parent / "data"

Feed = Sequence[Candle | Gap]

QUICK = StrategySettings(
    internal_length=1,
    swing_length=2,
    bias_internal_length=1,
    bias_swing_length=2,
    atr_period=2,
    warmup_bars=5,
    fvg_min_atr=0.0,
    displacement_atr=0.5,
    sweep_step=Step.SCORED,
    max_entry_atr=8,
    max_stop_atr=8,
    min_stop_atr=0.5,
    min_score=0.0,
)
"""Settings with which a few hours of candles are enough for a signal."""

DENSE = QUICK.model_copy(update={"decision_timeframe": "30m", "bias_timeframe": "1h"})
"""The same with short timeframes, so that 200 candles already hold some signals."""


def candle(
    at: int,
    o: float,
    h: float,
    low: float,
    c: float,
    *,
    symbol: str = "BTCUSDT",
    timeframe: str = "15m",
    volume: float = 1.0,
    hydration: bool = False,
) -> Candle:
    return Candle(
        time=at + length(timeframe),
        symbol=symbol,
        timeframe=timeframe,
        open_time=at,
        open=float(o),
        high=float(h),
        low=float(low),
        close=float(c),
        volume=volume,
        hydration=hydration,
    )


def gap(start: int, end: int, *, symbol: str = "BTCUSDT", hydration: bool = False) -> Gap:
    return Gap(
        time=end,
        symbol=symbol,
        timeframe="15m",
        start=start,
        end=end,
        missing=(end - start) // QUARTER,
        hydration=hydration,
    )


def event(body: Candle | Gap, seq: int = 1) -> Event:
    return Event(Place(Stream.CANDLES, "p0"), seq, body.symbol, body)


def from_codes(codes: Sequence[int], start: int = START, holes: bool = False) -> list[Candle | Gap]:
    """Candles on a grid of whole prices, one for each 16-bit code: all shapes that matter, cheaply.

    With `holes`, one code in 31 stands for missing candles; half of those are told by a Gap event,
    of the others only the next candle tells.
    """
    out: list[Candle | Gap] = []
    at, price = start, 10_000
    for code in codes:
        if holes and code % 31 == 0:
            end = at + QUARTER * (1 + code // 31 % 9)
            if code & 1:
                out.append(gap(at, end))
            at = end
            continue
        opening = price + (code >> 12 & 3) - 1
        price = opening + (code & 31) - 15
        high = max(opening, price) + (code >> 5 & 7)
        low = min(opening, price) - (code >> 8 & 7)
        out.append(candle(at, opening, high, low, price, volume=1.0 + (code >> 3 & 7)))
        at += QUARTER
    return out


def from_bytes(drawn: bytes, holes: bool = False) -> list[Candle | Gap]:
    """Candles from two bytes each: long histories that Hypothesis still draws quickly."""
    codes = [first << 8 | second for first, second in zip(drawn[::2], drawn[1::2], strict=False)]
    return from_codes(codes, holes=holes)


def walk(count: int, seed: int = 1, holes: bool = False) -> list[Candle | Gap]:
    """A random walk of `count` codes."""
    chance = random.Random(seed)
    return from_codes([chance.randrange(1 << 16) for _ in range(count)], holes=holes)


def real() -> list[Candle | Gap]:
    """35 days of ETHUSDT from 2024-05-01, as the exchange published them."""
    with gzip.open(DATA / "ETHUSDT-15m.csv.gz", "rt") as file:
        return [
            candle(
                parse_time(row["time"]),
                float(row["open"]),
                float(row["high"]),
                float(row["low"]),
                float(row["close"]),
                symbol="ETHUSDT",
            )
            for row in csv.DictReader(file)
        ]


def run(feed: Iterable[Candle | Gap], decider: StrategyDecider) -> list[Assessment]:
    """Every assessment that follows from the feed."""
    return [a for answers in steps(feed, decider) for a in answers]


def steps(feed: Iterable[Candle | Gap], decider: StrategyDecider) -> list[list[Assessment]]:
    """The assessments by event."""
    out = []
    for seq, body in enumerate(feed, 1):
        bodies = [output.body for output in decider.handle(event(body, seq))]
        assert all(isinstance(b, Assessment) for b in bodies)
        out.append([b for b in bodies if isinstance(b, Assessment)])
    return out
