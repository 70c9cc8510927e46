"""`doctor`: what is wrong with server, clock and configuration, and how to mend it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.topology import Topology
from cli import doctor
from tests.support.shell import invoke


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as embedded:
        yield embedded


def set_to(server: EmbeddedServer, **settings: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)


def test_an_embedded_server_is_good() -> None:
    code, out, err = invoke("doctor")
    assert (code, err) == (0, "")
    assert all(line.startswith("ok ") for line in out.splitlines())
    for text in (
        "the configuration is complete and does not contradict itself",
        "candle files: BTCUSDT, ETHUSDT, SOLUSDT; 21,651 candles of 15m",
        "every command that the bus needs works",
        "fsync always",
        "noeviction",
        "clock",
        "the namespace 'paper' is free",
    ):
        assert text in out


def test_what_is_wrong_with_a_server_is_said_with_how_to_mend_it(server: EmbeddedServer) -> None:
    set_to(server, appendonly="no", maxmemory_policy="allkeys-lru")
    try:
        code, out, _ = invoke("doctor", "--redis", server.url, "--json")
    finally:
        set_to(server, appendonly="yes", maxmemory_policy="noeviction")
    assert code == 1
    wrong = {f["what"]: f["mend"] for f in msgspec.json.decode(out) if f["level"] == "wrong"}
    assert wrong == {
        "nothing is durable: the append-only file is off": (
            "CONFIG SET appendonly yes, and put it into the server's configuration"
        ),
        "maxmemory-policy is allkeys-lru: the server may throw away streams, state and leases": (
            "CONFIG SET maxmemory-policy noeviction"
        ),
    }


def test_losing_a_second_should_be_known_and_never_syncing_is_wrong(server: EmbeddedServer) -> None:
    levels = {}
    for fsync in ("always", "everysec", "no"):
        set_to(server, appendfsync=fsync)
        code, out, _ = invoke("doctor", "--redis", server.url, "--json")
        levels[fsync] = (code, {f["level"] for f in msgspec.json.decode(out)})
    set_to(server, appendfsync="always")
    assert levels == {"always": (0, {"ok"}), "everysec": (0, {"ok", "note"}), "no": (1, {"ok", "wrong"})}


def test_what_a_user_may_not_see_is_a_warning_at_the_start(server: EmbeddedServer) -> None:
    link = Link(server.url, 5)
    client = link.client()
    assert doctor.refuse_forgetful(client) == []
    client.execute_command("ACL", "SETUSER", "blind", "on", "nopass", "~*", "+@all", "-info", "-config")
    client.execute_command("AUTH", "blind", "")
    found = doctor.refuse_forgetful(client)
    link.close()
    assert [finding.level for finding in found] == ["note", "note"]
    assert all("not checked" in finding.what for finding in found)


def test_a_clock_that_differs(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: now() + 90)
    code, out, _ = invoke("doctor", "--redis", server.url)
    assert code == 1
    assert "wrong this clock and the server's differ by 9" in out
    assert "→ run NTP on both machines" in out


def test_a_namespace_that_does_not_fit(server: EmbeddedServer) -> None:
    RedisBus(Link(server.url, 5), "odd", Topology(partitions=3), 5000).declare()
    code, out, _ = invoke("doctor", "--redis", server.url, "--namespace", "odd")
    assert code == 1
    assert "the namespace 'odd' has 3 partitions and account MAIN" in out
    assert "use these settings, or another namespace" in out


def test_nobody_there_and_nowhere_to_go(tmp_path: Path) -> None:
    for url, what in (
        (f"unix://{tmp_path}/nobody", "the server does not answer"),
        ("http://server", "bus.url: Redis URL must specify"),
    ):
        code, out, err = invoke("doctor", "--redis", url)
        assert (code, what in out, err) == (1, True, "")
        assert "Traceback" not in out


def test_candles_that_are_not_there(server: EmbeddedServer, tmp_path: Path) -> None:
    settings, data = tmp_path / "own.toml", tmp_path / "a [" / "x] [bold]b"
    data.mkdir(parents=True)
    settings.write_text(f"[bus]\nurl = '{server.url}'\n[market_data]\ndata = '{data}'\n")
    code, out, _ = invoke("doctor", "--config", settings)
    assert code == 1
    assert f"wrong candle files: the data folder {data} holds no candles" in out
    assert "every command that the bus needs works" in out
