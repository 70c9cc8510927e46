"""Small data folders for tests."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bus_schemas.events import Body, Gap, Mark
from bus_schemas.settings import MarketDataSettings
from bus_schemas.timeframes import iso, length, parse_time
from market_data.feed import FileFeed, Progress, Step

START = parse_time("2024-01-01")
CANDLES = "time,open,high,low,close,volume"
MARKS = "time,open,high,low,close"
FUNDING = "time,rate"


def candle(index: int, close: str = "101", timeframe: str = "15m") -> str:
    """The row of the bar that opens `index` bars after `START`."""
    return f"{iso(START + index * length(timeframe))},100,200,50,{close},1.5"


def mark(index: int, close: str = "101", timeframe: str = "1h") -> str:
    return candle(index, close, timeframe).rpartition(",")[0]


def write(folder: Path, name: str, header: str, rows: Iterable[str]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    data = "".join(f"{row}\n" for row in (header, *rows)).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def candles(folder: Path, symbol: str, rows: Iterable[str], timeframe: str = "15m") -> Path:
    return write(folder, f"{symbol}-{timeframe}.csv", CANDLES, rows)


def feed(folder: Path, timeframe: str = "15m", **settings: object) -> FileFeed:
    return FileFeed(MarketDataSettings.model_validate({"data": folder, **settings}), timeframe)


def events(steps: Iterable[Step]) -> list[Body]:
    return [output.body for step in steps for output in step.outputs]


def marks(steps: Iterable[Step]) -> list[Mark]:
    return [body for body in events(steps) if isinstance(body, Mark)]


def gaps(steps: Iterable[Step]) -> list[Gap]:
    return [body for body in events(steps) if isinstance(body, Gap)]


def committed(steps: Sequence[Step]) -> Mapping[str, Progress]:
    """The progress that a run leaves behind when exactly these steps were committed."""
    return {step.symbol: step.progress for step in steps}
