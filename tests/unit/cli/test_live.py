"""The parts of a live run: its settings, its claim on an account, its logs, its folder, a trial's candles."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from msgspec.structs import replace

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Candle
from bus_schemas.instruments import Instrument
from bus_schemas.settings import Settings, VenueSettings, load
from bus_schemas.timeframes import HOUR, iso, parse_time
from cli import account_lease, server_folder
from cli.account_lease import AccountLease, Holder, account_key
from cli.candle_poll import mark_of
from cli.env_file import chosen, env_file
from cli.experiment import on_paper
from cli.fingerprint import LIVE
from cli.inline import Inline
from cli.live import claim_of
from cli.live_settings import at_the_pace, key_variables, live_settings, with_terms, without_secrets
from cli.live_watch import Countdown
from cli.log_files import LogFiles
from cli.server_folder import ServerFolder
from tests.support.shell import eventually

LIVE_VENUE: dict[str, Any] = {"name": "krakenfutures", "api_key": "k-1", "api_secret": "s-1"}
OPTIONS: dict[str, dict[str, Any]] = {
    "venue": LIVE_VENUE,
    "market_data": {"source": "venue", "symbols": "BTCUSD"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as embedded:
        yield embedded


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as own:
        own.flushall()
        yield own


# Settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "namespace", "claim"),
    [
        ({}, "live-krakenfutures", "live krakenfutures"),
        (
            {"name": "binanceusdm", "sandbox": True},
            "live-binanceusdm-sandbox",
            "live binanceusdm-sandbox",
        ),
        (
            {"rest_url": "http://127.0.0.1:1"},
            "live-krakenfutures-practice",
            "live krakenfutures-practice",
        ),
        ({"rest_url": "https://venue.example"}, "live-krakenfutures", "live krakenfutures"),
    ],
)
def test_each_kind_of_run_has_a_namespace_of_its_own(
    more: dict[str, Any], namespace: str, claim: str
) -> None:
    settings = load(None, OPTIONS | {"venue": LIVE_VENUE | more})
    assert settings.bus.namespace == namespace
    assert claim_of(settings.venue) == claim
    assert claim.startswith(LIVE)


def test_a_run_that_goes_on_is_told_each_day_of_a_venue_s_last_weeks() -> None:
    now, said = parse_time("2027-01-30T12:00"), list[str]()
    countdown = Countdown(VenueSettings(**LIVE_VENUE), said.append, lambda: now)
    days = []
    for _ in range(24 * 31):
        countdown.look()
        if said:
            days.append((now, said.pop()))
        now += HOUR
    assert [iso(at)[5:10] for at, _ in days[:2]] == ["02-01", "02-02"]
    assert [told.split(":")[0] for _, told in days[-4:]] == [
        "1 DAYS LEFT", "0 DAYS LEFT", *["LOOK AFTER YOUR POSITIONS"] * 2
    ]  # fmt: skip
    assert len(days) == 28 + 2


def test_paper_and_live_cannot_share_a_namespace() -> None:
    assert load().bus.namespace == "paper"
    assert load(None, OPTIONS | {"bus": {"namespace": "own"}}).bus.namespace == "own"
    with pytest.raises(ConfigurationError, match="'paper' is for paper runs"):
        load(None, OPTIONS | {"bus": {"namespace": "paper"}})


def test_the_platform_says_where_the_bus_is_unless_the_settings_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://platform:6379/0")
    settings = load()
    assert settings.bus.url.get_secret_value() == "redis://platform:6379/0"
    assert "url" in settings.bus.model_fields_set
    file = tmp_path / "own.toml"
    file.write_text("[bus]\nurl = 'redis://file:1/0'\n")
    assert load(file).bus.url.get_secret_value() == "redis://file:1/0"
    monkeypatch.setenv("CAUSEWAY_BUS__URL", "redis://variable:1/0")
    assert load(file).bus.url.get_secret_value() == "redis://variable:1/0"
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.delenv("CAUSEWAY_BUS__URL")
    assert "url" not in load().bus.model_fields_set


def test_health_listens_where_the_platform_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with_health = live_settings(None, OPTIONS, True, {"PORT": str(port)}).health
    assert (with_health.host, with_health.port) == ("0.0.0.0", port)
    own = OPTIONS | {"health": {"host": "127.0.0.1"}}
    assert live_settings(None, own, True, {"PORT": str(port)}).health.host == "127.0.0.1"
    everywhere = OPTIONS | {"health": {"host": "0.0.0.0", "port": 0}}
    assert live_settings(None, everywhere, True, {}).health.host == "0.0.0.0"
    free = OPTIONS | {"health": {"port": 0}}
    for none in ({}, {"PORT": ""}):
        assert live_settings(None, free, True, none).health.host == "127.0.0.1", "no platform, no password"
    with (
        socket.create_server(("0.0.0.0", 0)) as taken,
        pytest.raises(ConfigurationError, match="Set \\$PORT"),
    ):
        live_settings(None, OPTIONS, True, {"PORT": str(taken.getsockname()[1])})
    for wrong in ("x", "-1", "70000", "٣"):
        with pytest.raises(ConfigurationError, match="must be a port"):
            live_settings(None, OPTIONS, True, {"PORT": wrong})
    assert live_settings(None, OPTIONS, False, {"PORT": "x"}).health.port == 8080, "nothing is served"


def test_the_ledger_is_the_one_that_was_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services work in another folder than the one in which the command was given."""
    monkeypatch.chdir(tmp_path)

    def ledger(options: dict[str, dict[str, Any]], environment: dict[str, str]) -> str:
        found = live_settings(None, options, False, environment).health.database
        assert found is not None
        return found.get_secret_value()

    assert ledger(OPTIONS, {}) == f"sqlite+pysqlite:///{tmp_path}/var/causeway.db"
    assert ledger(OPTIONS, {"DATABASE_URL": "sqlite:///a.db"}) == f"sqlite+pysqlite:///{tmp_path}/a.db"
    assert ledger(OPTIONS, {"DATABASE_URL": "postgres://u:p@h/n"}) == "postgresql+psycopg://u:p@h/n"
    own = OPTIONS | {"health": {"database": "sqlite:////b.db"}}
    assert ledger(own, {"DATABASE_URL": "sqlite:///a.db"}) == "sqlite+pysqlite:////b.db"


def test_patience_grows_with_the_pace_of_a_simulated_venue_unless_it_is_told() -> None:
    venue = {"name": "binanceusdm", "rest_url": "http://127.0.0.1:1", "clock_rate": 60}
    slow = Settings()
    fast = at_the_pace(Settings(venue=venue, execution={"stop_deadline_ms": 20_000}))
    assert fast.execution.answer_ms == 60 * slow.execution.answer_ms
    assert fast.venue.lag_ms == 60 * slow.venue.lag_ms
    assert fast.risk.unprotected_s == 60 * slow.risk.unprotected_s
    assert fast.execution.stop_deadline_ms == 20_000
    assert fast.risk.data_age_s == slow.risk.data_age_s
    assert at_the_pace(slow) == slow


def test_keys_are_apart_from_what_every_service_reads() -> None:
    settings = load(None, OPTIONS | {"venue": LIVE_VENUE | {"password": "p-1"}})
    assert key_variables(settings) == {
        "CAUSEWAY_VENUE__API_KEY": "k-1",
        "CAUSEWAY_VENUE__API_SECRET": "s-1",
        "CAUSEWAY_VENUE__PASSWORD": "p-1",
    }
    venue = without_secrets(settings).venue
    assert (venue.api_key, venue.api_secret, venue.password, venue.name) == (
        None,
        None,
        None,
        "krakenfutures",
    )


def test_the_venue_says_what_its_contracts_are() -> None:
    theirs = {
        symbol: Instrument(
            symbol=symbol,
            base="BTC",
            quote="USD",
            settle="USD",
            tick=Decimal("0.5"),
            step=Decimal("0.0001"),
            min_quantity=Decimal("0.0001"),
            min_notional=Decimal(5),
        )
        for symbol in ("BTCUSD", "BTCUSDT")
    }
    found = with_terms(load(None, OPTIONS), theirs).instrument_table()
    assert (found["BTCUSD"], found["BTCUSDT"]) == (theirs["BTCUSD"], theirs["BTCUSDT"])
    terms = {"base": "BTC", "tick": "1", "step": "0.01", "min_quantity": "0.01", "min_notional": "10"}
    own = OPTIONS | {"instruments": {"BTCUSD": terms, "BTCUSDT": {"tick": "1"}}}
    assert with_terms(load(None, own), theirs).instrument_table()["BTCUSDT"].step == Decimal("0.0001")
    coarser = with_terms(load(None, own), theirs).instrument_table()["BTCUSD"]
    assert (coarser.tick, coarser.step) == (1, Decimal("0.01"))
    terms["tick"] = "0.3"
    with pytest.raises(ConfigurationError, match=r"BTCUSD: tick is 0.3, the venue's is 0.5"):
        with_terms(load(None, own), theirs)
    terms["tick"] = "1"
    bounded = {symbol: replace(each, max_quantity=Decimal(120)) for symbol, each in theirs.items()}
    found = with_terms(load(None, own), bounded).instrument_table()
    assert {each.max_quantity for symbol, each in found.items() if symbol in bounded} == {120}
    terms["max_quantity"] = "50"
    assert with_terms(load(None, own), bounded).instrument_table()["BTCUSD"].max_quantity == 50
    terms["max_quantity"] = "120.1"  # the venue may have lowered it while positions are open
    assert with_terms(load(None, own), bounded).instrument_table()["BTCUSD"].max_quantity == 120
    assert with_terms(load(None, own), theirs).instrument_table()["BTCUSD"].max_quantity == Decimal("120.1")
    with pytest.raises(ConfigurationError, match="BTCUSD: the venue lists no such linear perpetual"):
        with_terms(load(None, OPTIONS), {})


# .env -------------------------------------------------------------------------------------------


def test_what_counts_of_a_dotenv_file() -> None:
    values = {
        "CAUSEWAY_VENUE__NAME": "file",
        "causeway_risk__leverage": "3",
        "CAUSEWAY_BUS__BATCH": "",
        "CAUSEWAY_HEALTH__PORT": None,
        "CAUSEWAY_VENUE__API_KEY": "k",
        "ENVIRONMENT": "prod",
        "CONFIRM_LIVE": "YES",
        "PATH": "/evil",
    }
    environment = {"causeway_venue__name": "told", "CAUSEWAY_VENUE__API_KEY": ""}
    assert chosen(values, environment) == {"causeway_risk__leverage": "3", "CAUSEWAY_VENUE__API_KEY": "k"}


def test_a_dotenv_file_holds_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with env_file(said.append, tmp_path):
        assert said == []
    (tmp_path / ".env").write_text("CAUSEWAY_RISK__LEVERAGE=3 # low\nCAUSEWAY_BUS__BATCH=${HOME}7\n")
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    with env_file(said.append, tmp_path):
        assert os.environ["CAUSEWAY_RISK__LEVERAGE"] == "3"
        assert os.environ["CAUSEWAY_BUS__BATCH"] == "${HOME}7", "nothing is filled in"
    assert "CAUSEWAY_RISK__LEVERAGE" not in os.environ
    monkeypatch.setenv("ENVIRONMENT", "prod")
    with env_file(said.append, tmp_path):
        assert "CAUSEWAY_RISK__LEVERAGE" not in os.environ
    assert [sentence.split(str(tmp_path))[0] for sentence in said] == ["read from ", ""]
    assert said[1].endswith("is not read: ENVIRONMENT=prod")


# One worker for each account --------------------------------------------------------------------


def lease(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, pid: int, place: str = "here"
) -> AccountLease:
    """The lease as another process would ask for it."""
    monkeypatch.setattr(account_lease, "_place", lambda: place)
    with monkeypatch.context() as inner:
        inner.setattr(account_lease.os, "getpid", lambda: pid)
        return AccountLease(server.url, 2.0, "a", expiry_s=1.0, renew_s=0.05)


def test_one_has_the_account_until_it_gives_it_back(
    server: EmbeddedServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(server, monkeypatch, os.getppid()) as first:
        assert first.take() is None
        with lease(server, monkeypatch, 77, "elsewhere") as second:
            holder = second.take()
            assert holder is not None
            assert (holder.pid, holder.host) == (os.getppid(), socket.gethostname())
        assert first.lost is None, "who was refused gives nothing back"
        assert client.exists("causeway:account:a")
    assert not client.exists("causeway:account:a")
    with lease(server, monkeypatch, 77, "elsewhere") as third:
        assert third.take() is None


def test_it_is_renewed_and_its_loss_is_noticed(
    server: EmbeddedServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(server, monkeypatch, os.getppid()) as first:
        first.take()
        client.pexpire("causeway:account:a", 200)
        eventually(lambda: client.pttl("causeway:account:a") > 500, 5, "renewal")
        client.delete("causeway:account:a")
        eventually(lambda: client.exists("causeway:account:a"), 5, "taking it again")
        assert first.lost is None
        robber = Holder("there", 77, "elsewhere", "n", 1)
        client.set("causeway:account:a", msgspec.json.encode(robber))
        assert eventually(lambda: first.lost, 5, "the loss") == robber
    assert client.exists("causeway:account:a"), "what is another's stays"


@pytest.mark.parametrize(
    ("alive", "place", "taken"), [(False, "here", True), (True, "here", False), (False, "elsewhere", False)]
)
def test_who_is_known_to_be_dead_is_no_obstacle(
    server: EmbeddedServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    alive: bool,
    place: str,
    taken: bool,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    holder = Holder("somewhere", os.getppid() if alive else dead.pid, place, "n", 1)
    client.set("causeway:account:a", msgspec.json.encode(holder), px=60_000)
    with lease(server, monkeypatch, 77) as own:
        assert (own.take() is None) is taken


def test_an_account_is_named_by_venue_and_key_without_telling_them() -> None:
    def key(**more: Any) -> str:
        return account_key(VenueSettings(**(LIVE_VENUE | more)))

    assert key() == key(rest_url="https://proxy.example") == key(api_secret="other")
    assert len({key(), key(api_key="k-2"), key(name="binanceusdm")}) == 3
    assert "k-1" not in key()


# Logs and the server's folder -------------------------------------------------------------------


def test_logs_are_handed_on_line_by_line_and_do_not_grow_for_ever(tmp_path: Path) -> None:
    told: list[str] = []
    log = tmp_path / "risk-0.log"
    logs = LogFiles(tmp_path, told.append, everything=True, most=100)
    with log.open("ab") as out:  # as a service holds it
        out.write(b"one\ntw")
        out.flush()
        logs.follow()
        assert told == ["one"]
        out.write(b"o\n" + b"x" * 100 + b"\n")
        out.flush()
        logs.follow()
        assert told[1:] == ["two", "x" * 100]
        assert log.stat().st_size == 0
        out.write(b"after\n")
        out.flush()
        logs.follow()
    assert told[3:] == ["after"]
    assert (tmp_path / "risk-0.log.1").read_bytes().startswith(b"one\ntwo\n")


def test_a_person_sees_what_is_loud(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "risk-0.log").write_text(
        '{"level":"info","service":"risk","message":"quiet"}\n'
        '{"level":"warning","service":"risk","message":"reload","reason":"gone","slot":"0"}\n'
        "error: bad\nplain words\n"
    )
    LogFiles(tmp_path, told.append, everything=False).follow()
    assert told == ["risk: reload (reason gone)", "error: bad"]


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cw-", dir="/tmp") as path:  # a socket's path is short
        yield Path(path)


def test_one_run_at_a_time_has_the_servers_folder(short: Path) -> None:
    first, second = ServerFolder(short / "bus"), ServerFolder(short / "bus")
    server = first.take()
    assert server is not None
    server.start()
    assert second.take() is None
    assert second.url == server.url
    server.stop()
    first.free()
    assert second.take() is not None
    second.free()


def test_a_server_whose_run_was_killed_is_ended_first(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_folder, "GONE_S", 4.0)
    orphan = EmbeddedServer(short / "bus").start()
    with redis.Redis.from_url(orphan.url) as client:
        client.set("kept", "yes")
    own = ServerFolder(short / "bus")
    server = own.take()
    assert server is not None
    assert orphan.pid is None
    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"yes"
    server.stop()
    own.free()


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too long for a socket"):
        ServerFolder(tmp_path / ("x" * 100) / "bus")


# Experiment -------------------------------------------------------------------------------------


def test_a_trials_candle_tells_what_happened_in_it() -> None:
    candle = Candle(
        time=900_000,
        symbol="BTCUSDT",
        timeframe="15m",
        open_time=0,
        open=60000.1,
        high=60100.5,
        low=59900.0,
        close=60050.25,
        volume=1.0,
    )
    mark = mark_of(candle, Decimal("0.0001"))
    assert (mark.time, mark.mark, mark.spot, mark.funding) == (
        900_000,
        Decimal("60050.25"),
        Decimal("60050.25"),
        Decimal("0.0001"),
    )
    assert mark.bar is not None
    assert (mark.bar.open_time, mark.bar.high, mark.bar.low) == (0, Decimal("60100.5"), Decimal("59900.0"))


def test_a_trial_executes_on_paper_whatever_the_settings_name() -> None:
    class Poll:
        instruments = load().instrument_table()

    settings = on_paper(load(None, OPTIONS | {"instruments": {"BTCUSDT": {"tick": "5"}}}), Poll())  # type: ignore[arg-type]
    assert not settings.venue.live
    assert settings.instrument_table()["BTCUSDT"].tick == 5, "the configuration's terms win"
    assert settings.instrument_table()["ETHUSDT"] == Poll.instruments["ETHUSDT"]
    Inline(settings)
