"""The server's users: each service works as its own, and none can do another's work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer, server_binary
from bus_schemas.bus.port import DeadLetter
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import BusError, Disconnected, Unreachable
from bus_schemas.events import Heartbeat, KillSwitch
from bus_schemas.names import Names
from bus_schemas.settings import BusSettings, Settings
from bus_schemas.topology import READERS, SERVICES, Place, Stream, Topology, Unit
from cli import doctor
from tests.support.hands import ORDERS, RISK, SIGNALS, STRATEGY, Hand, owner, write
from tests.support.worlds import picture

DEPLOY = Path(__file__).parents[2] / "deploy" / "redis"
NAMESPACE = "acl"
TOPOLOGY = Topology(partitions=2)
DECIDING = tuple(service for service in SERVICES if service != "health")
USERS = (*SERVICES, "operator")
KILL = KillSwitch(time=1, reason="test", by="me")
BEAT = Heartbeat(time=1, service="x", slot="0", host="h", pid=1, status="ready")


def _rendered(**changes: str) -> subprocess.CompletedProcess[str]:
    variables = {f"CAUSEWAY_PASSWORD_{user.upper()}": f"pw-{user}" for user in USERS}
    variables |= {"CAUSEWAY_NAMESPACE": NAMESPACE, "PATH": os.environ["PATH"]} | changes
    return subprocess.run(
        ["sh", str(DEPLOY / "render-acl.sh")], env=variables, capture_output=True, text=True, check=False
    )


@dataclass(frozen=True)
class Guarded:
    """A server with the users of `deploy/redis/users.acl`."""

    server: EmbeddedServer
    admin: redis.Redis

    def url(self, user: str, password: str = "") -> str:
        return f"unix://{user}:{password or 'pw-' + user}@{self.server.socket}"

    def bus(self, user: str, namespace: str = NAMESPACE) -> RedisBus:
        return RedisBus(Link(self.url(user), 2.0), namespace, TOPOLOGY, 60_000)

    def client(self, user: str) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self.server.socket), username=user, password=f"pw-{user}", protocol=2
        )


@pytest.fixture(scope="module")
def running() -> Iterator[Guarded]:
    with EmbeddedServer(fsync="no") as server:
        admin: redis.Redis = redis.Redis(unix_socket_path=str(server.socket), protocol=2)
        for line in _rendered().stdout.splitlines():
            if not line.startswith("user default"):  # the tests need one who may look at everything
                _, name, rules = line.split(" ", 2)
                admin.execute_command("ACL SETUSER", name, *rules.split(" "))
        yield Guarded(server, admin)
        admin.close()


@pytest.fixture
def guarded(running: Guarded) -> Guarded:
    running.admin.flushall()
    running.bus("market_data").declare()
    return running


def _writers(stream: Stream) -> set[str]:
    if stream is Stream.HEARTBEATS:
        return set(SERVICES)
    if stream is Stream.CONTROLS:
        return {"operator"}
    return {spec.service for spec in READERS if stream in spec.writes}


def _readers(stream: Stream) -> set[str]:
    reading = {spec.service for spec in READERS if stream in (*spec.reads, *spec.writes)}
    # a file feed looks at every reader's streams: it publishes only once all is quiet
    return (
        reading
        | {"health", "operator", "market_data"}
        | (set(SERVICES) if stream is Stream.HEARTBEATS else set())
    )


def _units(service: str) -> list[Unit]:
    return [unit for spec in READERS if spec.service == service for unit in TOPOLOGY.units(spec.name)]


def test_the_list_has_every_user_and_no_other() -> None:
    lines = _rendered().stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["default", *USERS]
    assert lines[0] == "user default off resetpass resetkeys resetchannels -@all"
    assert "@NAMESPACE@" not in "".join(lines)
    assert not any("pw-" in line or "nopass" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CAUSEWAY_PASSWORD_RISK": ""}, "CAUSEWAY_PASSWORD_RISK"),
        ({"CAUSEWAY_NAMESPACE": ""}, "namespace"),
        ({"CAUSEWAY_NAMESPACE": "a*b"}, "CAUSEWAY_NAMESPACE"),
    ],
)
def test_a_list_with_something_missing_is_not_written(changes: dict[str, str], told: str) -> None:
    run = _rendered(**changes)
    assert (run.returncode, run.stdout) != (0, "")
    assert run.stdout == ""
    assert told in run.stderr


@pytest.mark.parametrize("service", DECIDING)
def test_a_service_does_all_its_work_as_its_own_user(guarded: Guarded, service: str) -> None:
    _fill_inputs(guarded, service)
    bus = guarded.bus(service)
    bus.declare()
    for unit in _units(service):
        me = owner(service)
        assert bus.join(unit.reader, me) == [f"h/{service}"]
        hand = Hand(bus, unit, me)
        bus.renew(hand.lease)
        took = bus.read(dict.fromkeys(TOPOLOGY.inputs(unit), 0), 9, 0.01) if TOPOLOGY.inputs(unit) else []
        assert {entry.place for entry in took} == set(TOPOLOGY.inputs(unit))
        outs = [write(place, "x") for place in TOPOLOGY.outputs(unit)]
        dead = [DeadLetter(took[0].place, took[0].seq, "no", 1, {})] if took else []
        hand.send(hand.plan(outs, took, {"a": b"1", "b": b"2"}, dead))
        hand.send(hand.plan(outs, state={"a": None}))
        assert hand.reload().state == {"b": b"2"}
        assert (bus.unread(unit), bus.dead_count(unit)) == (0, len(dead))
        for place in TOPOLOGY.outputs(unit):
            bus.trim(place, 2)
        bus.trim_journal(unit, 1)
        bus.release(hand.lease)
        bus.leave(unit.reader, me)
    bus.post(Stream.HEARTBEATS, service, BEAT)


def _fill_inputs(guarded: Guarded, service: str) -> None:
    names = Names(NAMESPACE)
    for unit in _units(service):
        for place in TOPOLOGY.inputs(unit):
            if not guarded.admin.exists(names.stream(place)):
                guarded.admin.xadd(names.stream(place), {"body": "{}"}, id="1-0")


@pytest.mark.parametrize("service", DECIDING)
def test_a_service_sees_how_far_the_readers_of_its_streams_are(guarded: Guarded, service: str) -> None:
    """The janitor trims by it."""
    bus = guarded.bus(service)
    written = {place for unit in _units(service) for place in TOPOLOGY.outputs(unit)}
    for unit in TOPOLOGY.turn_order:
        assert set(bus.positions(unit)) == set(TOPOLOGY.inputs(unit))
    for place in written:
        assert bus.tip(place) == 0


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("stream", list(Stream))
def test_who_may_append_to_a_stream(guarded: Guarded, user: str, stream: Stream) -> None:
    key = Names(NAMESPACE).stream(TOPOLOGY.places(stream)[0])
    script = "return redis.call('XADD', {}, '*', 'a', 'b')"
    ways: list[tuple[str | int, ...]] = [
        ("XADD", key, "*", "a", "b"),
        ("EVAL", script.format("KEYS[1]"), 1, key),
        ("EVAL", script.format("ARGV[1]"), 0, key),
    ]
    with guarded.client(user) as client:
        for way in ways:
            if user in _writers(stream):
                client.execute_command(*way)
            else:
                with pytest.raises((redis.exceptions.NoPermissionError, redis.exceptions.ResponseError)):
                    client.execute_command(*way)
    assert guarded.admin.xlen(key) == (len(ways) if user in _writers(stream) else 0)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("stream", list(Stream))
def test_who_may_read_a_stream(guarded: Guarded, user: str, stream: Stream) -> None:
    place = TOPOLOGY.places(stream)[0]
    observer = RedisObserver(Link(guarded.url(user), 2.0), NAMESPACE, TOPOLOGY)
    if user in _readers(stream):
        assert observer.range(place, 0, 9) == []
        assert observer.tip(place) == 0
    else:
        with pytest.raises(BusError, match="permission"):
            observer.range(place, 0, 9)
    observer.close()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("unit", [RISK, STRATEGY], ids=str)
def test_nobody_touches_anothers_keys(guarded: Guarded, user: str, unit: Unit) -> None:
    names = Names(NAMESPACE)
    if user == unit.reader:
        return
    with guarded.client(user) as client:
        for key in (names.state(unit), names.meta(unit), names.positions(unit), names.lease(unit)):
            for way in (("HSET", key, "a", "b"), ("DEL", key), ("PEXPIRE", key, 1), ("SET", key, "x")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*way)
    with pytest.raises(BusError, match="permission"):
        guarded.bus(user).acquire(unit, owner("thief"))


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "FLUSHDB", "CONFIG SET appendonly no", "KEYS *", "SHUTDOWN", "ACL LIST", "SCRIPT FLUSH",
     "XGROUP DESTROY cw:acl:controls g", "DEL cw:acl:controls", "SET cw:live:topology x", "PUBLISH x y"],
)  # fmt: skip
def test_what_no_user_may_do(guarded: Guarded, user: str, command: str) -> None:
    with guarded.client(user) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_strategy_cannot_place_an_order(guarded: Guarded) -> None:
    """Not by a commit of its own either, and the attempt leaves nothing."""
    hand = Hand(guarded.bus("strategy"), STRATEGY, owner("strategy"))
    hand.snapshot.tips[ORDERS] = 0
    before = picture(guarded.admin, NAMESPACE)
    with pytest.raises(BusError, match="permission"):
        hand.put(write(SIGNALS, "signal"), write(ORDERS, "order"))
    assert picture(guarded.admin, NAMESPACE) == before
    with pytest.raises(BusError, match="permission"):
        guarded.bus("strategy").post(Stream.CONTROLS, "*", KILL)


def test_another_namespace_is_out_of_reach(guarded: Guarded) -> None:
    for user in DECIDING:
        with pytest.raises(BusError, match="permission"):
            guarded.bus(user, "live").declare()


def test_only_market_data_creates_the_namespace(guarded: Guarded) -> None:
    guarded.admin.flushall()
    for user in ("strategy", "risk", "execution"):
        with pytest.raises(Disconnected, match="does not exist"):
            guarded.bus(user).declare()
    guarded.bus("market_data").declare()
    for user in ("strategy", "risk", "execution"):
        guarded.bus(user).declare()


def test_health_moves_groups_and_nothing_else(guarded: Guarded) -> None:
    key = Names(NAMESPACE).stream(SIGNALS)
    Hand(guarded.bus("strategy"), STRATEGY).put(write(SIGNALS, "a"))
    with guarded.client("health") as client:
        client.execute_command("XGROUP", "CREATE", key, "risk", "0-0", "ENTRIESREAD", 0)
        client.execute_command("XGROUP", "SETID", key, "risk", "1-0", "ENTRIESREAD", 1)
        assert client.xinfo_groups(key)[0]["lag"] == 0
    observer = RedisObserver(Link(guarded.url("health"), 2.0), NAMESPACE, TOPOLOGY)
    for unit in (*TOPOLOGY.turn_order, *TOPOLOGY.units("market_data")):
        observer.unread(unit)
        observer.state(unit)
        observer.journal(unit, 0, 9)
        observer.dead_letters(unit)
        observer.dead_count(unit)
    assert observer.declared() == TOPOLOGY
    assert observer.post(Stream.HEARTBEATS, "health", BEAT) == 1
    observer.close()


def test_the_operator_halts_and_looks(guarded: Guarded) -> None:
    observer = RedisObserver(Link(guarded.url("operator"), 2.0), NAMESPACE, TOPOLOGY)
    assert observer.post(Stream.CONTROLS, "*", KILL) == 1
    assert observer.declared() == TOPOLOGY
    assert observer.unread(RISK) == 1
    assert observer.range(Place(Stream.CONTROLS, "all"), 0, 9)
    observer.close()


def test_the_operator_runs_the_doctor(guarded: Guarded) -> None:
    """Nothing that it probes is refused to this user."""
    url = guarded.url("operator")
    client = Link(url, 2.0).client()
    found = [*doctor._commands(client), *doctor._durability(client), *doctor._memory(client)]
    found += doctor._clock(client)
    settings = Settings(bus=BusSettings(url=url, namespace=NAMESPACE, partitions=2))
    found += doctor._namespace(Link(url, 2.0), settings)
    texts = " | ".join(finding.what for finding in found)
    assert "every command that the bus needs works" in texts
    assert f"{NAMESPACE!r} exists and fits the settings" in texts
    assert "does not let us" not in texts
    assert not [finding.what for finding in found if "permission" in finding.what]


def test_a_wrong_password_is_said_and_not_waited_for(guarded: Guarded) -> None:
    for url in (guarded.url("risk", "wrong"), guarded.url("nobody")):
        with pytest.raises(Unreachable, match="does not let us in"):
            RedisBus(Link(url, 2.0), NAMESPACE, TOPOLOGY, 60_000).declare()


def test_a_server_starts_with_the_written_list() -> None:
    """As deployed, by `--aclfile`: the services come in, a stranger does not."""
    folder = Path(tempfile.mkdtemp(prefix="acl-"))
    (folder / "users.acl").write_text(_rendered().stdout)
    sock = folder / "s"
    command = [
        server_binary(),
        "--port",
        "0",
        "--unixsocket",
        str(sock),
        "--aclfile",
        str(folder / "users.acl"),
    ]
    process = subprocess.Popen([*command, "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        _until(lambda: _answer(sock, None, None) == "Authentication required.", process)
        assert _answer(sock, "risk", "pw-risk") == "True"
        assert "invalid username-password pair" in _answer(sock, "risk", "pw-strategy")
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _until(met: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert process.poll() is None, "the server refused its access list"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _answer(sock: Path, user: str | None, password: str | None) -> str:
    with redis.Redis(
        unix_socket_path=str(sock), username=user, password=password, protocol=2, retry=None
    ) as client:
        try:
            return str(client.ping())
        except redis.exceptions.RedisError as error:
            return str(error)
