"""Checked rows in order of time, each once.

Rows may stand out of order by up to `WINDOW` rows; they are merged by their bar key, which is the
open time. A row that says the same as another of its bar is dropped (files that were joined overlap);
one that says something else is an error with both lines, because there is no telling which is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import heappush, heappushpop
from typing import TypeVar

from bus_schemas.timeframes import iso, length
from market_data.files import DataFile
from market_data.rows import Bar, Settlement, bar, settlement
from market_data.sources import Raw, Report, raw_rows, refuse

WINDOW = 4096
"""How many rows late a row may stand. Holds memory and the start's reading ahead within bounds."""

T = TypeVar("T", Bar, Settlement)


def read_bars(file: DataFile, since: int = 0, report: Report | None = None) -> Iterator[Bar]:
    """Bars of a candle or mark price file that open at `since` or later.

    Args:
        report: takes what is wrong; by default it raises.

    Raises:
        DataError: file, line and what is wrong there.
    """
    report = report or refuse(file)
    parse = partial(_bar, timeframe=length(file.timeframe))
    return _unique(_ordered(raw_rows(file, since, report), report), parse, report)


def read_funding(file: DataFile, since: int = 0, report: Report | None = None) -> Iterator[Settlement]:
    """Settlements at `since` or later; as `read_bars`."""
    report = report or refuse(file)
    return _unique(_ordered(raw_rows(file, since, report), report), _settlement, report)


def _bar(raw: Raw, timeframe: int) -> Bar | str:
    return bar(raw[2], raw[0], timeframe)


def _settlement(raw: Raw) -> Settlement | str:
    return settlement(raw[2], raw[0])


def _ordered(rows: Iterable[Raw], report: Report) -> Iterator[Raw]:
    waiting: list[Raw] = []
    last = 0
    for row in rows:
        if row[0] < last:
            report(row[1], f"{iso(row[0])} stands more than {WINDOW} rows late; sort the file by time")
        elif len(waiting) < WINDOW:
            heappush(waiting, row)
        else:
            first = heappushpop(waiting, row)
            last = first[0]
            yield first
    waiting.sort()
    yield from waiting


def _unique(rows: Iterable[Raw], parse: Callable[[Raw], T | str], report: Report) -> Iterator[T]:
    last: T | None = None
    line = 0
    for row in rows:
        value = parse(row)
        if isinstance(value, str):
            report(row[1], value)
        elif last is None or value.time != last.time:
            last, line = value, row[1]
            yield value
        elif value != last:
            report(row[1], f"{iso(value.time)} is also in line {line}, with other values")
