"""The bus in one process's memory: for backtests and tests, with the same rules as on Redis.

Nothing is durable. Time for leases is passed in; without a clock a lease never runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bus_schemas.bus.port import Bus, Commit, DeadLetter, Entry, Lease, Owner, Snapshot, Turn
from bus_schemas.codec import encode_body, head
from bus_schemas.errors import CounterMismatch, Fenced, NumberMismatch, TopologyMismatch
from bus_schemas.events import Body
from bus_schemas.topology import READERS, Place, Stream, Topology, Unit


class _Stored:
    """What is kept for a unit."""

    def __init__(self) -> None:
        self.counter = 0
        self.epoch = 0
        self.dead_in_row = 0
        self.positions: dict[Place, int] = {}
        self.state: dict[str, bytes] = {}
        self.journal: list[tuple[int, str]] = []
        self.dead: list[DeadLetter] = []
        self.lease: Lease | None = None
        self.expires = 0.0


class Memory:
    """The shared store: what the server is to the Redis bus. Several buses may stand on one."""

    def __init__(self) -> None:
        self.topology: Topology | None = None
        self.streams: dict[Place, list[Entry]] = {}
        self.units: dict[Unit, _Stored] = {}
        self.members: dict[str, dict[str, float]] = {}

    def stream(self, place: Place) -> list[Entry]:
        return self.streams.setdefault(place, [])

    def unit(self, unit: Unit) -> _Stored:
        stored = self.units.get(unit)
        if stored is None:
            stored = self.units[unit] = _Stored()
        return stored


class MemoryBus(Bus):
    """A bus over a shared `Memory`.

    Args:
        memory: the store; None makes a new one.
        topology: of the namespace.
        lease_ms: expiry of a lease, by `clock`.
        clock: seconds, rising.
    """

    def __init__(
        self,
        topology: Topology,
        memory: Memory | None = None,
        lease_ms: int = 5000,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.topology = topology
        self.memory = memory or Memory()
        self._lease_s = lease_ms / 1000
        self._clock = clock

    def tip(self, place: Place) -> int:
        stream = self.memory.stream(place)
        return stream[-1].seq if stream else 0

    def range(self, place: Place, after: int, limit: int) -> list[Entry]:
        stream = self.memory.stream(place)
        start = after - stream[0].seq + 1 if stream else 0
        return stream[max(0, start) : max(0, start) + limit]

    def positions(self, unit: Unit) -> dict[Place, int]:
        read = self.memory.unit(unit).positions
        return {place: read.get(place, 0) for place in self.topology.inputs(unit)}

    def state(self, unit: Unit) -> dict[str, bytes]:
        return dict(self.memory.unit(unit).state)

    def dead_letters(self, unit: Unit, limit: int = 100) -> list[DeadLetter]:
        return self.memory.unit(unit).dead[-limit:]

    def dead_count(self, unit: Unit) -> int:
        return len(self.memory.unit(unit).dead)

    def journal(self, unit: Unit, after: int, limit: int) -> list[tuple[int, str]]:
        return [row for row in self.memory.unit(unit).journal if row[0] > after][:limit]

    def post(self, stream: Stream, key: str, body: Body) -> int:
        place = self.topology.places(stream)[0]
        type_, version = head(body)
        seq = self.tip(place) + 1
        fields = {b"type": type_, b"v": version, b"key": key.encode(), b"body": encode_body(body)}
        self.memory.stream(place).append(Entry(place, seq, fields))
        return seq

    def close(self) -> None:
        """Nothing to give back."""

    def declare(self) -> None:
        if self.memory.topology is None:
            self.memory.topology = self.topology
        if self.memory.topology != self.topology:
            raise TopologyMismatch("the memory was created with another topology. Use another one.")

    def reset(self) -> None:
        """Nothing to drop: there is no connection."""

    def join(self, reader: str, owner: Owner) -> list[str]:
        now, members = self._clock(), self.memory.members.setdefault(reader, {})
        members[f"{owner.host}/{owner.slot}"] = now
        for name in [name for name, seen in members.items() if seen < now - self._lease_s]:
            del members[name]
        return sorted(members)

    def leave(self, reader: str, owner: Owner) -> None:
        self.memory.members.get(reader, {}).pop(f"{owner.host}/{owner.slot}", None)

    def acquire(self, unit: Unit, owner: Owner) -> Lease | None:
        stored = self.memory.unit(unit)
        held = stored.lease
        live = held is not None and self._clock() < stored.expires
        if live and held and (held.owner.host, held.owner.slot) != (owner.host, owner.slot):
            return None
        stored.epoch += 1
        stored.lease = Lease(unit, owner, stored.epoch)
        stored.expires = self._clock() + self._lease_s
        return stored.lease

    def renew(self, lease: Lease) -> None:
        self._held(lease).expires = self._clock() + self._lease_s

    def release(self, lease: Lease) -> None:
        stored = self.memory.unit(lease.unit)
        if stored.lease == lease:
            stored.lease = None

    def release_slot(self, service: str, host: str, slot: str) -> int:
        freed = 0
        for reader in [spec.name for spec in READERS if spec.service == service]:
            self.leave(reader, Owner(host, slot, ""))
            for unit in self.topology.units(reader):
                held = self.memory.unit(unit).lease
                if held is not None and (held.owner.host, held.owner.slot) == (host, slot):
                    self.memory.unit(unit).lease = None
                    freed += 1
        return freed

    def _held(self, lease: Lease) -> _Stored:
        stored = self.memory.unit(lease.unit)
        if stored.lease != lease or self._clock() >= stored.expires:
            raise Fenced(f"the lease of {lease.unit} is no longer ours")
        return stored

    def load(self, lease: Lease) -> Snapshot:
        stored = self._held(lease)
        for place, position in stored.positions.items():
            if position > self.tip(place):
                raise NumberMismatch(f"{lease.unit} has read {place} up to {position}, beyond its end")
        return Snapshot(
            counter=stored.counter,
            positions=dict(stored.positions),
            tips={place: self.tip(place) for place in self.topology.outputs(lease.unit)},
            state=dict(stored.state),
            dead_in_row=stored.dead_in_row,
        )

    def read(self, after: Mapping[Place, int], limit: int, wait_s: float) -> list[Entry]:  # noqa: ARG002
        found: list[Entry] = []
        for place, position in after.items():
            stream = self.memory.streams.get(place)
            if stream and stream[-1].seq > position:
                found += self.range(place, position, limit)
        return found

    def commit(self, lease: Lease, commit: Commit) -> None:
        stored = self._held(lease)
        if stored.counter == commit.counter:
            return
        if stored.counter != commit.counter - 1:
            raise CounterMismatch(f"{lease.unit} has committed {stored.counter} times")
        for place, first in commit.first.items():
            if self.tip(place) != first - 1:
                raise NumberMismatch(f"{place} is at {self.tip(place)}, not {first - 1}")
        for place, position in commit.positions.items():
            if position > self.tip(place):
                raise NumberMismatch(f"{place} ends at {self.tip(place)}, before {position}")
        self._apply(stored, commit)

    def _apply(self, stored: _Stored, commit: Commit) -> None:
        stored.counter = commit.counter
        stored.dead_in_row = commit.dead_in_row
        stored.expires = self._clock() + self._lease_s
        stored.positions.update(commit.positions)
        for key, value in commit.state.items():
            if value is None:
                stored.state.pop(key, None)
            else:
                stored.state[key] = value
        for place, type_, version, key, cause, trace, body in commit.writes:
            stream = self.memory.stream(place)
            fields = {b"type": type_, b"v": version, b"key": key.encode(), b"body": body}
            fields |= {b"cause": cause.encode(), b"trace": trace.encode()}
            stream.append(Entry(place, stream[-1].seq + 1 if stream else 1, fields))
        stored.dead.extend(commit.dead)
        if commit.journal:
            stored.journal.append((commit.counter, commit.journal))

    def trim(self, place: Place, below: int) -> int:
        stream = self.memory.stream(place)
        kept = [entry for entry in stream if entry.seq >= below] or stream[-1:]
        gone = len(stream) - len(kept)
        stream[:] = kept
        return gone

    def trim_journal(self, unit: Unit, keep: int) -> int:
        rows = self.memory.unit(unit).journal
        gone = max(0, len(rows) - keep)
        del rows[:gone]
        return gone

    def wait_turn(self, service: str, wait_s: float) -> Turn | None:  # noqa: ARG002
        return None

    def ask_turn(self, limit: int) -> Turn:
        for unit in self.topology.turn_order:
            entries = self.read(self.positions(unit), limit, 0)
            if entries:
                return Turn(unit, entries)
        return Turn(None, [])
