"""Every partition of market data in one hand: the leases, and a writer for each.

The steps of all symbols have one order, so a feed owns all of them or publishes nothing.
"""

from __future__ import annotations

from bus_schemas.bus.port import Bus, Owner
from bus_schemas.errors import Fenced
from bus_schemas.runtime.ownership import Ownership
from bus_schemas.runtime.unit import Writer
from bus_schemas.topology import Unit


class Partitions:
    """The leases of a feed.

    Args:
        bus: this process's.
        owner: this process.
        lease_ms: how long a lease lasts.

    Attributes:
        writers: by partition.
    """

    def __init__(self, bus: Bus, owner: Owner, lease_ms: int) -> None:
        self.writers: dict[str, Writer] = {}
        self._bus = bus
        self._ownership = Ownership(bus, ["market_data"], owner, everything=True)
        self._tick_s = min(1.0, lease_ms / 3000)
        self._next = 0.0

    @property
    def units(self) -> tuple[Unit, ...]:
        """Those that are ours."""
        return tuple(sorted(writer.unit for writer in self.writers.values()))

    @property
    def due(self) -> float:
        """Monotonic time of the next look at the leases."""
        return self._next

    def taken(self, now: float) -> dict[str, bytes] | None:
        """Look at the leases, if it is time; what is stored for all of them once the last one was won.

        Raises:
            Reload: one was lost.
        """
        if now < self._next:
            return None
        won, lost = self._ownership.tick()
        if lost:
            raise Fenced(f"{len(lost)} partitions of the feed were lost")
        for lease in won:
            self.writers[lease.unit.part] = Writer(self._bus, lease.unit)
        state: dict[str, bytes] | None = None
        if won and self._ownership.complete:
            state = {}
            for unit, lease in self._ownership.leases.items():
                state |= self.writers[unit.part].load(lease)
        self._next = now + self._ownership.next_look(self._tick_s)
        return state

    def forget(self) -> None:
        """The connection is gone, and with it the certainty."""
        self._ownership.forget()
        self.writers.clear()
        self._next = 0.0

    def release(self) -> None:
        """Give everything back, in an orderly shutdown."""
        self._ownership.release()
