"""Which data files a folder has, by their names.

    BTCUSDT-15m.csv.gz              candles
    BTCUSDT-1h-2018-2023.csv.gz     candles; what follows the timeframe begins with a digit
    BTCUSDT-1h-mark.csv.gz          mark price candles, optional
    BTCUSDT-funding.csv.gz          funding rates, optional

`.csv`, `.csv.gz` and `.parquet` mean the same. Other files are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.timeframes import TIMEFRAMES, length

SAMPLE = Path(__file__).parent / "sample"
"""The bundled candles: what is published where the settings name no folder."""

_NAME = re.compile(
    r"(?P<symbol>[A-Z0-9]{2,32})-"
    r"(?:(?P<funding>funding)|(?P<timeframe>[0-9]{1,2}[mhd])(?P<mark>-mark)?)"
    r"(?:-[0-9][0-9A-Za-z_-]*)?"
    r"\.(?:csv|csv\.gz|parquet)"
)


class Kind(StrEnum):
    """What the rows of a file are."""

    CANDLES = "candles"
    MARK = "mark"
    FUNDING = "funding"


class DataFile(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        timeframe: length of its bars; empty for funding.
    """

    path: Path
    symbol: str
    kind: Kind
    timeframe: str = ""

    def where(self, line: int) -> str:
        """The place of a row as an error names it; a file's first line is 1."""
        return f"{self.path}: row {line}" if self.path.suffix == ".parquet" else f"{self.path}:{line}"


class SymbolFiles(msgspec.Struct, frozen=True):
    """What is known of one symbol: candles, and where they exist mark prices and funding."""

    candles: DataFile
    mark: DataFile | None
    funding: DataFile | None

    def all(self) -> tuple[DataFile, ...]:
        return tuple(f for f in (self.candles, self.mark, self.funding) if f is not None)


class Folder:
    """The data files of a folder.

    Args:
        path: the folder.

    Raises:
        ConfigurationError: it is not a folder that can be read, or holds no candles at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            names = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        except OSError as error:
            raise ConfigurationError(
                f"the data folder {path} cannot be read: {error.strerror or error}"
            ) from None
        self.files = tuple(file for name in names if (file := recognise(path / name)) is not None)
        if not self._of(Kind.CANDLES):
            raise ConfigurationError(
                f"the data folder {path} holds no candles: "
                "files are named <SYMBOL>-<timeframe>.csv.gz, .csv or .parquet, such as BTCUSDT-15m.csv.gz"
            )

    def symbols(self, timeframe: str) -> tuple[str, ...]:
        """Symbols with candles of this timeframe, sorted.

        Raises:
            ConfigurationError: there is none.
        """
        found = sorted({f.symbol for f in self._of(Kind.CANDLES) if f.timeframe == timeframe})
        if not found:
            raise ConfigurationError(f"{self.path} has no {timeframe} candles; it has {self._inventory()}")
        return tuple(found)

    def select(self, timeframe: str, symbols: Sequence[str] = ()) -> dict[str, SymbolFiles]:
        """The files of each symbol, in sorted order; no symbols means all with this timeframe.

        Raises:
            ConfigurationError: a symbol has no candles of this timeframe, or more than one file fits.
        """
        length(timeframe)
        wanted = sorted(set(symbols)) or self.symbols(timeframe)
        return {symbol: self._files_of(symbol, timeframe) for symbol in wanted}

    def _files_of(self, symbol: str, timeframe: str) -> SymbolFiles:
        candles = [f for f in self._of(Kind.CANDLES, symbol) if f.timeframe == timeframe]
        if not candles:
            raise ConfigurationError(
                f"{self.path} has no {timeframe} candles of {symbol}; it has {self._inventory()}"
            )
        marks = self._of(Kind.MARK, symbol)
        finest = min((length(f.timeframe) for f in marks), default=0)
        return SymbolFiles(
            candles=_only(candles),
            mark=_at_most_one([f for f in marks if length(f.timeframe) == finest]),
            funding=_at_most_one(self._of(Kind.FUNDING, symbol)),
        )

    def _of(self, kind: Kind, symbol: str | None = None) -> list[DataFile]:
        return [f for f in self.files if f.kind is kind and symbol in (None, f.symbol)]

    def _inventory(self) -> str:
        return ", ".join(sorted({f"{f.symbol} {f.timeframe}" for f in self._of(Kind.CANDLES)}))


def recognise(path: Path) -> DataFile | None:
    """What a file is by its name; None for one that is left alone."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    symbol, timeframe = match["symbol"], match["timeframe"]
    if match["funding"]:
        return DataFile(path, symbol, Kind.FUNDING)
    if timeframe not in TIMEFRAMES:
        return None
    return DataFile(path, symbol, Kind.MARK if match["mark"] else Kind.CANDLES, timeframe)


def _only(files: list[DataFile]) -> DataFile:
    if len(files) > 1:
        names = ", ".join(f.path.name for f in files)
        raise ConfigurationError(f"{files[0].path.parent}: which one is meant: {names}? Leave one there")
    return files[0]


def _at_most_one(files: list[DataFile]) -> DataFile | None:
    return _only(files) if files else None
