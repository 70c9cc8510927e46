"""Candles of any number without a hole: days of the bundled sample in a random order, and a plain zigzag."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategy.smc import Candle

Floats = NDArray[np.float64]

SAMPLE = Path(__file__).parents[2] / "market_data" / "sample" / "BTCUSDT-15m.csv.gz"
SPAN = 900_000
FIRST = 1_262_304_000_000
"""2010-01-01: a million quarters of an hour end in 2038."""
DAY = 96


class Walk(NamedTuple):
    """Columns of 15-minute candles, as `strategy.smc.batch.scan` takes them."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    time: NDArray[np.int64]

    def part(self, begin: int, end: int) -> Walk:
        """Some of them."""
        part = slice(begin, end)
        prices = self.open[part], self.high[part], self.low[part], self.close[part]
        return Walk(*prices, self.volume[part], self.time[part])

    def candles(self) -> list[Candle]:
        """As objects, for streaming."""
        first, high, low, close, volume, time = (column.tolist() for column in self)
        return list(map(Candle, time, first, high, low, close, volume))


def bootstrap(count: int, seed: int = 1) -> Walk:
    """Real candles, days of them drawn at random: shapes, quiet and wild hours are those of the market.

    Each candle keeps its distances to the close before it, less the mean drift, so that the price stays in
    the order of the sample's for a million candles. Prices have two decimals as in the sample: highs and lows
    may be equal.
    """
    first, high, low, close, volume = _sample()
    before = close[:-1]
    drift = float(np.log(close[-1] / close[0]) / (close.size - 1))
    moves = np.log(np.stack([first[1:], high[1:], low[1:], close[1:]]) / before) - drift
    chance = np.random.default_rng(seed)
    starts = chance.integers(0, before.size - DAY, -(-count // DAY))
    drawn = (starts[:, None] + np.arange(DAY)).ravel()[:count]
    steps = moves[:, drawn]
    last = np.concatenate(([0.0], np.cumsum(steps[3])[:-1])) + np.log(close[-1])
    prices = np.round(np.exp(steps + last), 2)
    return Walk(prices[0], prices[1], prices[2], prices[3], volume[1:][drawn], _times(count))


def zigzag(count: int, leg: int = 60) -> Walk:
    """Straight legs of so many candles: the pivots are the same for every length below that of a leg."""
    phase = np.arange(count + 1) % (2 * leg)
    middle = 50_000.0 + 25.0 * np.minimum(phase, 2 * leg - phase)
    first, close = middle[:-1], middle[1:]
    high, low = np.maximum(first, close) + 5.0, np.minimum(first, close) - 5.0
    return Walk(first, high, low, close, np.full(count, 100.0), _times(count))


def _sample() -> list[Floats]:
    with gzip.open(SAMPLE, "rt", newline="") as file:
        rows = [row[1:6] for row in csv.reader(file)][1:]
    return list(np.array(rows, dtype=np.float64).T.copy())


def _times(count: int) -> NDArray[np.int64]:
    return FIRST + SPAN * np.arange(count, dtype=np.int64)
