"""Files that downloads write: continued, replaced whole, sound after a kill."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bus_schemas.errors import ConfigurationError, DataError
from bus_schemas.timeframes import MINUTE
from market_data.archive import Archive, Line, file_of, line
from market_data.files import Kind
from market_data.reader import read_bars
from tests.unit.market_data.live.build import START, at


def lines(*indices: int, close: str = "10.5") -> list[Line]:
    return [line(at(index), "10", "11", "9", close, "3") for index in indices]


def archive(folder: Path) -> Archive:
    return Archive(file_of(folder, "BTCUSDT", Kind.CANDLES, "1m"), MINUTE)


def held(folder: Path) -> list[int]:
    found = read_bars(file_of(folder, "BTCUSDT", Kind.CANDLES, "1m"))
    return [(bar.time - START) // MINUTE for bar in found]


def test_rows_before_and_after_join_the_file(tmp_path: Path) -> None:
    own = archive(tmp_path)
    assert own.contents().rows == 0
    own.append(own.tail(), lines(5, 6))
    own.fold(own.tail())
    head = own.head(START)
    own.append(head, lines(0, 1, 2))
    own.append(own.tail(), lines(7, 9))
    contents = own.fold(head, own.tail())
    assert held(tmp_path) == [0, 1, 2, 5, 6, 7, 9]
    assert (contents.rows, contents.first, contents.last) == (7, at(0), at(9))
    assert contents.gaps == ((at(3), at(5)), (at(8), at(9)))
    assert [path.name for path in tmp_path.iterdir()] == ["BTCUSDT-1m.csv.gz"]


def test_a_kill_in_the_middle_of_a_row_loses_only_that_row(tmp_path: Path) -> None:
    own = archive(tmp_path)
    own.append(own.tail(), lines(0, 1))
    own.fold(own.tail())
    own.append(own.tail(), lines(2, 3))
    with own.tail().open("a") as stream:
        stream.write(lines(4)[0][1][:25])
    assert held(tmp_path) == [0, 1]  # meanwhile the file is as it was
    assert archive(tmp_path).contents().rows == 4
    assert held(tmp_path) == [0, 1, 2, 3]


def test_a_half_done_head_waits_for_its_end(tmp_path: Path) -> None:
    own = archive(tmp_path)
    own.append(own.tail(), lines(9))
    own.fold(own.tail())
    head = own.head(START)
    own.append(head, lines(0, 1))
    with head.open("a") as stream:
        stream.write("2023-")
    again = archive(tmp_path)
    assert again.contents().rows == 1
    assert again.last_of(again.head(START)) == at(1)
    assert again.last_of(again.head(START - MINUTE)) is None
    assert not head.exists()


def test_what_is_there_is_not_changed_by_what_comes_again(tmp_path: Path) -> None:
    own = archive(tmp_path)
    own.append(own.tail(), lines(0, 1))
    own.fold(own.tail())
    own.append(own.tail(), lines(1, 2, close="9.5"))
    own.fold(own.tail())
    closes = [bar.close for bar in read_bars(own.file)]
    assert [f"{close}" for close in closes] == ["10.5", "10.5", "9.5"]


def test_a_file_that_breaks_off_keeps_its_complete_rows(tmp_path: Path) -> None:
    own = archive(tmp_path)
    own.append(own.tail(), lines(*range(2000)))
    own.fold(own.tail())
    whole = own.file.path.read_bytes()
    own.file.path.write_bytes(whole[: len(whole) // 2])
    kept = archive(tmp_path).contents()
    assert 0 < kept.rows < 2000
    own.append(own.tail(), lines(*range(kept.rows, 2001)))
    own.fold(own.tail())
    assert held(tmp_path) == list(range(2001))


def test_a_file_with_other_columns_is_left_alone(tmp_path: Path) -> None:
    own = archive(tmp_path)
    own.file.path.write_bytes(gzip.compress(b"date,price\n1,2\n"))
    with pytest.raises(DataError, match=r"BTCUSDT-1m.csv.gz:1: the first line must be time,open"):
        own.contents()


def test_no_second_file_with_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT-1m.csv").write_text("time,open,high,low,close,volume\n")
    with pytest.raises(ConfigurationError, match=r"holds the same data as BTCUSDT-1m\.csv\.gz"):
        archive(tmp_path)
