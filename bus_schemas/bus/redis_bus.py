"""The bus on Redis or Valkey: leases, the fenced commit, lockstep's turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from bus_schemas.bus.port import Bus, Commit, Entry, Lease, Owner, Snapshot, Turn
from bus_schemas.bus.records import dead_fields, place_of
from bus_schemas.bus.redis_link import Link, Script, Subscription, lua, translated
from bus_schemas.bus.redis_observer import RedisObserver, entries, flat, stream_tip, turn_table, with_turn
from bus_schemas.errors import (
    BusError,
    CounterMismatch,
    Disconnected,
    Fenced,
    NumberMismatch,
    TopologyMismatch,
)
from bus_schemas.names import Names
from bus_schemas.topology import READERS, Place, Topology, Unit


class RedisBus(RedisObserver, Bus):
    """One process's bus. Single-threaded: a second thread needs a bus, and a link, of its own.

    Args:
        link: connections.
        namespace: see `bus_schemas.names`.
        topology: compared with the namespace's by `declare`.
        lease_ms: expiry of a lease.
    """

    def __init__(self, link: Link, namespace: str, topology: Topology, lease_ms: int) -> None:
        super().__init__(link, namespace, topology)
        self._lease_ms = lease_ms
        self._reading = link.client()
        self._turns: Subscription | None = None
        self._scripts = {name: Script(lua(name)) for name in ("acquire", "renew", "release", "join")}
        self._commit = Script(with_turn("commit", self.names, topology))
        self._ask = Script(turn_table(self.names, topology) + lua("ask_turn"))
        self._keys = _Keys(self.names)

    def declare(self) -> None:
        mine = msgspec.json.encode(self.topology)
        with translated():
            stored = self._client.execute_command("GET", self.names.topology)
            if stored is None:
                stored = self._create(mine)
        if stored != mine:
            raise TopologyMismatch(_difference(self.names.namespace, stored, mine))

    def _create(self, mine: bytes) -> Any:
        try:
            self._client.execute_command("SET", self.names.topology, mine, "NX")
        except redis.exceptions.NoPermissionError as error:
            text = f"the namespace {self.names.namespace!r} does not exist, and this user may not create it"
            raise Disconnected(text) from error  # whoever may does so at its own start
        return self._client.execute_command("GET", self.names.topology)

    def claim(self, fingerprint: str) -> str:
        """Write down whose run the namespace holds, if nobody has yet; returns the one that holds it."""
        with translated():
            self._client.execute_command("SET", self.names.run, fingerprint, "NX")
            held: bytes = self._client.execute_command("GET", self.names.run)
        return held.decode()

    def reset(self) -> None:
        if self._turns is not None:
            self._turns.close()
        self._turns = None
        self._link.reset()

    def join(self, reader: str, owner: Owner) -> list[str]:
        member = f"{owner.host}/{owner.slot}"
        with translated():
            rows = self._scripts["join"](self._client, [self.names.members(reader)], [member, self._lease_ms])
        return sorted(row.decode() for row in rows)

    def leave(self, reader: str, owner: Owner) -> None:
        with translated():
            self._client.execute_command("ZREM", self.names.members(reader), f"{owner.host}/{owner.slot}")

    def acquire(self, unit: Unit, owner: Owner) -> Lease | None:
        keys = [self.names.lease(unit), self.names.meta(unit)]
        with translated():
            epoch = self._scripts["acquire"](
                self._client, keys, [owner.nonce, owner.host, owner.slot, self._lease_ms]
            )
        return None if epoch is None else Lease(unit, owner, int(epoch))

    def renew(self, lease: Lease) -> None:
        with translated():
            held = self._scripts["renew"](
                self._client, [self.names.lease(lease.unit)], [lease.fence, self._lease_ms]
            )
        if not held:
            raise Fenced(f"the lease of {lease.unit} is no longer ours")

    def release(self, lease: Lease) -> None:
        self._free(lease.unit, lease.fence, lease.owner.host, lease.owner.slot)

    def release_slot(self, service: str, host: str, slot: str) -> int:
        readers = [spec.name for spec in READERS if spec.service == service]
        freed = sum(
            self._free(unit, "", host, slot) for reader in readers for unit in self.topology.units(reader)
        )
        for reader in readers:
            self.leave(reader, Owner(host, slot, ""))
        return freed

    def _free(self, unit: Unit, fence: str, host: str, slot: str) -> int:
        args = [fence, host, slot]
        with translated():
            return int(self._scripts["release"](self._client, [self.names.lease(unit)], args))

    def load(self, lease: Lease) -> Snapshot:
        unit, names = lease.unit, self.names
        inputs, outputs = self.topology.inputs(unit), self.topology.outputs(unit)
        with translated():
            pipe = self._client.pipeline(transaction=True)
            pipe.execute_command("HGET", names.lease(unit), "fence")
            for key in (names.meta(unit), names.positions(unit), names.state(unit)):
                pipe.execute_command("HGETALL", key)
            for place in (*inputs, *outputs):
                pipe.execute_command("XINFO", "STREAM", names.stream(place))
            fence, meta, positions, state, *infos = pipe.execute(raise_on_error=False)
            tips = dict(zip((*inputs, *outputs), map(_tip, infos), strict=True))
        if fence != lease.fence.encode():
            raise Fenced(f"the lease of {unit} is no longer ours")
        read = {place_of(name.decode()): int(value) for name, value in flat(positions).items()}
        for place, position in read.items():
            if position > tips.get(place, 0):
                raise NumberMismatch(f"{unit} has read {place} up to {position}, beyond its end")
        known = flat(meta)
        return Snapshot(
            counter=int(known.get(b"counter", 0)),
            positions=read,
            tips={place: tips[place] for place in outputs},
            state={name.decode(): value for name, value in flat(state).items()},
            dead_in_row=int(known.get(b"dead_in_row", 0)),
        )

    def read(self, after: Mapping[Place, int], limit: int, wait_s: float) -> list[Entry]:
        if not after:
            return []
        keys = [self._keys.stream(place) for place in after]
        wait_ms = round(1000 * min(wait_s, self._link.longest_wait_s))
        blocking: tuple[Any, ...] = ("BLOCK", max(1, wait_ms)) if wait_s > 0 else ()
        ids = [f"{position}-0" for position in after.values()]
        with translated():
            rows = self._reading.execute_command("XREAD", "COUNT", limit, *blocking, "STREAMS", *keys, *ids)
        return self._entries(rows)

    def _entries(self, rows: Any) -> list[Entry]:
        return [entry for key, stream in rows or () for entry in entries(self._keys.place(key), stream)]

    def commit(self, lease: Lease, commit: Commit) -> None:
        unit = lease.unit
        which = {place: n for n, place in enumerate(commit.first, 1)}
        keys = [*self._keys.own(unit), *map(self._keys.stream, which)]
        changed = [item for item in commit.state.items() if item[1] is not None]
        deleted = [key for key, value in commit.state.items() if value is None]
        args: list[Any] = [lease.fence, commit.counter, self._lease_ms, commit.dead_in_row, commit.journal]
        args += (len(which), len(commit.positions), len(changed), len(deleted), len(commit.writes))
        args.append(len(commit.dead))
        args += commit.first.values()
        args += map(self._keys.stream, commit.positions)
        for place, position in commit.positions.items():
            args += (str(place), position)
        for item in changed:
            args += item
        args += deleted
        for place, *fields in commit.writes:
            args += (which[place], *fields)
        for letter in commit.dead:
            named = dead_fields(letter)
            args += (len(named), *(part for field in named.items() for part in field))
        with translated():
            answer = self._commit(self._client, keys, args)
        if answer != b"OK" and answer != b"APPLIED":
            raise _refusal(unit, answer.decode())

    def trim(self, place: Place, below: int) -> int:
        return self._trim(self.names.stream(place), below)

    def trim_journal(self, unit: Unit, keep: int) -> int:
        with translated():
            newest = stream_tip(self._client, self.names.journal(unit))
        return self._trim(self.names.journal(unit), newest - keep)

    def _trim(self, key: str, below: int) -> int:
        if below <= 0:
            return 0
        with translated():
            return int(self._client.execute_command("XTRIM", key, "MINID", "~", f"{below}-0"))

    def wait_turn(self, service: str, wait_s: float) -> Turn | None:
        with translated():
            if self._turns is None:
                channels = [self.names.turn(spec.name) for spec in READERS if spec.service == service]
                self._turns = self._reading.listen(channels)
            message = self._turns.next(wait_s)
        if message is None:
            return None
        try:
            return self._hint(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # not UTF-8: a broken entry, which the reader finds when it asks

    def ask_turn(self, limit: int) -> Turn:
        with translated():
            told = self._ask(self._client, [], [limit])
        unit = _unit(told[0].decode())
        return Turn(unit, self._entries(told[1]) if unit else [])

    def _hint(self, packed: bytes) -> Turn:
        name, *told = msgspec.msgpack.decode(packed)
        unit = _unit(name)
        if unit is None:
            return Turn(None, [], told[0] if told else "")
        if not told:
            return Turn(unit, None)
        rows = [
            (key.encode(), [(id_.encode(), [text.encode() for text in fields]) for id_, fields in stream])
            for key, stream in told[0]
        ]
        return Turn(unit, self._entries(rows))


class _Keys:
    """Key names by place and unit, computed once: a commit asks for the same ones every time."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._streams: dict[Place, str] = {}
        self._places: dict[bytes, Place] = {}
        self._owned: dict[Unit, list[str]] = {}

    def stream(self, place: Place) -> str:
        key = self._streams.get(place)
        if key is None:
            key = self._streams[place] = self._names.stream(place)
            self._places[key.encode()] = place
        return key

    def place(self, key: bytes) -> Place:
        known = self._places.get(key)
        return known if known is not None else self._learn(key)

    def _learn(self, key: bytes) -> Place:
        text = key.decode().removeprefix(f"cw:{self._names.namespace}:")
        part, _, stream = text.rpartition(":")
        place = place_of(f"{stream}.{part.strip('{}') or 'all'}")
        self._places[key] = place
        return place

    def own(self, unit: Unit) -> list[str]:
        keys = self._owned.get(unit)
        if keys is None:
            n = self._names
            makers = (n.lease, n.meta, n.positions, n.state, n.journal, n.dead)
            keys = self._owned[unit] = [make(unit) for make in makers]
        return keys


def _unit(name: str) -> Unit | None:
    if not name:
        return None
    reader, part = name.split(".", 1)
    return Unit(reader, part)


def _tip(info: Any) -> int:
    if isinstance(info, Exception):
        if "no such key" in str(info):
            return 0
        raise info
    return int(flat(info)[b"last-generated-id"].split(b"-")[0])


def _refusal(unit: Unit, answer: str) -> BusError:
    kind, _, rest = answer.partition(" ")
    if kind == "FENCED":
        return Fenced(f"the lease of {unit} is no longer ours")
    if kind == "COUNTER":
        return CounterMismatch(f"{unit} has committed {rest} times, not as often as we remember")
    if kind == "NUMBER":
        return NumberMismatch(f"{unit}: {rest}")
    return BusError(f"{unit}: the commit script said {answer}")


def _difference(namespace: str, stored: bytes, mine: bytes) -> str:
    old, new = msgspec.json.decode(stored), msgspec.json.decode(mine)
    names = [name for name in new if old.get(name) != new[name]]
    told = "; ".join(
        f"{n}: {old.get(n)!r} there, {new[n]!r} here" if n in ("partitions", "account", "lockstep") else n
        for n in names
    )
    return f"the namespace {namespace!r} was created with another topology: {told}. Use another namespace."
