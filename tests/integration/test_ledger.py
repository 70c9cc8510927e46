"""The ledger on SQLite and on a real PostgreSQL: exact, idempotent, and right after a server's loss."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.port import Entry, Observer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import BusError, ConfigurationError, Unreachable
from bus_schemas.events import Acknowledge, KillSwitch, PositionPhase
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import Place, Stream, Topology, Unit
from health.board import Board
from health.database import database_url, make_engine, parse_url
from health.fleet import Fleet
from health.follower import Follower
from health.ledger import Ledger, PositionMoved
from health.migrate import current, newest, require, upgrade
from health.queries import Queries
from health.rows import record, sources
from health.schema import EQUITY, FACTS, METADATA, VIEWS
from health.trading import Trading
from health.watcher import look_at
from migrate_schema import main as migrate_schema
from tests.unit.health import writer as w

D = Decimal
NS = "test"
ROOT = Path(__file__).parents[2]
EXECUTIONS = Place(Stream.EXECUTIONS, "MAIN")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    given: str = request.getfixturevalue("postgres_url")
    return given


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    made = make_engine(parse_url(url))
    upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def bus(memory: Memory) -> MemoryBus:
    return MemoryBus(Topology(partitions=2), memory)


class Followed:
    """A follower driven by hand."""

    def __init__(self, engine: sa.Engine, batch: int = 7) -> None:
        self.board = Board(Fleet(HealthSettings(), 0.0), lambda: 100.0)
        self.queries = Queries(engine, NS)
        self.ledger = Ledger(engine, NS)
        self.follower = Follower(
            lambda: pytest.fail("it is driven by hand"), self.ledger, self.queries, self.board, batch, 0.01
        )

    def catch_up(self, observer: Observer, begin: bool = True) -> Trading:
        if begin:
            self.follower.begin(observer)
        while self.follower.step(observer):
            pass
        with self.board.fleet() as (fleet, _):
            return fleet.trading


def contents(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every fact of the ledger."""
    with engine.begin() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(t).order_by(t.c.place, t.c.seq))]
            for name, t in FACTS.items()
        }


def state(trading: Trading) -> dict[str, Any]:
    """What must not depend on how the state came to be."""
    return {
        "positions": trading.positions,
        "account": trading.account,
        "trades": trading.trades,
        "fills": trading.fills,
        "decisions": dict(trading.decisions),
        "assessments": trading.last_assessments,
        "halts": trading.active_halts(),
        "kill_switch": trading.kill_switch,
        "reduce_only": trading.reduce_only,
        "curve": trading.curve.points(),
        "latest": sorted(trading.latest, key=repr),
        "clock": trading.clock,
    }


# -- schema ---------------------------------------------------------------------------------------


def test_migrating_twice_is_a_no_op(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate_schema(["--database", url, "--check"]) == 1
    assert migrate_schema(["--database", url]) == 0
    assert f"from empty to {newest()}" in capsys.readouterr().out
    assert migrate_schema(["--database", url]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert migrate_schema(["--database", url, "--check"]) == 0


def test_the_migrations_make_what_the_code_expects(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        for view in VIEWS:
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {view}").scalar() == 0


def test_two_that_migrate_at_once(url: str) -> None:
    results: list[Any] = []

    def work() -> None:
        made = make_engine(parse_url(url))
        try:
            results.append(upgrade(made))
        finally:
            made.dispose()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(before) for before, _ in results) == ["0001", "0001", "None"]


def test_a_schema_that_is_behind_or_ahead_is_refused(url: str) -> None:
    made = make_engine(parse_url(url))
    with pytest.raises(ConfigurationError, match=r"migrate_schema\.py"):
        require(made)
    upgrade(made)
    require(made)
    with made.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for refuse in (require, upgrade):
        with pytest.raises(ConfigurationError, match="newer"):
            refuse(made)
    assert current(made) == "9999"
    made.dispose()


@pytest.mark.parametrize(
    ("database", "code", "words"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/x", 6, "cannot be reached"),
        ("mysql://u:hunter2@host/x", 2, "no ledger on mysql"),
        ("hunter2", 2, "not of the form"),
        ("sqlite:////proc/nothing/x.db", 6, "cannot make the folder"),
        ("sqlite:///{tmp}/garbage.db", 3, "not a database"),
        ("sqlite:///{tmp}", 6, "cannot be reached"),
    ],
)
def test_errors_are_sentences_with_exit_codes(
    database: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is not a database" * 100)
    assert migrate_schema(["--database", database.replace("{tmp}", str(tmp_path))]) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.startswith("error: ")
    assert "hunter2" not in told
    assert "Traceback" not in told


def test_which_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(database_url(HealthSettings(), {})) == "sqlite+pysqlite:///var/causeway.db"
    env = {"DATABASE_URL": "postgres://host/db"}
    assert str(database_url(HealthSettings(), env)) == "postgresql+psycopg://host/db"
    own = HealthSettings(database="sqlite:///x.db")
    assert database_url(own, env).database == "x.db"


# -- exactness ------------------------------------------------------------------------------------

MONEY = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda value: -64 <= value.adjusted() <= 64 and value.as_tuple().exponent > -100
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(money=MONEY)
def test_money_comes_out_as_it_went_in(engine: sa.Engine, money: Decimal) -> None:
    row = {"namespace": "exact", "place": "p", "seq": 1, "time": 1, "cash": money, "peak": money}
    with engine.begin() as connection:
        connection.execute(EQUITY.delete())
        connection.execute(EQUITY.insert(), row | {"equity": money, "positions": []})
        found = connection.execute(sa.select(EQUITY.c.equity)).scalar_one()
    assert isinstance(found, Decimal)
    assert found == money


def test_text_that_a_database_cannot_hold(engine: sa.Engine, bus: MemoryBus) -> None:
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=1, reason="a\x00b", by="𝄞'); DROP TABLE halts;--"))
    Followed(engine).catch_up(bus)
    (halt,) = Queries(engine, NS).halts(10)
    assert (halt["detail"], halt["by"]) == ("a�b", "𝄞'); DROP TABLE halts;--")


# -- feeding --------------------------------------------------------------------------------------


def test_every_event_is_in_it_once(engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=w.START, reason="drill", by="ann"))
    followed = Followed(engine)
    followed.catch_up(bus)
    found = contents(engine)
    entries = {(NS, str(p), e.seq): e for p in sources(bus.topology) for e in bus.range(p, 0, 10_000)}
    assert {row[:3] for row in found["events"]} == set(entries)
    for name, rows in found.items():
        expected = {
            key for key, e in entries.items() if name in ("events", getattr(record(e).row, "table", ""))
        }
        assert {row[:3] for row in rows} == expected
    assert {p: followed.ledger.positions()[str(p)] for p in sources(bus.topology)} == {
        p: bus.tip(p) for p in sources(bus.topology)
    }
    assert followed.ledger.missed() == 0


def test_the_folded_state_is_the_loaded_state(engine: sa.Engine, bus: MemoryBus) -> None:
    writer, followed = w.Writer(bus), Followed(engine)
    followed.follower.begin(bus)
    w.a_day(writer, 12)
    writer.write(Stream.EXECUTIONS, "ETHUSDT", w.position(13, "ETHUSDT", "-2", "3000"))
    writer.write(Stream.ORDERS, "ETHUSDT", w.halted(13), w.halted(13, "ETHUSDT"))
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=w.START, reason="drill", by="ann"))
    folded = followed.catch_up(bus, begin=False)
    assert state(folded) == state(Queries(engine, NS).load(100.0))
    assert folded.account is not None
    assert folded.account.peak == max(value for _, value in folded.curve.points())


def test_reading_again_changes_nothing(engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    Followed(engine).catch_up(bus)
    before = contents(engine)
    for batch in (1, 500):
        Followed(engine, batch).catch_up(bus)
        assert contents(engine) == before
    with engine.begin() as connection:  # positions that were lost: every event is read again
        connection.exec_driver_sql("UPDATE stream_positions SET position = 3 WHERE position > 3")
    Followed(engine).catch_up(bus)
    assert contents(engine) == before


def test_a_batch_for_another_position_is_refused_whole(engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    ledger = Ledger(engine, NS)
    entries = bus.range(EXECUTIONS, 0, 10)
    assert len(ledger.append(EXECUTIONS, 0, entries)) == 10
    before = contents(engine)
    with pytest.raises(PositionMoved):
        ledger.append(EXECUTIONS, 0, entries)
    with pytest.raises(PositionMoved):
        ledger.append(EXECUTIONS, 11, bus.range(EXECUTIONS, 11, 5))
    assert contents(engine) == before


def test_namespaces_share_nothing(engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus), 8)
    Followed(engine).catch_up(bus)
    other = Queries(engine, "live")
    assert other.trades(None, 10) == other.decisions(None, None, None, None, 10) == []
    assert state(other.load(1.0)) == state(Trading())


def test_current_orders_and_positions_are_the_newest_facts(engine: sa.Engine, bus: MemoryBus) -> None:
    writer = w.Writer(bus)
    writer.write(
        *(Stream.EXECUTIONS, "BTCUSDT"),
        *(
            w.order(1),
            w.order(2),
            w.order(1, w.OrderState.FILLED, "0.031"),
            w.position(1),
            w.position(2, stop=None),
        ),
    )
    Followed(engine).catch_up(bus)
    with engine.begin() as connection:
        orders = connection.exec_driver_sql("SELECT client_id, state FROM orders ORDER BY 1").all()
        positions = connection.exec_driver_sql("SELECT symbol, protected FROM positions").all()
    assert [tuple(row) for row in orders] == [("c-1", "filled"), ("c-2", "accepted")]
    assert [(symbol, bool(protected)) for symbol, protected in positions] == [("BTCUSDT", False)]


def test_a_broken_entry_is_recorded_and_the_rest_goes_on(
    engine: sa.Engine, bus: MemoryBus, memory: Memory
) -> None:
    writer = w.Writer(bus)
    writer.write(Stream.EXECUTIONS, "BTCUSDT", w.fill(1), w.fill(2), w.fill(3))
    stream = memory.streams[EXECUTIONS]
    stream[1] = Entry(EXECUTIONS, 2, stream[1].fields | {b"body": b"{rubbish"})
    Followed(engine).catch_up(bus)
    found = contents(engine)
    assert [row[3] for row in found["events"]] == ["Fill", "?", "Fill"]
    assert [row[2] for row in found["fills"]] == [1, 3]


def test_what_was_trimmed_before_it_was_read_is_counted(
    engine: sa.Engine, bus: MemoryBus, memory: Memory
) -> None:
    writer = w.Writer(bus)
    writer.write(Stream.EXECUTIONS, "BTCUSDT", *(w.fill(n) for n in range(1, 11)))
    del memory.streams[EXECUTIONS][:4]
    followed = Followed(engine)
    followed.catch_up(bus)
    assert followed.ledger.missed() == 4
    with followed.board.fleet() as (fleet, _):
        assert fleet.ledger.missed == 4
    again = Followed(engine)
    again.catch_up(bus)
    assert again.ledger.missed() == 4
    assert len(contents(engine)["fills"]) == 6


# -- a server that lost its tail -------------------------------------------------------------------


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.integers(0, 30), rewritten=st.integers(0, 30), trimmed=st.integers(0, 3))
def test_after_a_lost_tail_the_ledger_is_what_the_streams_are(
    engine: sa.Engine, kept: int, rewritten: int, trimmed: int
) -> None:
    with engine.begin() as connection:
        for table in METADATA.tables.values():
            connection.execute(table.delete())
    memory = Memory()
    bus = MemoryBus(Topology(partitions=2), memory)
    w.Writer(bus).write(Stream.EXECUTIONS, "MAIN", *(w.snapshot(n, str(10_000 + n % 7)) for n in range(30)))
    followed = Followed(engine, batch=8)
    followed.catch_up(bus)
    del memory.streams[EXECUTIONS][kept:]
    w.Writer(bus).write(
        Stream.EXECUTIONS, "MAIN", *(w.snapshot(n, str(9_000 + n)) for n in range(kept, kept + rewritten))
    )
    gone = memory.streams[EXECUTIONS][: min(trimmed, max(0, kept - 1))]
    del memory.streams[EXECUTIONS][: len(gone)]
    folded = followed.catch_up(bus)
    rows = [row for row in contents(engine)["equity"] if row[2] > len(gone)]
    assert [row[2] for row in rows] == [e.seq for e in memory.streams[EXECUTIONS]]
    equities = [record(e).row.columns["equity"] for e in memory.streams[EXECUTIONS]]  # type: ignore[union-attr]
    assert [row[5] for row in rows] == equities
    assert state(folded) == state(Queries(engine, NS).load(100.0))
    all_rows = contents(engine)["equity"]
    assert [row[6] for row in all_rows] == [
        max(r[5] for r in all_rows[: n + 1]) for n in range(len(all_rows))
    ]


def test_a_stream_cut_off_while_it_is_followed(engine: sa.Engine, bus: MemoryBus, memory: Memory) -> None:
    now = [100.0]
    w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", *(w.fill(n) for n in range(10)))
    followed = Followed(engine)
    followed.board.clock = lambda: now[0]
    assert followed.catch_up(bus).fills == 10
    del memory.streams[EXECUTIONS][4:]
    now[0] += 2
    with pytest.raises(BusError, match="ends at 4"):
        followed.follower.step(bus)
    assert followed.catch_up(bus).fills == 4
    assert len(contents(engine)["fills"]) == 4


def test_acknowledged_dead_letters_are_remembered(engine: sa.Engine, bus: MemoryBus) -> None:
    writer, risk = w.Writer(bus), Unit("risk", "MAIN")
    place = writer.write(Stream.EXECUTIONS, "BTCUSDT", w.fill(1))
    writer.bury(risk, bus.range(place, 0, 1)[0])
    followed = Followed(engine)
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
    for other in (followed, Followed(engine)):
        other.catch_up(bus)
        with other.board.fleet() as (fleet, now):
            fleet.seen_bus(look_at(bus), now)
            assert fleet.dead_letters(risk) == 0


# -- a process that is killed ----------------------------------------------------------------------

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
    engine: sa.Engine, url: str, redis_url: str, namespace: str
) -> None:
    bus = RedisBus(Link(redis_url, 5), namespace, Topology(partitions=2), 60_000)
    writer = w.Writer(bus)
    w.a_day(writer, 60)
    for n in range(4):
        child = _follow(redis_url, url, namespace)
        time.sleep(0.02 + 0.05 * n)  # somewhere in its transactions
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        w.a_day(writer, 4)
    child = _follow(redis_url, url, namespace)
    expected = {(str(p), e.seq) for p in sources(bus.topology) for e in bus.range(p, 0, 100_000)}
    _until(lambda: len(contents(engine)["events"]) >= len(expected))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    found = contents(engine)
    assert {row[1:3] for row in found["events"]} == expected
    trades = [e for e in bus.range(EXECUTIONS, 0, 100_000) if e.fields[b"type"] == b"TradeClosed"]
    assert [row[2] for row in found["trades"]] == [e.seq for e in trades]
    assert Ledger(engine, namespace).missed() == 0
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


def test_a_server_that_lost_the_tail_of_its_file(engine: sa.Engine, embedded: EmbeddedServer) -> None:
    """The real thing: the append-only file is cut while the server is down, other events follow."""
    topology = Topology(partitions=2)

    def connect() -> RedisBus:
        return RedisBus(Link(embedded.url, 5), NS, topology, 60_000)

    bus = connect()
    w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(0))
    for n in range(1, 20):
        w.Writer(bus).write(Stream.EXECUTIONS, "BTCUSDT", w.fill(n))
    followed = Followed(engine)
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
    rows = contents(engine)["fills"]
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


def test_trades_and_decisions_newest_first(engine: sa.Engine, bus: MemoryBus) -> None:
    writer = w.Writer(bus)
    w.a_day(writer)
    writer.write(Stream.EXECUTIONS, "ETHUSDT", w.closed(30, "1", "ETHUSDT"))
    writer.write(
        Stream.EXECUTIONS, "ETHUSDT", w.position(30, "ETHUSDT", "0", None, phase=PositionPhase.CLOSED)
    )
    Followed(engine).catch_up(bus)
    queries = Queries(engine, NS)
    times = [row["time"] for row in queries.trades(None, 100)]
    assert times == sorted(times, reverse=True)
    assert [row["symbol"] for row in queries.trades("ETHUSDT", 100)] == ["ETHUSDT"]
    assert len(queries.trades(None, 2)) == 2
    (chain_end, chain_start) = queries.decisions(None, None, None, "sig-8", 10)
    assert {chain_end["stage"], chain_start["stage"]} == {"risk", "strategy"}
    refused = queries.decisions("BTCUSDT", "risk", "refused", None, 10)
    assert refused
    assert all(row["reason"] == "reward_to_risk" for row in refused)
    assert queries.decisions("BTCUSDT", "strategy", "none", None, 1)[0]["evidence"]
