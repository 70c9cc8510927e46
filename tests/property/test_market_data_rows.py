"""Any file at all is read or refused, and what is read is possible, in order and without repeats."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.errors import CausewayError, DataError
from bus_schemas.timeframes import MINUTE
from market_data.files import DataFile, Kind
from market_data.reader import read_bars
from market_data.rows import CANDLE_COLUMNS, Bar, bar
from tests.unit.market_data.build import CANDLES, START, candle, candles, feed

QUARTER = 15 * MINUTE
_WHOLE = "\n".join([CANDLES, *(candle(n, f"10{n}.5") for n in range(9))]).encode()
_PIECES = st.sampled_from([b"", b",", b"\n", b'"', b"-", b"e", b"0", b"9", b"nan", b"\0", b"\xff", b"Z,"])
_EDITS = st.lists(st.tuples(st.integers(0, len(_WHOLE)), st.integers(0, 3), _PIECES), min_size=1, max_size=3)
_TEXTS = st.text(max_size=12) | st.sampled_from(["1", "1e9", "-0", "+.5", "1e-99"])
_MIXED = (
    st.sets(st.integers(0, 60), min_size=1, max_size=25)
    .map(sorted)
    .flatmap(lambda kept: st.tuples(st.just(kept), st.permutations(kept), st.sets(st.sampled_from(kept))))
)


def _file(path: Path) -> DataFile:
    return DataFile(path, "BTCUSDT", Kind.CANDLES, "15m")


def _possible(bars: list[Bar]) -> None:
    for one in bars:
        assert one.time % QUARTER == 0
        assert 0 < one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high
        assert 0 <= one.volume < float("inf")
    assert all(earlier.time < later.time for earlier, later in pairwise(bars))


@settings(max_examples=150, deadline=None)
@given(edits=_EDITS, packed=st.booleans())
def test_a_damaged_file_is_read_or_refused(edits: list[tuple[int, int, bytes]], packed: bool) -> None:
    data = gzip.compress(_WHOLE, mtime=0) if packed else _WHOLE
    for at, cut, piece in edits:
        data = data[:at] + piece + data[at + cut :]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / ("BTCUSDT-15m.csv.gz" if packed else "BTCUSDT-15m.csv")
        path.write_bytes(data)
        refused = _refusal(lambda: _possible(list(read_bars(_file(path)))))
        assert refused is None or (refused[0] is DataError and refused[1].startswith(f"{path}:"))
        planned = _refusal(lambda: feed(Path(name)).plan())
        assert planned is None or str(path) in planned[1]


def _refusal(call: Callable[[], object]) -> tuple[type[CausewayError], str] | None:
    try:
        call()
    except CausewayError as error:
        return type(error), str(error)
    return None


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXTS, min_size=5, max_size=5))
def test_any_text_is_a_bar_or_a_sentence(texts: list[str]) -> None:
    made = bar(["", *texts], START, QUARTER)
    assert len(texts) + 1 == len(CANDLE_COLUMNS)
    if isinstance(made, Bar):
        _possible([made])
    else:
        assert made


@settings(max_examples=60, deadline=None)
@given(drawn=_MIXED, since=st.integers(0, 60))
def test_order_and_repeats_make_no_difference(
    drawn: tuple[list[int], list[int], set[int]], since: int
) -> None:
    straight, mixed, repeated = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = list(read_bars(_file(candles(folder, "BTCUSDT", map(candle, straight)))))
        path = candles(folder, "BTCUSDT", map(candle, [*mixed, *sorted(repeated)]))
        assert list(read_bars(_file(path))) == expected
        at = START + since * QUARTER - 500
        assert list(read_bars(_file(path), at)) == [one for one in expected if one.time >= at]
        plan = feed(folder).plan().symbols[0]
        assert (plan.trade, plan.duplicates) == (len(straight), len(repeated))
