"""The bus port's contract: lockstep's turns on every implementation, and the server's hints."""

from __future__ import annotations

import pytest

from bus_schemas.bus.port import Bus, Turn
from bus_schemas.bus.redis_observer import HINT_LIMIT
from bus_schemas.events import KillSwitch
from bus_schemas.topology import READERS, Place, Stream, Unit
from tests.support.hands import (
    CANDLES,
    COMMANDS,
    CONTROLS,
    EXECUTIONS,
    FEED,
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
WAIT_S = 2.0


def _take(bus: Bus, unit: Unit) -> None:
    """Read everything that waits for a unit."""
    hand = Hand(bus, unit, owner(unit.reader))
    hand.send(hand.plan(took=[entry for place in bus.topology.inputs(unit) for entry in hand.unread(place)]))


def _told(turn: Turn | None) -> tuple[Unit | None, list[tuple[Place, int]]]:
    assert turn is not None
    return turn.unit, [(entry.place, entry.seq) for entry in turn.entries or ()]


def test_nothing_to_read_is_quiet(lockstep: World) -> None:
    assert lockstep.bus().ask_turn(9) == Turn(None, [])


def test_the_turn_is_the_first_readers_with_something_to_read(lockstep: World) -> None:
    bus = lockstep.bus()
    feed(bus, "c", place=COMMANDS)
    feed(bus, "r", place=REPORTS)
    feed(bus, "m", place=MARKS)
    feed(bus, "k", place=CANDLES)
    order = []
    while (turn := bus.ask_turn(9)).unit is not None:
        order.append(_told(turn))
        _take(bus, turn.unit)
    assert order == [
        (VENUE, [(COMMANDS, 1), (MARKS, 1)]),
        (MANAGER, [(REPORTS, 1)]),
        (RISK, [(MARKS, 1)]),
        (STRATEGY, [(CANDLES, 1)]),
    ]
    assert turn == Turn(None, [])


def test_partitions_have_their_turns_in_order(lockstep: World) -> None:
    bus = lockstep.bus()
    for place in reversed(lockstep.topology.places(Stream.CANDLES)):
        feed(bus, "k", place=place)
    for unit in lockstep.topology.units("strategy"):
        assert bus.ask_turn(9).unit == unit
        _take(bus, unit)
    assert bus.ask_turn(9).unit is None


def test_asking_shows_the_next_entries_up_to_the_limit(lockstep: World) -> None:
    bus = lockstep.bus()
    feed(bus, *"abcdef")
    hand = Hand(bus, STRATEGY)
    hand.send(hand.plan(took=hand.unread(CANDLES, 2)))
    turn = bus.ask_turn(3)
    assert turn.unit == STRATEGY
    assert bodies(turn.entries or ()) == ["c", "d", "e"]
    assert bus.ask_turn(3) == turn


def test_observers_and_heartbeats_take_no_turn(lockstep: World) -> None:
    bus = lockstep.bus()
    feed(bus, "e", place=EXECUTIONS)
    assert bus.ask_turn(9).unit == RISK
    _take(bus, RISK)
    assert bus.ask_turn(9).unit is None
    assert "health" not in {spec.service for spec in READERS}


def test_a_control_gives_a_turn(lockstep: World) -> None:
    bus = lockstep.bus()
    bus.post(Stream.CONTROLS, "*", KILL)
    assert _told(bus.ask_turn(9)) == (MANAGER, [(CONTROLS, 1)])
    _take(bus, MANAGER)
    assert _told(bus.ask_turn(9)) == (RISK, [(CONTROLS, 1)])


def test_a_broken_entry_is_shown_as_it_is(lockstep: World) -> None:
    bus = lockstep.bus()
    lockstep.append(CANDLES, {b"body": b"\xff\xfe", b"\x80": b""})
    turn = bus.ask_turn(9)
    assert turn.unit == STRATEGY
    assert [entry.fields for entry in turn.entries or ()] == [{b"body": b"\xff\xfe", b"\x80": b""}]


def _listen(bus: Bus, service: str) -> Bus:
    while bus.wait_turn(service, 0.02) is not None:
        pass
    for _ in READERS:  # one answer for each subscribed channel, each of them a silence
        bus.wait_turn(service, 0.02)
    return bus


def test_a_commit_hints_to_the_next_reader(redis_lockstep: RedisWorld) -> None:
    strategy, market = (_listen(redis_lockstep.bus(), name) for name in ("strategy", "market_data"))
    feed(redis_lockstep.bus(), "a", "b")
    turn = strategy.wait_turn("strategy", WAIT_S)
    assert turn is not None
    assert turn.unit == STRATEGY
    assert turn.entries == strategy.range(CANDLES, 0, 9)
    assert market.wait_turn("market_data", 0.02) is None
    assert strategy.wait_turn("strategy", 0.02) is None


def test_hints_go_round_until_the_feed_is_told(redis_lockstep: RedisWorld) -> None:
    services = ("market_data", "strategy", "risk", "execution")
    buses = {name: _listen(redis_lockstep.bus(), name) for name in services}
    hands = {unit: Hand(redis_lockstep.bus(), unit) for unit in (FEED, STRATEGY, RISK, MANAGER)}

    def step(unit: Unit, reads: Place | None, writes: Place | None) -> None:
        took = hands[unit].unread(reads) if reads else []
        hands[unit].send(hands[unit].plan([write(writes, "x")] if writes else [], took))

    step(FEED, None, CANDLES)
    assert _told(buses["strategy"].wait_turn("strategy", WAIT_S)) == (STRATEGY, [(CANDLES, 1)])
    step(STRATEGY, CANDLES, SIGNALS)
    assert _told(buses["risk"].wait_turn("risk", WAIT_S)) == (RISK, [(SIGNALS, 1)])
    step(RISK, SIGNALS, ORDERS)
    assert _told(buses["execution"].wait_turn("execution", WAIT_S)) == (MANAGER, [(ORDERS, 1)])
    step(MANAGER, ORDERS, None)
    assert buses["market_data"].wait_turn("market_data", WAIT_S) == Turn(None, [], "p0 1")
    for name, bus in buses.items():
        assert bus.wait_turn(name, 0.02) is None


def test_a_quiet_hint_names_the_feeds_step(redis_lockstep: RedisWorld) -> None:
    listener = _listen(redis_lockstep.bus(), "market_data")
    one, two = (Hand(redis_lockstep.bus(), unit) for unit in redis_lockstep.topology.units("market_data"))
    steps = []
    for hand in (one, two, one):
        hand.send(hand.plan(state={"row": b"1"}))
        turn = listener.wait_turn("market_data", WAIT_S)
        assert turn is not None
        assert turn.unit is None
        steps.append(turn.step)
    assert steps == ["p0 1", "p1 1", "p0 2"]


@pytest.mark.parametrize(
    ("count", "inside"), [(HINT_LIMIT - 1, True), (HINT_LIMIT, False), (HINT_LIMIT + 40, False)]
)
def test_a_hint_with_too_many_entries_says_read_them(
    redis_lockstep: RedisWorld, count: int, inside: bool
) -> None:
    bus = _listen(redis_lockstep.bus(), "strategy")
    feed(redis_lockstep.bus(), *map(str, range(count)))
    turn = bus.wait_turn("strategy", WAIT_S)
    assert turn is not None
    assert turn.unit == STRATEGY
    assert (turn.entries is not None) == inside
    if turn.entries is not None:
        assert bodies(turn.entries) == list(map(str, range(count)))


def test_a_hint_that_is_not_text_is_a_silence(redis_lockstep: RedisWorld) -> None:
    bus = _listen(redis_lockstep.bus(), "strategy")
    redis_lockstep.append(CANDLES, {b"body": b"\xff\xfe"})
    Hand(redis_lockstep.bus(), FEED).put(write(CANDLES, "whole"))
    assert bus.wait_turn("strategy", 0.2) is None
    turn = bus.ask_turn(9)
    assert [entry.fields[b"body"] for entry in turn.entries or ()] == [b"\xff\xfe", b"whole"]


def test_a_control_is_hinted_and_a_heartbeat_is_not(redis_lockstep: RedisWorld) -> None:
    bus = _listen(redis_lockstep.bus(), "execution")
    redis_lockstep.bus().post(Stream.CONTROLS, "*", KILL)
    assert _told(bus.wait_turn("execution", WAIT_S)) == (MANAGER, [(CONTROLS, 1)])
    redis_lockstep.bus().post(Stream.HEARTBEATS, "x", KILL)
    assert bus.wait_turn("execution", 0.02) is None


def test_a_refused_commit_hints_nothing(redis_lockstep: RedisWorld) -> None:
    hand = Hand(redis_lockstep.bus(), FEED)
    commit = hand.plan([write(CANDLES, "a")])
    hand.send(commit)
    bus = _listen(redis_lockstep.bus(), "strategy")
    hand.bus.commit(hand.lease, commit)
    assert bus.wait_turn("strategy", 0.05) is None


def test_hints_end_with_a_reset_and_start_again(redis_lockstep: RedisWorld) -> None:
    bus = _listen(redis_lockstep.bus(), "strategy")
    bus.reset()
    _listen(bus, "strategy")
    feed(redis_lockstep.bus(), "a")
    assert _told(bus.wait_turn("strategy", WAIT_S)) == (STRATEGY, [(CANDLES, 1)])
    assert bus.wait_turn("strategy", 0.02) is None


def test_free_running_services_hint_nothing(redis_world: RedisWorld) -> None:
    bus = _listen(redis_world.bus(), "strategy")
    feed(redis_world.bus(), "a")
    assert bus.wait_turn("strategy", 0.05) is None
