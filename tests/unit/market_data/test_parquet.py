"""A Parquet file means what the CSV file with the same rows means."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import parse_time
from market_data.check import validate_folder
from market_data.files import SAMPLE, DataFile, Kind
from market_data.reader import read_bars
from tests.unit.market_data.build import START, candle, candles, feed

ROWS = 600


def _table(name: str) -> dict[str, list[str]]:
    text = gzip.decompress((SAMPLE / f"{name}.csv.gz").read_bytes()).decode()
    rows = list(csv.reader(io.StringIO(text)))[: ROWS + 1]
    return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))


def _times(table: dict[str, list[str]], type_: pa.DataType) -> pa.Array:
    if pa.types.is_string(type_):
        return pa.array(table["time"])
    factor = 1_000_000 if getattr(type_, "unit", "ms") == "ns" else 1
    return pa.array([parse_time(text) * factor for text in table["time"]], pa.int64()).cast(type_)


@pytest.mark.parametrize(
    "time", [pa.int64(), pa.timestamp("ms", "UTC"), pa.timestamp("ns"), pa.string()], ids=str
)
@pytest.mark.parametrize("price", [pa.float64(), pa.string(), pa.decimal128(24, 10)], ids=str)
def test_parquet_gives_the_events_of_csv(tmp_path: Path, time: pa.DataType, price: pa.DataType) -> None:
    for name in ("BTCUSDT-15m", "BTCUSDT-1h-mark", "BTCUSDT-funding"):
        table = _table(name)
        (tmp_path / "csv").mkdir(exist_ok=True)
        (tmp_path / "parquet").mkdir(exist_ok=True)
        lines = [",".join(row) for row in zip(*table.values(), strict=True)]
        (tmp_path / "csv" / f"{name}.csv").write_text("\n".join([",".join(table), *lines]))
        columns = {"time": _times(table, time)}
        for column in list(table)[1:]:
            values: list[object] = list(table[column])
            if not pa.types.is_string(price):
                values = [float(v) if pa.types.is_floating(price) else Decimal(v) for v in table[column]]
            columns[column] = pa.array(values, price)
        pq.write_table(
            pa.table({"more": [1] * len(lines)} | columns), tmp_path / "parquet" / f"{name}.parquet"
        )
    runs = [feed(tmp_path / kind, trade_from="2024-07-13") for kind in ("csv", "parquet")]
    runs[1].check()
    assert runs[0].plan() == runs[1].plan()
    steps = [list(run.steps({})) for run in runs]
    assert len(steps[0]) == 1 + 2 * (ROWS - 192)
    assert steps[0] == steps[1]
    parquet = DataFile(tmp_path / "parquet" / "BTCUSDT-15m.parquet", "BTCUSDT", Kind.CANDLES, "15m")
    since = parse_time("2024-07-13T00:00:01Z")
    assert next(bar.time for bar in read_bars(parquet, since)) == parse_time("2024-07-13T00:15")
    middle = {"BTCUSDT": steps[0][500].progress}
    assert list(feed(tmp_path / "parquet", trade_from="2024-07-13").steps(middle)) == steps[0][501:]


def _write(folder: Path, **change: object) -> Path:
    columns: dict[str, object] = {"time": [START, START + 900_000]}
    columns |= {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    path = folder / "BTCUSDT-15m.parquet"
    pq.write_table(pa.table({k: v for k, v in (columns | change).items() if v is not None}), path)
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"high": [1.0, float("nan")]}, "row 2: high is 'nan', not a finite number"),
        ({"close": [1.0, None]}, "row 2: close is empty, not a finite number"),
        ({"low": [2.0, 1.0]}, "row 1: high 1.0 is below low 2.0"),
        ({"time": [START, START + 1]}, "row 2: 2024-01-01T00:00:00.001Z is not the open time"),
        ({"time": [None, START]}, "row 1: time is empty"),
        ({"volume": None}, "row 1: there is no column volume"),
    ],
    ids=["nan", "null", "high below low", "unaligned", "no time", "column"],
)
def test_an_impossible_row_is_refused(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = _write(tmp_path, **change)
    assert [text[: len(f"{path}: {sentence}")] for text in validate_folder(tmp_path)] == [
        f"{path}: {sentence}"
    ]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "row 1: cannot be read as Parquet" in validate_folder(tmp_path)[0]
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        feed(tmp_path).plan()


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'causeway\[parquet\]'"):
        feed(tmp_path).plan()
    (tmp_path / "BTCUSDT-15m.parquet").unlink()
    candles(tmp_path, "BTCUSDT", [candle(0)])
    assert feed(tmp_path).plan().trade == 1
