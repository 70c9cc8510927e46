"""A sign of life each second, from a thread and a connection of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from bus_schemas.bus.port import Owner
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import BusError
from bus_schemas.events import Heartbeat
from bus_schemas.runtime.sensors import Counters
from bus_schemas.settings import Settings
from bus_schemas.topology import Stream, Unit

log = logging.getLogger("causeway.pulse")


class Vitals:
    """How the process is. Written by the main thread, read by the others.

    Attributes:
        status: `starting`, `ready`, `waiting` or `stopping`.
        units: units owned now.
        stepped: monotonic time at which the main loop last came round.
        http: `host:port` of the process's endpoint.
        blocked: a reader of our streams is too far behind; the main loop waits.
        preparing: the loop comes round, but the service is not fit for its work yet.
        gauges: values of the service's own that heartbeats carry, by name.
    """

    def __init__(self, service: str, owner: Owner) -> None:
        self.service = service
        self.owner = owner
        self.counters = Counters()
        self.status = "starting"
        self.units: tuple[Unit, ...] = ()
        self.stepped = time.monotonic()  # edge: liveness
        self.http = ""
        self.blocked = False
        self.preparing = False
        self.gauges: dict[str, float] = {}

    def beat(self, units: tuple[Unit, ...]) -> None:
        """The main loop came round."""
        self.units = units
        self.status = "starting" if self.preparing else "ready"
        self.stepped = time.monotonic()  # edge: liveness

    def wait(self) -> None:
        """The server is away: not ready, but alive, so that nobody restarts us for its sake."""
        self.units = ()
        self.status = "waiting"
        self.stepped = time.monotonic()  # edge: liveness

    @property
    def silence_s(self) -> float:
        """Seconds since the main loop last came round."""
        return time.monotonic() - self.stepped  # edge: liveness


class Pulse:
    """Posts heartbeats.

    Args:
        settings: where, and how often.
        vitals: what to tell.
    """

    def __init__(self, settings: Settings, vitals: Vitals) -> None:
        self._settings = settings
        self._vitals = vitals
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Post a last one and end."""
        self._stop.set()
        self._thread.join(self._settings.bus.timeout_s)

    def _run(self) -> None:
        bus = self._settings.bus
        link = Link(bus.url.get_secret_value(), bus.timeout_s)
        observer = RedisObserver(link, bus.namespace, self._settings.topology)
        quiet = True
        while True:
            stopping = self._stop.is_set()
            try:
                observer.post(Stream.HEARTBEATS, self._vitals.service, self._heartbeat(observer))
                quiet = False
            except BusError as error:
                if not quiet:
                    log.warning("no heartbeat", extra={"reason": str(error)})
                quiet = True
                link.reset()
            if stopping:
                break
            self._stop.wait(self._settings.runtime.heartbeat_s)
        observer.close()

    def _heartbeat(self, observer: RedisObserver) -> Heartbeat:
        vitals = self._vitals
        return Heartbeat(
            time=time.time_ns() // 1_000_000,  # edge: heartbeats tell the wall clock
            service=vitals.service,
            slot=vitals.owner.slot,
            host=vitals.owner.host,
            pid=os.getpid(),
            status=vitals.status,
            units=tuple(str(unit) for unit in vitals.units),
            lag={str(unit): observer.unread(unit) for unit in vitals.units},
            counters=vitals.counters.as_dict(),
            gauges={
                "memory_bytes": float(resident_bytes()),
                "loop_silence_s": round(vitals.silence_s, 3),
                **vitals.gauges.copy(),
            },
            http=vitals.http,
        )


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
