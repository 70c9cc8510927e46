"""What a row may say. Pure: text in, value or a sentence about what is wrong out."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.timeframes import DAY, iso, parse_time

BAR_COLUMNS = ("time", "open", "high", "low", "close")
CANDLE_COLUMNS = (*BAR_COLUMNS, "volume")
FUNDING_COLUMNS = ("time", "rate")

_number = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,2})?"
).fullmatch
_LOWEST, _HIGHEST = Decimal("1e-12"), Decimal("1e12")
_MOST_VOLUME = 1e15
_EARLIEST = parse_time("2009-01-03")
_LATEST = parse_time("2100-01-01")


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One row of a candle or mark price file: [time, time + timeframe).

    Attributes:
        time: open time, milliseconds UTC.
        open, high, low, close: the text of the file as Decimal; no float in between.
        volume: traded base currency; 0 in a mark price file, which has none.
    """

    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: float = 0.0


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """One row of a funding file: the rate that longs paid shorts at `time`, a fraction of notional."""

    time: int
    rate: Decimal


def time_of(text: str) -> int:
    """Milliseconds UTC of a row's first field.

    Raises:
        ValueError: with a sentence.
    """
    try:
        if len(text) == 20 and text[10] == "T" and text[19] == "Z":
            return _midnight(text[:10]) + _of_day(text[11:19])
        return parse_time(text)
    except (ConfigurationError, ValueError):
        raise ValueError(f"time is {_shown(text)}, not one such as 2024-08-25T00:15:00Z") from None


def bar(fields: list[str], opened: int, timeframe: int) -> Bar | str:
    """A bar of `CANDLE_COLUMNS` or `BAR_COLUMNS`, or what is wrong with it.

    Args:
        opened: the first field, already read.
        timeframe: length of a bar in milliseconds.
    """
    if opened % timeframe:
        return f"{iso(opened)} is not the open time of a {_span(timeframe)} candle"
    prices: list[Decimal] = []
    for name, text in zip(BAR_COLUMNS[1:], fields[1:5], strict=True):
        if _number(text) is None:
            return f"{name} is {_shown(text)}, not a finite number"
        price = Decimal(text)
        if not _LOWEST <= price <= _HIGHEST:
            return f"{name} is {text}, not a price" + (": it must be above zero" if price <= 0 else "")
        prices.append(price)
    opening, high, low, close = prices
    if high < low:
        return f"high {high} is below low {low}"
    if not low <= opening <= high:
        return f"open {opening} lies outside the candle's {low} to {high}"
    if not low <= close <= high:
        return f"close {close} lies outside the candle's {low} to {high}"
    if len(fields) == len(BAR_COLUMNS):
        return Bar(opened, opening, high, low, close)
    if _number(fields[5]) is None:
        return f"volume is {_shown(fields[5])}, not a finite number"
    volume = float(fields[5])
    if not 0 <= volume <= _MOST_VOLUME:
        return f"volume is {fields[5]}" + (", which is negative" if volume < 0 else ", which is impossible")
    return Bar(opened, opening, high, low, close, volume)


def settlement(fields: list[str], time: int) -> Settlement | str:
    """A row of `FUNDING_COLUMNS`, or what is wrong with it."""
    if _number(fields[1]) is None:
        return f"rate is {_shown(fields[1])}, not a finite number"
    rate = Decimal(fields[1])
    if not -1 < rate < 1:
        return f"rate is {fields[1]}; a funding rate is a fraction of notional, such as 0.0001"
    return Settlement(time, rate)


def in_range(moment: int) -> bool:
    """Whether markets were open then: catches seconds or microseconds read as milliseconds."""
    return _EARLIEST <= moment < _LATEST


@lru_cache(maxsize=4096)
def _midnight(text: str) -> int:
    day = date.fromisoformat(text)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


@lru_cache(maxsize=4096)
def _of_day(text: str) -> int:
    clock = time.fromisoformat(text)
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    return seconds * 1000 + clock.microsecond // 1000


def _span(timeframe: int) -> str:
    return "daily" if timeframe == DAY else f"{timeframe // 60_000}-minute"


def _shown(text: str) -> str:
    return repr(text[:40]) if text else "empty"
