"""One closed candle, and what makes it impossible."""

from __future__ import annotations

import operator
from math import inf
from typing import Any

import msgspec

from bus_schemas.errors import DataError
from bus_schemas.timeframes import iso

MOST = 1e15
"""Largest price and volume. Sums and products of such stay finite, which JSON state must be."""

LATEST = 4_102_444_800_000
"""The year 2100, in milliseconds."""


class Candle(msgspec.Struct, gc=False):
    """A closed candle.

    Attributes:
        time: open time, milliseconds UTC, on the timeframe's grid.
        open, high, low, close: prices in quote currency.
        volume: traded base currency.
    """

    time: int = 0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: float = 0.0


class BadCandle(DataError):
    """A candle that cannot be, or that comes at the wrong time. The engine is as it was before; the caller
    mends the data or leaves the candle out."""


def plain(candle: Candle) -> Candle:
    """The candle with an int and floats in it, whatever numbers it was made of.

    Raises:
        BadCandle: a field is no number.
    """
    first, high, low, close = candle.open, candle.high, candle.low, candle.close
    if (
        type(first) is type(high) is type(low) is type(close) is type(candle.volume) is float
        and type(candle.time) is int
    ):
        return candle
    prices: tuple[Any, ...] = (first, high, low, close, candle.volume)
    if any(isinstance(price, str | bytes) for price in prices):
        raise BadCandle(f"a candle of numbers is needed, not {candle}")
    try:
        return Candle(operator.index(candle.time), *map(float, prices))
    except (TypeError, ValueError, OverflowError):
        raise BadCandle(f"a candle of numbers is needed, not {candle}") from None


def sound(candle: Candle, length: int, last: int) -> bool:
    """Whether a candle can be and comes after the last one; `fault` says what is wrong if not.

    NaN fails every comparison.
    """
    low, high = candle.low, candle.high
    return (
        low <= candle.open <= high
        and low <= candle.close <= high
        and low >= -MOST
        and high <= MOST
        and 0.0 <= candle.volume <= MOST
        and last < candle.time <= LATEST
        and candle.time % length == 0
    )


def fault(candle: Candle, length: int, last: int) -> str | None:
    """What is wrong with a candle, in words for a user; None if nothing.

    Args:
        length: milliseconds of the timeframe.
        last: open time of the candle before, below zero if there was none.
    """
    time, o, h, low, c = candle.time, candle.open, candle.high, candle.low, candle.close
    if not 0 <= time <= LATEST:
        return f"candle at {time} ms: not between 1970 and {iso(LATEST)}"
    where = f"candle at {iso(time)}"
    for name, value in (("open", o), ("high", h), ("low", low), ("close", c), ("volume", candle.volume)):
        if not -inf < value < inf:
            return f"{where}: {name} is {value}"
        if abs(value) > MOST:
            return f"{where}: {name} {value} is beyond {MOST:g}"
    if h < low:
        return f"{where}: high {h} is below low {low}"
    if not (low <= o <= h and low <= c <= h):
        return f"{where}: open {o} or close {c} lies outside low {low} to high {h}"
    if candle.volume < 0:
        return f"{where}: volume {candle.volume} is below zero"
    if time % length:
        return f"{where} is not on the grid of {length // 1000} s candles"
    if time <= last:
        return f"{where} is not after the one before, at {iso(last)}"
    return None
