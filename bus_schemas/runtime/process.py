"""A service process from start to exit: settings, connection, work, heartbeat, endpoint, shutdown.

The loop: declare the topology → step the work → on a lost connection drop everything, wait with
backoff, begin again. SIGTERM and SIGINT finish the batch in hand, give the leases back, and exit 0
within one budget that all steps share.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable

from bus_schemas.bus.port import Bus, Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.decider import Decider
from bus_schemas.errors import EXIT_FAILED, EXIT_OK, Disconnected, Reload
from bus_schemas.runtime.entry import Build
from bus_schemas.runtime.http import Endpoint
from bus_schemas.runtime.janitor import Janitor
from bus_schemas.runtime.pulse import Pulse, Vitals
from bus_schemas.runtime.work import DeciderWork, Work
from bus_schemas.settings import Settings
from bus_schemas.topology import Unit

log = logging.getLogger("causeway.process")

BACKOFF_FIRST_S = 0.01
BACKOFF_MOST_S = 1.0
PAUSE_S = 0.05
"""A signal is seen after it, also in a backoff."""

MakeDecider = Callable[[Unit], Decider]
MakeWork = Callable[[Settings, Bus, Owner, Vitals], Work]


class Process:
    """One service process.

    Args:
        name: of the service.
        settings: of everything.
        make_work: the work, given its bus.
    """

    def __init__(self, name: str, settings: Settings, make_work: MakeWork) -> None:
        self._name = name
        self._settings = settings
        self._stopping = 0
        bus, runtime = settings.bus, settings.runtime
        self._owner = Owner(socket.gethostname(), runtime.slot, secrets.token_hex(8))  # edge: lease nonce
        self._vitals = Vitals(name, self._owner)
        self._bus = RedisBus(
            Link(bus.url.get_secret_value(), bus.timeout_s), bus.namespace, settings.topology, bus.lease_ms
        )
        self._work = make_work(settings, self._bus, self._owner, self._vitals)

    def run(self) -> int:
        """Work until told to stop. Returns the exit code.

        Raises:
            CausewayError: final; its message is for the user.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        pulse = Pulse(self._settings, self._vitals)
        endpoint = Endpoint(self._settings.runtime, self._vitals)
        janitor = Janitor(self._settings, self._name, self._vitals)
        endpoint.start()
        pulse.start()
        janitor.start()
        try:
            self._loop()
            log.info("stopping", extra={"signal": signal.Signals(self._stopping).name})
            self._vitals.status = "stopping"
            self._give_back()
        finally:
            for helper in (janitor, pulse, endpoint):
                helper.stop()
            self._bus.close()
        log.info("stopped")
        return EXIT_OK

    def _on_signal(self, number: int, _frame: object) -> None:
        """Take a note, and nothing that waits for a lock: the main thread may hold it right now."""
        if not self._stopping:
            budget = threading.Timer(self._settings.runtime.shutdown_s, os._exit, (EXIT_FAILED,))
            budget.daemon = True
            budget.start()
        self._stopping = number

    def _loop(self) -> None:
        wait_s = BACKOFF_FIRST_S
        while not self._stopping:
            try:
                self._bus.declare()
                while not self._stopping:
                    self._work.step()
                    self._vitals.beat(self._work.units)
                    wait_s = BACKOFF_FIRST_S
            except Reload as reason:
                if not isinstance(reason, Disconnected) or self._vitals.status != "waiting":
                    log.warning("reload", extra={"reason": str(reason)})
                self._vitals.counters.reloads += 1
                self._vitals.wait()
                self._bus.reset()
                self._work.forget()
                self._pause(wait_s)
                wait_s = min(BACKOFF_MOST_S, wait_s * 2)

    def _pause(self, wait_s: float) -> None:
        until = time.monotonic() + wait_s  # edge: backoff
        while not self._stopping and (left := until - time.monotonic()) > 0:  # edge: as above
            time.sleep(min(left, PAUSE_S))  # edge: as above

    def _give_back(self) -> None:
        try:
            self._work.finish()
        except Reload as reason:
            log.warning("leases run out by themselves", extra={"reason": str(reason)})


def service(name: str, make_work: MakeWork) -> Build:
    """For `entry.main`: a service with this work."""

    def build(settings: Settings) -> Callable[[], int]:
        return Process(name, settings, make_work).run

    return build


def decider_service(
    name: str, make: Callable[[Settings], MakeDecider]
) -> Callable[[Settings], Callable[[], int]]:
    """For `entry.main`: a service that runs deciders."""

    def make_work(settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> Work:
        return DeciderWork(bus, name, settings, make(settings), owner, vitals)

    return service(name, make_work)
