"""Real candles for the comparison: the bundled sample, and longer files where their folder lies beside."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bus_schemas.timeframes import DAY, length

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "market_data" / "sample"
LONGER = ROOT.parent / "shared" / "data"
COLUMNS = ["open", "high", "low", "close", "volume"]


class History(NamedTuple):
    """Candles without a hole.

    Attributes:
        name: for the table, such as `BTC 15m`.
        timeframe: such as `15m`.
        times: open times, milliseconds UTC.
        frame: `open, high, low, close, volume` by row number, as the reference library wants it.
    """

    name: str
    timeframe: str
    times: list[int]
    frame: pd.DataFrame


def sample() -> History:
    """75 days of BTC at 15 minutes: on every clone."""
    return _read(SAMPLE / "BTCUSDT-15m.csv.gz", "BTC 15m, sample", "15m")


def longer() -> list[History] | None:
    """18 months of BTC at 15 minutes, the same by the hour, and of the five years before the longest stretch
    without a hole; None where the folder is absent.
    """
    if not (LONGER / "BTCUSDT-15m.csv.gz").exists():
        return None
    quarters = _read(LONGER / "BTCUSDT-15m.csv.gz", "BTC 15m", "15m")
    years = _read(LONGER / "BTCUSDT-1h-2018-2023.csv.gz", "BTC 1h, 2021-2023", "1h")
    return [quarters, hourly(quarters, "BTC 1h"), years]


def hourly(quarters: History, name: str) -> History:
    """Hours of four quarters each; the last one is left out if it is not whole."""
    hour = length("1h")
    groups = pd.Series(quarters.times) // hour
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    grouped = quarters.frame.groupby(groups)
    frame = grouped.agg(how)[grouped.size() == 4]
    return History(name, "1h", [int(number) * hour for number in frame.index], frame.reset_index(drop=True))


def newest(history: History, days: int) -> History:
    """The last so many days."""
    count = days * DAY // length(history.timeframe)
    frame = history.frame[-count:].reset_index(drop=True)
    return History(f"{history.name}, {days} days", history.timeframe, history.times[-count:], frame)


def _read(path: Path, name: str, timeframe: str) -> History:
    """The longest stretch of a file that has no hole: by row number the library would not see one."""
    read = pd.read_csv(path, parse_dates=["time"])
    times = pd.DatetimeIndex(read["time"]).tz_localize(None).as_unit("ms").asi8
    starts = np.flatnonzero(np.diff(times, prepend=0) != length(timeframe))
    ends = np.append(starts[1:], times.size)
    longest = int(np.argmax(ends - starts))
    part = slice(int(starts[longest]), int(ends[longest]))
    return History(name, timeframe, times[part].tolist(), read[COLUMNS][part].reset_index(drop=True))
