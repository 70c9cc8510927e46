"""One candle file as the engine wants it: checked candles, one after the other, of a known timeframe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path

from bus_schemas import events
from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import TIMEFRAMES, iso, length
from market_data.files import DataFile, Kind
from market_data.rows import bar
from market_data.sources import Raw, raw_rows, refuse
from strategy.aggregate import Forming, take
from strategy.smc import Candle

LOOKED_AT = 4_096
"""Rows at the start of a file from which the distance of its candles is told."""

_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9]{1,2}[mhd](?![0-9A-Za-z])")


class CandleFile:
    """The candles of a file, in its order. It is read once and from front to back, so that a pipe will do.

    Args:
        path: CSV, gzip CSV or Parquet, by its suffix; the columns that paper trading reads.
        timeframe: of its candles; else what its name says, or else what its times say.
        say: takes sentences about what was assumed.

    Attributes:
        timeframe: of its candles.

    Raises:
        ConfigurationError: there is no such file, or no telling its timeframe.
        DataError: file and line of a row among the first that cannot be.
    """

    def __init__(self, path: Path, timeframe: str | None, say: Callable[[str], None]) -> None:
        if timeframe is not None:
            length(timeframe)
        if not path.exists():
            raise ConfigurationError(f"the data file {shown(path)} does not exist")
        if path.is_dir():
            raise ConfigurationError(f"{shown(path)} is a folder; --data takes one candle file")
        self._file = DataFile(path, "", Kind.CANDLES, timeframe or "")
        self._rows = raw_rows(self._file, 0, refuse(self._file))
        self._first = list(islice(self._rows, LOOKED_AT))
        if not self._first:
            raise DataError(f"{self._file.where(1)}: there are no rows below the header")
        self.timeframe = timeframe or named(path.name) or self._guess(say)
        self._doubt(say)

    def __iter__(self) -> Iterator[Candle]:
        """Candles.

        Raises:
            DataError: file and line of one that cannot be, or that does not come after the one before.
        """
        span, last = length(self.timeframe), -1
        rows: Iterable[Raw] = chain(self._first, self._rows)
        for time, line, fields in rows:
            found = bar(fields, time, span)
            if isinstance(found, str):
                raise DataError(f"{self._file.where(line)}: {found}")
            if time <= last:
                before = (
                    "is there twice" if time == last else f"stands after {iso(last)}; sort the rows by time"
                )
                raise DataError(f"{self._file.where(line)}: {iso(time)} {before}")
            last = time
            yield Candle(
                time, float(found.open), float(found.high), float(found.low), float(found.close), found.volume
            )

    def _guess(self, say: Callable[[str], None]) -> str:
        distance = usual_distance([row[0] for row in self._first])
        if distance is None:
            raise ConfigurationError(
                f"{shown(self._file.path)} does not tell its timeframe: give --timeframe, such as 15m"
            )
        name = _name_of(distance)
        if name is None:
            raise ConfigurationError(
                f"the candles of {shown(self._file.path)} are {distance / 60_000:g} minutes apart, which is "
                f"no timeframe; known are {', '.join(TIMEFRAMES)}; --timeframe names one that has holes"
            )
        say(f"taking the candles for {name} ones: that is how far apart most of them are")
        return name

    def _doubt(self, say: Callable[[str], None]) -> None:
        distance = usual_distance([row[0] for row in self._first])
        if distance is not None and distance > length(self.timeframe):
            say(
                f"most candles are {distance // 60_000} minutes apart, although they should be "
                f"{self.timeframe} ones: there will be a hole at each; --timeframe tells what they are"
            )


class Resampled:
    """Candles of a longer timeframe, each when its last one has closed, and only those that lack none.

    Args:
        source: the candles to build from.
        base, timeframe: of the source, and of the result.

    Attributes:
        incomplete: candles left out so far because the source lacks some of what they are made of.

    Raises:
        ConfigurationError: the one cannot be made of the other.
    """

    def __init__(self, source: Iterable[Candle], base: str, timeframe: str) -> None:
        self._source, self._base, self._length = source, length(base), length(timeframe)
        self._timeframe = timeframe
        self.incomplete = 0
        if self._length < self._base or self._length % self._base:
            raise ConfigurationError(
                f"--resample {timeframe}: no {timeframe} candle is made of {base} candles"
            )

    def __iter__(self) -> Iterator[Candle]:
        forming = Forming()
        for candle in self._source:
            for done in take(forming, self._closed(candle), self._base, self._length):
                if done.gap:
                    self.incomplete += 1
                else:
                    yield Candle(done.at, done.open, done.high, done.low, done.close, done.volume)

    def _closed(self, candle: Candle) -> events.Candle:
        return events.Candle(
            time=candle.time + self._base, symbol="", timeframe=self._timeframe, open_time=candle.time,
            open=candle.open, high=candle.high, low=candle.low, close=candle.close, volume=candle.volume,
        )  # fmt: skip


def named(name: str) -> str | None:
    """The timeframe that a file's name tells, as `BTCUSDT-15m.csv.gz` does; None if none or several."""
    found = {token for token in _TOKEN.findall(name) if token in TIMEFRAMES}
    return found.pop() if len(found) == 1 else None


def usual_distance(times: Sequence[int]) -> int | None:
    """The most common distance, milliseconds; of equally common ones the shortest. None if there is none."""
    found = Counter(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return min(found, key=lambda distance: (-found[distance], distance)) if found else None


def shown(path: Path) -> str:
    """The path as it can be printed anywhere."""
    return printable(str(path))


def printable(text: str) -> str:
    """The text with whatever does not print, such as a control character, written as an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _name_of(span: int) -> str | None:
    return next((name for name, milliseconds in TIMEFRAMES.items() if milliseconds == span), None)
