"""A process's deciders by turns and without: a hole is noticed, and a unit that fails does not spin."""

from __future__ import annotations

import logging
import time

import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Owner
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.work import DeciderWork
from bus_schemas.settings import Settings
from bus_schemas.topology import Place, Stream, Topology, Unit
from tests.unit.runtime.toy import STRATEGY, Toy, append, put


class Desk:
    """The strategies of two partitions in one process."""

    def __init__(self, lockstep: bool) -> None:
        settings = Settings(bus={"partitions": 2, "lockstep": lockstep, "lease_ms": 600})  # type: ignore[arg-type]
        self.bus = MemoryBus(Topology(2, lockstep=lockstep), clock=time.monotonic)
        self.bus.declare()
        self.vitals = Vitals("strategy", Owner("h", "0", "n"))
        self.work = DeciderWork(
            self.bus, "strategy", settings, lambda _unit: Toy(Stream.SIGNALS), self.vitals.owner, self.vitals
        )

    def put(self, part: str, *keys: str) -> None:
        put(self.bus.memory, Place(Stream.CANDLES, part), *keys)

    def leave_a_hole(self, part: str) -> None:
        place = Place(Stream.CANDLES, part)
        append(self.bus.memory, place, {b"key": b"B"}, skip=1)

    def step(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.work.step()

    def position(self, part: str) -> int:
        return self.bus.positions(Unit("strategy", part))[Place(Stream.CANDLES, part)]


@pytest.mark.parametrize("lockstep", [True, False])
def test_everything_is_taken(lockstep: bool) -> None:
    desk = Desk(lockstep)
    desk.put("p0", *["QUIET"] * 3)  # an answer would make it the turn of risk, which is not here
    desk.put("p1", *["QUIET"] * 2)
    desk.step(0.05)
    assert (desk.position("p0"), desk.position("p1")) == (3, 2)
    assert desk.work.units == (STRATEGY, Unit("strategy", "p1"))
    assert (desk.vitals.counters.events, desk.vitals.counters.reloads) == (5, 0)
    assert desk.vitals.counters.busy_us > 0


@pytest.mark.parametrize("lockstep", [True, False])
def test_a_hole_is_said_and_does_not_spin(lockstep: bool, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(lockstep)
    desk.put("p0", "QUIET")
    desk.step(0.02)
    desk.leave_a_hole("p0")
    desk.put("p1", "QUIET")
    with caplog.at_level(logging.WARNING):
        desk.step(0.5)
    assert desk.position("p0") == 1
    said = [record for record in caplog.records if "do not follow" in getattr(record, "reason", "")]
    assert 2 <= len(said) <= 12
    assert [said[0].levelno, said[-1].levelno] == [logging.WARNING, logging.ERROR]
    if not lockstep:  # by turns everybody waits for whoever is first
        assert desk.position("p1") == 1


def test_after_one_failure_the_unit_is_back_at_once() -> None:
    desk = Desk(lockstep=False)
    desk.put("p0", "A")
    desk.step(0.02)
    desk.bus.memory.unit(STRATEGY).counter += 2
    desk.put("p0", "B", "C")
    desk.step(0.02)
    assert desk.position("p0") == 3
    assert desk.vitals.counters.reloads == 1


def test_a_lost_lease_is_counted_and_given_up() -> None:
    desk = Desk(lockstep=False)
    desk.step(0.02)
    stored = desk.bus.memory.unit(STRATEGY)
    stored.lease = None
    assert desk.bus.acquire(STRATEGY, Owner("elsewhere", "0", "x"))
    stored.expires = time.monotonic() + 60
    desk.put("p0", "A")
    desk.step(0.05)
    assert desk.vitals.counters.fenced == 1
    assert desk.work.units == (Unit("strategy", "p1"),)
    assert desk.position("p0") == 0


def test_a_writer_waits_for_its_readers_but_never_in_lockstep() -> None:
    for lockstep, taken in ((False, 0), (True, 1)):
        desk = Desk(lockstep)
        desk.vitals.blocked = True
        desk.put("p0", "A")
        desk.work.step()
        desk.work.step()
        assert desk.position("p0") == taken


def test_forget_and_finish() -> None:
    desk = Desk(lockstep=False)
    desk.step(0.02)
    desk.work.forget()
    assert desk.work.units == ()
    desk.put("p0", "A")
    desk.step(0.02)
    assert desk.position("p0") == 1
    desk.work.finish()
    assert desk.bus.memory.unit(STRATEGY).lease is None
    assert desk.bus.join("strategy", Owner("other", "0", "x")) == ["other/0"]
