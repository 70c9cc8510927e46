"""Which replica owns which unit: rendezvous hashing over the live ones, one lease a unit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from bus_schemas.bus.port import Bus, Lease, Owner
from bus_schemas.errors import Fenced
from bus_schemas.topology import Unit

SOON_S = 0.05


def preferred(unit: Unit, members: Sequence[str]) -> str:
    """The member that should own the unit: when one leaves, only its own units move."""
    return max(members, key=lambda member: hashlib.blake2b(f"{unit}|{member}".encode()).digest())


class Ownership:
    """The leases of one process.

    Args:
        bus: where they are kept.
        readers: the readers that live in this process.
        owner: this process.
        everything: take every unit or none, for an edge whose units share one order.
    """

    def __init__(self, bus: Bus, readers: Iterable[str], owner: Owner, everything: bool = False) -> None:
        self._bus = bus
        self._readers = tuple(readers)
        self._owner = owner
        self._me = f"{owner.host}/{owner.slot}"
        self._everything = everything
        self.leases: dict[Unit, Lease] = {}
        self._waiting = False

    def tick(self) -> tuple[list[Lease], list[Unit]]:
        """Say that we live, renew what we hold, give back what others should have, take what we should.

        Returns:
            Leases won, and units lost or given back, since the last call.

        Raises:
            Disconnected: drop everything.
        """
        won: list[Lease] = []
        lost: list[Unit] = []
        self._waiting = False
        for reader in self._readers:
            members = self._bus.join(reader, self._owner)
            for unit in self._bus.topology.units(reader):
                mine = preferred(self._anchor(unit), members) == self._me
                lease = self.leases.get(unit)
                if lease is not None and not self._keep(lease, mine):
                    del self.leases[unit]
                    lost.append(unit)
                elif lease is None and mine:
                    fresh = self._bus.acquire(unit, self._owner)
                    if fresh is None:
                        self._waiting = True
                    else:
                        self.leases[unit] = fresh
                        won.append(fresh)
        return won, lost

    def _anchor(self, unit: Unit) -> Unit:
        """What is hashed: a service's readers of one part stay together, because they answer each other."""
        return Unit(self._readers[0], "" if self._everything else unit.part)

    def _keep(self, lease: Lease, mine: bool) -> bool:
        if not mine:
            self._bus.release(lease)
            return False
        try:
            self._bus.renew(lease)
        except Fenced:
            return False
        return True

    def next_look(self, tick_s: float) -> float:
        """Seconds until the next `tick`: soon, while another replica still holds what we should have."""
        return min(SOON_S, tick_s) if self._waiting else tick_s

    def drop(self, unit: Unit) -> None:
        """Forget a lease that turned out not to be ours, or whose memory is to be loaded again."""
        self.leases.pop(unit, None)

    def forget(self) -> None:
        """Forget every lease: the connection is gone, and with it the certainty."""
        self.leases.clear()

    @property
    def complete(self) -> bool:
        """Whether every unit of our readers is ours."""
        wanted = sum(len(self._bus.topology.units(reader)) for reader in self._readers)
        return len(self.leases) == wanted

    def release(self) -> None:
        """Give everything back, in an orderly shutdown."""
        for lease in self.leases.values():
            self._bus.release(lease)
        for reader in self._readers:
            self._bus.leave(reader, self._owner)
        self.leases.clear()
