"""The feed goes on from any committed prefix, and marks know nothing of the future."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.timeframes import HOUR, MINUTE, iso
from market_data import feed as feed_module
from market_data.feed import Progress
from market_data.marks import MarkMaker
from market_data.rows import Bar, Settlement
from tests.unit.market_data.build import (
    FUNDING,
    MARKS,
    START,
    candle,
    candles,
    committed,
    feed,
    mark,
    write,
)

QUARTER = 15 * MINUTE
_bars = st.sets(st.integers(0, 30), min_size=1).map(sorted)
_closes = st.integers(60, 190)


@st.composite
def folders(draw: st.DrawFn) -> dict[str, tuple[str, list[str]]]:
    """Files of two symbols: candles with gaps, marks with gaps, funding; each optional but the candles."""
    out: dict[str, tuple[str, list[str]]] = {}
    for symbol in ("BBB", "AAA"):
        rows = [candle(n, str(draw(_closes))) for n in draw(_bars)]
        out[f"{symbol}-15m.csv"] = ("time,open,high,low,close,volume", rows)
        if draw(st.booleans()):
            hours = sorted(draw(st.sets(st.integers(0, 7))))
            out[f"{symbol}-1h-mark.csv"] = (MARKS, [mark(n, str(draw(_closes))) for n in hours])
        if draw(st.booleans()):
            settled = sorted(draw(st.sets(st.integers(0, 31))))
            out[f"{symbol}-funding.csv"] = (
                FUNDING,
                [f"{iso(START + n * QUARTER)},0.000{n}" for n in settled],
            )
    return out


@settings(max_examples=60, deadline=None)
@given(
    files=folders(),
    trade_from=st.integers(0, 25),
    start=st.none() | st.integers(0, 8),
    chunk=st.integers(1, 5),
)
def test_after_any_prefix_exactly_the_rest_comes(
    files: dict[str, tuple[str, list[str]]], trade_from: int, start: int | None, chunk: int
) -> None:
    bounds: dict[str, object] = {"trade_from": START + max(trade_from, start or 0) * QUARTER}
    if start is not None:
        bounds["start"] = START + start * QUARTER
    with tempfile.TemporaryDirectory() as name, patch.object(feed_module, "HYDRATION_CHUNK", chunk):
        folder = Path(name)
        for file, (header, rows) in files.items():
            write(folder, file, header, [*rows, candle(31)] if header.endswith("volume") else rows)
        steps = list(feed(folder, **bounds).steps({}))
        for cut in range(len(steps) + 1):
            stored = msgspec.json.encode(committed(steps[:cut]))
            progress = msgspec.json.decode(stored, type=dict[str, Progress])
            assert list(feed(folder, **bounds).steps(progress)) == steps[cut:]


@settings(max_examples=60, deadline=None)
@given(
    times=st.sets(st.integers(0, 40), min_size=2).map(sorted),
    closes=st.lists(_closes, min_size=41, max_size=41),
    hours=st.dictionaries(st.integers(-2, 10), st.tuples(_closes, _closes)),
    cut=st.integers(0, 41),
    funding=st.dictionaries(st.integers(0, 41), st.tuples(st.integers(-9, 9), st.integers(-9, 9))),
)
def test_what_comes_later_changes_no_mark(
    times: list[int],
    closes: list[int],
    hours: dict[int, tuple[int, int]],
    cut: int,
    funding: dict[int, tuple[int, int]],
) -> None:
    """Marks, settlements and candles after a moment are changed, or are not there: the same marks before."""
    until = START + cut * QUARTER

    def made(later: int | None) -> list[object]:
        def past(time: int) -> bool:
            return time > until

        mark_bars = [
            _bar(START + n * HOUR, values[1 if past(START + (n + 1) * HOUR) and later else 0])
            for n, values in sorted(hours.items())
            if later is not None or not past(START + (n + 1) * HOUR)
        ]
        rates = [
            Settlement(
                START + n * QUARTER, Decimal(v[1 if past(START + n * QUARTER) and later else 0]) / 10000
            )
            for n, v in sorted(funding.items())
            if later is not None or not past(START + n * QUARTER)
        ]
        maker = MarkMaker("BTCUSDT", QUARTER, mark_bars, HOUR, rates)
        out, previous = [], None
        for n in times:
            time = START + n * QUARTER
            if not past(time + QUARTER):
                out.append(maker.at_close(_bar(time, closes[n]), previous))
                previous = time + QUARTER
        return list(out)

    assert made(None) == made(0) == made(1)


def _bar(time: int, close: int) -> Bar:
    return Bar(time, Decimal(100), Decimal(200), Decimal(50), Decimal(close), 1.0)


@settings(max_examples=40, deadline=None)
@given(marks=st.sets(st.integers(0, 7)).map(sorted), kept=st.integers(0, 8))
def test_a_mark_file_cut_short_gives_the_same_marks_up_to_the_cut(marks: list[int], kept: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        candles(folder, "BTCUSDT", [candle(n, str(60 + n)) for n in range(32)])
        until = START + kept * HOUR
        made = []
        for rows in (marks, [n for n in marks if n < kept]):
            write(folder, "BTCUSDT-1h-mark.csv", MARKS, [mark(n, str(70 + n * n)) for n in rows])
            steps = feed(folder, trade_from=START).steps({})
            made.append([step for step in steps if step.time <= until])
        assert made[0] == made[1]
        assert len(made[0]) == 2 * 4 * kept
