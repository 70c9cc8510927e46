"""market_data: files or a venue. Here the file feed at work: an edge that publishes steps, one commit each.

It waits for the whole bus to be quiet before each step; paced, for the step's time as well. All
partitions belong to one process, because the steps of all symbols have one order.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Mapping

from bus_schemas.bus.port import Bus, Owner
from bus_schemas.errors import ConfigurationError, Disconnected, Reload
from bus_schemas.runtime.process import service
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.work import READ_WAIT_S, SILENCE_S, Work
from bus_schemas.settings import Settings
from bus_schemas.topology import Unit
from market_data.feed import FileFeed, Progress, Step
from market_data.live.progress import PREFIX as LIVE
from market_data.pace import Pacer, speed_of
from market_data.partitions import Partitions
from market_data.progress import DONE, restored, stored

log = logging.getLogger("causeway.feed")

QUIET_S = 0.002
"""Between two looks at whether the readers of a paced run are done with the last step."""


class FeedWork:
    """Publishes the files of the settings.

    Args:
        settings: which files, and how fast.
        bus: this process's.
        owner: this process.
        vitals: of the process.

    Raises:
        ConfigurationError: the folder does not have the candles.
    """

    def __init__(self, settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> None:
        self._bus = bus
        self._vitals = vitals
        self._feed = FileFeed(settings.market_data, settings.strategy.entry_timeframe)
        self._lockstep = settings.bus.lockstep
        self._speed = speed_of(settings.market_data.pace)
        self._delay_s = settings.runtime.delay_ms / 1000
        self._partitions = Partitions(bus, owner, settings.bus.lease_ms)
        self._steps: Iterator[Step] | None = None
        self._next: Step | None = None
        self._pacer: Pacer | None = None
        self._reached: dict[str, Progress] = {}
        self._ready = self._done = False
        self._ask = True
        self._last = ""

    @property
    def units(self) -> tuple[Unit, ...]:
        return self._partitions.units

    def step(self) -> None:
        now = time.monotonic()  # edge: leases are renewed by the wall
        state = self._partitions.taken(now)
        if state is not None:
            self._restore(state)
        if not self._ready or self._done or (self._vitals.blocked and not self._lockstep):
            time.sleep(READ_WAIT_S)  # edge: nothing to publish
        elif self._due():
            self._publish()

    def _restore(self, state: Mapping[str, bytes]) -> None:
        if any(key.startswith(LIVE) for key in state):
            raise ConfigurationError("the namespace holds a venue's candles: choose another for files")
        progress: dict[str, Progress] = restored(state)
        self._done = DONE in state
        if self._steps is None or progress != self._reached:
            # else go on where we are: to find the place again may take longer than a lease lasts
            self._steps, self._next, self._reached = self._feed.steps(progress), None, progress
        self._ready, self._last = True, ""
        self._pacer = Pacer(self._speed) if self._speed is not None else None
        self._ask = True
        log.info("feed", extra={"symbols": len(self._feed.symbols), "resumed": len(progress)})

    def _due(self) -> bool:
        """Whether the next step may be published now; waits a fraction of a second for it."""
        if self._lockstep and not self._my_turn():
            return False
        if self._next is None and self._steps is not None:
            self._next = next(self._steps, None)
        if self._pacer is None or self._next is None or self._next.phase == "hydrate":
            return True
        wait = self._pacer.wait(self._next.time, time.monotonic())  # edge: pacing
        if wait > 0:
            time.sleep(min(wait, READ_WAIT_S))  # edge: pacing
        return wait <= READ_WAIT_S and self._quiet()

    def _quiet(self) -> bool:
        """Whether every reader has answered what was published. Paced or not, a file's bars do not overlap:
        a service that is behind would else see a bar end before it knows what the one before led to.
        """
        if self._bus.ask_turn(1).unit is None:
            return True
        time.sleep(QUIET_S)  # edge: there is nothing to wait on, readers run freely
        return False

    def _my_turn(self) -> bool:
        turn = None if self._ask else self._bus.wait_turn("market_data", SILENCE_S)
        self._ask = False
        if turn is None:
            return self._bus.ask_turn(1).unit is None
        return turn.unit is None and turn.step == self._last

    def _publish(self) -> None:
        if self._delay_s:
            time.sleep(random.uniform(0, self._delay_s))  # edge: a test aid that must not change anything
        step = self._next
        part = self._bus.topology.partition(step.symbol) if step else self._bus.topology.parts("partition")[0]
        writer = self._partitions.writers[part]
        try:
            if step is None:
                writer.commit((), {DONE: b"1"})
                self._done = True
                log.info("the files are at an end")
            else:
                writer.commit(writer.roots(step.outputs), stored(step.progress, step.symbol))
        except Disconnected:
            raise
        except Reload:
            self.forget()
            raise
        if step is not None:
            self._reached[step.symbol] = step.progress
        self._next = None
        self._last = f"{part} {writer.counter}"
        counters = self._vitals.counters
        counters.commits += 1
        counters.outputs += len(step.outputs) if step else 0

    def forget(self) -> None:
        self._partitions.forget()
        self._ready = False

    def finish(self) -> None:
        self._partitions.release()


def make_work(settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> Work:
    """The work of this service.

    Raises:
        ConfigurationError: the folder does not have the candles, or there is no such venue.
    """
    if settings.market_data.source == "venue":
        from market_data.live.work import LiveWork  # a file feed needs nothing of it

        return LiveWork(settings, bus, owner, vitals)
    return FeedWork(settings, bus, owner, vitals)


build = service("market_data", make_work)
