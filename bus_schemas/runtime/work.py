"""The work of a process: deciders on the units that this replica owns."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Protocol

from bus_schemas.bus.port import Bus, Entry, Owner
from bus_schemas.decider import Decider
from bus_schemas.errors import Disconnected, Fenced, Reload
from bus_schemas.runtime.ownership import Ownership
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.unit import UnitRunner
from bus_schemas.settings import Settings
from bus_schemas.topology import READER_SPECS, READERS, Place, Unit

log = logging.getLogger("causeway.runtime")

READ_WAIT_S = 0.25
"""Longest wait for new entries; SIGTERM is seen after it."""
HELD_LIMIT = 32
"""Most entries of a stream in one read where held ones may be put back: they are read again."""
AGAIN_S = 0.01
"""Wait before a unit that failed twice in a row is loaded again; doubled from then on."""
SILENCE_S = 0.1
"""Lockstep: after this silence a reader asks whose turn it is, because a hint may be lost."""


class Work(Protocol):
    """What `Process` drives. Every method may raise a `Reload` or a final error."""

    def step(self) -> None:
        """Do a bounded piece of work, waiting at most a fraction of a second for it."""

    def forget(self) -> None:
        """Drop memory and leases: the connection is gone."""

    def finish(self) -> None:
        """Give the leases back, in an orderly shutdown."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that this process owns now."""


class DeciderWork:
    """Runs deciders: tick the leases, read, decide, commit.

    Args:
        bus: this process's.
        service: whose readers to run.
        settings: batch size, lease, attempts.
        make: a fresh decider for a unit.
        owner: this process.
        vitals: of the process.
        readers: which of the service's; default all of them.
    """

    def __init__(
        self,
        bus: Bus,
        service: str,
        settings: Settings,
        make: Callable[[Unit], Decider],
        owner: Owner,
        vitals: Vitals,
        readers: Sequence[str] = (),
    ) -> None:
        self._bus = bus
        self._service = service
        self._settings = settings
        self._make = make
        self._vitals = vitals
        self._counters = vitals.counters
        self._lockstep = settings.bus.lockstep
        self._limit = settings.bus.batch
        readers = readers or _readers(service)
        if not self._lockstep and any(READER_SPECS[reader].held for reader in readers):
            self._limit = min(self._limit, HELD_LIMIT)
        self._delay_s = settings.runtime.delay_ms / 1000
        self._ownership = Ownership(bus, readers, owner)
        self._runners: dict[Unit, UnitRunner] = {}
        self._reading: dict[Place, UnitRunner] = {}
        self._setbacks: Counter[Unit] = Counter()
        self._tick_s = min(1.0, settings.bus.lease_ms / 3000)
        self._next_tick = 0.0
        self._ask = True

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(sorted(self._runners))

    def step(self) -> None:
        now = time.monotonic()  # edge: leases are renewed by the wall
        if now >= self._next_tick:
            self._own()
            self._next_tick = now + self._ownership.next_look(self._tick_s)
        if self._vitals.blocked and not self._lockstep:
            time.sleep(READ_WAIT_S)  # edge: backpressure
        elif self._lockstep:
            self._take_turn()
        else:
            self._take_all()

    def _own(self) -> None:
        won, lost = self._ownership.tick()
        for unit in lost:
            self._drop(unit)
        for lease in won:
            runner = UnitRunner(
                self._bus, lease.unit, self._make(lease.unit), self._settings.runtime, self._counters
            )
            try:
                runner.load(lease)
            except Fenced:
                self._ownership.drop(lease.unit)
                continue
            self._runners[lease.unit] = runner
            self._reading |= dict.fromkeys(runner.positions, runner)
            self._ask = True

    def _take_all(self) -> None:
        after = {place: runner.positions[place] for place, runner in self._reading.items()}
        if not after:
            time.sleep(READ_WAIT_S)  # edge: a standby waits for a lease
            return
        read = self._bus.read(after, self._limit, READ_WAIT_S)
        by_unit: dict[Unit, list[Entry]] = {}
        held: dict[Unit, list[Entry]] = {}
        for place, entries in groupby(read, key=_place):
            unit = self._reading[place].unit
            waits = place.stream in READER_SPECS[unit.reader].held
            (held if waits else by_unit).setdefault(unit, []).extend(entries)
        for unit, batch in by_unit.items():
            self._process(unit, batch)
        if not by_unit:
            for unit, batch in held.items():
                self._process(unit, batch, one_time=True)

    def _take_turn(self) -> None:
        turn = None if self._ask else self._bus.wait_turn(self._service, SILENCE_S)
        asked = turn is None or turn.entries is None
        if turn is None or turn.entries is None:
            turn = self._bus.ask_turn(self._limit)
        self._ask = False
        runner = self._runners.get(turn.unit) if turn.unit else None
        if runner is None or not turn.entries:
            return
        if asked or runner.follows(turn.entries):  # a hint may be old; in an answer a hole is a hole
            self._process(runner.unit, turn.entries)

    def _process(self, unit: Unit, entries: list[Entry], one_time: bool = False) -> None:
        if self._delay_s:
            time.sleep(random.uniform(0, self._delay_s))  # edge: a test aid that must not change anything
        began = time.perf_counter_ns()  # edge: measures itself
        try:
            self._runners[unit].process(entries, self._limit, one_time)
        except Disconnected:
            raise
        except Reload as reason:
            level = logging.ERROR if self._setbacks[unit] else logging.WARNING
            log.log(level, "reload", extra={"unit": str(unit), "reason": str(reason)})
            self._counters.reloads += 1
            self._counters.fenced += isinstance(reason, Fenced)
            self._drop(unit)
            self._ownership.drop(unit)
            self._again(unit)
        else:
            self._setbacks.pop(unit, None)
        self._counters.busy_us += (time.perf_counter_ns() - began) // 1000  # edge: as above

    def _again(self, unit: Unit) -> None:
        """Take the unit again: at once after the first failure, later and later after more in a row."""
        wait_s = min(self._tick_s, AGAIN_S * (2 ** min(self._setbacks[unit], 10) - 1))
        self._next_tick = time.monotonic() + wait_s  # edge: backoff
        self._setbacks[unit] += 1

    def _drop(self, unit: Unit) -> None:
        runner = self._runners.pop(unit, None)
        self._reading = {place: other for place, other in self._reading.items() if other is not runner}

    def forget(self) -> None:
        self._runners.clear()
        self._reading.clear()
        self._ownership.forget()
        self._next_tick = 0.0
        self._ask = True

    def finish(self) -> None:
        self._ownership.release()


def _place(entry: Entry) -> Place:
    return entry.place


def _readers(service: str) -> Sequence[str]:
    return [spec.name for spec in READERS if spec.service == service]
