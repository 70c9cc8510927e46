"""The execution process on a live venue: the order manager as ever, and the edge in a thread of its own.

The edge waits for the venue, the manager must not: so each has its loop, its connections and its lease.
They speak over the bus like any two units.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from asyncio import FIRST_COMPLETED
from collections.abc import Mapping

from bus_schemas.bus.port import Bus, Lease, Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.decider import Decider
from bus_schemas.errors import Fenced, Reload
from bus_schemas.instruments import Instrument
from bus_schemas.runtime.ownership import Ownership
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.work import DeciderWork
from bus_schemas.settings import Settings
from bus_schemas.topology import READER_SPECS, Unit
from bus_schemas.venues import consent
from execution.live.desk import Desk
from execution.live.edge import Edge
from execution.live.faults import NotSent, Unclear
from execution.live.guarded import Guarded
from execution.live.terms import check_steps, oversized
from execution.live.venues import make_venue
from execution.manager import OrderManager

log = logging.getLogger("causeway.edge")

VENUE, MANAGER = "venue", "manager"
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.05, 5.0
LANES_S = 2.0
"""How long an orderly stop waits for answers that are on their way."""
READ_MOST_S = 0.5
"""A blocking read ends within it."""


class LiveWork:
    """Manager and edge of one account.

    Args:
        settings: of everything.
        bus: of the main thread.
        owner: this process.
        vitals: of the process.

    Raises:
        ConfigurationError: keys or consent are missing.
    """

    def __init__(self, settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> None:
        consent.require(settings.venue, os.environ)  # edge: the last gate before the venue
        instruments = settings.instrument_table()

        def make(unit: Unit) -> Decider:
            return OrderManager(settings.execution, instruments, unit.part)

        service = READER_SPECS[MANAGER].service
        self._vitals = vitals
        self._manager = DeciderWork(bus, service, settings, make, owner, vitals, (MANAGER,))
        self._edge = EdgeThread(settings, owner, vitals)
        vitals.preparing = True

    @property
    def units(self) -> tuple[Unit, ...]:
        return (*self._manager.units, *self._edge.units)

    def step(self) -> None:
        if not self._edge.started:
            self._edge.start()
        self._edge.check()
        self._vitals.preparing = not self._edge.ready
        self._manager.step()

    def forget(self) -> None:
        self._manager.forget()

    def finish(self) -> None:
        self._edge.stop()
        self._manager.finish()


class EdgeThread:
    """The edge's thread: opens the venue, takes the lease, runs the edge, begins again after a reload."""

    def __init__(self, settings: Settings, owner: Owner, vitals: Vitals) -> None:
        self._settings = settings
        self._owner = owner
        self._vitals = vitals
        self._unit = settings.topology.units(VENUE)[0]
        self._thread = threading.Thread(target=self._run, name="venue-edge", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        self._stopping = threading.Event()
        self._edge: Edge | None = None
        self._error: BaseException | None = None
        self.started = False

    @property
    def units(self) -> tuple[Unit, ...]:
        """The account, while its lease is ours."""
        return (self._unit,) if self._edge is not None else ()

    @property
    def ready(self) -> bool:
        """Whether the account was compared with the venue since the lease was taken."""
        edge = self._edge
        return edge is not None and edge.ready.is_set()

    def start(self) -> None:
        """Start the thread."""
        self.started = True
        self._thread.start()

    def check(self) -> None:
        """Raise what ended the thread.

        Raises:
            CausewayError: final, for the user.
        """
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Let answers that are on their way come in, give the lease back, end."""
        self._stopping.set()
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(self._told.set)
        if self.started:
            self._thread.join(LANES_S + 2 * READ_MOST_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            log.error("the venue edge has ended", extra={"reason": f"{type(error).__name__}: {error}"})
            self._error = error

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings = self._settings.venue
        symbols = self._settings.market_data.symbols
        venue = Guarded(make_venue(settings, symbols), settings)
        try:
            await self._open(venue)
            self._compare_terms(venue.instruments())
            await self._serve(venue)
        finally:
            await venue.close()

    def _compare_terms(self, theirs: Mapping[str, Instrument]) -> None:
        ours, symbols = self._settings.instrument_table(), self._settings.market_data.symbols
        check_steps(ours, theirs, symbols)
        for told in oversized(ours, theirs, symbols):
            log.warning("entries above the venue's largest order are refused here", extra={"reason": told})

    async def _open(self, venue: Guarded) -> None:
        """Open the venue, for as long as it takes.

        Raises:
            Denied: the key is wrong, or the account is in a mode in which nothing may be traded.
        """
        wait, began = BACKOFF_FIRST_S, time.monotonic()  # edge: liveness
        while not self._stopping.is_set():
            try:
                await venue.open()
                return
            except (NotSent, Unclear) as fault:
                log.warning("the venue cannot be opened", extra={"reason": str(fault)})
                self._vitals.gauges["venue_silent_s"] = round(time.monotonic() - began, 1)  # edge: liveness
                wait = min(2 * wait, BACKOFF_MOST_S)
                await asyncio.sleep(wait)

    async def _serve(self, venue: Guarded) -> None:
        bus = self._connect()
        ownership = Ownership(bus, (VENUE,), self._owner)
        wait = BACKOFF_FIRST_S
        try:
            while not self._stopping.is_set():
                try:
                    bus.declare()
                    await self._hold(bus, ownership, venue)
                    wait = BACKOFF_FIRST_S
                except Exception as error:
                    reason = _cause(error)
                    if not isinstance(reason, Reload):
                        raise reason from None
                    log.warning("reload", extra={"unit": str(self._unit), "reason": str(reason)})
                    self._vitals.counters.reloads += 1
                    bus.reset()
                    ownership.forget()
                    wait = min(2 * wait, 1.0)
                    await asyncio.sleep(wait)
        finally:
            bus.close()

    async def _hold(self, bus: RedisBus, ownership: Ownership, venue: Guarded) -> None:
        """Take the lease and run the edge until it is lost or we are told to stop."""
        tick_s = min(1.0, self._settings.bus.lease_ms / 3000)
        task: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set():
                won, lost = ownership.tick()
                if lost:
                    raise Fenced(f"{self._unit} was lost")
                if won:
                    task = asyncio.create_task(self._work(bus, won[0], venue))
                await self._pause(task, ownership.next_look(tick_s))
            if task is not None and self._edge is not None:
                await self._edge.settle(LANES_S)
            ownership.release()
        finally:
            self._edge = None
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
                _ = task.cancelled() or task.exception()  # seen: what is raised here says as much

    async def _work(self, bus: RedisBus, lease: Lease, venue: Guarded) -> None:
        # a new one for each life: a thread may still wait in a read of the last
        reader = self._connect()
        try:
            desk = Desk(bus, self._unit, self._vitals.counters)
            self._edge = Edge(reader, desk, lease, venue, self._settings.venue, self._vitals)
            await self._edge.run()
        finally:
            reader.close()

    async def _pause(self, task: asyncio.Task[None] | None, seconds: float) -> None:
        """Until the edge ends, or we are told to stop, or so long."""
        told = asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait(
                [told, *([task] if task else [])], timeout=seconds, return_when=FIRST_COMPLETED
            )
        finally:
            told.cancel()
        if task is not None and task.done():
            task.result()

    def _connect(self) -> RedisBus:
        bus = self._settings.bus
        link = Link(bus.url.get_secret_value(), bus.timeout_s)
        return RedisBus(link, bus.namespace, self._settings.topology, bus.lease_ms)


def _cause(error: BaseException) -> BaseException:
    """What ended the edge: a reload where one of its tasks met one, else the first task's error."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_cause(inner) for inner in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, Reload)), causes[0])
