"""Any interleaving of two owners keeps streams whole and gives each input one effect.

The owners acquire, take over, freeze, restart, commit, lose replies and give back, in any order; leases
run out under them. The same steps on memory and on a server must also give the same answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Commit, DeadLetter, Entry, Lease, Owner, Snapshot, Write
from bus_schemas.errors import Reload
from bus_schemas.journal import flattened, written
from bus_schemas.topology import Topology
from tests.fixtures_redis import forget
from tests.support.hands import CANDLES, FEED, SIGNALS, STRATEGY, Hand, write
from tests.support.worlds import LEASE_MS, MemoryWorld, RedisWorld, World

SLOTS = ("a", "b")


def folded(state: dict[str, bytes], seq: int) -> dict[str, bytes | None]:
    """What input `seq` changes: a count by key, whose key goes away at every fourth."""
    key = f"k{seq % 3}"
    count = int(state.get(key, b"0")) + 1
    return {key: None if count == 4 else b"%d" % count}


def answers(seq: int) -> list[Write]:
    """What input `seq` leads to: two signals, or mostly none, so that not every slip meets a number."""
    return [write(SIGNALS, f"{seq}.{n}") for n in range(2 if seq % 3 == 0 else 0)]


def buried(seq: int) -> bool:
    return seq % 5 == 0


class Replica:
    """One owner's process in one world: what it remembers."""

    def __init__(self, world: World, slot: str) -> None:
        self.bus = world.bus()
        self.slot = slot
        self.lease: Lease | None = None
        self.memory: Snapshot | None = None
        self.in_flight: Commit | None = None

    def acquire(self, nonce: str) -> str:
        lease = self.bus.acquire(STRATEGY, Owner("h", self.slot, nonce))
        if lease is None:
            return "refused"
        self.lease, self.memory, self.in_flight = lease, self.bus.load(lease), None
        return (
            f"epoch {lease.epoch}, {self.memory.counter} commits, state {sorted(self.memory.state.items())}"
        )

    def forget(self) -> None:
        self.lease = self.memory = self.in_flight = None

    def decide(self, most: int) -> Commit | None:
        """The next commit, from memory; the memory is what it will be afterwards."""
        memory = self.memory
        assert memory is not None
        took = self.bus.read({CANDLES: memory.positions.get(CANDLES, 0)}, most, 0)
        if not took:
            return None
        changes: dict[str, bytes | None] = {}
        writes: list[Write] = []
        for entry in took:
            change = folded(memory.state, entry.seq)
            changes |= change
            memory.state = {k: v for k, v in (memory.state | change).items() if v is not None}
            writes += answers(entry.seq)
        commit = self._commit(memory, took, writes, changes)
        memory.counter += 1
        memory.positions[CANDLES] = took[-1].seq
        memory.tips[SIGNALS] += len(writes)
        return commit

    def _commit(
        self, memory: Snapshot, took: list[Entry], writes: list[Write], changes: dict[str, bytes | None]
    ) -> Commit:
        return Commit(
            counter=memory.counter + 1,
            writes=writes,
            first={SIGNALS: memory.tips[SIGNALS] + 1} if writes else {},
            positions={CANDLES: took[-1].seq},
            state=changes,
            journal=written((CANDLES, entry.seq) for entry in took),
            dead=[DeadLetter(CANDLES, e.seq, "no", 1, {}) for e in took if buried(e.seq)],
        )

    def send(self, commit: Commit) -> str:
        assert self.lease is not None
        try:
            self.bus.commit(self.lease, commit)
        except Reload as reason:
            self.forget()
            return type(reason).__name__
        self.in_flight = commit
        return "applied"


class TwoOwners(RuleBasedStateMachine):
    """The same steps in every world of `worlds`; set by the subclass's factory."""

    make: Callable[[], list[World]]

    def __init__(self) -> None:
        super().__init__()
        self.worlds = type(self).make()
        self.replicas = [{slot: Replica(world, slot) for slot in SLOTS} for world in self.worlds]
        self.feeds = [Hand(world.bus(), FEED) for world in self.worlds]
        self.nonce = 0
        self.fed = 0

    def teardown(self) -> None:
        for world in self.worlds:
            world.close()
            if isinstance(world, RedisWorld):
                forget(world.url, world.names.namespace)

    def same(self, answers_: list[Any]) -> Any:
        assert all(answer == answers_[0] for answer in answers_), answers_
        return answers_[0]

    def each(self, slot: str, act: Callable[[Replica], Any]) -> Any:
        return self.same([act(replicas[slot]) for replicas in self.replicas])

    def remembers(self, slot: str) -> bool:
        return self.replicas[0][slot].memory is not None

    @initialize()
    def first_input(self) -> None:
        self.feed(1)

    @rule(count=st.integers(1, 4))
    def feed(self, count: int) -> None:
        for hand in self.feeds:
            hand.put(*(write(CANDLES, f"c{self.fed + n}") for n in range(1, count + 1)))
        self.fed += count

    @rule(slot=st.sampled_from(SLOTS))
    def acquire(self, slot: str) -> None:
        """Also a process that reloads: its own slot takes the lease over."""
        self.nonce += 1
        self.each(slot, lambda replica: replica.acquire(f"n{self.nonce}"))

    @rule()
    def lease_runs_out(self) -> None:
        for world in self.worlds:
            world.hasten(STRATEGY, 0)

    @rule(slot=st.sampled_from(SLOTS))
    def take_over(self, slot: str) -> None:
        """A freeze past the lease: the other one's memory stays, and wakes up later."""
        self.lease_runs_out()
        self.acquire(slot)

    @rule()
    def epoch_repeats(self) -> None:
        """The server lost the last lease, and gives its epoch again."""
        if any(self.remembers(slot) for slot in SLOTS):
            for world in self.worlds:
                world.forget_epoch(STRATEGY)

    @rule(slot=st.sampled_from(SLOTS), most=st.integers(1, 5))
    def commit(self, slot: str, most: int) -> None:
        if self.remembers(slot):
            self.each(slot, lambda replica: self._commit_one(replica, most))

    @rule(slot=st.sampled_from(SLOTS), most=st.integers(1, 5))
    def commit_and_lose_the_reply(self, slot: str, most: int) -> None:
        """The owner does not know whether it was applied, so it loads what is stored."""
        if self.remembers(slot):
            self.nonce += 1
            self.each(slot, lambda replica: self._commit_one(replica, most))
            self.each(slot, lambda replica: replica.acquire(f"n{self.nonce}"))

    @rule(slot=st.sampled_from(SLOTS), most=st.integers(1, 5))
    def commit_and_die(self, slot: str, most: int) -> None:
        self.commit(slot, most)
        self.die(slot)

    @rule(slot=st.sampled_from(SLOTS))
    def commit_again(self, slot: str) -> None:
        """The network delivers a commit for a second time."""
        if self.remembers(slot) and self.replicas[0][slot].in_flight:
            self.each(slot, lambda replica: replica.send(replica.in_flight))

    @rule(slot=st.sampled_from(SLOTS))
    def die(self, slot: str) -> None:
        self.each(slot, lambda replica: replica.forget())

    @rule(slot=st.sampled_from(SLOTS))
    def give_back(self, slot: str) -> None:
        """Its memory stays, as of a process that does not notice: the fence must hold it."""
        for replicas in self.replicas:
            lease = replicas[slot].lease
            if lease is not None:
                replicas[slot].bus.release(lease)

    @rule(slot=st.sampled_from(SLOTS))
    def renew(self, slot: str) -> None:
        if self.remembers(slot):
            self.each(slot, _renewed)

    def _commit_one(self, replica: Replica, most: int) -> str:
        commit = replica.decide(most)
        return "nothing to do" if commit is None else replica.send(commit)

    @precondition(lambda self: self.fed > 0)
    @invariant()
    def every_input_has_one_effect(self) -> None:
        self.same([_checked(world) for world in self.worlds])


def _renewed(replica: Replica) -> str:
    assert replica.lease is not None
    try:
        replica.bus.renew(replica.lease)
    except Reload as reason:
        return type(reason).__name__
    return "held"


def _checked(world: World) -> tuple[int, dict[str, bytes]]:
    """Hold what is stored against the fold of the inputs up to the position."""
    bus = world.bus()
    try:
        read = bus.positions(STRATEGY)[CANDLES]
        state: dict[str, bytes] = {}
        outputs: list[str] = []
        for seq in range(1, read + 1):
            state = {k: v for k, v in (state | folded(state, seq)).items() if v is not None}
            outputs += [item.body.decode() for item in answers(seq)]
        signals = bus.range(SIGNALS, 0, 10_000)
        assert [entry.seq for entry in signals] == list(range(1, len(signals) + 1)), "a hole"
        assert [entry.fields[b"body"].decode() for entry in signals] == outputs
        assert bus.state(STRATEGY) == state
        taken = [seq for _, seq in flattened(text for _, text in bus.journal(STRATEGY, 0, 10_000))]
        assert taken == list(range(1, read + 1))
        dead = [letter.seq for letter in bus.dead_letters(STRATEGY, 10_000)]
        assert dead == [seq for seq in range(1, read + 1) if buried(seq)]
    finally:
        bus.close()
    return read, state


def _run(make: Callable[[], list[World]], examples: int, steps: int) -> None:
    machine = type("Machine", (TwoOwners,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_two_owners_on_memory() -> None:
    _run(lambda: [MemoryWorld(Topology(partitions=1))], examples=250, steps=40)


@pytest.mark.parametrize("lockstep", [False, True])
def test_two_owners_on_a_server_as_on_memory(redis_url: str, lockstep: bool) -> None:
    topology = Topology(partitions=1, lockstep=lockstep)

    def make() -> list[World]:
        return [MemoryWorld(topology), RedisWorld(topology, redis_url, f"test-{secrets.token_hex(6)}")]

    _run(make, examples=12, steps=30)


class _NoFence(MemoryBus):
    def _held(self, lease: Lease) -> Any:
        return self.memory.unit(lease.unit)


class _NoFenceWorld(MemoryWorld):
    def bus(self, topology: Topology | None = None) -> MemoryBus:
        return _NoFence(topology or self.topology, self.memory, LEASE_MS, lambda: self.now)


def _frozen_owner_wakes_up(world: World) -> None:
    """One owner loads, the other takes over and commits, then the first goes on from its old memory."""
    machine = type("Machine", (TwoOwners,), {"make": staticmethod(lambda: [world])})()
    machine.feed(5)
    machine.acquire("a")
    machine.take_over("b")
    for slot, most in (("b", 1), ("a", 2), ("a", 1)):
        machine.commit(slot, most)
        machine.every_input_has_one_effect()


def test_the_property_sees_a_missing_fence() -> None:
    """The control: the same steps hold with the fence, and are found out on a bus without it."""
    _frozen_owner_wakes_up(MemoryWorld(Topology(partitions=1)))
    with pytest.raises(AssertionError):
        _frozen_owner_wakes_up(_NoFenceWorld(Topology(partitions=1)))
