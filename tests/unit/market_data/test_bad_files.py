"""Every kind of broken file: refused with file, line and a sentence, by the check and by the reader."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bus_schemas.errors import DataError
from market_data import check, reader
from market_data.check import problems, require_sound, validate_folder
from market_data.files import DataFile, Kind
from market_data.reader import read_bars, read_funding
from tests.unit.market_data.build import CANDLES, FUNDING, MARKS, candle, candles, feed, mark, write

T = "2024-01-01T00:15:00Z"

BAD_CANDLES = {
    "high below low": (f"{T},100,90,95,100,1", "high 90 is below low 95"),
    "open outside": (f"{T},210,200,50,100,1", "open 210 lies outside the candle's 50 to 200"),
    "close outside": (f"{T},100,200,50,49.99,1", "close 49.99 lies outside the candle's 50 to 200"),
    "zero price": (f"{T},100,200,0,100,1", "low is 0, not a price: it must be above zero"),
    "negative price": (f"{T},100,200,-5,100,1", "low is -5, not a price: it must be above zero"),
    "NaN": (f"{T},100,NaN,50,100,1", "high is 'NaN', not a finite number"),
    "infinite": (f"{T},100,inf,50,100,1", "high is 'inf', not a finite number"),
    "empty field": (f"{T},100,200,50,,1", "close is empty, not a finite number"),
    "text": (f"{T},100,200,fifty,100,1", "low is 'fifty', not a finite number"),
    "digits with underscore": (f"{T},1_00,200,50,100,1", "open is '1_00', not a finite number"),
    "digits of another script": (f"{T},١٠٠,200,50,100,1", "open is '١٠٠', not a finite number"),
    "beyond any price": (f"{T},100,1e30,50,100,1", "high is 1e30, not a price"),
    "negative volume": (f"{T},100,200,50,100,-1", "volume is -1, which is negative"),
    "volume NaN": (f"{T},100,200,50,100,nan", "volume is 'nan', not a finite number"),
    "volume beyond floats": (f"{T},100,200,50,100,1e99", "volume is 1e99, which is impossible"),
    "volume beyond any market": (f"{T},100,200,50,100,1.1e15", "volume is 1.1e15, which is impossible"),
    "unaligned": ("2024-01-01T00:16:00Z,100,200,50,100,1", "is not the open time of a 15-minute candle"),
    "no time": ("soon,100,200,50,100,1", "time is 'soon', not one such as"),
    "no such day": (
        "2024-02-30T00:00:00Z,100,200,50,100,1",
        "time is '2024-02-30T00:00:00Z', not one such as",
    ),
    "no such hour": (
        "2024-01-01T25:00:00Z,100,200,50,100,1",
        "time is '2024-01-01T25:00:00Z', not one such as",
    ),
    "seconds": ("1704068100,100,200,50,100,1", "not one such as"),
    "microseconds": ("1704068100000000,100,200,50,100,1", "not one such as"),
    "before markets": ("1900-01-01T00:00:00Z,100,200,50,100,1", "when no market was open"),
    "superscript digits": ("²²²²²²²²²²²²²,100,200,50,100,1", "not one such as"),
    "column missing": (f"{T},100,200,50,100", "5 columns where there should be 6"),
    "column too many": (f"{T},100,200,50,100,1,1", "7 columns where there should be 6"),
    "open quote": (f'{T},"100,200,50,100,1', "unexpected end of data"),
}


@pytest.mark.parametrize(("row", "sentence"), BAD_CANDLES.values(), ids=BAD_CANDLES)
def test_an_impossible_row_is_refused_with_file_and_line(tmp_path: Path, row: str, sentence: str) -> None:
    path = candles(tmp_path, "BTCUSDT", [candle(0), row, candle(2)])
    found = validate_folder(tmp_path, "15m")
    assert len(found) == 1
    assert found[0].startswith(f"{path}:3: ")
    assert sentence in found[0]
    with pytest.raises(DataError) as refused:
        list(feed(tmp_path, trade_from="2024-01-01").steps({}))
    assert str(refused.value) == found[0]


BAD_FUNDING = {
    "rate NaN": (f"{T},nan", "rate is 'nan', not a finite number"),
    "rate in percent": (f"{T},1.5", "rate is 1.5; a funding rate is a fraction of notional"),
    "no rate": (T, "1 columns where there should be 2"),
}


@pytest.mark.parametrize(("row", "sentence"), BAD_FUNDING.values(), ids=BAD_FUNDING)
def test_an_impossible_settlement_is_refused(tmp_path: Path, row: str, sentence: str) -> None:
    file = DataFile(write(tmp_path, "BTCUSDT-funding.csv", FUNDING, [row]), "BTCUSDT", Kind.FUNDING)
    with pytest.raises(DataError, match=r":2: .*" + sentence.partition("'")[0]):
        list(read_funding(file))


def _broken_gzip(data: bytes) -> dict[str, tuple[bytes, str]]:
    packed = gzip.compress(data, mtime=0)
    return {
        "truncated": (packed[:-30], "breaks off here"),
        "no checksum": (packed[:-4], "breaks off here"),
        "damaged": (packed[:40] + bytes(40) + packed[80:], "cannot be read"),
        "wrong checksum": (packed[:-8] + b"\0\0\0\0" + packed[-4:], "cannot be read"),
        "not gzip": (data, "cannot be read"),
        "empty": (b"", "the file is empty"),
    }


_WHOLE = "\n".join([CANDLES, *(candle(n, f"1{n:02}.{n}7") for n in range(90))]).encode()


@pytest.mark.parametrize(("data", "sentence"), _broken_gzip(_WHOLE).values(), ids=_broken_gzip(_WHOLE))
def test_a_broken_archive_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "BTCUSDT-15m.csv.gz"
    path.write_bytes(data)
    found = validate_folder(tmp_path, "15m")
    assert sentence in found[-1]
    assert found[-1].startswith(f"{path}:")
    with pytest.raises(DataError):
        feed(tmp_path).plan()


BAD_TEXTS = {
    "no header": (candle(0).encode(), ":1: the first line must be time,open"),
    "other header": (
        b"date,o,h,l,c,v\n",
        ":1: the first line must be time,open,high,low,close,volume, not date",
    ),
    "mark header": (MARKS.encode() + b"\n", ":1: the first line must be"),
    "binary": (bytes(range(128, 256)), ":1: the first line must be"),
    "empty": (b"", ":1: the file is empty"),
    "only a header": (CANDLES.encode() + b"\n", ":1: there are no rows"),
    "latin-1": (CANDLES.encode() + b"\n" + candle(0).encode() + b"\xe9\n", ":2: not UTF-8 text"),
    "zero bytes": (CANDLES.encode() + b"\n" + bytes(30) + b"\n", ":2: "),
}


@pytest.mark.parametrize(("data", "sentence"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "BTCUSDT-15m.csv"
    path.write_bytes(data)
    found = validate_folder(tmp_path, "15m")
    assert len(found) == 1
    assert found[0].startswith(f"{path}{sentence}")


def test_the_check_reports_many_faults_of_many_files_at_once_but_not_all(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [f"{candle(n)[:20]},0,1,1,1,1" if n < 3 else candle(n) for n in range(9)])
    write(tmp_path, "BTCUSDT-1h-mark.csv", MARKS, [mark(0), "x,1,1,1,1"])
    write(tmp_path, "ETHUSDT-funding.csv", FUNDING, [f"{T},oops"] * 50)
    whole = validate_folder(tmp_path)
    assert len(whole) == check.MOST_PROBLEMS
    assert [sum(name in text for text in whole) for name in ("BTCUSDT-15m", "mark", "funding")] == [3, 1, 16]
    assert len(validate_folder(tmp_path, "15m")) == 4
    assert len(validate_folder(tmp_path, limit=2)) == 2
    with pytest.raises(DataError, match=r"have 4 faults:\n  - .*\n  - .*\n  - .*\n  - .*"):
        feed(tmp_path).check()


def test_a_sound_folder_has_no_problems(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n) for n in range(9)])
    assert validate_folder(tmp_path) == []
    feed(tmp_path).check()


def _file(path: Path) -> DataFile:
    return DataFile(path, "BTCUSDT", Kind.CANDLES, "15m")


def test_rows_out_of_order_and_repeated_rows_are_merged_by_their_bar(tmp_path: Path) -> None:
    sound = [candle(n, f"10{n}") for n in range(5)]
    again = f"2024-01-01T01:45:00+01:00{sound[3][20:]}".replace(",100,", ",100.0,")
    mixed = [sound[4], sound[1], sound[0], "", sound[1], sound[3], again, sound[2]]
    path = candles(tmp_path, "BTCUSDT", mixed)
    straight = list(read_bars(_file(candles(tmp_path / "b", "BTCUSDT", sound))))
    assert list(read_bars(_file(path))) == straight
    assert validate_folder(tmp_path) == []
    plan = feed(tmp_path).plan().symbols[0]
    assert (plan.trade, plan.duplicates, plan.displaced, plan.gaps) == (5, 2, 6, 0)


def test_two_accounts_of_one_bar_are_refused_with_both_lines(tmp_path: Path) -> None:
    path = candles(tmp_path, "BTCUSDT", [candle(0), candle(1, "101"), candle(2), candle(1, "102")])
    assert validate_folder(tmp_path) == [
        f"{path}:5: 2024-01-01T00:15:00Z is also in line 3, with other values"
    ]


def test_a_row_that_is_too_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "WINDOW", 3)
    late = [candle(n) for n in (1, 2, 3, 4, 0, 5)]
    path = candles(tmp_path, "BTCUSDT", late)
    assert validate_folder(tmp_path) == [
        f"{path}:6: 2024-01-01T00:00:00Z stands more than 3 rows late; sort the file by time"
    ]
    candles(tmp_path, "BTCUSDT", [candle(n) for n in (1, 2, 3, 0, 5)])
    assert validate_folder(tmp_path) == []


def test_a_windows_file_with_a_byte_order_mark_and_quotes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-15m.csv"
    quoted = ",".join(f'"{field}"' for field in candle(0).split(","))
    path.write_bytes(b"\xef\xbb\xbf" + f"{CANDLES.title()}\r\n{quoted}\r\n\r\n{candle(1)}".encode())
    assert [bar.close for bar in read_bars(_file(path))] == [101, 101]
    assert feed(tmp_path).plan().trade == 2


def test_milliseconds_and_iso_name_the_same_bar(tmp_path: Path) -> None:
    rows = [candle(0), f"1704068100000{candle(1)[20:]}", f"2024-01-01 00:30{candle(2)[20:]}"]
    bars = list(read_bars(_file(candles(tmp_path, "BTCUSDT", rows))))
    assert [bar.time for bar in bars] == [1704067200000, 1704068100000, 1704069000000]


def test_rows_before_the_beginning_are_not_looked_at(tmp_path: Path) -> None:
    bad = f"{candle(0)[:20]},this,row,is,not,checked"
    file = _file(candles(tmp_path, "BTCUSDT", [bad, candle(1), candle(2)]))
    since = next(read_bars(_file(candles(tmp_path / "b", "BTCUSDT", [candle(1)])))).time
    assert len(list(read_bars(file, since))) == 2
    assert len(problems([file])) == 1
    with pytest.raises(DataError):
        require_sound([file])
