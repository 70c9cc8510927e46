"""A data file that is written: continued where it ends, replaced whole, never half.

What was fetched waits as plain text in a hidden file beside the data file, which is replaced in one step
when a run ends, however it ends. A run that was killed leaves the data file as it was, and the hidden file,
which the next run takes over.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from pathlib import Path

import msgspec

from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import iso
from market_data.files import DataFile, Kind, recognise
from market_data.rows import BAR_COLUMNS, CANDLE_COLUMNS, FUNDING_COLUMNS, time_of

_COLUMNS = {Kind.CANDLES: CANDLE_COLUMNS, Kind.MARK: BAR_COLUMNS, Kind.FUNDING: FUNDING_COLUMNS}

Line = tuple[int, str]
"""Time in milliseconds, and the row's text without the line's end."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds.

    Attributes:
        first, last: times of the first and last row; None where there are none.
        gaps: open time of each first missing candle, and of the candle after it; none of funding.
    """

    rows: int
    first: int | None
    last: int | None
    gaps: tuple[tuple[int, int], ...] = ()


class Archive:
    """One `.csv.gz` file of a folder.

    Args:
        file: which; `file_of` names it.
        span: length of a candle in milliseconds; 0 for funding.

    Raises:
        ConfigurationError: the folder has another file with the same data, so that a reader would not know
            which is meant.
    """

    def __init__(self, file: DataFile, span: int) -> None:
        self.file = file
        self._span = span
        self._header = ",".join(_COLUMNS[file.kind])
        path = file.path
        self._tail = path.with_name(f".{path.name}.tail")
        self._heads = f".{path.name}.head-"
        self._refuse_others()

    def contents(self) -> Contents:
        """Take over what an earlier run left behind, and say what there is.

        Raises:
            DataError: the file is something else.
        """
        if self._tail.exists():
            return self._fold(self._tail)
        return self._look(self._lines())

    def tail(self) -> Path:
        """Where rows go that follow the last."""
        return self._tail

    def head(self, since: int) -> Path:
        """Where rows go that come before the first, from `since` on; those for another are dropped."""
        wanted = self.file.path.with_name(f"{self._heads}{since}")
        for other in self.file.path.parent.glob(f"{self._heads}*"):
            if other != wanted:
                other.unlink()
        return wanted

    def append(self, part: Path, lines: Iterable[Line]) -> None:
        """Add rows to a part: after this they survive whatever happens to this process."""
        text = "".join(f"{text}\n" for _, text in lines)
        if text:
            with part.open("a", encoding="utf-8") as stream:
                stream.write(text)

    def last_of(self, part: Path) -> int | None:
        """Time of the last complete row of a part; None where there is none. An incomplete row is dropped."""
        if not part.exists():
            return None
        kept = list(_complete(part.open("rb")))
        part.write_text("".join(f"{text}\n" for _, text in kept), encoding="utf-8")
        return kept[-1][0] if kept else None

    def fold(self, *parts: Path) -> Contents:
        """Take parts into the file, in one step, and drop them."""
        return self._fold(*parts)

    def _fold(self, *parts: Path) -> Contents:
        there = [part for part in parts if part.exists()]
        if not there:
            return self._look(self._lines())
        path = self.file.path
        fresh = path.with_name(f".{path.name}.new")
        sources = [self._lines(), *(sorted(_complete(part.open("rb"))) for part in there)]
        with fresh.open("wb") as raw:
            with (
                gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as stream,
            ):
                stream.write(f"{self._header}\n")
                contents = self._look(_written(merge(*sources), stream))
            raw.flush()
            os.fsync(raw.fileno())
        if contents.rows:
            fresh.replace(path)
        else:
            fresh.unlink()
        for part in there:
            part.unlink()
        return contents

    def _lines(self) -> Iterator[Line]:
        path = self.file.path
        if not path.exists():
            return
        with gzip.open(path, "rb") as packed:
            try:
                header = packed.readline().decode("utf-8").strip()
            except (OSError, EOFError, zlib.error, UnicodeDecodeError):
                header = "something that cannot be read"
            if header != self._header:
                raise DataError(f"{path}:1: the first line must be {self._header}, not {header[:80]}")
            yield from _complete(packed)

    def _look(self, lines: Iterable[Line]) -> Contents:
        rows, first, last = 0, None, None
        gaps = []
        for time, _ in lines:
            if self._span and last is not None and time - last > self._span:
                gaps.append((last + self._span, time))
            first = time if first is None else first
            rows, last = rows + 1, time
        return Contents(rows=rows, first=first, last=last, gaps=tuple(gaps))

    def _refuse_others(self) -> None:
        mine = self.file
        for path in sorted(mine.path.parent.iterdir()):
            other = recognise(path)
            if other is None or other.path == mine.path:
                continue
            if (other.symbol, other.kind, other.timeframe) == (mine.symbol, mine.kind, mine.timeframe):
                raise ConfigurationError(
                    f"{path} holds the same data as {mine.path.name}: only one can be in the folder"
                )


def file_of(folder: Path, symbol: str, kind: Kind, timeframe: str = "") -> DataFile:
    """The file that this data belongs in."""
    middle = {Kind.CANDLES: timeframe, Kind.MARK: f"{timeframe}-mark", Kind.FUNDING: "funding"}[kind]
    return DataFile(folder / f"{symbol}-{middle}.csv.gz", symbol, kind, timeframe)


def line(time: int, *values: str) -> Line:
    """A row as the file has it."""
    return time, ",".join((iso(time), *values))


def _complete(stream: Iterable[bytes] | io.BufferedIOBase) -> Iterator[Line]:
    """Rows up to the first that breaks off: what comes after a kill in the middle of a write."""
    try:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return
            text = raw.decode("utf-8").strip()
            if text:
                yield time_of(text.partition(",")[0].strip('" ')), text
    except (EOFError, OSError, zlib.error, ValueError):
        return
    finally:
        if isinstance(stream, io.BufferedReader):
            stream.close()


def _written(lines: Iterable[Line], stream: io.TextIOWrapper) -> Iterator[Line]:
    """Write each row on its way, one of each time: the first source's."""
    for _, same in groupby(lines, key=lambda one: one[0]):
        kept = next(same)
        stream.write(f"{kept[1]}\n")
        yield kept
