"""Rows out of a file, one after the other: CSV, gzip CSV and Parquet.

Nothing is held in memory but what is being read. Rows before `since` are passed by comparing the
beginning of the line as text; they are neither split nor checked.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import iso
from market_data.files import DataFile, Kind
from market_data.rows import BAR_COLUMNS, CANDLE_COLUMNS, FUNDING_COLUMNS, in_range, time_of

Raw = tuple[int, int, list[str]]
"""Time in milliseconds, line (or row of a Parquet file), fields."""

Report = Callable[[int, str], None]
"""Takes the line and a sentence. May raise; when it returns, reading goes on after the row."""

_BLOCK = 1 << 18
_TIME_LENGTH = len("2024-08-25T00:15:00Z")


def columns_of(file: DataFile) -> tuple[str, ...]:
    """The columns that a file of this kind has, in order."""
    return {Kind.CANDLES: CANDLE_COLUMNS, Kind.MARK: BAR_COLUMNS, Kind.FUNDING: FUNDING_COLUMNS}[file.kind]


def refuse(file: DataFile) -> Report:
    """A report that raises DataError with file and line."""

    def report(line: int, text: str) -> NoReturn:
        raise DataError(f"{file.where(line)}: {text}")

    return report


def raw_rows(file: DataFile, since: int, report: Report) -> Iterator[Raw]:
    """Rows from `since` (milliseconds) on, in the order of the file.

    Raises:
        ConfigurationError: a Parquet file, and pyarrow is not installed.
    """
    if file.path.suffix == ".parquet":
        return _parquet_rows(file, since, report)
    return _csv_rows(file, since, report)


def times(file: DataFile, report: Report) -> Iterator[int]:
    """The time of every row in the order of the file, without a look at the rest of the row."""
    if file.path.suffix == ".parquet":
        return (row[0] for row in _parquet_rows(file, 0, report, only_time=True))
    return _csv_times(file, report)


def _csv_rows(file: DataFile, since: int, report: Report) -> Iterator[Raw]:
    floor = iso(since - since % 1000).encode() if since > 0 else b""
    width = len(columns_of(file))
    for line, raw in _lines(file, report):
        if raw[:_TIME_LENGTH] < floor and raw[_TIME_LENGTH - 1 : _TIME_LENGTH + 1] == b"Z,":
            continue
        try:
            fields = _split(raw)
            if len(fields) != width:
                raise ValueError(f"{len(fields)} columns where there should be {width}")
            time = _checked(fields[0])
        except (ValueError, csv.Error) as error:
            report(line, _sentence(error))
            continue
        if time >= since:
            yield time, line, fields


def _csv_times(file: DataFile, report: Report) -> Iterator[int]:
    for line, raw in _lines(file, report):
        try:
            yield _checked(raw[: raw.find(b",")].decode().strip('" '))
        except ValueError as error:
            report(line, _sentence(error))


def _lines(file: DataFile, report: Report) -> Iterator[tuple[int, bytes]]:
    """Lines below the header that are not blank, numbered from 2."""
    line = 0
    try:
        with _opened(file.path) as stream:
            header = stream.readline()
            line = 1
            if not _header_fits(file, header, report):
                return
            for line, raw in enumerate(stream, 2):
                if not raw.isspace():
                    yield line, raw
    except EOFError:
        report(line + 1, "the compressed file breaks off here")
    except (OSError, zlib.error) as error:
        report(line + 1, f"cannot be read: {getattr(error, 'strerror', None) or error}")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as packed:
            # Iterating over a GzipFile calls Python for each line; over a BufferedReader it does not.
            yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), _BLOCK))


def _header_fits(file: DataFile, raw: bytes, report: Report) -> bool:
    expected = ",".join(columns_of(file))
    if not raw:
        report(1, "the file is empty")
        return False
    try:
        found = ",".join(name.strip().lower() for name in _split(raw.removeprefix(b"\xef\xbb\xbf")))
    except (ValueError, csv.Error):
        found = "something that is no text"
    if found != expected:
        report(1, f"the first line must be {expected}, not {found[:80]}")
    return found == expected


def _split(raw: bytes) -> list[str]:
    # One reader a line: a quote that is never closed must not swallow the lines below.
    fields = next(csv.reader((raw.decode("utf-8"),), strict=True), [])
    return [field.strip() for field in fields]


def _checked(text: str) -> int:
    time = time_of(text)
    if not in_range(time):
        raise ValueError(f"time is {text[:40]!r}, when no market was open")
    return time


def _sentence(error: Exception) -> str:
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def _parquet_rows(file: DataFile, since: int, report: Report, only_time: bool = False) -> Iterator[Raw]:
    arrow, parquet = _pyarrow(file)
    columns = columns_of(file)
    row = 0
    try:
        with parquet.ParquetFile(file.path) as source:
            missing = [name for name in columns if name not in source.schema_arrow.names]
            if missing:
                report(1, f"there is no column {', '.join(missing)}; there must be {', '.join(columns)}")
                return
            for batch in source.iter_batches(8192, columns=list(columns[:1] if only_time else columns)):
                yield from _batch_rows(arrow, batch, row, since, report, columns)
                row += batch.num_rows
    except (arrow.ArrowException, OSError) as error:
        report(row + 1, f"cannot be read as Parquet: {str(error).splitlines()[0]}")


def _batch_rows(
    arrow: Any, batch: Any, before: int, since: int, report: Report, columns: Sequence[str]
) -> Iterator[Raw]:
    moments = batch.column("time")
    if arrow.types.is_timestamp(moments.type):
        moments = moments.cast(arrow.timestamp("ms", moments.type.tz)).cast(arrow.int64())
    names = [name for name in columns if name in batch.schema.names and name != "time"]
    values = [batch.column(name).to_pylist() for name in names]
    for at, moment in enumerate(moments.to_pylist()):
        try:
            time = _checked(_text(moment))
        except ValueError as error:
            report(before + at + 1, str(error))
            continue
        if time >= since:
            yield time, before + at + 1, [_text(moment), *(_text(column[at]) for column in values)]


def _text(value: object) -> str:
    """The value as a CSV file would have it; a float's shortest text that reads back the same."""
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _pyarrow(file: DataFile) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigurationError(
            f"{file.path} is a Parquet file, which needs pyarrow; "
            "install it with: pip install 'causeway[parquet]'"
        ) from None
    return pyarrow, pyarrow.parquet
