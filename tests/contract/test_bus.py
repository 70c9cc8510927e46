"""The bus port's contract: topology, the one commit, loading. On every implementation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from bus_schemas.bus.port import Commit, DeadLetter
from bus_schemas.bus.records import MOST_FIELDS
from bus_schemas.errors import (
    CounterMismatch,
    Fenced,
    NumberMismatch,
    Reload,
    TopologyMismatch,
)
from bus_schemas.topology import Topology
from tests.support.hands import (
    CANDLES,
    COMMANDS,
    EXECUTIONS,
    MANAGER,
    ORDERS,
    REPORTS,
    SIGNALS,
    STRATEGY,
    Hand,
    bodies,
    feed,
    owner,
    write,
)
from tests.support.worlds import RedisWorld, World


def test_the_topology_is_declared_once_and_compared_ever_after(world: World) -> None:
    world.bus().declare()
    world.bus().declare()
    other = msgspec.structs.replace(world.topology, partitions=3)
    with pytest.raises(TopologyMismatch, match="created with another topology"):
        world.bus(other).declare()
    world.bus().declare()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"partitions": 3}, "partitions: 2 there, 3 here"),
        ({"account": "OTHER"}, "account: 'MAIN' there, 'OTHER' here"),
        ({"lockstep": True}, "lockstep: False there, True here"),
        ({"readers": ()}, "readers"),
    ],
)
def test_a_topology_mismatch_names_what_differs(
    redis_world: RedisWorld, change: dict[str, Any], told: str
) -> None:
    redis_world.bus().declare()
    with pytest.raises(TopologyMismatch) as caught:
        redis_world.bus(msgspec.structs.replace(redis_world.topology, **change)).declare()
    assert told in str(caught.value)
    assert redis_world.names.namespace in str(caught.value)


def test_a_new_unit_has_nothing(world: World) -> None:
    snapshot = Hand(world.bus(), STRATEGY).snapshot
    assert (snapshot.counter, snapshot.positions, snapshot.state) == (0, {}, {})
    assert snapshot.tips == {SIGNALS: 0}
    assert snapshot.dead_in_row == 0


def test_a_commit_applies_all_of_it(world: World) -> None:
    bus = world.bus()
    feed(bus, "one", "two", "three")
    hand = Hand(bus, STRATEGY)
    took = hand.unread(CANDLES)
    letter = DeadLetter(CANDLES, 2, "ValueError: no", 3, took[1].fields)
    hand.send(
        hand.plan([write(SIGNALS, "a"), write(SIGNALS, "b")], took, {"BTC": b"1", "ETH": b"2"}, [letter])
    )

    assert bodies(bus.range(SIGNALS, 0, 10)) == ["a", "b"]
    assert [entry.seq for entry in bus.range(SIGNALS, 0, 10)] == [1, 2]
    assert bus.positions(STRATEGY) == {CANDLES: 3}
    assert bus.journal(STRATEGY, 0, 10) == [(1, "candles.p0:1-3")]
    assert bus.dead_letters(STRATEGY) == [letter]
    assert bus.state(STRATEGY) == {"BTC": b"1", "ETH": b"2"}
    fresh = Hand(world.bus(), STRATEGY).snapshot
    assert fresh.counter == 1
    assert fresh.positions == {CANDLES: 3}
    assert fresh.tips == {SIGNALS: 2}
    assert fresh.state == {"BTC": b"1", "ETH": b"2"}
    assert fresh.dead_in_row == 1


def test_an_output_carries_its_envelope(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    hand.put(write(SIGNALS, '{"time":1}', key="ETH"))
    fields = dict(bus.range(SIGNALS, 0, 1)[0].fields)
    assert int(fields.pop(b"sent", b"1")) > 0
    assert fields == {
        b"type": b"Mark",
        b"v": b"1",
        b"key": b"ETH",
        b"cause": b"cause",
        b"trace": b"trace",
        b"body": b'{"time":1}',
    }


@dataclass(frozen=True)
class Refusal:
    """A commit that must be refused: how to spoil the stage, how to spoil the commit, with what error."""

    name: str
    error: type[Reload]
    spoil: Callable[[World, Hand], object] = lambda _world, _hand: None
    change: Callable[[Commit], dict[str, Any]] = lambda _commit: {}


REFUSALS = [
    Refusal("lease taken by another", Fenced, lambda w, _: _taken(w)),
    Refusal("lease taken by the same slot", Fenced, lambda w, _: Hand(w.bus(), MANAGER, owner(nonce="new"))),
    Refusal("lease run out", Fenced, lambda w, _: w.hasten(MANAGER, 0)),
    Refusal("lease given back", Fenced, lambda w, h: h.bus.release(h.lease)),
    Refusal("counter ahead", CounterMismatch, change=lambda c: {"counter": c.counter + 1}),
    Refusal("counter far behind", CounterMismatch, change=lambda c: {"counter": c.counter - 2}),
    Refusal("first output below the tip", NumberMismatch, change=lambda c: _first(c, COMMANDS, -1)),
    Refusal("first output beyond the tip", NumberMismatch, change=lambda c: _first(c, COMMANDS, 1)),
    Refusal("second output below the tip", NumberMismatch, change=lambda c: _first(c, EXECUTIONS, -1)),
    Refusal("second output beyond the tip", NumberMismatch, change=lambda c: _first(c, EXECUTIONS, 1)),
    Refusal(
        "an entry of nobody in an output", NumberMismatch, lambda w, _: w.append(EXECUTIONS, {b"a": b"b"})
    ),
    Refusal("an output lost its tail", NumberMismatch, lambda w, _: w.lose_tail(EXECUTIONS, 1)),
    Refusal("an input lost its tail", NumberMismatch, lambda w, _: w.lose_tail(REPORTS, 2)),
    Refusal("an input is gone", NumberMismatch, lambda w, _: w.lose_tail(ORDERS, 0)),
]


def _taken(world: World) -> Hand:
    world.hasten(MANAGER, 0)
    return Hand(world.bus(), MANAGER, owner("other"))


def _first(commit: Commit, place: Any, by: int) -> dict[str, Any]:
    return {"first": {**commit.first, place: commit.first[place] + by}}


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_a_refused_commit_leaves_nothing(world: World, case: Refusal) -> None:
    bus = world.bus()
    feed(bus, "r1", "r2", "r3", place=REPORTS)
    feed(bus, "o1", "o2", place=ORDERS)
    hand = Hand(bus, MANAGER)
    took = [*hand.unread(REPORTS, 2), *hand.unread(ORDERS, 1)]
    for n in (1, 2):
        hand.send(
            hand.plan(
                [write(COMMANDS, f"c{n}"), write(EXECUTIONS, f"e{n}")],
                took if n == 1 else (),
                {"k": b"%d" % n},
            )
        )
    rest = [*hand.unread(REPORTS), *hand.unread(ORDERS)]
    letter = DeadLetter(ORDERS, 2, "no", 3, {})
    last = hand.plan([write(COMMANDS, "x"), write(EXECUTIONS, "y")], rest, {"k": None, "l": b"1"}, [letter])
    case.spoil(world, hand)
    before = world.picture()
    with pytest.raises(case.error):
        bus.commit(hand.lease, msgspec.structs.replace(last, **case.change(last)))
    assert world.picture() == before


def test_a_commit_sent_twice_has_one_effect(world: World) -> None:
    bus = world.bus()
    feed(bus, "one", "two")
    hand = Hand(bus, STRATEGY)
    letter = DeadLetter(CANDLES, 2, "no", 3, {b"body": b"x"})
    commit = hand.plan([write(SIGNALS, "a")], hand.unread(CANDLES), {"k": b"1"}, [letter])
    hand.send(commit)
    once = world.picture()
    bus.commit(hand.lease, commit)
    assert world.picture() == once
    hand.put(write(SIGNALS, "b"))
    assert bodies(bus.range(SIGNALS, 0, 10)) == ["a", "b"]


def test_the_nonce_fences_where_epochs_repeat(world: World) -> None:
    """The server lost its tail, and with it the first lease: the next one has the same epoch."""
    hand = Hand(world.bus(), STRATEGY, owner("a", "nonce-a"))
    commit = hand.plan([write(SIGNALS, "a")])
    world.forget_epoch(STRATEGY)
    other = Hand(world.bus(), STRATEGY, owner("b", "nonce-b"))
    assert other.lease.epoch == hand.lease.epoch
    with pytest.raises(Fenced):
        hand.bus.commit(hand.lease, commit)
    with pytest.raises(Fenced):
        hand.bus.renew(hand.lease)
    with pytest.raises(Fenced):
        hand.bus.load(hand.lease)
    other.put(write(SIGNALS, "b"))
    assert bodies(other.bus.range(SIGNALS, 0, 10)) == ["b"]


def test_state_is_kept_by_key(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    hand.send(hand.plan(state={"a": b"1", "b": b"2", "c": b"\x00\xff"}))
    hand.send(hand.plan(state={"b": None, "c": b"3", "never": None}))
    hand.send(hand.plan())
    assert bus.state(STRATEGY) == {"a": b"1", "c": b"3"}
    assert hand.reload().state == {"a": b"1", "c": b"3"}


def test_writes_to_several_streams_interleave(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, MANAGER)
    hand.put(write(EXECUTIONS, "e1"))
    hand.put(*(write(EXECUTIONS if n % 3 else COMMANDS, str(n)) for n in range(10)))
    assert bodies(bus.range(COMMANDS, 0, 99)) == ["0", "3", "6", "9"]
    assert bodies(bus.range(EXECUTIONS, 0, 99)) == ["e1", "1", "2", "4", "5", "7", "8"]
    assert (bus.tip(COMMANDS), bus.tip(EXECUTIONS)) == (4, 7)
    assert hand.reload().tips == {COMMANDS: 4, EXECUTIONS: 7}


def test_a_commit_may_be_large(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    hand.send(
        hand.plan([write(SIGNALS, str(n)) for n in range(3000)], state={f"k{n}": b"v" for n in range(3000)})
    )
    assert bus.tip(SIGNALS) == 3000
    assert len(bus.state(STRATEGY)) == 3000
    hand.send(hand.plan(state={f"k{n}": None for n in range(3000)}))
    assert bus.state(STRATEGY) == {}


def test_dead_letters_keep_what_was_there(world: World) -> None:
    bus = world.bus()
    hand = Hand(bus, MANAGER)
    letters = [
        DeadLetter(
            ORDERS, 1, "no: \u00e9\u20ac", 3, {b"body": b"\xff\x00", b"stream": b"mine", b"\xfe": b""}
        ),
        DeadLetter(REPORTS, 7, "", 1, {}),
        DeadLetter(REPORTS, 8, "third", 1, {b"type": b"T"}),
    ]
    hand.send(hand.plan(dead=letters[:2]))
    hand.send(hand.plan(dead=letters[2:]))
    assert bus.dead_letters(MANAGER) == letters
    assert bus.dead_letters(MANAGER, 2) == letters[1:]
    assert bus.dead_count(MANAGER) == 3
    assert bus.dead_count(STRATEGY) == 0
    assert hand.reload().dead_in_row == 1


def test_rubbish_of_any_size_can_be_buried(world: World) -> None:
    """An entry with ten thousand fields must not stop the commit that buries it."""
    bus = world.bus()
    hand = Hand(bus, STRATEGY)
    rubbish = {b"f%d" % n: b"v" for n in range(10_000)}
    hand.send(hand.plan([write(SIGNALS, "halted")], dead=[DeadLetter(CANDLES, 1, "\udcff", 1, rubbish)]))
    kept = bus.dead_letters(STRATEGY)[0].fields
    assert len(kept) >= MOST_FIELDS
    assert kept.items() <= rubbish.items()
    assert bodies(bus.range(SIGNALS, 0, 9)) == ["halted"]


def test_the_journal_is_read_by_commit(world: World) -> None:
    bus = world.bus()
    feed(bus, "a", "b", "c", place=ORDERS)
    feed(bus, "x", place=REPORTS)
    hand = Hand(bus, MANAGER)
    hand.send(hand.plan(took=[*hand.unread(ORDERS, 2), *hand.unread(REPORTS)]))
    hand.send(hand.plan(state={"k": b"1"}))
    hand.send(hand.plan(took=hand.unread(ORDERS)))
    assert bus.journal(MANAGER, 0, 9) == [(1, "orders.MAIN:1-2,reports.MAIN:1"), (3, "orders.MAIN:3")]
    assert bus.journal(MANAGER, 1, 9) == [(3, "orders.MAIN:3")]
    assert bus.journal(MANAGER, 0, 1) == [(1, "orders.MAIN:1-2,reports.MAIN:1")]


def test_loading_refuses_a_position_beyond_the_end(world: World) -> None:
    bus = world.bus()
    feed(bus, "one", "two")
    hand = Hand(bus, STRATEGY)
    hand.send(hand.plan(took=hand.unread(CANDLES)))
    world.lose_tail(CANDLES, 1)
    with pytest.raises(NumberMismatch, match=r"candles\.p0 up to 2"):
        hand.reload()


def test_partitions_do_not_touch_each_other(world: World) -> None:
    bus = world.bus()
    one, two = (Hand(bus, unit) for unit in world.topology.units("strategy"))
    place = world.topology.outputs(two.unit)[0]
    one.send(one.plan([write(SIGNALS, "one")], state={"k": b"1"}))
    two.send(two.plan([write(place, "two")], state={"k": b"2"}))
    assert bodies(bus.range(SIGNALS, 0, 9)) == ["one"]
    assert bodies(bus.range(place, 0, 9)) == ["two"]
    assert bus.state(one.unit) == {"k": b"1"}


def test_namespaces_do_not_touch_each_other(redis_world: RedisWorld, redis_url: str) -> None:
    other = RedisWorld(Topology(partitions=2), redis_url, redis_world.names.namespace + "-b")
    feed(redis_world.bus(), "mine")
    assert other.bus().tip(CANDLES) == 0
    assert other.picture() == {}
    other.close()
