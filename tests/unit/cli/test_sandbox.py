"""Which venues have a sandbox, as every command tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from bus_schemas.venues.client import make_client
from bus_schemas.venues.clock import VenueClock
from tests.support.shell import ROOT, invoke

KRAKEN = {"CAUSEWAY_VENUE__NAME": "krakenfutures"}
SANDBOX = {"CAUSEWAY_VENUE__SANDBOX": "true"}
GONE = (
    "the venue cannot be used like this: krakenfutures has no sandbox any more: Kraken closed its Futures "
    "demo on 14 July 2026. Practise with run.py simulate-venue"
)


@pytest.mark.parametrize(
    ("command", "env", "code"),
    [
        (("live", "--venue", "krakenfutures", "--sandbox", "--force"), {}, 2),
        (("live", "--sandbox"), KRAKEN, 2),
        (("live", "--venue", "krakenfutures"), SANDBOX, 2),
        (("experiment", "--venue", "krakenfutures", "--sandbox"), {}, 2),
        (
            ("download", "--venue", "krakenfutures", "--symbols", "BTCUSD", "--since", "2026-11-01"),
            SANDBOX,
            2,
        ),
        (("doctor",), KRAKEN | SANDBOX, 1),
    ],
)
def test_kraken_s_demo_is_gone_and_nobody_asks_its_host(
    tmp_path: Path, command: tuple[str, ...], env: dict[str, str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = invoke(*command, env=env)
    told = " ".join((out + err).split())
    assert (found, GONE in told) == (code, True), told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_candles_of_another_venue_s_demo_are_not_asked_of_it_either() -> None:
    """`market_data.venue` puts another name into the settings of a venue that has a sandbox."""
    binance = VenueSettings(name="binanceusdm", sandbox=True)
    with pytest.raises(ConfigurationError, match="krakenfutures has no sandbox any more"):
        make_client(binance.model_copy(update={"name": "krakenfutures"}), VenueClock(), keys=False)
    client = make_client(binance, VenueClock(), keys=False)
    assert "demo" in client.urls["api"]["fapiPublic"]


@pytest.mark.parametrize("file", ["README.md", "deploy/compose.live.yaml"])
def test_the_texts_say_who_has_one(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "demo trading" in text
    assert "--venue krakenfutures --sandbox" not in text


@pytest.mark.parametrize("command", ["live", "experiment"])
def test_the_help_says_who_has_one(command: str) -> None:
    _, out, _ = invoke(command, "--help", env={"COLUMNS": "200"})
    words = " ".join(out.replace("│", " ").split())
    assert "Binance's demo trading" in words
    assert "Kraken Futures has none any more" in words
    assert "--venue krakenfutures --sandbox" not in words
