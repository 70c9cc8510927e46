"""Health from end to end: a real server, real HTTP, its consumer groups, its errors."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Observer
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import flat
from bus_schemas.errors import CausewayError, ConfigurationError, Unreachable
from bus_schemas.names import Names
from bus_schemas.settings import Settings
from bus_schemas.topology import READER_SPECS, Place, Stream, Topology, Unit
from health.monitor import Groups
from health.service import run
from health.watcher import look_at
from tests.support.health import SERVICES, Running, maker, redis_bus, settings_for, until
from tests.unit.health import writer as w


@pytest.fixture
def redis_settings(tmp_path: Path, redis_url: str, namespace: str) -> Settings:
    return settings_for(tmp_path, bus={"url": redis_url, "namespace": namespace})


def test_it_serves_what_is_on_the_bus_and_ends_in_time(redis_settings: Settings) -> None:
    bus = redis_bus(redis_settings)
    writer = w.Writer(bus)
    w.a_day(writer, 8)
    running = Running(redis_settings, maker(redis_settings), groups=True)
    with httpx.Client(base_url=running.url) as http:
        until(lambda: http.get("/api/metrics").json()["ledger"]["behind"] == 0)
        assert http.get("/ready").status_code in (200, 503)
        for service in SERVICES:
            bus.post(Stream.HEARTBEATS, service, w.beat(service, time.time_ns() // 1_000_000))
        until(lambda: http.get("/ready").status_code == 200)
        w.a_day(writer, 4)
        until(lambda: http.get("/api/metrics").json()["trades"]["count"] == 2)
        families = {f.name for f in text_string_to_metric_families(http.get("/metrics").text)}
        assert {"causeway_up", "causeway_equity", "causeway_lag_events"} <= families
        assert running.url.startswith("http://127.0.0.1:")
        services = http.get("/api/services").json()["services"]
        (own,) = [s for s in services if s["service"] == "health"]
        assert (own["status"], own["http"]) == ("ready", running.url.removeprefix("http://"))
    assert running.end() < redis_settings.runtime.shutdown_s
    assert running.error is None
    last = bus.range(bus.topology.places(Stream.HEARTBEATS)[0], 0, 10_000)[-1]
    assert b'"stopping"' in last.fields[b"body"]
    bus.close()


def test_a_server_that_is_killed_and_comes_back(tmp_path: Path, embedded: EmbeddedServer) -> None:
    settings = settings_for(tmp_path, bus={"url": embedded.url, "timeout_s": 1})
    bus = redis_bus(settings)
    w.a_day(w.Writer(bus), 4)
    running = Running(settings, maker(settings), groups=True)
    with httpx.Client(base_url=running.url) as http:

        def codes() -> list[str]:
            return [reason["code"] for reason in http.get("/health").json()["reasons"]]

        def trades() -> int:
            return int(http.get("/api/metrics").json()["trades"]["count"])

        until(lambda: trades() == 1)
        embedded.kill()
        until(lambda: "bus_unreachable" in codes())
        assert http.get("/api/trades").status_code == 200  # the ledger still answers
        embedded.start()
        until(lambda: "bus_unreachable" not in codes() and "ledger_fault" not in codes())
        bus.close()
        bus = redis_bus(settings)
        w.a_day(w.Writer(bus), 4)
        until(lambda: trades() == 2)
    assert running.end() < 10
    assert running.error is None
    bus.close()


def test_it_ends_in_time_while_the_bus_is_away(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, bus={"url": f"unix://{tmp_path}/nothing.sock"})
    running = Running(settings, maker(settings), groups=True)
    with httpx.Client(base_url=running.url) as http:
        until(lambda: http.get("/ready").json()["reasons"][0]["code"] == "bus_unreachable")
    assert running.end() < 5
    assert running.error is None


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_for(tmp_path, health={"port": port})
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}.*in use"):
            run(settings, lambda: MemoryBus(settings.topology), threading.Event().is_set)


def test_a_schema_that_is_behind_is_a_clear_error(tmp_path: Path, postgres_url: str) -> None:
    memory = MemoryBus(Topology(partitions=2))
    for database in (postgres_url, f"sqlite:///{tmp_path}/own.db"):
        settings = settings_for(tmp_path, health={"database": database, "migrate": "never"})
        with pytest.raises(ConfigurationError, match=r"python migrate_schema\.py"):
            run(settings, lambda: memory, threading.Event().is_set)
    settings = settings_for(tmp_path, health={"database": postgres_url, "migrate": "always"})
    running = Running(settings, lambda: memory)
    assert httpx.get(running.url + "/healthz").status_code == 200
    running.end()
    assert running.error is None


def test_an_unreachable_ledger_is_a_clear_error(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, health={"database": "postgresql://127.0.0.1:1/x"})
    with pytest.raises(Unreachable, match="cannot be reached"):
        run(settings, lambda: MemoryBus(Topology()), threading.Event().is_set)


def test_a_thread_that_fails_ends_the_service(tmp_path: Path) -> None:
    def broken() -> Observer:
        raise CausewayError("a fault that waiting does not mend")

    running = Running(settings_for(tmp_path), broken)
    until(lambda: running.error)
    assert "waiting does not mend" in str(running.error)
    running.end()


def test_ordinary_tools_show_the_true_lag(redis_settings: Settings) -> None:
    bus, names = redis_bus(redis_settings), Names(redis_settings.bus.namespace)
    writer = w.Writer(bus)
    w.a_day(writer, 6)
    risk, manager = Unit("risk", "MAIN"), Unit("manager", "MAIN")
    signals = [p for p in bus.topology.inputs(risk) if p.stream is Stream.SIGNALS and bus.tip(p)]
    writer.read(risk, signals[0], 2)
    link = Link(redis_settings.bus.url.get_secret_value(), 5)
    client, groups = link.client(), Groups(link, names)

    def lags(place: Place) -> dict[str, int]:
        rows = client.execute_command("XINFO", "GROUPS", names.stream(place))
        return {flat(row)[b"name"].decode(): flat(row)[b"lag"] for row in rows}

    def by_groups(unit: Unit) -> int:
        return sum(lags(place)[unit.reader] for place in bus.topology.inputs(unit) if bus.tip(place))

    assert groups.follow(look_at(bus)) > 0
    for unit in (risk, manager, *bus.topology.units("strategy")):
        assert by_groups(unit) == bus.unread(unit)
    assert bus.unread(risk) > 0
    assert groups.follow(look_at(bus)) == 0  # nothing moved
    for place in bus.topology.inputs(risk):
        writer.read(risk, place, bus.tip(place))
    writer.write(Stream.ORDERS, "BTCUSDT", w.approved(9))
    groups.follow(look_at(bus))
    assert by_groups(risk) == bus.unread(risk) == 0
    assert by_groups(manager) == bus.unread(manager) > 0
    for place in bus.topology.inputs(risk):
        bus.trim(place, 4)
    assert by_groups(risk) == 0
    unwritten = [p for p in bus.topology.inputs(risk) if not bus.tip(p)]
    assert unwritten
    assert all(not client.execute_command("EXISTS", names.stream(p)) for p in unwritten)
    assert {spec.name for spec in READER_SPECS.values() if spec.reads} >= set(lags(signals[0]))
    groups.close()
    bus.close()
