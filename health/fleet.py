"""The state of all services, folded from heartbeats and looks at the bus. Pure: the clock is passed in.

Times are seconds of health's own clock; a heartbeat's age is counted from when it arrived, so that the
clocks of other hosts do not matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from bus_schemas.events import Heartbeat
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import READER_SPECS, Place, Unit
from health.trading import Trading

STOPPING = "stopping"


class Replica(msgspec.Struct):
    """One process of a service: its last heartbeat and when that arrived."""

    beat: Heartbeat
    seen: float

    @property
    def service(self) -> str:
        return self.beat.service

    @property
    def slot(self) -> str:
        return self.beat.slot

    def age(self, now: float) -> float:
        """Seconds since the last heartbeat."""
        return max(0.0, now - self.seen)


class Look(msgspec.Struct, frozen=True):
    """One look at the bus.

    Attributes:
        tips: last number of each stream.
        positions: last number read, by unit and input.
        dead: dead letters so far, by unit.
    """

    tips: dict[Place, int]
    positions: dict[Unit, dict[Place, int]]
    dead: dict[Unit, int]

    def unread(self, unit: Unit) -> int:
        """How many events wait for a unit."""
        read = self.positions.get(unit, {})
        return sum(max(0, self.tips.get(place, 0) - position) for place, position in read.items())


class LedgerState(msgspec.Struct):
    """How the ledger stands.

    Attributes:
        positions: last number written, by place; empty before the first look.
        missed: events that were trimmed before they could be written.
        fault: why it cannot be written now; empty while it can.
        caught_up: whether it has once had everything.
    """

    positions: dict[Place, int] = {}
    missed: int = 0
    fault: str = ""
    caught_up: bool = False


class Fleet:
    """Everything that health knows. Not thread-safe: `health.board` guards it.

    Args:
        settings: thresholds.
        started: health's clock at its start.
    """

    def __init__(self, settings: HealthSettings, started: float) -> None:
        self.settings = settings
        self.started = started
        self.replicas: dict[tuple[str, str], Replica] = {}
        self.look: Look | None = None
        self.looked = started
        self.bus_fault = ""
        self.ledger = LedgerState()
        self.trading = Trading()
        self.dead_acknowledged: dict[str, int] = {}
        self._lags: dict[Unit, deque[int]] = {}

    def beat(self, beat: Heartbeat, seen: float) -> None:
        """Take a heartbeat that arrived at `seen`. An older one than the last of its slot is ignored."""
        key = (beat.service, beat.slot)
        known = self.replicas.get(key)
        if known is None or known.beat.time <= beat.time or known.beat.pid != beat.pid:
            self.replicas[key] = Replica(beat, seen)

    def seen_bus(self, look: Look, now: float) -> None:
        """Take a look at the bus."""
        self.look, self.looked, self.bus_fault = look, now, ""
        for unit in look.positions:
            lags = self._lags.setdefault(unit, deque(maxlen=self.settings.lag_growing + 1))
            lags.append(look.unread(unit))
        self._forget(now)

    def lost_bus(self, fault: str) -> None:
        """The bus could not be looked at."""
        self.bus_fault = fault

    def acknowledge_dead(self) -> dict[Unit, int]:
        """A person has looked at every dead letter so far; returns what to remember."""
        dead = dict(self.look.dead) if self.look else {}
        self.dead_acknowledged = {str(unit): count for unit, count in dead.items()}
        return dead

    def dead_letters(self, unit: Unit) -> int:
        """Dead letters of a unit that nobody has acknowledged. A new server's count begins again."""
        count = self.look.dead.get(unit, 0) if self.look else 0
        known = self.dead_acknowledged.get(str(unit), 0)
        return count - known if count >= known else count

    def lag(self, unit: Unit) -> int:
        """Unread events of a unit at the last look."""
        return self.look.unread(unit) if self.look else 0

    def lag_grows(self, unit: Unit) -> bool:
        """Whether the lag grew at each of the last looks and is worth a word."""
        lags = self._lags.get(unit, deque())
        if len(lags) <= self.settings.lag_growing or lags[-1] <= self.settings.lag_floor:
            return False
        return all(before < after for before, after in zip(lags, list(lags)[1:], strict=False))

    def ledger_behind(self) -> int:
        """Events of the ledger's streams that it lacks."""
        tips: Mapping[Place, int] = self.look.tips if self.look else {}
        return sum(max(0, tips.get(place, 0) - position) for place, position in self.ledger.positions.items())

    def live(self, service: str, now: float) -> list[Replica]:
        """Replicas with a sign of life in time that have not said that they stop."""
        return [
            replica
            for _, replica in sorted(self.replicas.items())
            if replica.service == service
            and replica.beat.status != STOPPING
            and replica.age(now) <= self.settings.silent_after_s
        ]

    def owner(self, unit: Unit, now: float) -> Replica | None:
        """The live replica that says it owns the unit."""
        for replica in self.live(READER_SPECS[unit.reader].service, now):
            if str(unit) in replica.beat.units:
                return replica
        return None

    def _forget(self, now: float) -> None:
        """Drop replicas that have stopped, or are long silent, where others do their work."""
        for key, replica in list(self.replicas.items()):
            stopped = replica.beat.status == STOPPING and replica.age(now) > self.settings.silent_after_s
            gone = stopped or replica.age(now) > self.settings.forget_after_s
            if gone and self.live(replica.service, now):
                del self.replicas[key]
