"""`run.py experiment` on the candles of a simulated venue: history, then what closes, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.timeframes import parse_time
from cli.simulate import feeds_of
from tests.support.shell import FIRST, LAST, config, invoke, short_data
from tests.support.venue import simulated_here

RATE = 2400.0
HOURS = 4
"""Six seconds of ours."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_data(tmp_path_factory.mktemp("candles"), {"BTCUSDT": "BTCUSDT"})


def test_a_trial_decides_on_candles_as_they_close(data: Path, tmp_path: Path) -> None:
    venue, symbol = "binanceusdm", "BTCUSDT"
    begin = parse_time("2024-09-12")
    with simulated_here(feeds=feeds_of(data), start=begin, rate=RATE) as simulated:
        env = {
            name: value
            for name, value in simulated.environment(venue).items()
            if not name.endswith(("KEY", "SECRET"))  # candles are public
        }
        settings = config(tmp_path / "own.json", market_data={"retry_s": 0.05, "hydrate": 150})
        code, out, err = invoke(
            *("experiment", "--config", settings, "--symbols", symbol, "--hours", HOURS, "--json"), env=env
        )
        orders: Any = simulated.control.account(venue)["orders"]
    assert code == 0, err
    report = msgspec.json.decode(out.splitlines()[-1])
    assert "history is in, trading on paper from 2024-09-1" in err
    assert 150 <= report["candles"] <= 150 + 4 * HOURS + 2
    assert 0 < report["assessments"] <= 4 * HOURS + 2
    assert (report["gaps"], report["duplicates"]) == (0, 0)
    assert report["equity_start"] == "10000", "the paper venue's"
    assert orders == [], "nothing left this process"
    assert parse_time(FIRST) < begin < parse_time(LAST)


def test_a_venue_must_be_named_and_have_the_symbol(data: Path) -> None:
    code, out, err = invoke("experiment", "--symbols", "BTCUSDT")
    assert (code, out) == (2, "")
    assert "name the venue whose candles are polled" in err
    with simulated_here() as simulated:
        code, _, err = invoke("experiment", "--symbols", "BTCUSDX", env=simulated.environment("binanceusdm"))
    assert code == 2
    assert "lists no perpetual BTCUSDX; there is BTCUSDT" in err
