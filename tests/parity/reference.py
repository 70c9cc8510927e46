"""The reference library, `smartmoneyconcepts` 0.0.27: its rows in the shape of `tests.parity.view`."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from tests.parity.candles import History
from tests.parity.view import Breaks, Days, Gaps, Pivots

os.environ.setdefault("SMC_CREDIT", "0")  # else it prints a request at import

from smartmoneyconcepts import smc


def swings(frame: pd.DataFrame, length: int) -> pd.DataFrame:
    """Its `swing_highs_lows`."""
    found: pd.DataFrame = smc.swing_highs_lows(frame, swing_length=length)
    return found


def without_bookends(found: pd.DataFrame) -> pd.DataFrame:
    """The same without the labels that it invents for the first and the last row."""
    found = found.copy()
    found.iloc[[0, -1]] = np.nan
    return found


def pivots(found: pd.DataFrame) -> Pivots:
    """Rows of its swings that have a label."""
    return {int(row): (int(side), float(level)) for row, side, level in found.dropna().itertuples()}


def gaps(frame: pd.DataFrame, joined: bool) -> Gaps:
    """Rows of its `fvg`."""
    found = smc.fvg(frame, join_consecutive=joined).dropna()
    return {
        int(row): (int(side), float(top), float(bottom), int(bar))
        for row, side, top, bottom, bar in found.itertuples()
    }


def breaks(frame: pd.DataFrame, found: pd.DataFrame, by_close: bool = True) -> Breaks:
    """Rows of its `bos_choch` that have a level: of erased ones only the bar is left."""
    rows = smc.bos_choch(frame, found, close_break=by_close)
    rows = rows[rows["Level"].notna()].fillna(0)
    return {
        int(row): (int(bos), int(choch), float(level), int(bar))
        for row, bos, choch, level, bar in rows.itertuples()
    }


def days(history: History) -> Days:
    """Rows of its `previous_high_low` that have a value."""
    frame = history.frame.set_index(pd.to_datetime(history.times, unit="ms"))
    found = smc.previous_high_low(frame, time_frame="1D").dropna()
    return {int(row): (float(high), float(low)) for row, high, low, *_ in found.itertuples()}
