"""The ledger through kills, a server that lost its tail, and a database that went away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import BusError, Unreachable
from bus_schemas.events import Acknowledge
from bus_schemas.topology import Place, Stream, Topology, Unit
from health.database import make_engine, parse_url
from health.ledger import Ledger
from health.migrate import upgrade
from health.queries import Queries
from health.rows import record, sources
from health.schema import FACTS, METADATA
from health.watcher import look_at
from tests.support.ledger import NS, Followed, contents, state
from tests.unit.health import writer as w

ROOT = Path(__file__).parents[2]
EXECUTIONS = Place(Stream.EXECUTIONS, "MAIN")


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def bus(memory: Memory) -> MemoryBus:
    return MemoryBus(Topology(partitions=2), memory)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.integers(0, 30), rewritten=st.integers(0, 30), trimmed=st.integers(0, 3))
def test_after_a_lost_tail_the_ledger_is_what_the_streams_are(
    ledger_engine: sa.Engine, kept: int, rewritten: int, trimmed: int
) -> None:
    with ledger_engine.begin() as connection:
        for table in METADATA.tables.values():
            connection.execute(table.delete())
    memory = Memory()
    bus = MemoryBus(Topology(partitions=2), memory)
    w.Writer(bus).write(Stream.EXECUTIONS, "MAIN", *(w.snapshot(n, str(10_000 + n % 7)) for n in range(30)))
    followed = Followed(ledger_engine, batch=8)
    followed.catch_up(bus)
    del memory.streams[EXECUTIONS][kept:]
    w.Writer(bus).write(
        Stream.EXECUTIONS, "MAIN", *(w.snapshot(n, str(9_000 + n)) for n in range(kept, kept + rewritten))
    )
    gone = memory.streams[EXECUTIONS][: min(trimmed, max(0, kept - 1))]
    del memory.streams[EXECUTIONS][: len(gone)]
    folded = followed.catch_up(bus)
    rows = [row for row in contents(ledger_engine)["equity"] if row[2] > len(gone)]
    assert [row[2] for row in rows] == [e.seq for e in memory.streams[EXECUTIONS]]
    equities = [record(e).row.columns["equity"] for e in memory.streams[EXECUTIONS]]  # type: ignore[union-attr]
    assert [row[5] for row in rows] == equities
    assert state(folded) == state(Queries(ledger_engine, NS).load(100.0))
    all_rows = contents(ledger_engine)["equity"]
    assert [row[6] for row in all_rows] == [
        max(r[5] for r in all_rows[: n + 1]) for n in range(len(all_rows))
    ]


def test_a_stream_cut_off_while_it_is_followed(
    ledger_engine: sa.Engine, bus: MemoryBus, memory: Memory
) -> None:
    now = [100.0]
    w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", *(w.fill(n) for n in range(10)))
    followed = Followed(ledger_engine)
    followed.board.clock = lambda: now[0]
    assert followed.catch_up(bus).fills == 10
    del memory.streams[EXECUTIONS][4:]
    now[0] += 2
    with pytest.raises(BusError, match="ends at 4"):
        followed.follower.step(bus)
    assert followed.catch_up(bus).fills == 4
    assert len(contents(ledger_engine)["fills"]) == 4


def test_acknowledged_dead_letters_are_remembered(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    writer, risk = w.Writer(bus), Unit("risk", "MAIN")
    place = writer.write(Stream.EXECUTIONS, "BTCUSDT", w.fill(1))
    writer.bury(risk, bus.range(place, 0, 1)[0])
    followed = Followed(ledger_engine)
    followed.follower.begin(bus)
    with followed.board.fleet() as (fleet, now):
        fleet.seen_bus(look_at(bus), now)
        assert fleet.dead_letters(risk) == 1
    bus.post(Stream.CONTROLS, "MAIN", Acknowledge(time=w.START, by="ann", symbol="BTCUSDT"))
    followed.catch_up(bus, begin=False)
    with followed.board.fleet() as (fleet, _):
        assert fleet.dead_letters(risk) == 1  # that was for one symbol's halt
    bus.post(Stream.CONTROLS, "MAIN", Acknowledge(time=w.START, by="ann"))
    followed.catch_up(bus, begin=False)
    for other in (followed, Followed(ledger_engine)):
        other.catch_up(bus)
        with other.board.fleet() as (fleet, now):
            fleet.seen_bus(look_at(bus), now)
            assert fleet.dead_letters(risk) == 0


CHILD = """
import sys, threading
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import Topology
from health.board import Board
from health.database import make_engine, parse_url
from health.fleet import Fleet
from health.follower import Follower
from health.ledger import Ledger
from health.queries import Queries
bus, database, namespace = sys.argv[1:]
engine = make_engine(parse_url(database))
make = lambda: RedisObserver(Link(bus, 5), namespace, Topology(partitions=2))
board = Board(Fleet(HealthSettings(), 0))
print("up", flush=True)
Follower(make, Ledger(engine, namespace), Queries(engine, namespace), board, 20, 0.01).run(threading.Event())
"""


def test_kill_9_at_any_moment_doubles_nothing_and_loses_nothing(
    ledger_engine: sa.Engine, ledger_url: str, redis_url: str, namespace: str
) -> None:
    bus = RedisBus(Link(redis_url, 5), namespace, Topology(partitions=2), 60_000)
    writer = w.Writer(bus)
    w.a_day(writer, 60)
    interrupted = 0
    for _ in range(4):
        before = len(contents(ledger_engine)["events"])
        child = _follow(redis_url, ledger_url, namespace)
        _until(lambda: len(contents(ledger_engine)["events"]) > before)  # noqa: B023
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        written = sum(bus.tip(place) for place in sources(bus.topology))
        interrupted += len(contents(ledger_engine)["events"]) < written
        w.a_day(writer, 20)
    assert interrupted, "no kill came in the middle of the work"
    child = _follow(redis_url, ledger_url, namespace)
    expected = {(str(p), e.seq) for p in sources(bus.topology) for e in bus.range(p, 0, 100_000)}
    _until(lambda: len(contents(ledger_engine)["events"]) >= len(expected))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    found = contents(ledger_engine)
    assert {row[1:3] for row in found["events"]} == expected
    trades = [e for e in bus.range(EXECUTIONS, 0, 100_000) if e.fields[b"type"] == b"TradeClosed"]
    assert [row[2] for row in found["trades"]] == [e.seq for e in trades]
    assert Ledger(ledger_engine, namespace).missed() == 0
    bus.close()


def _follow(bus: str, database: str, namespace: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, bus, database, namespace], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def _until(true: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def test_a_server_that_lost_the_tail_of_its_file(ledger_engine: sa.Engine, embedded: EmbeddedServer) -> None:
    """The real thing: the append-only file is cut while the server is down, other events follow."""
    topology = Topology(partitions=2)

    def connect() -> RedisBus:
        return RedisBus(Link(embedded.url, 5), NS, topology, 60_000)

    bus = connect()
    w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(0))
    for n in range(1, 20):
        w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(n))
    followed = Followed(ledger_engine)
    assert followed.catch_up(bus).fills == 20
    embedded.kill()
    log = embedded.append_only_file()
    log.write_bytes(log.read_bytes()[:-2000])
    embedded.start()
    bus.close()
    bus = connect()
    left = bus.tip(EXECUTIONS)
    assert 0 < left < 20
    for n in range(left, 25):  # the same bodies again, then others
        w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(n if n < 10 else 100 + n))
    assert followed.catch_up(bus).fills == 25
    rows = contents(ledger_engine)["fills"]
    names = [row[FACTS["fills"].columns.keys().index("fill_id")] for row in rows]
    told = [record(e).row.columns["fill_id"] for e in bus.range(EXECUTIONS, 0, 100)]  # type: ignore[union-attr]
    assert names == told
    bus.close()


def test_a_database_that_goes_away_is_a_fault_and_then_mended(tmp_path: Path, bus: MemoryBus) -> None:
    file = tmp_path / "ledger.db"
    made = make_engine(parse_url(f"sqlite:///{file}"))
    upgrade(made)
    followed = Followed(made)
    followed.catch_up(bus)
    w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(1))
    with made.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE fills RENAME TO hidden")
    with pytest.raises(Unreachable, match="no such table"):
        followed.follower.step(bus)
    with made.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO fills")
    assert followed.catch_up(bus).fills == 1
    made.dispose()
