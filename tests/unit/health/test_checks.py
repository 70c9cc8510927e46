"""Every reason and warning, tripped by what causes it and gone when it is mended."""

from __future__ import annotations

from typing import Any

import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.events import (
    Acknowledge,
    KillSwitch,
    OrderState,
    PositionPhase,
    ReduceOnly,
    TradingResumed,
)
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import Place, Stream, Unit
from health.checks import Code, unhealthy, unready, warnings
from health.fleet import Fleet, Look
from health.rows import record
from health.watcher import look_at
from tests.unit.health.writer import BAR, START, Writer, beat, halted, order, position

NOW = 1000.0
RISK = Unit("risk", "MAIN")
SIGNALS = Place(Stream.SIGNALS, "p0")
EXPECTED = ("market_data", "strategy", "risk", "execution")


def look(lag: int = 0, dead: int = 0) -> Look:
    return Look({SIGNALS: 100_000}, {RISK: {SIGNALS: 100_000 - lag}}, {RISK: dead})


def healthy(now: float = NOW, **settings: Any) -> Fleet:
    fleet = Fleet(HealthSettings(**settings), now)
    for service in EXPECTED:
        fleet.beat(beat(service, 1), now)
    fleet.seen_bus(look(), now)
    fleet.ledger.caught_up = True
    return fleet


def codes(fleet: Fleet, now: float = NOW) -> list[tuple[Code, str]]:
    return [(reason.code, reason.subject) for reason in unhealthy(fleet, now)]


def told(writer: Writer, fleet: Fleet, stream: Stream, *bodies: Any, now: float = NOW) -> None:
    """Write events and fold their rows."""
    for body in bodies:
        if stream is Stream.CONTROLS:
            seq = writer.bus.post(stream, "MAIN", body)
            place = writer.bus.topology.places(stream)[0]
        else:
            place = writer.write(stream, getattr(body, "symbol", "MAIN"), body)
            seq = writer.bus.tip(place)
        row = record(writer.bus.range(place, seq - 1, 1)[0]).row
        assert row is not None
        fleet.trading.apply(row, now)


def test_all_is_well() -> None:
    fleet = healthy()
    assert unhealthy(fleet, NOW) == unready(fleet, NOW) == warnings(fleet, NOW) == []


def test_it_is_not_ready_before_it_has_looked() -> None:
    fleet = Fleet(HealthSettings(), NOW)
    assert [r.code for r in unready(fleet, NOW)] == [Code.STARTING]
    assert unhealthy(fleet, NOW) == []
    fleet.seen_bus(look(), NOW)
    assert [r.code for r in unready(fleet, NOW)] == [Code.STARTING]  # the ledger still reads
    fleet.ledger.caught_up = True
    assert unready(fleet, NOW) == []


@pytest.mark.parametrize(("age", "found"), [(5.0, []), (5.1, [(Code.SERVICE_SILENT, "risk/0")])])
def test_a_silent_service(age: float, found: list[Any]) -> None:
    fleet = healthy()
    for service in set(EXPECTED) - {"risk"}:
        fleet.beat(beat(service, 2), NOW + age)
    fleet.seen_bus(look(), NOW + age)
    assert codes(fleet, NOW + age) == found
    fleet.beat(beat("risk", 2), NOW + age)
    assert codes(fleet, NOW + age) == []


def test_a_service_that_never_came() -> None:
    fleet = Fleet(HealthSettings(expect=("strategy",)), NOW)
    fleet.seen_bus(look(), NOW + 5)
    assert codes(fleet, NOW + 5) == []
    assert codes(fleet, NOW + 5.5) == [(Code.SERVICE_SILENT, "strategy")]


def test_a_service_that_stopped_in_order_is_missed_only_without_another_replica() -> None:
    fleet = healthy()
    fleet.beat(beat("strategy", 2, slot="1"), NOW)
    fleet.beat(beat("strategy", 2, status="stopping"), NOW)
    assert codes(fleet) == []
    fleet.beat(beat("strategy", 3, status="stopping", slot="1"), NOW)
    assert (Code.SERVICE_SILENT, "strategy/0") in codes(fleet)


def test_a_dead_replica_is_forgotten_when_another_does_its_work() -> None:
    fleet = healthy(forget_after_s=60)
    for now in (NOW, NOW + 61):
        fleet.beat(beat("strategy", int(now), slot="new"), now)
    fleet.seen_bus(look(), NOW + 61)
    assert ("strategy", "0") not in fleet.replicas
    assert ("risk", "0") in fleet.replicas  # nobody else is risk: it stays, and is a reason
    assert (Code.SERVICE_SILENT, "risk/0") in codes(fleet, NOW + 61)


def test_a_late_heartbeat_of_the_past_does_not_hide_a_newer_one() -> None:
    fleet = healthy()
    fleet.beat(beat("risk", 5, status="waiting"), NOW + 1)
    fleet.beat(beat("risk", 4, status="ready"), NOW + 2)
    assert fleet.replicas["risk", "0"].beat.status == "waiting"


@pytest.mark.parametrize(("lag", "found"), [(5000, []), (5001, [(Code.LAG_HIGH, "risk.MAIN")])])
def test_a_high_lag(lag: int, found: list[Any]) -> None:
    fleet = healthy()
    fleet.seen_bus(look(lag), NOW)
    assert codes(fleet) == found


@pytest.mark.parametrize(
    ("lags", "grows"),
    [
        ((101, 102, 103, 104), True),
        ((101, 102, 102, 104), False),  # it stood still once
        ((97, 98, 99, 100), False),  # not worth a word
        ((90, 95, 99, 101), True),
        ((102, 103, 104), False),  # too few looks
        ((500, 101, 102, 103, 104), True),  # what was long ago does not count
        ((101, 102, 103, 104, 104), False),  # it has stopped growing
    ],
)
def test_a_growing_lag(lags: tuple[int, ...], grows: bool) -> None:
    fleet = Fleet(HealthSettings(expect=(), lag_growing=3, lag_floor=100), NOW)
    for lag in lags:
        fleet.seen_bus(look(lag), NOW)
    assert codes(fleet) == ([(Code.LAG_GROWING, "risk.MAIN")] if grows else [])


def test_a_dead_letter_until_a_person_acknowledges() -> None:
    fleet = healthy()
    fleet.seen_bus(look(dead=2), NOW)
    assert codes(fleet) == [(Code.DEAD_LETTER, "risk.MAIN")]
    assert fleet.acknowledge_dead() == {RISK: 2}
    assert codes(fleet) == []
    fleet.seen_bus(look(dead=3), NOW)
    assert codes(fleet) == [(Code.DEAD_LETTER, "risk.MAIN")]
    assert fleet.dead_letters(RISK) == 1
    fleet.seen_bus(look(dead=1), NOW)  # another server, which counts from the beginning
    assert fleet.dead_letters(RISK) == 1


def test_a_position_without_a_stop_for_too_long(writer: Writer) -> None:
    fleet = healthy(silent_after_s=1000, unprotected_s=10)
    told(writer, fleet, Stream.EXECUTIONS, position(1, stop=None))
    assert codes(fleet, NOW + 10) == []
    told(writer, fleet, Stream.EXECUTIONS, position(2, quantity="0.05", stop=None), now=NOW + 9)
    assert codes(fleet, NOW + 10.1) == [(Code.POSITION_UNPROTECTED, "BTCUSDT")]  # counted from the first
    told(writer, fleet, Stream.EXECUTIONS, position(3))
    assert codes(fleet, NOW + 100) == []


def test_a_position_that_is_not_filled_or_closed_needs_no_stop(writer: Writer) -> None:
    fleet = healthy(silent_after_s=1000)
    told(writer, fleet, Stream.EXECUTIONS, position(1, quantity="0", stop=None, phase=PositionPhase.OPENING))
    assert codes(fleet, NOW + 100) == []
    told(writer, fleet, Stream.EXECUTIONS, position(2, stop=None))
    told(writer, fleet, Stream.EXECUTIONS, position(3, "BTCUSDT", "0", None, phase=PositionPhase.CLOSED))
    assert codes(fleet, NOW + 100) == []
    assert fleet.trading.positions == {}


def test_a_lost_bus_hides_what_cannot_be_told() -> None:
    fleet = healthy()
    fleet.lost_bus("Connection refused")
    assert codes(fleet, NOW + 60) == [(Code.BUS_UNREACHABLE, "bus")]
    fleet.seen_bus(look(), NOW + 61)
    assert (Code.SERVICE_SILENT, "risk/0") in codes(fleet, NOW + 61)


def test_a_watcher_that_hangs() -> None:
    assert (Code.BUS_UNREACHABLE, "bus") in codes(healthy(), NOW + 6.1)


@pytest.mark.parametrize(("silent", "found"), [(30.0, []), (31.0, [(Code.VENUE_UNREACHABLE, "execution/0")])])
def test_a_venue_that_does_not_answer(silent: float, found: list[Any]) -> None:
    fleet = healthy()
    fleet.beat(beat("execution", 2, gauges={"venue_silent_s": silent}), NOW)
    assert codes(fleet) == found


@pytest.mark.parametrize(
    ("silent", "reasons", "known"),
    [(0, [], []), (1, [], [Code.DATA_SILENT]), (3, [(Code.DATA_SILENT, "market_data/0")], [])],
)
def test_data_that_is_not_fresh(silent: int, reasons: list[Any], known: list[Code]) -> None:
    fleet = healthy()
    gauges = {"symbols": 3.0, "silent_symbols": float(silent)}
    fleet.beat(beat("market_data", 2, gauges=gauges), NOW)
    assert codes(fleet) == reasons
    assert [reason.code for reason in warnings(fleet, NOW)] == known


def test_a_ledger_that_cannot_be_written_or_is_behind() -> None:
    fleet = healthy(ledger_behind=1000)
    fleet.ledger.fault = "disk full"
    assert codes(fleet) == [(Code.LEDGER_FAULT, "ledger")]
    fleet.ledger.fault = ""
    fleet.ledger.positions = {SIGNALS: 99_000}
    assert codes(fleet) == []
    fleet.ledger.positions = {SIGNALS: 98_999}
    assert codes(fleet) == [(Code.LEDGER_BEHIND, "ledger")]


def test_halts_and_controls_are_warnings(writer: Writer) -> None:
    fleet = healthy()
    kill = KillSwitch(time=START, reason="I saw smoke", by="ann")
    told(writer, fleet, Stream.CONTROLS, kill, ReduceOnly(time=START, on=True, by="ann"))
    told(writer, fleet, Stream.ORDERS, halted(1), halted(1, "BTCUSDT", until=START + 3 * BAR))
    found = warnings(fleet, NOW)
    assert [(r.code, r.subject) for r in found] == [
        (Code.KILL_SWITCH, "*"),
        (Code.HALTED, "*"),
        (Code.HALTED, "BTCUSDT"),
        (Code.REDUCE_ONLY, "*"),
    ]
    assert "ann" in found[0].detail
    assert "I saw smoke" in found[0].detail
    assert unhealthy(fleet, NOW) == []
    told(writer, fleet, Stream.CONTROLS, Acknowledge(time=START, by="bob", symbol="ETHUSDT"))
    assert warnings(fleet, NOW)[0].code is Code.KILL_SWITCH  # that was one symbol only
    told(writer, fleet, Stream.CONTROLS, Acknowledge(time=START, by="bob"))
    told(writer, fleet, Stream.CONTROLS, ReduceOnly(time=START, on=False, by="bob"))
    told(writer, fleet, Stream.ORDERS, TradingResumed(time=START + 2 * BAR, symbol="*", by="bob"))
    assert [(r.code, r.subject) for r in warnings(fleet, NOW)] == [(Code.HALTED, "BTCUSDT")]
    told(writer, fleet, Stream.EXECUTIONS, position(3))  # event time reaches the halt's end
    assert warnings(fleet, NOW) == []


def test_an_order_of_unknown_fate_for_a_minute_is_a_warning(writer: Writer) -> None:
    fleet = healthy()
    told(writer, fleet, Stream.EXECUTIONS, order(1, OrderState.UNKNOWN))
    told(writer, fleet, Stream.EXECUTIONS, order(1, OrderState.UNKNOWN), now=NOW + 59)
    assert warnings(fleet, NOW + 60) == []
    (found,) = warnings(fleet, NOW + 61)
    assert (found.code, found.subject) == (Code.ORDER_UNKNOWN, "BTCUSDT")
    assert "entry order c-1 is unknown since 61 s" in found.detail
    told(writer, fleet, Stream.EXECUTIONS, order(1))
    assert warnings(fleet, NOW + 61) == []


def test_the_ledger_missed_something() -> None:
    fleet = healthy()
    fleet.ledger.missed = 7
    assert [r.code for r in warnings(fleet, NOW)] == [Code.LEDGER_MISSED]


def test_a_look_counts_what_each_unit_has_not_read(bus: MemoryBus, writer: Writer) -> None:
    told(writer, healthy(), Stream.EXECUTIONS, position(1), position(2), position(3))
    place = bus.topology.places(Stream.EXECUTIONS)[0]
    writer.read(RISK, place, 1)
    writer.bury(RISK, bus.range(place, 1, 1)[0])
    seen = look_at(bus)
    assert seen.unread(RISK) == bus.unread(RISK) == 1
    assert seen.dead[RISK] == 1
    assert all(seen.unread(unit) == bus.unread(unit) for unit in bus.topology.turn_order)
