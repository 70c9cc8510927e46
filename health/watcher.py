"""Looks at heartbeats, lags and dead letters once a second, and gives health's own sign of life."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from bus_schemas.bus.port import Observer
from bus_schemas.codec import decode
from bus_schemas.errors import BusError, CodecError
from bus_schemas.events import Heartbeat
from bus_schemas.runtime.pulse import resident_bytes
from bus_schemas.topology import READERS, Place, Stream, Topology, Unit
from health.board import Board
from health.fleet import STOPPING, Look
from health.follower import ObserverFactory
from health.monitor import Groups

log = logging.getLogger("causeway.health.watcher")

BEFORE = 500
"""Heartbeats from before our start that are looked at: the last ones of those that died meanwhile."""

BATCH = 1000

GroupsFactory = Callable[[], Groups]


class Watcher:
    """One thread's work.

    Args:
        make_observer: a view of the bus with connections of its own.
        board: what the others see.
        sample_s: time between two looks.
        slot: name of this replica.
        make_groups: moves consumer groups after the readers; None on a bus that has none.
    """

    def __init__(
        self,
        make_observer: ObserverFactory,
        board: Board,
        sample_s: float,
        slot: str,
        make_groups: GroupsFactory | None = None,
    ) -> None:
        self._make_observer = make_observer
        self._make_groups = make_groups
        self._board = board
        self._sample_s = sample_s
        self._slot = slot
        self._host = socket.gethostname()
        self._position: int | None = None
        self.status = "starting"
        self.http = ""

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop; a bus that is away is looked for at each sample."""
        while not stop.is_set():
            observer = self._make_observer()
            groups = self._make_groups() if self._make_groups else None
            try:
                while not stop.is_set():
                    look = self.step(observer)
                    if groups is not None:
                        groups.follow(look)
                    stop.wait(self._sample_s)
                self._say(observer, STOPPING)
            except BusError as error:
                log.warning("the bus is away", extra={"reason": str(error)})
                with self._board.fleet() as (fleet, _):
                    fleet.lost_bus(str(error))
                stop.wait(self._sample_s)
            finally:
                observer.close()
                if groups is not None:
                    groups.close()

    def step(self, observer: Observer) -> Look:
        """One look; returns it.

        Raises:
            BusError: the bus does not answer.
        """
        self._say(observer, self.status)
        beats = self._heartbeats(observer)
        look = look_at(observer)
        with self._board.fleet() as (fleet, now):
            for beat, live in beats:
                fleet.beat(beat, now if live else min(now, beat.time / 1000))
            fleet.seen_bus(look, now)
        return look

    def _heartbeats(self, observer: Observer) -> list[tuple[Heartbeat, bool]]:
        """New heartbeats, and whether each came in while we watched."""
        place = observer.topology.places(Stream.HEARTBEATS)[0]
        tip, found = observer.tip(place), []
        watched_from = self._position
        if watched_from is None or tip < watched_from:
            watched_from, self._position = tip, max(0, tip - BEFORE)
        position = self._position or 0
        while entries := observer.range(place, position, BATCH):
            for entry in entries:
                position = max(position, entry.seq)
                try:
                    body = decode(place, entry.seq, entry.fields).body
                except CodecError as error:
                    log.warning("a heartbeat cannot be read", extra={"reason": str(error)})
                    continue
                if isinstance(body, Heartbeat):
                    found.append((body, entry.seq > watched_from))
        self._position = position
        return found

    def _say(self, observer: Observer, status: str) -> None:
        observer.post(
            Stream.HEARTBEATS,
            "health",
            Heartbeat(
                time=time.time_ns() // 1_000_000,  # edge: heartbeats tell the wall clock
                service="health",
                slot=self._slot,
                host=self._host,
                pid=os.getpid(),
                status=status,
                gauges={"memory_bytes": float(resident_bytes())},
                http=self.http,
            ),
        )


def look_at(observer: Observer) -> Look:
    """One look at every stream and unit of the topology.

    Positions are read before tips, so that a lag is never below the truth of either moment.

    Raises:
        BusError: the bus does not answer.
    """
    topology = observer.topology
    positions = {unit: observer.positions(unit) for unit in topology.turn_order}
    tips = {place: observer.tip(place) for place in _places(topology)}
    dead = {unit: observer.dead_count(unit) for unit in _units(topology)}
    return Look(tips, positions, dead)


def _places(topology: Topology) -> list[Place]:
    return [
        place for stream in Stream if stream is not Stream.HEARTBEATS for place in topology.places(stream)
    ]


def _units(topology: Topology) -> list[Unit]:
    return [unit for reader in READERS for unit in topology.units(reader.name)]
