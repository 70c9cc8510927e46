"""The bus port's contract: reading, positions, posting, trimming. On every implementation."""

from __future__ import annotations

import threading
import time

import pytest

from bus_schemas.bus import redis_observer
from bus_schemas.bus.port import Bus
from bus_schemas.errors import BusError
from bus_schemas.events import Acknowledge, Heartbeat, KillSwitch
from bus_schemas.topology import Place, Stream
from tests.support.hands import (
    CANDLES,
    CONTROLS,
    MANAGER,
    MARKS,
    ORDERS,
    REPORTS,
    RISK,
    SIGNALS,
    STRATEGY,
    VENUE,
    Hand,
    bodies,
    feed,
    owner,
    write,
)
from tests.support.worlds import RedisWorld, World

KILL = KillSwitch(time=1, reason="test", by="me")


def test_an_empty_stream_is_empty(world: World) -> None:
    bus = world.bus()
    assert bus.tip(CANDLES) == 0
    assert bus.range(CANDLES, 0, 10) == []
    assert bus.range(CANDLES, 5, 10) == []
    assert bus.read({CANDLES: 0, MARKS: 7}, 10, 0) == []
    assert bus.read({}, 10, 0) == []
    assert (bus.positions(STRATEGY), bus.unread(STRATEGY)) == ({CANDLES: 0}, 0)
    assert (bus.journal(STRATEGY, 0, 9), bus.dead_letters(STRATEGY), bus.state(STRATEGY)) == ([], [], {})


def test_a_range_lies_above_its_start(world: World) -> None:
    bus = world.bus()
    feed(bus, *"abcde")
    assert bodies(bus.range(CANDLES, 0, 99)) == list("abcde")
    assert bodies(bus.range(CANDLES, 2, 2)) == ["c", "d"]
    assert bus.range(CANDLES, 5, 9) == []
    assert [(e.place, e.seq) for e in bus.range(CANDLES, 3, 9)] == [(CANDLES, 4), (CANDLES, 5)]


def test_a_read_takes_each_stream_in_order_up_to_its_limit(world: World) -> None:
    bus = world.bus()
    other = world.topology.places(Stream.CANDLES)[1]
    feed(bus, *"abcd")
    feed(bus, "m", place=MARKS)
    feed(bus, *"xyz", place=other)
    after = {other: 1, CANDLES: 0, MARKS: 1}
    read = [(e.place, e.seq, e.fields[b"body"]) for e in bus.read(after, 3, 0)]
    assert [r for r in read if r[0] == CANDLES] == [
        (CANDLES, 1, b"a"),
        (CANDLES, 2, b"b"),
        (CANDLES, 3, b"c"),
    ]
    assert [r for r in read if r[0] == other] == [(other, 2, b"y"), (other, 3, b"z")]
    assert [place for place, _, _ in read] == [other] * 2 + [CANDLES] * 3


def test_a_read_returns_the_global_streams_too(world: World) -> None:
    bus = world.bus()
    bus.post(Stream.CONTROLS, "*", KILL)
    feed(bus, "o", place=ORDERS)
    read = bus.read({CONTROLS: 0, ORDERS: 0}, 9, 0)
    assert [(e.place, e.seq) for e in read] == [(CONTROLS, 1), (ORDERS, 1)]


def test_a_waiting_read_ends_with_the_first_entry(redis_world: RedisWorld) -> None:
    reader, writer = redis_world.bus(), redis_world.bus()
    hand = Hand(writer, STRATEGY)
    began = time.monotonic()
    timer = threading.Timer(0.05, lambda: hand.put(write(SIGNALS, "late")))
    timer.start()
    assert bodies(reader.read({SIGNALS: 0}, 9, 3.0)) == ["late"]
    assert 0.03 < time.monotonic() - began < 2
    timer.join()


def test_a_waiting_read_gives_up(redis_world: RedisWorld) -> None:
    began = time.monotonic()
    assert redis_world.bus().read({SIGNALS: 0}, 9, 0.05) == []
    assert 0.04 < time.monotonic() - began < 2


def test_a_read_never_waits_as_long_as_its_socket(redis_world: RedisWorld) -> None:
    """BLOCK beyond the socket's timeout would look like a lost connection."""
    bus = redis_world.bus()
    bus._link.longest_wait_s = 0.05
    began = time.monotonic()
    assert bus.read({SIGNALS: 0}, 9, 60) == []
    assert time.monotonic() - began < 2


def test_unread_counts_every_input(world: World) -> None:
    bus = world.bus()
    feed(bus, *"abc", place=ORDERS)
    feed(bus, *"xy", place=REPORTS)
    bus.post(Stream.CONTROLS, "*", KILL)
    assert bus.unread(MANAGER) == 6
    hand = Hand(bus, MANAGER)
    hand.send(hand.plan(took=[*hand.unread(ORDERS, 2), *hand.unread(REPORTS)]))
    assert bus.positions(MANAGER) == {CONTROLS: 0, REPORTS: 2, ORDERS: 2}
    assert bus.unread(MANAGER) == 2
    assert bus.unread(RISK) == 1


def test_posts_are_numbered_by_the_store(world: World) -> None:
    one, two = world.bus(), world.bus()
    numbers = [bus.post(Stream.CONTROLS, "*", KILL) for bus in (one, two, one, two)]
    numbers.append(one.post(Stream.CONTROLS, "BTC", Acknowledge(time=2, by="me")))
    assert numbers == [1, 2, 3, 4, 5]
    last = two.range(CONTROLS, 4, 9)[0]
    assert (last.fields[b"type"], last.fields[b"key"], last.fields[b"v"]) == (b"Acknowledge", b"BTC", b"1")
    assert one.tip(CONTROLS) == 5


def test_many_writers_get_numbers_without_holes(redis_world: RedisWorld) -> None:
    got: list[int] = []
    buses = [redis_world.bus() for _ in range(4)]

    def work(bus: Bus) -> None:
        got.extend(bus.post(Stream.CONTROLS, "*", KILL) for _ in range(50))

    threads = [threading.Thread(target=work, args=(bus,)) for bus in buses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 201))
    assert [entry.seq for entry in buses[0].range(CONTROLS, 0, 999)] == list(range(1, 201))


def test_heartbeats_are_capped_and_controls_are_not(
    redis_world: RedisWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_observer, "HEARTBEATS_KEPT", 100)
    bus = redis_world.bus()
    beat = Heartbeat(time=1, service="risk", slot="0", host="h", pid=1, status="ready")
    for _ in range(350):
        bus.post(Stream.CONTROLS, "*", KILL)
        assert bus.post(Stream.HEARTBEATS, "risk", beat) > 0
    assert redis_world.raw.xlen(redis_world.names.stream(CONTROLS)) == 350
    assert 100 <= redis_world.raw.xlen(redis_world.names.stream(Place(Stream.HEARTBEATS, "all"))) <= 250
    assert bus.tip(Place(Stream.HEARTBEATS, "all")) == 350


def test_trimming_takes_what_lies_below_and_nothing_else(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    for n in range(0, 400, 100):
        hand.put(*(write(SIGNALS, str(n + i)) for i in range(100)))
    gone = bus.trim(SIGNALS, 351)
    left = bus.range(SIGNALS, 0, 999)
    assert gone + len(left) == 400
    assert 300 <= gone <= 350
    assert [entry.seq for entry in left] == list(range(gone + 1, 401))
    assert bodies(bus.range(SIGNALS, 390, 99)) == [str(n) for n in range(390, 400)]
    assert bodies(bus.read({SIGNALS: 395}, 2, 0)) == ["395", "396"]
    hand.put(write(SIGNALS, "next"))
    assert bus.tip(SIGNALS) == 401


def test_a_stream_trimmed_to_nothing_keeps_its_tip(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    for n in range(0, 300, 100):
        hand.put(*(write(SIGNALS, str(n + i)) for i in range(100)))
    gone = bus.trim(SIGNALS, 10_000)
    assert 299 <= gone <= 300
    assert bus.tip(SIGNALS) == 300
    assert hand.reload().tips == {SIGNALS: 300}
    hand.put(write(SIGNALS, "next"))
    assert bodies(bus.range(SIGNALS, 300, 9)) == ["next"]
    assert bus.trim(SIGNALS, 0) == 0


def test_a_journal_keeps_its_newest_entries(world: World) -> None:
    bus = world.bus()
    feed(bus, *map(str, range(300)))
    hand = Hand(bus, STRATEGY)
    for entry in hand.unread(CANDLES):
        hand.send(hand.plan(took=[entry]))
    gone = bus.trim_journal(STRATEGY, 50)
    assert 100 <= gone <= 250
    rows = bus.journal(STRATEGY, 0, 999)
    assert [number for number, _ in rows] == list(range(gone + 1, 301))
    assert bus.trim_journal(STRATEGY, 1000) == 0
    hand.send(hand.plan(state={"k": b"1"}))


def test_readers_do_not_take_entries_from_each_other(world: World) -> None:
    bus = world.bus()
    feed(bus, "m1", "m2", place=MARKS)
    venue, risk = Hand(bus, VENUE), Hand(bus, RISK, owner("r"))
    venue.send(venue.plan(took=venue.unread(MARKS)))
    assert bodies(risk.unread(MARKS)) == ["m1", "m2"]
    assert (bus.unread(VENUE), bus.unread(RISK)) == (0, 2)


def test_an_unknown_refusal_is_an_error_and_no_reload(redis_world: RedisWorld) -> None:
    bus = redis_world.bus()
    redis_world.raw.set(redis_world.names.stream(SIGNALS), "not a stream")
    with pytest.raises(BusError, match="refused a command"):
        bus.tip(SIGNALS)
    with pytest.raises(BusError, match="refused a command"):
        Hand(bus, STRATEGY)
