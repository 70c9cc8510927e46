"""Each service alone, as compose and Kubernetes run it: a real process against a real server."""

from __future__ import annotations

import itertools
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import msgspec
import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.topology import SERVICES, Topology
from cli import beats
from tests.support.hands import feed
from tests.support.shell import World, eventually
from tests.support.worlds import RedisWorld

NS = "alone"
TOPOLOGY = Topology(partitions=4)
LEASE_MS = 800
UNITS = TOPOLOGY.units("strategy")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    yield own
    own.close()


@pytest.fixture
def server(world: World) -> Iterator[EmbeddedServer]:
    """A server that has a place, and is not started yet."""
    embedded = EmbeddedServer(world.path / f"bus{next(_numbers)}", fsync="everysec")
    yield embedded
    embedded.stop()


class Replica:
    """One service process of the test, and its endpoint."""

    def __init__(
        self, world: World, server: EmbeddedServer, service: str, slot: str = "0", **more: str
    ) -> None:
        self.service, self.slot = service, slot
        self.port = _free_port()
        environment = {
            "CAUSEWAY_BUS__URL": server.url,
            "CAUSEWAY_BUS__NAMESPACE": NS,
            "CAUSEWAY_BUS__PARTITIONS": str(TOPOLOGY.partitions),
            "CAUSEWAY_BUS__LEASE_MS": str(LEASE_MS),
            "CAUSEWAY_RUNTIME__SLOT": slot,
            "CAUSEWAY_RUNTIME__HTTP_PORT": str(self.port),
            "CAUSEWAY_HEALTH__PORT": str(self.port),
            "CAUSEWAY_HEALTH__DATABASE": f"sqlite:///{world.path}/ledger-{self.port}.db",
        }
        self.running = world.service(service, **(environment | more))

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def await_ready(self) -> None:
        eventually(lambda: self.ready() or self._dead(), what=f"{self.service} ready")

    def _dead(self) -> bool:
        code = self.running.process.poll()
        assert code is None, f"{self.service} left with {code}: {self.running.said}"
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def a_bus(server: EmbeddedServer) -> RedisBus:
    return RedisBus(Link(server.url, 5.0), NS, TOPOLOGY, LEASE_MS)


def await_file(server: EmbeddedServer) -> None:
    """Until what was committed is in the file: with `everysec`, a slow disk keeps the server from it."""
    with redis.Redis.from_url(server.url) as client:
        eventually(lambda: client.info("persistence")["aof_buffer_length"] == 0, what="the file")


def leases(server: EmbeddedServer) -> dict[str, str]:
    """Slot by unit, of every lease that is held."""
    raw = RedisWorld(TOPOLOGY, server.url, NS)
    try:
        keys = [key.decode() for key in raw.raw.scan_iter(match=f"cw:{NS}:*:lease:*")]
        slots = {key.split(":", 2)[2]: raw.raw.hget(key, "slot") for key in keys}
        return {unit: slot.decode() for unit, slot in slots.items() if slot}
    finally:
        raw.close()


def owners(server: EmbeddedServer) -> list[str]:
    """Slots of the strategy units that have an owner."""
    return [slot for unit, slot in leases(server).items() if unit.endswith(":strategy")]


def test_sigterm_ends_every_service_with_0_and_frees_its_leases(world: World, server: EmbeddedServer) -> None:
    server.start()
    replicas = [Replica(world, server, service) for service in SERVICES]
    for replica in replicas:
        eventually(lambda r=replica: r.get("/metrics")[0] == 200, what=f"{replica.service} serving")  # type: ignore[misc]
    eventually(lambda: len(leases(server)) == 2 * len(UNITS) + 3, what="every unit owned")
    assert {beat.service for beat in eventually(lambda: _five(server))} == set(SERVICES)
    for replica in replicas:
        replica.running.send(signal.SIGTERM)
    began = time.monotonic()
    assert {r.service: r.running.wait(10) for r in replicas} == dict.fromkeys(SERVICES, 0)
    assert time.monotonic() - began < 5
    assert leases(server) == {}
    for replica in replicas:
        assert "Traceback" not in replica.running.said
        for line in replica.running.stderr.splitlines():
            assert msgspec.json.decode(line, type=dict[str, object])["service"] == replica.service
    assert beats.alive(a_bus(server)) == []


def _five(server: EmbeddedServer) -> list[beats.Heartbeat]:
    alive = beats.alive(a_bus(server))
    return alive if len(alive) == len(SERVICES) else []


def test_replicas_share_and_take_over(world: World, server: EmbeddedServer) -> None:
    server.start()
    first, second = (Replica(world, server, "strategy", slot) for slot in ("0", "1"))
    eventually(
        lambda: set(owners(server)) == {"0", "1"} and len(owners(server)) == len(UNITS), what="sharing"
    )
    second.running.end(signal.SIGTERM)
    assert "1" not in owners(server)
    eventually(
        lambda: owners(server) == ["0"] * len(UNITS), 2 * LEASE_MS / 1000, "takeover from one that left"
    )

    third = Replica(world, server, "strategy", "2")
    eventually(lambda: "2" in owners(server) and len(owners(server)) == len(UNITS), what="sharing again")
    third.running.end(signal.SIGKILL)
    eventually(lambda: owners(server) == ["0"] * len(UNITS), 4 * LEASE_MS / 1000, "takeover from a dead one")

    feed(a_bus(server), "garbage")  # in p0
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 1, what="work after the takeover")
    assert first.running.end() == 0


def test_a_service_waits_for_its_server_and_outlives_its_death(world: World, server: EmbeddedServer) -> None:
    replica = Replica(world, server, "strategy")
    eventually(lambda: replica.get("/readyz") == (503, "waiting\n"), what="waiting")
    assert replica.get("/healthz")[0] == 200
    server.start()
    replica.await_ready()
    feed(a_bus(server), "garbage")
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 1, what="work")

    await_file(server)
    server.kill()
    eventually(lambda: replica.get("/readyz") == (503, "waiting\n"), what="waiting again")
    server.start()
    replica.await_ready()
    feed(a_bus(server), "more garbage")
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 2, what="work after the restart")
    reloads = replica.get("/metrics")[1].split("causeway_reloads_total{", 1)[1].split("}", 1)[1].split()[0]
    assert float(reloads) >= 2
    assert replica.running.end() == 0
    assert "Traceback" not in replica.running.said
    assert len(replica.running.stderr.splitlines()) < 40, "a line for each attempt would fill the disk"


def test_a_server_that_lost_its_last_moments_is_read_again_from_there(
    world: World, server: EmbeddedServer
) -> None:
    server.start()
    replica = Replica(world, server, "strategy")
    replica.await_ready()
    feed(a_bus(server), "first")
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 1, what="work")
    await_file(server)
    end = server.append_only_file().stat().st_size
    feed(a_bus(server), "lost", "lost")
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 3, what="more work")

    server.kill()
    with server.append_only_file().open("r+b") as log:
        log.truncate(end)
    server.start()
    feed(a_bus(server), "other", "other")  # under the numbers of those that were lost
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 3, what="work after the loss")
    letters = a_bus(server).dead_letters(UNITS[0])
    assert [letter.fields[b"body"] for letter in letters] == [b"first", b"other", b"other"]
    assert replica.running.end() == 0


def test_a_waiting_service_ends_at_once(world: World, server: EmbeddedServer) -> None:
    replica = Replica(world, server, "risk")
    eventually(lambda: replica.get("/readyz")[0] == 503, what="waiting")
    began = time.monotonic()
    assert replica.running.end() == 0
    assert time.monotonic() - began < 2


def test_a_frozen_service_that_wakes_finds_its_units_gone(world: World, server: EmbeddedServer) -> None:
    server.start()
    frozen = Replica(world, server, "strategy", "0")
    frozen.await_ready()
    eventually(lambda: owners(server) == ["0"] * len(UNITS), what="owning")
    frozen.running.send(signal.SIGSTOP)
    other = Replica(world, server, "strategy", "1")
    eventually(lambda: owners(server) == ["1"] * len(UNITS), what="takeover")
    other.running.end()
    frozen.running.send(signal.SIGCONT)
    eventually(lambda: owners(server) == ["0"] * len(UNITS), what="taking again")
    feed(a_bus(server), "garbage")
    eventually(lambda: a_bus(server).dead_count(UNITS[0]) == 1, what="work")
    assert frozen.running.end() == 0


def test_a_wrong_configuration_says_all_that_is_wrong(world: World, server: EmbeddedServer) -> None:
    wrong = {"CAUSEWAY_BUS__BATCH": "0", "CAUSEWAY_RISK__LEVERAGE": "many", "CAUSEWAY_NONSENSE": "1"}
    replicas = [Replica(world, server, service, **wrong) for service in ("strategy", "health")]
    for replica in replicas:
        assert replica.running.wait() == 2
        said = replica.running.stderr
        assert said.startswith("error: the configuration is wrong:\n")
        for text in ("bus.batch: ", "risk.leverage: ", "CAUSEWAY_NONSENSE: no such setting"):
            assert f"\n  - {text}" in said
        assert "Traceback" not in said


def test_another_topology_is_refused_with_2(world: World, server: EmbeddedServer) -> None:
    server.start()
    a_bus(server).declare()
    replicas = [
        Replica(world, server, "strategy", CAUSEWAY_BUS__PARTITIONS="3"),
        Replica(world, server, "risk", CAUSEWAY_BUS__LOCKSTEP="true"),
    ]
    assert [replica.running.wait() for replica in replicas] == [2, 2]
    said = [replica.running.stderr.splitlines()[-1] for replica in replicas]
    assert said[0].startswith(f"error: the namespace '{NS}' was created with another topology")
    assert "partitions: 4 there, 3 here" in said[0]
    assert "lockstep: False there, True here" in said[1]
    assert "Traceback" not in replicas[0].running.said


def test_a_port_that_is_taken_is_said(world: World, server: EmbeddedServer) -> None:
    server.start()
    first = Replica(world, server, "strategy")
    first.await_ready()
    other = world.service(
        "risk",
        CAUSEWAY_BUS__URL=server.url,
        CAUSEWAY_BUS__NAMESPACE=NS,
        CAUSEWAY_RUNTIME__HTTP_PORT=str(first.port),
    )
    assert other.wait() == 2
    assert f"error: runtime.http_port: cannot listen on 127.0.0.1:{first.port}" in other.stderr
    first.running.end()


def test_bad_data_ends_the_feed_with_3(world: World, server: EmbeddedServer) -> None:
    server.start()
    folder = world.path / "bad"
    folder.mkdir()
    (folder / "BTCUSDT-15m.csv").write_text(
        "time,open,high,low,close,volume\n2024-09-10T00:00:00Z,1,2,1,1,1\n2024-09-10T00:15:00Z,1,NaN,1,1,1\n"
    )
    replica = Replica(world, server, "market_data", CAUSEWAY_MARKET_DATA__DATA=str(folder))
    assert replica.running.wait() == 3
    assert f"error: {folder}/BTCUSDT-15m.csv:3: high is 'NaN', not a finite number" in replica.running.stderr
    assert "Traceback" not in replica.running.said


def test_nothing_is_left_of_all_this(world: World) -> None:
    eventually(lambda: not world.processes(), what="the end of every process")
