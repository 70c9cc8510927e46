"""The bus port. Every implementation passes the one suite in `tests/contract/test_bus.py`.

Two kinds of caller: an owner holds the lease of a unit and may commit; an observer only looks.
Methods raise a `Reload` where the caller must drop its memory and load again. No method retries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from bus_schemas.codec import Fields
from bus_schemas.events import Body
from bus_schemas.topology import Place, Stream, Topology, Unit


class Entry(NamedTuple):
    """One stream entry, undecoded: a reader must be able to step over a broken one."""

    place: Place
    seq: int
    fields: Fields


class Owner(msgspec.Struct, frozen=True):
    """Who asks for a lease.

    Attributes:
        host: of the process.
        slot: name of the replica, stable over restarts. The same host and slot takes its lease over
            at once: it can only be the successor of a process that is gone.
        nonce: random, new for each process. Epochs repeat after the server lost its tail.
    """

    host: str
    slot: str
    nonce: str


class Lease(msgspec.Struct, frozen=True):
    """The right to commit for a unit. The fence is epoch plus nonce."""

    unit: Unit
    owner: Owner
    epoch: int

    @property
    def fence(self) -> str:
        return f"{self.epoch}:{self.owner.nonce}"


class Snapshot(msgspec.Struct):
    """What is stored for a unit.

    Attributes:
        counter: number of the last commit; 0 for none.
        positions: last number read, by input; an input never read is absent.
        tips: last number written, by output.
        state: the decider's state by key.
        dead_in_row: dead letters since the last event that was handled.
    """

    counter: int
    positions: dict[Place, int]
    tips: dict[Place, int]
    state: dict[str, bytes]
    dead_in_row: int = 0


class Write(NamedTuple):
    """One output, encoded. Its number is the stream's tip plus one; the commit carries the first."""

    place: Place
    type: bytes
    version: bytes
    key: str
    cause: str
    trace: str
    body: bytes


class DeadLetter(NamedTuple):
    """An event that could not be handled, with what is needed to look at it or replay it."""

    place: Place
    seq: int
    error: str
    attempts: int
    fields: Fields


class Commit(msgspec.Struct):
    """Everything that one batch changes; it is applied whole or not at all.

    Attributes:
        counter: the stored counter plus one.
        writes: outputs in order.
        first: number of the first output, by output stream that is written.
        positions: new positions, only of inputs that moved.
        state: changed keys; None deletes.
        journal: order in which inputs were taken, as in `bus_schemas.journal`; empty for none.
        dead: events moved to the dead letters.
        dead_in_row: dead letters in a row after this batch.
    """

    counter: int
    writes: Sequence[Write] = ()
    first: Mapping[Place, int] = {}
    positions: Mapping[Place, int] = {}
    state: Mapping[str, bytes | None] = {}
    journal: str = ""
    dead: Sequence[DeadLetter] = ()
    dead_in_row: int = 0


class Turn(NamedTuple):
    """Lockstep's word to a reader: this unit's turn, with its unread entries.

    `unit` is None when the whole bus is quiet: the feed's turn. `entries` is None where they were
    too many for a message: ask for them. `step` tells the feed which of its commits the word follows,
    as `<part> <counter>`: a word about an earlier one is old. An answer to `ask_turn` has none.
    """

    unit: Unit | None
    entries: list[Entry] | None
    step: str = ""


class Observer(ABC):
    """What anybody may look at. Never blocks, changes nothing."""

    topology: Topology

    @abstractmethod
    def tip(self, place: Place) -> int:
        """Number of the last entry, 0 for an empty stream."""

    @abstractmethod
    def range(self, place: Place, after: int, limit: int) -> list[Entry]:
        """Entries with numbers above `after`, in order, at most `limit`."""

    @abstractmethod
    def positions(self, unit: Unit) -> dict[Place, int]:
        """Last number that the unit has read and committed, by input; 0 where it has read none."""

    @abstractmethod
    def state(self, unit: Unit) -> dict[str, bytes]:
        """The unit's stored state by key."""

    @abstractmethod
    def dead_letters(self, unit: Unit, limit: int = 100) -> list[DeadLetter]:
        """The newest dead letters of a unit, oldest first."""

    @abstractmethod
    def dead_count(self, unit: Unit) -> int:
        """How many dead letters the unit has had."""

    @abstractmethod
    def journal(self, unit: Unit, after: int, limit: int) -> list[tuple[int, str]]:
        """Journal entries by commit counter, above `after`."""

    @abstractmethod
    def post(self, stream: Stream, key: str, body: Body) -> int:
        """Append to a stream with many writers, `controls` or `heartbeats`; returns the number."""

    @abstractmethod
    def close(self) -> None:
        """Give connections back. The object is of no use afterwards."""

    def unread(self, unit: Unit) -> int:
        """How many entries wait for the unit."""
        read = self.positions(unit)
        return sum(max(0, self.tip(place) - read.get(place, 0)) for place in self.topology.inputs(unit))


class Bus(Observer):
    """What the owner of units may do."""

    @abstractmethod
    def declare(self) -> None:
        """Write the topology into a new namespace, or compare it.

        Raises:
            TopologyMismatch: the namespace was created with another one.
        """

    @abstractmethod
    def reset(self) -> None:
        """Drop every connection: the first step of a reload."""

    @abstractmethod
    def join(self, reader: str, owner: Owner) -> list[str]:
        """Say that this replica lives; returns `host/slot` of all that do, sorted."""

    @abstractmethod
    def leave(self, reader: str, owner: Owner) -> None:
        """Take this replica off the list."""

    @abstractmethod
    def acquire(self, unit: Unit, owner: Owner) -> Lease | None:
        """Take the lease if it is free, has run out, or belongs to the same host and slot."""

    @abstractmethod
    def renew(self, lease: Lease) -> None:
        """Push the expiry. Every commit does it too.

        Raises:
            Fenced: the lease is no longer this owner's.
        """

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give the lease back if it is still this owner's."""

    @abstractmethod
    def release_slot(self, service: str, host: str, slot: str) -> int:
        """Free every lease of a replica that is known to be dead; returns how many.

        For a supervisor that has reaped the process, and for nobody else.
        """

    @abstractmethod
    def load(self, lease: Lease) -> Snapshot:
        """What is stored for the unit.

        Raises:
            Fenced: the lease is no longer this owner's.
            NumberMismatch: a position lies beyond its stream's tip.
        """

    @abstractmethod
    def read(self, after: Mapping[Place, int], limit: int, wait_s: float) -> list[Entry]:
        """Entries above the given positions, at most `limit` a stream, each stream in order.

        Blocks up to `wait_s` for the first one.
        """

    @abstractmethod
    def commit(self, lease: Lease, commit: Commit) -> None:
        """Apply a batch whole or not at all. A commit that was already applied is a no-op.

        Raises:
            Fenced, CounterMismatch, NumberMismatch: nothing was applied.
            Disconnected: it may or may not have been applied.
        """

    @abstractmethod
    def trim(self, place: Place, below: int) -> int:
        """Forget a stream's entries with numbers under `below`; returns about how many.

        Never by length: unread entries would vanish without a word. Needs no lease, because what
        every reader has read stays read.
        """

    @abstractmethod
    def trim_journal(self, unit: Unit, keep: int) -> int:
        """Forget all but about the newest `keep` journal entries; returns about how many went."""

    @abstractmethod
    def wait_turn(self, service: str, wait_s: float) -> Turn | None:
        """Lockstep: wait for a hint that a unit of this service has its turn; None after a silence.

        A hint may be lost or old: the reader checks that the numbers follow its positions.
        """

    @abstractmethod
    def ask_turn(self, limit: int) -> Turn:
        """Lockstep: whose turn it is, with what it has to read, in one atomic look."""
