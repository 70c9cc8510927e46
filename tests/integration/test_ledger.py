"""The ledger on SQLite and on a real PostgreSQL: exact, idempotent, and right after a server's loss."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.port import Entry
from bus_schemas.events import Body, KillSwitch, PositionPhase
from bus_schemas.topology import Place, Stream, Topology
from health.ledger import Ledger, PositionMoved
from health.queries import Queries
from health.rows import record, sources
from health.schema import EQUITY
from health.trading import Trading
from tests.support.ledger import NS, Followed, contents, state
from tests.unit.health import writer as w

EXECUTIONS = Place(Stream.EXECUTIONS, "MAIN")


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def bus(memory: Memory) -> MemoryBus:
    return MemoryBus(Topology(partitions=2), memory)


MONEY = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda value: -64 <= value.adjusted() <= 64 and value.as_tuple().exponent > -100
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(money=MONEY)
def test_money_comes_out_as_it_went_in(ledger_engine: sa.Engine, money: Decimal) -> None:
    row = {"namespace": "exact", "place": "p", "seq": 1, "time": 1, "cash": money, "peak": money}
    with ledger_engine.begin() as connection:
        connection.execute(EQUITY.delete())
        connection.execute(EQUITY.insert(), row | {"equity": money, "positions": []})
        found = connection.execute(sa.select(EQUITY.c.equity)).scalar_one()
    assert isinstance(found, Decimal)
    assert found == money


def test_text_that_a_database_cannot_hold(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=1, reason="a\x00b", by="𝄞'); DROP TABLE halts;--"))
    Followed(ledger_engine).catch_up(bus)
    (halt,) = Queries(ledger_engine, NS).halts(10)
    assert (halt["detail"], halt["by"]) == ("a�b", "𝄞'); DROP TABLE halts;--")


def test_every_event_is_in_it_once(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=w.START, reason="drill", by="ann"))
    followed = Followed(ledger_engine)
    followed.catch_up(bus)
    found = contents(ledger_engine)
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


def test_the_folded_state_is_the_loaded_state(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    writer, followed = w.Writer(bus), Followed(ledger_engine)
    followed.follower.begin(bus)
    w.a_day(writer, 12)
    writer.write(Stream.EXECUTIONS, "ETHUSDT", w.position(13, "ETHUSDT", "-2", "3000"))
    writer.write(Stream.ORDERS, "ETHUSDT", w.halted(13), w.halted(13, "ETHUSDT"))
    writer.write(Stream.EXECUTIONS, "BTCUSDT", *_at_the_venue())
    bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=w.START, reason="drill", by="ann"))
    folded = followed.catch_up(bus, begin=False)
    assert state(folded) == state(Queries(ledger_engine, NS).load(100.0))
    venue = folded.venue
    assert (venue.alerts, len(venue.latest)) == ({"rate_limited": 2, "denied": 1}, 3)
    assert venue.refusals == {"margin": 1, "not_found": 1, "not_placed": 1}
    assert list(venue.unknown) == ["c-20"]
    assert (venue.stops.count, venue.stops.total_s, venue.stops.never) == (3, 1.5, 1)
    assert venue.stops.since == {"sig-21": None, "sig-22": w.START + 22 * w.BAR}
    assert folded.account is not None
    assert folded.account.peak == max(value for _, value in folded.curve.points())


def _at_the_venue() -> list[Body]:
    """Alerts, refusals, orders of unknown fate, and positions that wait for their stop."""
    unknown, rejected = w.OrderState.UNKNOWN, w.OrderState.REJECTED
    closed = PositionPhase.CLOSED
    return [
        *(w.alert(14), w.alert(15, w.AlertCode.DENIED), w.alert(16)),
        *(w.order(20, unknown), w.order(20, unknown, detail="duplicate fill x ignored")),
        *(w.order(31, unknown), w.order(31)),
        w.order(32, rejected, detail="margin: not enough"),
        w.order(33, rejected, detail="not found"),
        w.order(34, rejected, detail="trading of * is halted: drawdown"),
        # protected after a second and a half, by the trade's own time
        w.fill(21, traded=w.START + 21 * w.BAR - 1500),
        *(w.position(21, stop=None), w.position(21), w.fill(21)),
        *(w.fill(22), w.position(22, stop=None)),
        # short, gone before it had a stop: no contracts are a negative zero then
        *(w.fill(23), w.position(23, "BTCUSDT", "-2", None), w.position(23, "BTCUSDT", "-0")),
        w.position(23, "BTCUSDT", "-0", phase=closed),
    ]


def test_reading_again_changes_nothing(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    Followed(ledger_engine).catch_up(bus)
    before = contents(ledger_engine)
    for batch in (1, 500):
        Followed(ledger_engine, batch).catch_up(bus)
        assert contents(ledger_engine) == before
    with ledger_engine.begin() as connection:  # positions that were lost: every event is read again
        connection.exec_driver_sql("UPDATE stream_positions SET position = 3 WHERE position > 3")
    Followed(ledger_engine).catch_up(bus)
    assert contents(ledger_engine) == before


def test_a_batch_for_another_position_is_refused_whole(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus))
    ledger = Ledger(ledger_engine, NS)
    entries = bus.range(EXECUTIONS, 0, 10)
    assert len(ledger.append(EXECUTIONS, 0, entries)) == 10
    before = contents(ledger_engine)
    with pytest.raises(PositionMoved):
        ledger.append(EXECUTIONS, 0, entries)
    with pytest.raises(PositionMoved):
        ledger.append(EXECUTIONS, 11, bus.range(EXECUTIONS, 11, 5))
    assert contents(ledger_engine) == before


def test_namespaces_share_nothing(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    w.a_day(w.Writer(bus), 8)
    Followed(ledger_engine).catch_up(bus)
    other = Queries(ledger_engine, "live")
    assert other.trades(None, 10) == other.decisions(None, None, None, None, 10) == []
    assert state(other.load(1.0)) == state(Trading())


def test_current_orders_and_positions_are_the_newest_facts(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
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
    Followed(ledger_engine).catch_up(bus)
    with ledger_engine.begin() as connection:
        orders = connection.exec_driver_sql("SELECT client_id, state FROM orders ORDER BY 1").all()
        positions = connection.exec_driver_sql("SELECT symbol, protected FROM positions").all()
    assert [tuple(row) for row in orders] == [("c-1", "filled"), ("c-2", "accepted")]
    assert [(symbol, bool(protected)) for symbol, protected in positions] == [("BTCUSDT", False)]


def test_a_broken_entry_is_recorded_and_the_rest_goes_on(
    ledger_engine: sa.Engine, bus: MemoryBus, memory: Memory
) -> None:
    writer = w.Writer(bus)
    writer.write(Stream.EXECUTIONS, "BTCUSDT", w.fill(1), w.fill(2), w.fill(3))
    stream = memory.streams[EXECUTIONS]
    stream[1] = Entry(EXECUTIONS, 2, stream[1].fields | {b"body": b"{rubbish"})
    Followed(ledger_engine).catch_up(bus)
    found = contents(ledger_engine)
    assert [row[3] for row in found["events"]] == ["Fill", "?", "Fill"]
    assert [row[2] for row in found["fills"]] == [1, 3]


def test_what_was_trimmed_before_it_was_read_is_counted(
    ledger_engine: sa.Engine, bus: MemoryBus, memory: Memory
) -> None:
    writer = w.Writer(bus)
    writer.write(Stream.EXECUTIONS, "BTCUSDT", *(w.fill(n) for n in range(1, 11)))
    del memory.streams[EXECUTIONS][:4]
    followed = Followed(ledger_engine)
    followed.catch_up(bus)
    assert followed.ledger.missed() == 4
    with followed.board.fleet() as (fleet, _):
        assert fleet.ledger.missed == 4
    again = Followed(ledger_engine)
    again.catch_up(bus)
    assert again.ledger.missed() == 4
    assert len(contents(ledger_engine)["fills"]) == 6


def test_trades_and_decisions_newest_first(ledger_engine: sa.Engine, bus: MemoryBus) -> None:
    writer = w.Writer(bus)
    w.a_day(writer)
    writer.write(Stream.EXECUTIONS, "ETHUSDT", w.closed(30, "1", "ETHUSDT"))
    writer.write(
        Stream.EXECUTIONS, "ETHUSDT", w.position(30, "ETHUSDT", "0", None, phase=PositionPhase.CLOSED)
    )
    Followed(ledger_engine).catch_up(bus)
    queries = Queries(ledger_engine, NS)
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
