"""The janitor: forgets what every reader has read and the replay horizon no longer needs.

It trims the streams that its own service writes, by number and never by length, and tells the main
loop when a reader is so far behind that the writer should wait for it.
"""

from __future__ import annotations

import logging
import threading

from bus_schemas.bus.port import Bus
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import BusError
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import Settings
from bus_schemas.topology import READERS, Place, Stream, Unit

log = logging.getLogger("causeway.janitor")

PERIOD_S = 1.0
SWEEP_EVERY = 30


def slowest(bus: Bus, service: str) -> dict[Place, int]:
    """Position of the reader that is furthest behind, for each stream that the service writes."""
    topology = bus.topology
    own = [place for unit in _units(bus, service) for place in topology.outputs(unit)]
    read: dict[Place, int] = {}
    for spec in READERS:
        for unit in topology.units(spec.name):
            if not set(topology.inputs(unit)).isdisjoint(own):
                for place, position in bus.positions(unit).items():
                    read[place] = min(position, read.get(place, position))
    return {place: read[place] for place in own if place in read}


def sweep(bus: Bus, service: str, keep: int) -> int:
    """Trim the service's streams and journals; returns about how many entries went.

    Args:
        keep: replay horizon in entries of each stream.

    Raises:
        BusError: the server is away.
    """
    gone = 0
    for place, position in slowest(bus, service).items():
        gone += bus.trim(place, min(position, bus.tip(place) - keep) + 1)
    for unit in _units(bus, service):
        gone += bus.trim_journal(unit, keep)
    return gone


def hears_itself(service: str) -> bool:
    """Whether what the service writes leads, over other readers, to something that it reads.

    Such a service never waits for its readers: each of a circle would wait for the next.
    """
    reached: set[Stream] = set()
    fresh = {stream for spec in READERS if spec.service == service for stream in spec.writes}
    while fresh - reached:
        reached |= fresh
        fresh = {out for spec in READERS if reached.intersection(spec.reads) for out in spec.writes}
    return any(reached.intersection(spec.reads) for spec in READERS if spec.service == service)


def behind(bus: Bus, service: str) -> int:
    """Unread entries of the stream whose slowest reader is furthest behind."""
    return max((bus.tip(place) - at for place, at in slowest(bus, service).items()), default=0)


def _units(bus: Bus, service: str) -> list[Unit]:
    return [unit for spec in READERS if spec.service == service for unit in bus.topology.units(spec.name)]


class Janitor:
    """Sweeps in a thread with a connection of its own.

    Args:
        settings: replay horizon, backlog, and where the bus is.
        service: whose streams to trim.
        vitals: gets `blocked` while a reader is further behind than the backlog allows.
    """

    def __init__(self, settings: Settings, service: str, vitals: Vitals) -> None:
        self._settings = settings
        self._service = service
        self._vitals = vitals
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round in hand."""
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        own = self._settings.bus
        link = Link(own.url.get_secret_value(), own.timeout_s)
        bus = RedisBus(link, own.namespace, self._settings.topology, own.lease_ms)
        rounds = 0
        circular = hears_itself(self._service)
        while not self._stop.wait(PERIOD_S):
            try:
                blocked = not circular and behind(bus, self._service) > own.backlog
                if blocked and not self._vitals.blocked:
                    log.warning("waiting for readers", extra={"backlog": own.backlog})
                self._vitals.blocked = blocked
                rounds += 1
                if rounds % SWEEP_EVERY == 0:
                    sweep(bus, self._service, own.keep_events)
            except BusError as error:
                log.debug("no sweep", extra={"reason": str(error)})
                link.reset()
        bus.close()
