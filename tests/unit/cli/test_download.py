"""`run.py download` as a user sees it: what is waited for, and which times are refused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bus_schemas.timeframes import HOUR, MINUTE, iso
from execution.simulator.orders import SimBar
from execution.simulator.tape import Feed
from tests.support.shell import ROOT, invoke
from tests.support.venue import RunningVenue, simulated_here

START = 1_700_000_100_000 // HOUR * HOUR
NOW = START + 100 * MINUTE + 30_000
BINANCE = ("download", "--venue", "binanceusdm", "--symbols", "BTCUSDT")


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    price = Decimal(60_000)
    bars = [SimBar(START + at * MINUTE, price, price, price, price, Decimal(1)) for at in range(200)]
    with simulated_here(feeds={"BTCUSDT": Feed(timeframe="1m", bars=bars)}, start=NOW) as running:
        yield running


@pytest.fixture
def closed() -> str:
    """The URL of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_venue_that_cannot_be_reached_is_told_at_each_try(
    tmp_path: Path, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.download.TRIES", 2)
    at = {"CAUSEWAY_VENUE__REST_URL": closed}
    code, out, err = invoke(*BINANCE, "--since", "2024-06-01", "--data", tmp_path, env=at)
    assert (code, out) == (6, "")
    asking, again, failed = err.splitlines()
    assert asking == f"asking binanceusdm at {closed} for its markets"
    assert again.startswith("binanceusdm cannot be reached: ")
    assert "; try 2 of 2 in 0." in again
    assert failed.startswith("error: binanceusdm cannot be reached: ")


def test_what_is_waited_for_is_said_before_there_is_an_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        mine = os.environ | {"CAUSEWAY_VENUE__REST_URL": url, "CAUSEWAY_VENUE__TIMEOUT_S": "60"}
        command = [sys.executable, str(ROOT / "run.py"), *BINANCE]
        command += ["--since", "2024-06-01", "--data", str(tmp_path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=mine) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == f"asking binanceusdm at {url} for its markets\n"
            silent.settimeout(20)
            connection, _ = silent.accept()
            with connection:
                connection.settimeout(20)
                assert connection.recv(1), "the question"
                process.send_signal(signal.SIGINT)
                assert process.wait(20) == 130


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["soon"], "'soon' is not a time such as 2024-08-25"),
        (["2024-06-01", "--until", "x"], "'x' is not a time such as 2024-08-25"),
        (
            ["2024-06-01", "--until", "2024-05-01"],
            "--since 2024-06-01T00:00:00Z must be before --until 2024-05-",
        ),
        (["2024-06-01", "--until", "2024-06-01"], "must be before --until 2024-06-01T00:00:00Z"),
        (["1969-12-31"], "--since 1969-12-31T00:00:00Z is before 1970"),
    ],
)
def test_a_wrong_time_is_refused_before_anybody_is_asked(
    tmp_path: Path, closed: str, times: list[str], words: str
) -> None:
    at = {"CAUSEWAY_VENUE__REST_URL": closed}
    code, out, err = invoke(*BINANCE, "--data", tmp_path, "--since", *times, env=at)
    assert (code, out) == (2, "")
    assert words in err
    assert "asking" not in err


def test_the_future_is_the_venue_s(tmp_path: Path, venue: RunningVenue) -> None:
    at = {"CAUSEWAY_VENUE__REST_URL": venue.rest_url}
    since = iso(NOW + HOUR)
    code, out, err = invoke(*BINANCE, "--data", tmp_path, "--since", since, env=at)
    assert (code, out) == (2, "")
    assert f"error: --since {since} is in the future: at binanceusdm it is {iso(NOW)[:13]}" in err
    assert "0/0" not in err
    assert not list(tmp_path.iterdir())


def test_bars_count_what_there_can_be(tmp_path: Path, venue: RunningVenue) -> None:
    """In ten minutes there are candles of a minute, and none of an hour: no bar stands at 0/0."""
    at = {"CAUSEWAY_VENUE__REST_URL": venue.rest_url}
    until = NOW // MINUTE * MINUTE
    times = ["--since", iso(until - 10 * MINUTE), "--until", iso(until)]
    code, out, err = invoke(*BINANCE, "--data", tmp_path, "--timeframes", "1m,1h", *times, env=at)
    assert code == 0
    assert "BTCUSDT-1m.csv.gz: 10 rows, 10 new" in out
    assert "BTCUSDT-1h.csv.gz: the venue has nothing in this time" in out
    assert "10/10" in err
    assert "0/0" not in err
    assert "BTCUSDT-1h" not in err


def test_kraken_s_funding_is_written_at_the_end_of_its_hour_and_not_before(tmp_path: Path) -> None:
    """The venue lists the rate of the hour that runs, dated by that hour's start."""
    settled = NOW // (8 * HOUR) * 8 * HOUR + 8 * HOUR
    price = Decimal(60_000)
    bars = [SimBar(settled + at * HOUR, price, price, price, price, Decimal(1)) for at in range(-24, 24)]
    file = tmp_path / "BTCUSD-funding.csv.gz"
    with simulated_here(
        feeds={"BTCUSDT": Feed(timeframe="1h", bars=bars)}, start=settled - 30 * MINUTE
    ) as here:
        here.control.price("BTCUSDT", price)

        def fetch() -> str:
            asked = ("download", "--venue", "krakenfutures", "--symbols", "BTCUSD", "--timeframes", "1h")
            since = ("--since", iso(settled - 2 * HOUR), "--funding", "--data", tmp_path)
            code, out, err = invoke(*asked, *since, env={"CAUSEWAY_VENUE__REST_URL": here.rest_url})
            assert code == 0, err
            return out

        assert f"{file.name}: the venue has nothing in this time" in fetch()
        here.control.clock(advance_ms=31 * MINUTE)
        assert f"{file.name}: 1 rows, 1 new, {iso(settled)} to {iso(settled)}" in fetch()
        assert f"{file.name}: 1 rows, 0 new" in fetch()
