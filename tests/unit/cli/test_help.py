"""What `--help` says of the commands that have to do with a venue, on a terminal of 80 columns."""

from __future__ import annotations

import re

import pytest

from bus_schemas.settings import load
from tests.support.shell import invoke


def told(command: str) -> dict[str, str]:
    """The words of each option; under "" what stands before and after them."""
    code, out, _ = invoke(command, "--help", env={"COLUMNS": "80"})
    assert code == 0
    found = {"": ""}
    name = ""
    for line in out.splitlines():
        assert len(line) <= 80
        inside = line.startswith("│")
        text = line.strip("│ ").strip()
        if inside and (option := re.match(r"(?:\*\s+)?(--[a-z-]+)\s+<[^>]*>(?:\s+\[[^\]]*\])?\s+", text)):
            name, text = option[1], text[option.end() :]
        name = name if inside else ""
        found[name] = f"{found.get(name, '')} {text}".strip()
    return found


@pytest.mark.parametrize("command", ["experiment", "live"])
def test_a_venue_s_symbols_are_not_those_of_a_folder(command: str) -> None:
    words = told(command)["--symbols"]
    assert "folder" not in words
    assert words.endswith("market_data.symbols or universe_top, else Bitcoin, Ether and Solana.")
    chosen = load(None, {"venue": {"name": "krakenfutures"}, "market_data": {"source": "venue"}})
    assert chosen.market_data.symbols == ("BTCUSD", "ETHUSD", "SOLUSD"), "as the help says"


def test_a_simulated_venue_listens_on_this_machine_unless_it_is_told() -> None:
    words = told("simulate-venue")["--host"]
    assert words.endswith("[default: 127.0.0.1]")
    assert "0.0.0.0" in words


@pytest.mark.parametrize(
    ("command", "has", "lacks"),
    [
        ("download", "6 venue unreachable", ("dead letters", "keeps dying", "server")),
        (
            "experiment",
            "0 ended by --hours, Ctrl-C or SIGTERM",
            ("dead letters", "keeps dying", "unreachable"),
        ),
        ("simulate-venue", "0 ended by Ctrl-C or SIGTERM", ("dead letters", "keeps dying", "unreachable")),
    ],
)
def test_exit_codes_are_those_that_the_command_has(command: str, has: str, lacks: tuple[str, ...]) -> None:
    codes = told(command)[""].partition("Exit codes: ")[2]
    assert has in codes
    assert not [words for words in lacks if words in codes]
