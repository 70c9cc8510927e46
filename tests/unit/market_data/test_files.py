"""Which files belong to a run, told from their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import MarketDataSettings
from market_data.feed import FileFeed
from market_data.files import Folder, Kind


def _folder(tmp_path: Path, *names: str) -> Folder:
    for name in names:
        (tmp_path / name).touch()
    return Folder(tmp_path)


NAMES = {
    "BTCUSDT-15m.csv.gz": (Kind.CANDLES, "15m"),
    "BTCUSDT-15m.csv": (Kind.CANDLES, "15m"),
    "BTCUSDT-1d.parquet": (Kind.CANDLES, "1d"),
    "BTCUSDT-1h-2018-2023.csv.gz": (Kind.CANDLES, "1h"),
    "BTCUSDT-1h-mark.csv.gz": (Kind.MARK, "1h"),
    "BTCUSDT-1h-mark-2024.parquet": (Kind.MARK, "1h"),
    "BTCUSDT-funding.csv": (Kind.FUNDING, ""),
    "BTCUSDT-7h.csv": None,
    "BTCUSDT-1h-marks.csv": None,
    "btcusdt-1h.csv": None,
    "BTCUSDT-1h.csv.zip": None,
    "BTCUSDT.csv": None,
    "BTC/USDT-1h.csv": None,
    "README.md": None,
}


@pytest.mark.parametrize(("name", "meaning"), NAMES.items(), ids=NAMES)
def test_a_name_says_what_the_file_is(tmp_path: Path, name: str, meaning: tuple[Kind, str] | None) -> None:
    folder = _folder(tmp_path, name.replace("/", "_"), "ANY-30m.csv")
    found = [(f.kind, f.timeframe) for f in folder.files if f.symbol != "ANY"]
    assert found == ([] if meaning is None else [meaning])


def test_every_symbol_of_the_timeframe_is_taken_in_sorted_order(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "SOLUSDT-1h.csv", "BTCUSDT-1h.csv", "ETHUSDT-15m.csv", "BTCUSDT-funding.csv")
    files = folder.select("1h")
    assert list(files) == ["BTCUSDT", "SOLUSDT"]
    assert files["BTCUSDT"].funding is not None
    assert files["SOLUSDT"].funding is None
    assert list(folder.select("1h", ["SOLUSDT", "BTCUSDT"])) == ["BTCUSDT", "SOLUSDT"]


def test_of_several_mark_files_the_finest_is_taken(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "BTCUSDT-1h.csv", "BTCUSDT-4h-mark.csv", "BTCUSDT-5m-mark.csv")
    mark = folder.select("1h")["BTCUSDT"].mark
    assert mark is not None
    assert mark.timeframe == "5m"


@pytest.mark.parametrize(
    ("names", "symbols", "sentence"),
    [
        (["notes.txt"], (), "holds no candles: files are named <SYMBOL>-<timeframe>"),
        (["BTCUSDT-1h-mark.csv"], (), "holds no candles"),
        (["BTCUSDT-4h.csv"], (), "has no 1h candles; it has BTCUSDT 4h"),
        (["BTCUSDT-1h.csv"], ("ETHUSDT",), "has no 1h candles of ETHUSDT; it has BTCUSDT 1h"),
        (
            ["BTCUSDT-1h.csv", "BTCUSDT-1h.parquet"],
            (),
            r"is meant: BTCUSDT-1h\.csv, BTCUSDT-1h\.parquet",
        ),
        (["BTCUSDT-1h.csv", "BTCUSDT-1h-2018.csv"], (), "which one is meant"),
        (["BTCUSDT-1h.csv", "BTCUSDT-funding.csv", "BTCUSDT-funding.csv.gz"], (), "which one is meant"),
    ],
)
def test_missing_and_ambiguous_files_are_said(
    tmp_path: Path, names: list[str], symbols: tuple[str, ...], sentence: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ConfigurationError, match=sentence):
        FileFeed(MarketDataSettings(data=tmp_path, symbols=symbols), "1h")


def test_an_ambiguity_elsewhere_does_not_matter(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "BTCUSDT-1h.csv", "ETHUSDT-1h.csv", "ETHUSDT-1h.csv.gz")
    assert list(folder.select("1h", ["BTCUSDT"])) == ["BTCUSDT"]


def test_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Folder(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be read: Not a directory"):
        Folder(tmp_path / "file")
    with pytest.raises(ConfigurationError, match="unknown timeframe '7h'"):
        _folder(tmp_path, "BTCUSDT-1h.csv").select("7h")
