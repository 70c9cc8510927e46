"""A namespace on a server of one's own: it holds one run, and a server that forgets is not taken."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.settings import Settings, load
from cli.fingerprint import fingerprint
from cli.paper import check_files
from tests.support.shell import QUICK, TRADED, World, config, short_data


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    short_data(own.path / "data")
    yield own
    own.close()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as embedded:
        yield embedded


def test_a_namespace_holds_one_run(world: World, server: EmbeddedServer) -> None:
    settings = config(world.path / "run.json")
    bolder = config(world.path / "bolder.json", risk={"risk_per_trade_pct": "0.4"})
    more = ("--data", world.path / "data", "--trade-from", TRADED, "--redis", server.url, "--json")
    first = world.run("paper", "--config", settings, *more)
    assert first.returncode == 0, first.stderr
    for own in (("--config", bolder), ("--config", settings, "--symbols", "BTCUSDT")):
        other = world.run("paper", *own, *more)
        assert (other.returncode, other.stdout) == (2, "")
        assert "error: the namespace 'paper' holds another run, of other candles or settings" in other.stderr
    again = world.run("paper", "--config", settings, *more)
    assert again.returncode == 0
    assert "holds a run that is at its end" in again.stderr
    assert msgspec.json.decode(again.stdout)["digest"] == msgspec.json.decode(first.stdout)["digest"]


def test_whatever_changes_a_run_changes_its_fingerprint(world: World) -> None:
    def of(**more: dict[str, object]) -> str:
        market = {"data": world.path / "data", "trade_from": TRADED} | more.pop("market_data", {})
        settings: Settings = load(None, QUICK | {"market_data": market} | more)
        return fingerprint(settings, check_files(settings))

    others: list[dict[str, dict[str, object]]] = [
        {"market_data": {"symbols": "BTCUSDT"}},
        {"market_data": {"start": TRADED}},
        {"market_data": {"end": "2024-09-12"}},
        {"market_data": {"pace": "x60"}},
        {"risk": {"daily_loss_pct": "1.5"}},
        {"paper": {"starting_cash": 7}},
        {"instruments": {"BTCUSDT": {"tick": "0.5"}}},
    ]
    found = [of(), *(of(**other) for other in others)]
    assert len(set(found)) == len(found)
    assert of() == of(bus={"batch": 7}, health={"port": 1}) == found[0]
    path = world.path / "data" / "BTCUSDT-15m.csv"
    kept = path.read_text()
    path.write_text(kept.replace("\n", "\r\n"))
    try:
        assert of() != found[0]
    finally:
        path.write_text(kept)


def test_a_server_that_throws_keys_away_is_refused(world: World, server: EmbeddedServer) -> None:
    client = redis.Redis.from_url(server.url)
    more = ("paper", "--data", world.path / "data", "--config", config(world.path / "run.json"))
    client.config_set("maxmemory-policy", "allkeys-lru")
    found = world.run(*more, "--redis", server.url, "--namespace", "forgets")
    client.config_set("maxmemory-policy", "noeviction")
    assert found.returncode == 2
    assert "error: maxmemory-policy is allkeys-lru" in found.stderr
    assert "CONFIG SET maxmemory-policy noeviction" in found.stderr
    client.config_set("appendonly", "no")
    run = world.run(*more, "--trade-from", TRADED, "--redis", server.url, "--namespace", "light")
    client.close()
    assert run.returncode == 0
    assert "warning: nothing is durable: the append-only file is off" in run.stdout
