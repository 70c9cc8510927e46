"""Each guard of the bus: a scenario that ends well with it, and in harm without it.

The harm is asserted too, so a scenario that no longer tests its guard fails as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import Commit, DeadLetter
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import BusError, CounterMismatch, Disconnected, Fenced, NumberMismatch, Reload
from bus_schemas.topology import Topology
from tests.support.guards import CarelessLink, without
from tests.support.hands import CANDLES, SIGNALS, STRATEGY, Hand, bodies, feed, owner, write
from tests.support.worlds import RedisWorld

TOPOLOGY = Topology(partitions=1)


@dataclass
class Stage:
    """A server's namespace, with every bus bare of a guard, or of none."""

    world: RedisWorld
    out: str

    def bus(self) -> RedisBus:
        bus = self.world.bus()
        return without(bus, self.out) if self.out else bus


@pytest.fixture
def stage_with(redis_url: str, namespace: str) -> Callable[[str], Stage]:
    world = RedisWorld(TOPOLOGY, redis_url, namespace)
    return lambda out: Stage(world, out)


def _answer(hand: Hand, count: int = 1) -> Commit:
    """Take candles; every third is answered by a signal that names it; the state says how many."""
    took = hand.unread(CANDLES, count)
    answers = [write(SIGNALS, f"re {entry.seq}") for entry in took if entry.seq % 3 == 0]
    return hand.plan(answers, took, {"seen": b"%d" % took[-1].seq})


def _work(hand: Hand, until: int) -> None:
    """One candle a commit, reloading where told to, as the runtime does."""
    while hand.position(CANDLES) < until:
        try:
            hand.send(_answer(hand))
        except Reload:
            hand.reload()


# --- fence: a frozen owner wakes up after another has taken over


def _frozen_owner(stage: Stage) -> tuple[bool, list[str]]:
    """Whether the sleeper was refused, and the signals at the end."""
    feed(stage.bus(), "1", "2", "3")
    sleeper = Hand(stage.bus(), STRATEGY, owner("a"))
    in_hand = _answer(sleeper, 3)
    stage.world.hasten(STRATEGY, 0)
    other = Hand(stage.bus(), STRATEGY, owner("b"))
    refused = False
    try:
        sleeper.send(in_hand)
    except Fenced:
        refused = True
    _work(other, 3)
    return refused, bodies(other.bus.range(SIGNALS, 0, 9))


def test_the_fence_refuses_a_frozen_owner(stage_with: Callable[[str], Stage]) -> None:
    assert _frozen_owner(stage_with("")) == (True, ["re 3"])


def test_without_the_fence_an_event_has_two_effects(stage_with: Callable[[str], Stage]) -> None:
    assert _frozen_owner(stage_with("fence")) == (False, ["re 3", "re 3"])


# --- counter: a commit arrives twice; an owner's memory is older than what is stored


def _sent_twice(stage: Stage) -> int:
    """How many dead letters one bad event leaves."""
    feed(stage.bus(), "bad")
    hand = Hand(stage.bus(), STRATEGY)
    took = hand.unread(CANDLES)
    letter = DeadLetter(CANDLES, 1, "cannot decode", 3, took[0].fields)
    commit = hand.plan(took=took, dead=[letter])
    commit.journal = ""  # as of a reader with one input
    for _ in range(2):
        hand.bus.commit(hand.lease, commit)
    return hand.bus.dead_count(STRATEGY)


def test_the_counter_makes_a_repeated_commit_a_no_op(stage_with: Callable[[str], Stage]) -> None:
    assert _sent_twice(stage_with("")) == 1


def test_without_the_counter_a_repeated_commit_has_two_effects(stage_with: Callable[[str], Stage]) -> None:
    assert _sent_twice(stage_with("counter")) == 2


def _old_memory(stage: Stage) -> tuple[int, bytes]:
    """Position and state after a commit by the right lease with the wrong memory."""
    feed(stage.bus(), "1", "2")
    old, new = (Hand(stage.bus(), STRATEGY) for _ in range(2))
    old.lease = new.lease
    late = _answer(old, 1)
    late.journal = ""
    new.send(_answer(new, 2))
    old.send(late)
    return new.bus.positions(STRATEGY)[CANDLES], new.bus.state(STRATEGY)["seen"]


def test_the_counter_keeps_an_old_memory_from_undoing_what_was_done(
    stage_with: Callable[[str], Stage],
) -> None:
    assert _old_memory(stage_with("")) == (2, b"2")


def test_without_the_counter_an_old_memory_undoes_what_was_done(stage_with: Callable[[str], Stage]) -> None:
    assert _old_memory(stage_with("counter")) == (1, b"1")


def _far_behind(stage: Stage) -> tuple[bool, bytes]:
    """Whether a memory two commits old was refused, and the state afterwards."""
    hand = Hand(stage.bus(), STRATEGY)
    behind = hand.plan(state={"seen": b"old"})
    for seen in (b"1", b"2"):
        hand.send(hand.plan(state={"seen": seen}))
    refused = False
    try:
        hand.bus.commit(hand.lease, behind)
    except CounterMismatch:
        refused = True
    return refused, hand.bus.state(STRATEGY)["seen"]


def test_the_counter_refuses_a_memory_far_behind(stage_with: Callable[[str], Stage]) -> None:
    assert _far_behind(stage_with("")) == (True, b"2")


def test_without_the_counter_a_memory_far_behind_is_believed(stage_with: Callable[[str], Stage]) -> None:
    assert _far_behind(stage_with("counter")) == (False, b"old")


# --- numbers of outputs: the stream does not stand where its writer left it


def _foreign_entry(stage: Stage) -> tuple[type[Exception] | None, int, list[str]]:
    """What the writer was told, the position afterwards, the signals after it has gone on."""
    feed(stage.bus(), "1", "2", "3")
    hand = Hand(stage.bus(), STRATEGY)
    commit = _answer(hand, 3)
    stage.world.append(SIGNALS, {b"body": b"not mine"})
    told: type[Exception] | None = None
    try:
        hand.send(commit)
    except BusError as error:
        told = type(error)
    position = hand.bus.positions(STRATEGY)[CANDLES]
    hand.reload()
    _work(hand, 3)
    return told, position, bodies(hand.bus.range(SIGNALS, 0, 9))


def test_the_number_check_keeps_a_commit_whole(stage_with: Callable[[str], Stage]) -> None:
    assert _foreign_entry(stage_with("")) == (NumberMismatch, 0, ["not mine", "re 3"])


def test_without_the_number_check_half_a_commit_is_applied(stage_with: Callable[[str], Stage]) -> None:
    """Lua does not roll back: the position moved, the signal was never written, and nobody repeats it."""
    assert _foreign_entry(stage_with("number")) == (BusError, 3, ["not mine"])


def _lost_outputs(stage: Stage) -> list[int]:
    """Numbers in a stream whose tail was lost under its writer."""
    hand = Hand(stage.bus(), STRATEGY)
    hand.put(*(write(SIGNALS, str(n)) for n in (1, 2, 3)))
    stage.world.lose_tail(SIGNALS, 1)
    try:
        hand.put(write(SIGNALS, "4"))
    except NumberMismatch:
        hand.reload()
        hand.put(write(SIGNALS, "4"))
    return [entry.seq for entry in hand.bus.range(SIGNALS, 0, 9)]


def test_the_number_check_leaves_no_hole(stage_with: Callable[[str], Stage]) -> None:
    assert _lost_outputs(stage_with("")) == [1, 2]


def test_without_the_number_check_a_stream_gets_a_hole(stage_with: Callable[[str], Stage]) -> None:
    assert _lost_outputs(stage_with("number")) == [1, 4]


# --- positions beyond the tip: a reader has events in memory that the server has lost


def _vanished_inputs(stage: Stage) -> tuple[bool, list[str]]:
    """Whether the reader was refused, and which of the candles that exist it has answered."""
    feed(stage.bus(), "1", "2", "3")
    hand = Hand(stage.bus(), STRATEGY)
    took = hand.unread(CANDLES)
    commit = hand.plan([write(SIGNALS, "re " + text) for text in bodies(took)], took)
    stage.world.lose_tail(CANDLES, 1)
    refused = False
    try:
        hand.send(commit)
    except NumberMismatch:
        refused = True
        hand.reload()
    feed(stage.world.bus(), "other 2", "other 3")
    took = hand.unread(CANDLES)
    hand.send(hand.plan([write(SIGNALS, "re " + text) for text in bodies(took)], took))
    return refused, bodies(hand.bus.range(SIGNALS, 0, 9))


def test_the_position_check_refuses_events_that_vanished(stage_with: Callable[[str], Stage]) -> None:
    assert _vanished_inputs(stage_with("")) == (True, ["re 1", "re other 2", "re other 3"])


def test_without_the_position_check_events_are_invented_and_lost(stage_with: Callable[[str], Stage]) -> None:
    assert _vanished_inputs(stage_with("position")) == (False, ["re 1", "re 2", "re 3"])


# --- run_id: the server came back without its last moments, and the numbers were given anew


def _restarted_server(server: EmbeddedServer, link: type[Link]) -> tuple[bool, list[str]]:
    """Whether the reader was refused, and what its signals tell of.

    It has read candles 11 and 12, and not yet committed. They vanish; other ones take their numbers.
    Lease, counter, output numbers and tips all fit. The lost connection is an error once, which somebody
    swallows; behind that only the server's run_id tells.
    """

    def bus(of: type[Link] = Link) -> RedisBus:
        return RedisBus(of(server.url, 5.0), "run", TOPOLOGY, 60_000)

    feed(bus(), *map(str, range(1, 11)))
    reader = Hand(bus(link), STRATEGY)
    reader.send(reader.plan([write(SIGNALS, f"re {n}") for n in range(1, 11)], reader.unread(CANDLES)))
    end = server.append_only_file().stat().st_size
    feed(bus(), "11", "12")
    took = reader.unread(CANDLES)
    commit = reader.plan([write(SIGNALS, "re " + text) for text in bodies(took)], took)

    server.kill()
    with server.append_only_file().open("r+b") as log:
        log.truncate(end)
    server.start()
    feed(bus(), "other 11", "other 12")

    with pytest.raises(Disconnected):
        reader.bus.tip(SIGNALS)
    refused = False
    try:
        reader.send(commit)
    except Disconnected:
        refused = True
        _work_all(reader)
    return refused, bodies(bus().range(SIGNALS, 10, 9))


def _work_all(reader: Hand) -> None:
    reader.reload()
    took = reader.unread(CANDLES)
    reader.send(reader.plan([write(SIGNALS, "re " + text) for text in bodies(took)], took))


def test_the_run_id_refuses_a_server_that_forgot(embedded: EmbeddedServer) -> None:
    assert _restarted_server(embedded, Link) == (True, ["re other 11", "re other 12"])


def test_without_the_run_id_vanished_events_are_acted_on(embedded: EmbeddedServer) -> None:
    assert _restarted_server(embedded, CarelessLink) == (False, ["re 11", "re 12"])
