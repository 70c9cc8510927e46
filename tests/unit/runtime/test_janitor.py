"""The janitor forgets what every reader has read beyond the horizon, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Owner
from bus_schemas.runtime.janitor import Janitor, behind, slowest, sweep
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import Settings
from bus_schemas.topology import Place, Stream, Topology, Unit
from tests.support.hands import CANDLES, MARKS, RISK, STRATEGY, VENUE, Hand, feed, owner
from tests.support.worlds import RedisWorld

TOPOLOGY = Topology(partitions=1)
ORDERS = Place(Stream.ORDERS, "MAIN")
N = 20


def a_bus(marks: int = N) -> MemoryBus:
    bus = MemoryBus(TOPOLOGY)
    bus.declare()
    feed(bus, *map(str, range(marks)), place=MARKS)
    return bus


def has_read(bus: MemoryBus, unit: Unit, place: Place, position: int) -> None:
    hand = Hand(bus, unit, owner(unit.reader))
    took = [entry for entry in hand.unread(place) if entry.seq <= position]
    if took:
        hand.send(hand.plan(took=took))


def numbers(bus: MemoryBus, place: Place = MARKS) -> list[int]:
    return [entry.seq for entry in bus.range(place, 0, 1000)]


def test_the_slowest_reader_of_each_stream() -> None:
    bus = a_bus()
    feed(bus, "a", "b", place=CANDLES)
    has_read(bus, RISK, MARKS, 7)
    has_read(bus, VENUE, MARKS, 5)
    has_read(bus, STRATEGY, CANDLES, 1)
    assert slowest(bus, "market_data") == {MARKS: 5, CANDLES: 1}


def test_a_reader_that_has_not_begun_is_behind_and_never_absent() -> None:
    bus = a_bus()
    has_read(bus, RISK, MARKS, N)
    assert slowest(bus, "market_data")[MARKS] == 0
    assert sweep(bus, "market_data", keep=0) == 0
    assert numbers(bus) == list(range(1, N + 1))


def test_what_all_have_read_goes_but_for_the_horizon() -> None:
    bus = a_bus()
    has_read(bus, RISK, MARKS, 15)
    has_read(bus, VENUE, MARKS, 12)
    assert sweep(bus, "market_data", keep=16) == 4
    assert numbers(bus)[0] == 5
    assert sweep(bus, "market_data", keep=0) == 8
    assert numbers(bus)[0] == 13
    assert bus.tip(MARKS) == N


def test_only_the_services_own_streams_are_swept() -> None:
    bus = a_bus()
    for unit in (RISK, VENUE):
        has_read(bus, unit, MARKS, N)
    for service in ("strategy", "risk", "execution"):
        sweep(bus, service, keep=0)
    assert numbers(bus) == list(range(1, N + 1))


def test_journals_keep_the_horizon_too() -> None:
    bus = a_bus()
    hand = Hand(bus, RISK)
    for entry in hand.unread(MARKS):
        hand.send(hand.plan(took=[entry]))
    assert len(bus.journal(RISK, 0, 100)) == N
    sweep(bus, "risk", keep=5)
    assert [number for number, _ in bus.journal(RISK, 0, 100)] == list(range(N - 4, N + 1))


def test_behind_is_what_the_slowest_has_not_read() -> None:
    bus = a_bus()
    assert behind(bus, "market_data") == N
    has_read(bus, RISK, MARKS, N)
    has_read(bus, VENUE, MARKS, N - 3)
    assert behind(bus, "market_data") == 3
    assert behind(bus, "health") == 0


@given(risk=st.integers(0, N), venue=st.integers(0, N), keep=st.integers(0, N + 5))
@settings(max_examples=80, deadline=None)
def test_nothing_unread_and_nothing_within_the_horizon_is_ever_trimmed(
    risk: int, venue: int, keep: int
) -> None:
    bus = a_bus()
    has_read(bus, RISK, MARKS, risk)
    has_read(bus, VENUE, MARKS, venue)
    sweep(bus, "market_data", keep)
    left = numbers(bus)
    assert left == list(range(left[0], N + 1))
    assert left[0] <= min(risk, venue) + 1
    assert len(left) >= min(keep, N)
    # and no more is kept than that, but for the last entry, by which memory knows its tip
    assert left[0] == min(max(1, min(risk, venue, N - keep) + 1), N)


def test_the_thread_tells_the_main_loop_to_wait_for_readers(redis_url: str, namespace: str) -> None:
    world = RedisWorld(TOPOLOGY, redis_url, namespace)
    bus = world.bus()
    bus.declare()
    feed(bus, *map(str, range(1001)), place=MARKS)
    vitals = Vitals("market_data", Owner("h", "0", "n"))
    own: dict[str, Any] = {"url": redis_url, "namespace": namespace, "partitions": 1, "backlog": 1000}
    janitor = Janitor(Settings(bus=own), "market_data", vitals)
    janitor.start()
    try:
        _until(lambda: vitals.blocked)
        for unit in (RISK, VENUE):
            hand = Hand(world.bus(), unit, owner(unit.reader))
            hand.send(hand.plan(took=hand.unread(MARKS, 10)))
        _until(lambda: not vitals.blocked)
    finally:
        janitor.stop()
        world.close()


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
