"""`run.py simulate-venue` as a user starts it, and as the live edge is told of it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from bus_schemas.timeframes import MINUTE, iso, parse_time
from cli.simulate import feeds_of, friendly
from market_data.files import SAMPLE
from tests.support.shell import FIRST, LAST, ROOT, eventually, invoke, short_data
from tests.support.venue import RunningVenue, venue_process


def test_a_venue_plays_the_candles_of_a_folder(tmp_path: Path) -> None:
    data = short_data(tmp_path / "data")
    with venue_process("--pace", "x3000", "--from", "2024-09-11", data=data) as venue:
        assert venue.greeting["pace"] == "x3000"
        assert venue.greeting["symbols"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        assert set(venue.protocols) == {"krakenfutures", "binanceusdm"}
        first = _last(venue)
        eventually(lambda: _last(venue) != first, what="another price")
        assert parse_time("2024-09-11") < venue.control.state()["time"] < parse_time(LAST)


def _last(venue: RunningVenue) -> str:
    prices: dict[str, Any] = venue.control.account("binanceusdm")["prices"]
    return str(prices["BTCUSDT"]["last"])


def test_the_greeting_s_command_line_is_what_live_takes() -> None:
    with venue_process() as venue:
        text = friendly(venue.greeting)
        assert venue.url in text
        for protocol in venue.protocols:
            (line,) = re.findall(
                rf"((?:CAUSEWAY_VENUE__\S+ \\\n\s*)+python run\.py live --venue {protocol} --force)", text
            )
            words = shlex.split(line.replace("\\\n", " "))
            given = dict(word.split("=", 1) for word in words if "=" in word)
            assert given == {k: v for k, v in venue.environment(protocol).items() if "NAME" not in k}
            settings = {k.removeprefix("CAUSEWAY_VENUE__").lower(): v for k, v in given.items()}
            assert VenueSettings(name=protocol, **settings).rest_url == venue.url  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order(how: signal.Signals) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "simulate-venue", "--json", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert msgspec.json.decode(process.stdout.readline())["clock_rate"] == 1
        process.send_signal(how)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "the venue is closed\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pace", "lockstep"], "--pace is realtime or x60, not lockstep"),
        (["--pace", "quick"], "pace 'quick' is none of"),
        (["--at-end", "burn"], "--at-end is stop or loop, not 'burn'"),
        (["--cash", "-5"], "--cash must be an amount above zero, not '-5'"),
        (["--symbols", "BTCUSDT"], "give --data as well"),
        (["--data", str(SAMPLE), "--symbols", "XRPUSDT"], "no candles of XRPUSDT; it has BTCUSDT"),
        (["--data", str(SAMPLE), "--from", "2030-01-01"], "has no candle from 2030-01-01T00:00:00Z on"),
    ],
)
def test_a_wrong_option_is_a_sentence(options: list[str], words: str) -> None:
    code, out, err = invoke("simulate-venue", "--json", "--port", "0", *options)
    assert (code, out) == (2, "")
    assert words in err


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('kind = "earthquake"', "there is no kind 'earthquake'; there are lost_reply, lost_request, "),
        (
            'kind = "slow"\nprotocol = "binance"',
            "no protocol 'binance'; there are krakenfutures, binanceusdm",
        ),
        ('kind = "slow"\noperation = "order"', "no operation 'order'; there are place, amend, cancel, "),
        ('kind = "lost_reply"\ncolour = "red"', "it has no colour; it may have every, from_s, "),
    ],
)
def test_a_wrong_fault_plan_is_a_sentence(tmp_path: Path, rule: str, words: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(f"[[fault]]\n{rule}\n")
    code, out, err = invoke("simulate-venue", "--port", "0", "--faults", plan)
    assert (code, out) == (2, "")
    assert f"error: {plan}: fault plan: fault 1" in err
    assert words in err


def test_the_finest_candles_and_the_funding_of_a_folder_are_taken(tmp_path: Path) -> None:
    data = short_data(tmp_path / "data", {"BTCUSDT": "BTCUSDT"})
    hour = f"time,open,high,low,close,volume\n{iso(parse_time(FIRST))},1,1,1,1,1\n"
    (data / "BTCUSDT-1h.csv").write_text(hour)
    (data / "BTCUSDT-funding.csv").write_text(f"time,rate\n{iso(parse_time(FIRST))},0.0002\n")
    (feed,) = feeds_of(data).values()
    assert (feed.timeframe, len(feed.bars)) == ("15m", 288)
    assert feed.bars[1].time - feed.bars[0].time == 15 * MINUTE
    assert feed.funding == [(parse_time(FIRST), Decimal("0.0002"))]
    with pytest.raises(ConfigurationError, match="no candles of ETHUSDT"):
        feeds_of(data, "BTCUSDT,ETHUSDT")
