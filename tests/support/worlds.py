"""One stage for every implementation of the bus: several buses over one store, and its levers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import redis

from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.port import Bus, Entry, Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.names import Names
from bus_schemas.topology import Place, Topology, Unit

LEASE_MS = 60_000
Picture = dict[str, Any]


class World(ABC):
    """A store with one namespace.

    Attributes:
        topology: of the namespace.
        waits: whether reads wait for entries, and hints exist.
    """

    topology: Topology
    waits: bool

    @abstractmethod
    def bus(self, topology: Topology | None = None) -> Bus:
        """One more bus on the store, as of another process."""

    @abstractmethod
    def remaining(self, unit: Unit) -> float:
        """Seconds until the unit's lease runs out."""

    @abstractmethod
    def hasten(self, unit: Unit, seconds: float) -> None:
        """Let the lease run out after this time; 0 for at once."""

    @abstractmethod
    def forget_epoch(self, unit: Unit) -> None:
        """Set the epoch back by one, as a server does that lost its tail; the lease is gone."""

    @abstractmethod
    def silence(self, reader: str, owner: Owner, seconds: float) -> None:
        """Put a replica's last sign of life this far back."""

    @abstractmethod
    def append(self, place: Place, fields: dict[bytes, bytes]) -> None:
        """An entry that no owner wrote, at the next number."""

    @abstractmethod
    def lose_tail(self, place: Place, last: int) -> None:
        """Let a stream end at `last`, as if nothing had ever followed."""

    @abstractmethod
    def picture(self) -> Picture:
        """Everything that is stored. Two pictures are equal if and only if nothing has changed."""

    @abstractmethod
    def close(self) -> None:
        """Give connections back."""


class MemoryWorld(World):
    waits = False

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.memory = Memory()
        self.now = 1000.0

    def bus(self, topology: Topology | None = None) -> Bus:
        return MemoryBus(topology or self.topology, self.memory, LEASE_MS, lambda: self.now)

    def remaining(self, unit: Unit) -> float:
        return self.memory.unit(unit).expires - self.now

    def hasten(self, unit: Unit, seconds: float) -> None:
        self.memory.unit(unit).expires = self.now + seconds

    def forget_epoch(self, unit: Unit) -> None:
        self.memory.unit(unit).epoch -= 1
        self.memory.unit(unit).lease = None

    def silence(self, reader: str, owner: Owner, seconds: float) -> None:
        self.memory.members[reader][f"{owner.host}/{owner.slot}"] -= seconds

    def append(self, place: Place, fields: dict[bytes, bytes]) -> None:
        stream = self.memory.stream(place)
        stream.append(Entry(place, stream[-1].seq + 1 if stream else 1, fields))

    def lose_tail(self, place: Place, last: int) -> None:
        del self.memory.stream(place)[last:]

    def picture(self) -> Picture:
        streams = {str(place): list(stream) for place, stream in self.memory.streams.items() if stream}
        units = {}
        for unit, stored in self.memory.units.items():
            kept = {k: v for k, v in vars(stored).items() if k != "expires"}
            units[str(unit)] = {k: v.copy() if isinstance(v, dict | list) else v for k, v in kept.items()}
        return {"streams": streams, "units": units}

    def close(self) -> None:
        pass


class RedisWorld(World):
    waits = True

    def __init__(self, topology: Topology, url: str, namespace: str) -> None:
        self.topology = topology
        self.url = url
        self.names = Names(namespace)
        self.raw: redis.Redis = redis.Redis.from_url(url, protocol=2)
        self._links: list[Link] = []

    def link(self) -> Link:
        link = Link(self.url, 5.0)
        self._links.append(link)
        return link

    def bus(self, topology: Topology | None = None) -> RedisBus:
        return RedisBus(self.link(), self.names.namespace, topology or self.topology, LEASE_MS)

    def remaining(self, unit: Unit) -> float:
        return self.raw.pttl(self.names.lease(unit)) / 1000

    def hasten(self, unit: Unit, seconds: float) -> None:
        self.raw.pexpire(self.names.lease(unit), round(seconds * 1000))

    def forget_epoch(self, unit: Unit) -> None:
        self.raw.hincrby(self.names.meta(unit), "epoch", -1)
        self.raw.delete(self.names.lease(unit))

    def silence(self, reader: str, owner: Owner, seconds: float) -> None:
        member = f"{owner.host}/{owner.slot}"
        self.raw.zincrby(self.names.members(reader), -1000 * seconds, member)

    def append(self, place: Place, fields: dict[bytes, bytes]) -> None:
        key = self.names.stream(place)
        seq = (
            int(self.raw.xinfo_stream(key)["last-generated-id"].split(b"-")[0]) if self.raw.exists(key) else 0
        )
        self.raw.xadd(key, fields, id=f"{seq + 1}-0")

    def lose_tail(self, place: Place, last: int) -> None:
        key = self.names.stream(place)
        kept = self.raw.xrange(key, "-", f"{last}-0")
        self.raw.delete(key)
        for id_, fields in kept:
            self.raw.xadd(key, fields, id=id_)

    def picture(self) -> Picture:
        return picture(self.raw, self.names.namespace)

    def close(self) -> None:
        for link in self._links:
            link.close()
        self.raw.close()


def picture(raw: redis.Redis, namespace: str) -> Picture:
    """Every key of a namespace with its value; leases without the time that they have left."""
    seen: Picture = {}
    for key in sorted(raw.scan_iter(match=f"cw:{namespace}:*", count=1000)):
        kind = raw.type(key)
        if kind == b"hash":
            seen[key.decode()] = raw.hgetall(key)
        elif kind == b"stream":
            seen[key.decode()] = (raw.xinfo_stream(key)["last-generated-id"], raw.xrange(key))
        elif kind == b"zset":
            seen[key.decode()] = raw.zrange(key, 0, -1, withscores=True)
        else:
            seen[key.decode()] = raw.get(key)
    return seen
