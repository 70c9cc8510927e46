"""The fleet shared by health's threads, behind one lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from health.fleet import Fleet

Clock = Callable[[], float]


def wall_clock() -> float:
    """Seconds since 1970: health's clock."""
    return time.time()  # edge: ages of heartbeats


class Board:
    """Guards a fleet. Hold it for a moment only: HTTP answers wait for it.

    Args:
        fleet: what is shared.
        clock: health's clock; a test passes its own.
    """

    def __init__(self, fleet: Fleet, clock: Clock = wall_clock) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self.clock = clock

    @contextmanager
    def fleet(self) -> Iterator[tuple[Fleet, float]]:
        """The fleet and the time, for this thread alone."""
        with self._lock:
            yield self._fleet, self.clock()
