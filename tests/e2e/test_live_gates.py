"""`run.py live` and a simulated venue: each gate refuses with its own code; what runs keeps its keys."""

from __future__ import annotations

import os
import pty
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

import migrate_schema
from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.settings import VenueSettings, load
from bus_schemas.timeframes import DAY
from cli import folder, gatekeeper, records
from cli.account_lease import Holder, account_key
from cli.fingerprint import configuration
from cli.records import Record
from execution.simulator.binance_rest import BinanceUsdm
from tests.support.drill import tells_a_trade
from tests.support.shell import ROOT, Running, World, eventually, invoke
from tests.support.venue import RunningVenue, SimControl, simulated_here

NOWHERE = "http://0.0.0.0:9"
"""Refuses at once, and is no address of this machine alone: orders there would be for real money."""


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    with simulated_here() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    yield own
    own.close()


@pytest.fixture(scope="module")
def ledger(world: World) -> str:
    url = f"sqlite:///{world.path / 'ledger.db'}"
    assert migrate_schema.main(["--database", url]) == 0
    return url


@pytest.fixture
def base(
    venue: RunningVenue, ledger: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Variables with which every gate but that of the record is open; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    notes = world.path / f"causeway-runs-{os.getuid()}"
    notes.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setattr(folder, "notes_folder", lambda: notes)
    yield venue.environment("binanceusdm") | {
        "CAUSEWAY_MARKET_DATA__SYMBOLS": "BTCUSDT",
        "DATABASE_URL": ledger,
    }
    venue.control.clock(skew_ms=0)


def live(server: EmbeddedServer, env: dict[str, str], *more: str, answer: str = "") -> tuple[int, str]:
    """`run.py live` that a gate refuses: exit code, and what was said. Nothing is left on the server."""
    code, out, err = invoke("live", "--redis", server.url, *more, env=env, stdin=f"{answer}\n")
    with redis.Redis.from_url(server.url) as client:
        assert not list(client.scan_iter("cw:*")), "nothing may have started"
        assert not [key for key in client.scan_iter("causeway:account:*") if key != b"causeway:account:kept"]
    assert (out, "Traceback" in err) == ("", False)
    return code, err


def test_no_keys(server: EmbeddedServer, base: dict[str, str]) -> None:
    lacking = base | {"CAUSEWAY_VENUE__API_KEY": "", "CAUSEWAY_VENUE__API_SECRET": ""}
    code, err = live(server, lacking, "--force")
    assert code == 10
    assert "set CAUSEWAY_VENUE__API_KEY and CAUSEWAY_VENUE__API_SECRET" in err


@pytest.mark.parametrize("name", ["krakenfutures", "binanceusdm"])
def test_keys_that_the_venue_does_not_know(
    server: EmbeddedServer, base: dict[str, str], venue: RunningVenue, name: str
) -> None:
    own = {"CAUSEWAY_VENUE__API_KEY": "bm9ib2R5", "CAUSEWAY_MARKET_DATA__SYMBOLS": ""}
    symbol = "BTCUSD" if name == "krakenfutures" else "BTCUSDT"
    code, err = live(server, base | venue.environment(name) | own, "--force", "--symbols", symbol)
    assert code == 10
    assert f"no trading with this key and account at {name}" in err
    assert "bm9ib2R5" not in err


class _MayWithdraw(BinanceUsdm):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.account.withdraw = True


def test_a_key_that_may_withdraw(server: EmbeddedServer, base: dict[str, str]) -> None:
    with simulated_here(protocols=(_MayWithdraw,)) as generous:
        code, err = live(server, base | generous.environment("binanceusdm"), "--force")
    assert (code, "may withdraw from binanceusdm" in err) == (11, True)


@pytest.mark.parametrize(
    ("agreed", "lacking"),
    [
        ({}, "set ENVIRONMENT=prod and CONFIRM_LIVE=YES"),
        ({"ENVIRONMENT": "prod"}, "set CONFIRM_LIVE=YES"),
        ({"CONFIRM_LIVE": "YES"}, "set ENVIRONMENT=prod"),
    ],
)
def test_nobody_agreed(
    server: EmbeddedServer, base: dict[str, str], agreed: dict[str, str], lacking: str
) -> None:
    code, err = live(server, base | {"CAUSEWAY_VENUE__REST_URL": NOWHERE} | agreed, "--force")
    assert code == 12
    assert lacking in err
    assert "binanceusdm cannot be asked" in err, "all that is closed is told at once"


def test_a_venue_that_is_away(server: EmbeddedServer, base: dict[str, str]) -> None:
    agreed = {"CAUSEWAY_VENUE__REST_URL": NOWHERE, "ENVIRONMENT": "prod", "CONFIRM_LIVE": "YES"}
    assert live(server, base | agreed, "--force")[0] == 6


def test_a_real_venue_that_ends_is_told_by_live_and_doctor(
    server: EmbeddedServer, base: dict[str, str], venue: RunningVenue
) -> None:
    said = "the Derivatives REST API and websocket on 2027-03-01"
    kraken = base | venue.environment("krakenfutures") | {"CAUSEWAY_MARKET_DATA__SYMBOLS": "BTCUSD"}
    real = kraken | {"CAUSEWAY_VENUE__REST_URL": NOWHERE, "CAUSEWAY_VENUE__WS_URL": ""}
    code, err = live(server, real, "--force")
    assert (code, said in err.split("error: ")[0]) == (12, True), "told before what refuses"
    for env, told in ((real, True), (kraken, False)):
        _, out, _ = invoke("doctor", "--redis", server.url, env=env)
        assert (said in out) is told


def test_no_paper_record_and_one_that_is_too_short(
    server: EmbeddedServer, base: dict[str, str], tmp_path: Path
) -> None:
    code, err = live(server, base)
    assert (code, "there is none in var/records" in err) == (13, True)
    records.write(tmp_path / "var/records", record_of_days(3))
    code, err = live(server, base)
    assert (code, "3.0 days, 30 are asked for" in err) == (13, True)


def record_of_days(days: int) -> Record:
    return Record(
        configuration=configuration(load()),
        start=0,
        end=days * DAY,
        symbols=("BTCUSDT",),
        trades=100,
        profit_factor=1.5,
        max_drawdown_pct=3.0,
        return_pct=4.0,
        digest="0" * 64,
        written=1,
    )


def test_a_clock_that_is_off(server: EmbeddedServer, base: dict[str, str], venue: RunningVenue) -> None:
    venue.control.clock(skew_ms=30_000)
    code, err = live(server, base, "--force")
    assert code == 14
    assert "s behind that of binanceusdm, 1,000 ms are allowed" in err


def test_a_server_that_forgets(base: dict[str, str]) -> None:
    with EmbeddedServer() as forgetful:
        with redis.Redis.from_url(forgetful.url) as client:
            client.config_set("appendonly", "no")
            client.config_set("maxmemory-policy", "allkeys-lru")
        code, err = live(forgetful, base, "--force")
    assert code == 15
    assert "the append-only file is off" in err
    assert "CONFIG SET maxmemory-policy noeviction" in err


def test_a_ledger_that_was_not_migrated(server: EmbeddedServer, base: dict[str, str], tmp_path: Path) -> None:
    own = {"DATABASE_URL": f"sqlite:///{tmp_path}/new.db"}
    code, err = live(server, base | own, "--force")
    assert (code, "python migrate_schema.py" in err) == (16, True)
    assert not (tmp_path / "new.db").exists(), "looking changes nothing"


def test_an_account_that_somebody_has(server: EmbeddedServer, base: dict[str, str]) -> None:
    key = account_key(
        VenueSettings(name="binanceusdm", api_key=base["CAUSEWAY_VENUE__API_KEY"], api_secret="x")
    )
    holder = msgspec.json.encode(Holder("elsewhere", 77, "another place", "n", 1))
    with redis.Redis.from_url(server.url) as client:
        client.set(f"causeway:account:{key}", holder)
        code, _, err = invoke("live", "--redis", server.url, "--force", env=base)
        assert client.get(f"causeway:account:{key}") == holder
        client.delete(f"causeway:account:{key}")
    assert (code, "is held by process 77 on elsewhere" in err) == (17, True)


def test_several_closed_gates_are_one_refusal(server: EmbeddedServer, base: dict[str, str]) -> None:
    closed = {"CAUSEWAY_VENUE__REST_URL": NOWHERE, "CAUSEWAY_VENUE__API_KEY": "", "DATABASE_URL": ""}
    code, err = live(server, base | closed | {"CAUSEWAY_VENUE__API_SECRET": ""})
    assert code == 10
    for said in ("no API key", "nobody has agreed", "paper record", "sqlite:///", "python migrate_schema.py"):
        assert said in err.split("error: ")[1]


def test_settings_that_no_live_run_can_have(server: EmbeddedServer, base: dict[str, str]) -> None:
    for env, arguments, said in (
        ({"CAUSEWAY_VENUE__NAME": ""}, (), "name the venue to trade"),
        ({}, ("--venue", "paper"), "name the venue to trade"),
        ({}, ("--venue", "nosuchvenue"), "ccxt knows no venue 'nosuchvenue'"),
        ({}, ("--namespace", "paper"), "'paper' is for paper runs"),
        ({}, ("--sandbox",), "sandbox and rest_url both say where the venue is"),
        ({"CAUSEWAY_MARKET_DATA__UNIVERSE_TOP": "3"}, (), "symbols and universe_top both say"),
        ({"PORT": "http"}, ("--with-health",), "$PORT must be a port"),
    ):
        code, err = live(server, base | env, "--force", *arguments)
        assert (code, said in err) == (2, True), err


def test_a_dotenv_file_is_for_trials_only(
    server: EmbeddedServer, base: dict[str, str], tmp_path: Path
) -> None:
    key = base.pop("CAUSEWAY_VENUE__API_KEY")
    secret = base.pop("CAUSEWAY_VENUE__API_SECRET")
    (tmp_path / ".env").write_text(
        f"CAUSEWAY_VENUE__API_KEY={key}\nCAUSEWAY_VENUE__API_SECRET='{secret}'\n"
        "CAUSEWAY_VENUE__NAME=krakenfutures\nENVIRONMENT=prod\nCONFIRM_LIVE=YES\nDATABASE_URL=x\n"
    )
    code, err = live(server, base)
    assert code == 13, "the keys were found, and the record is what is left"
    told = "CAUSEWAY_VENUE__API_KEY, CAUSEWAY_VENUE__API_SECRET"
    assert f"read from {tmp_path / '.env'}: {told}\n" in err, "the environment's venue name stands"
    assert not {key, secret} & set(err.split())
    assert "CAUSEWAY_VENUE__API_KEY" not in os.environ
    code, err = live(server, base | {"ENVIRONMENT": "prod"})
    assert (code, "is not read: ENVIRONMENT=prod" in err) == (10, True)
    real = base | {"CAUSEWAY_VENUE__REST_URL": NOWHERE}
    assert live(server, real, "--force")[0] == 12, "no consent comes out of a file"


def test_an_experiment_is_not_for_production(base: dict[str, str]) -> None:
    code, out, err = invoke("experiment", env=base | {"ENVIRONMENT": "prod"})
    assert (code, out) == (1, "")
    assert "experiment is for trials on a desk" in err


def test_help_tells_gates_and_no_secret(base: dict[str, str]) -> None:
    for command in ("live", "experiment", "download", "simulate-venue", "doctor"):
        code, out, _ = invoke(command, "--help", env=base | {"COLUMNS": "200"})
        assert code == 0
        assert base["CAUSEWAY_VENUE__API_KEY"] not in out
        assert base["CAUSEWAY_VENUE__API_SECRET"] not in out


def test_doctor_asks_a_live_venue(server: EmbeddedServer, base: dict[str, str]) -> None:
    market = {"CAUSEWAY_MARKET_DATA__SOURCE": "venue"}
    code, out, _ = invoke("doctor", "--redis", server.url, env=base | market)
    assert code == 0
    for said in (
        "the API key may not withdraw",
        "there is none in var/records",
        "this clock and that of binanceusdm",
        "has the newest schema",
        "no other worker has this account",
        "the namespace 'live-binanceusdm-practice' is free",
    ):
        assert said in out


def test_execution_started_by_hand_asks_for_itself(world: World, base: dict[str, str]) -> None:
    real = base | {"CAUSEWAY_VENUE__REST_URL": NOWHERE}
    run = world.service("execution", **real)
    assert run.wait() == 12
    assert "ENVIRONMENT=prod and CONFIRM_LIVE=YES" in run.said


class Terminal:
    """A terminal for a command's standard input."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        self.path = os.ttyname(self._theirs)

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    own = Terminal()
    yield own
    own.close()


@pytest.fixture
def real(base: dict[str, str]) -> Iterator[dict[str, str]]:
    """As `base`, at a venue that is not taken for practice."""
    with simulated_here(host="0.0.0.0") as venue:
        yield base | venue.environment("binanceusdm")


def start(
    world: World, where: Path, arguments: str, env: dict[str, str], stdin: str = "/dev/null"
) -> Running:
    where.mkdir(exist_ok=True)
    line = f"cd {where} && exec {sys.executable} {ROOT / 'run.py'} live {arguments} < {stdin}"
    return Running(["sh", "-c", line], world, env)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def await_words(run: Running, words: str) -> None:
    eventually(lambda: words in run.said or run.process.poll() is not None, 40, words)
    assert run.process.poll() is None, run.said


QUESTION = "Type the venue's name to go on"


def test_a_person_says_no(
    server: EmbeddedServer, real: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatekeeper, "at_terminal", lambda: True)
    for answer in ("yes", "", "BINANCEUSDM"):
        code, err = live(server, real, "--force", answer=answer)
        assert (code, QUESTION in err, "you did not agree" in err) == (12, True, True)


def test_a_live_run(world: World, real: dict[str, str], terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    where = world.path / "desk"
    own = real | {"PORT": str(port), "CAUSEWAY_MARKET_DATA__MARK_S": "1"}
    run = start(world, where, "--force --with-health", own, terminal.path)
    await_words(run, QUESTION)
    terminal.type("binanceusdm")
    await_words(run, "ready: every service works")  # execution, too, which asks for consent by itself

    second = start(world, where, "--force", real)
    assert second.wait() == 17
    assert f"is held by process {run.process.pid} on {socket.gethostname()}" in second.said

    _only_execution_has_the_keys(world, real)
    assert "Causeway" in get(port, "/")
    assert msgspec.json.decode(get(port, "/health"))
    assert msgspec.json.decode(get(port, "/api/metrics"))["namespace"] == "live-binanceusdm"
    (note,) = folder.running()
    assert (note.pid, note.namespace) == (run.process.pid, "live-binanceusdm")
    code, out, _ = invoke("status", "--json")
    assert (code, msgspec.json.decode(out)["namespace"]) == (0, "live-binanceusdm")
    tells_a_trade(run, SimControl(real["CAUSEWAY_VENUE__REST_URL"]), note)
    assert invoke("kill", "--reason", "drill")[0] == 0
    await_words(run, "halted: *: operator (drill")
    assert invoke("acknowledge")[0] == 0
    await_words(run, "released: *: operator (drill")

    assert run.end(signal.SIGTERM) == 0
    assert "stopped by SIGTERM; orders and stops stay at binanceusdm" in run.said
    eventually(lambda: not world.processes(), what="the end of every process")
    assert (world.notes(), world.folders()) == ([], [])
    assert (where / "var/bus/appendonlydir").is_dir(), "the bus is kept for the next start"
    for path in (path for path in world.path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert real["CAUSEWAY_VENUE__API_KEY"].encode() not in content, path
        assert real["CAUSEWAY_VENUE__API_SECRET"].encode() not in content, path


def _only_execution_has_the_keys(world: World, real: dict[str, str]) -> None:
    secret = real["CAUSEWAY_VENUE__API_SECRET"].encode()
    holders = set()
    for pid, title in world.processes().items():
        if "-m " in title and secret in Path(f"/proc/{pid}/environ").read_bytes():
            holders.add(title.rsplit("-m ", 1)[1])
    assert holders == {"execution"}
