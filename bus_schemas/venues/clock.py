"""The venue's clock as we estimate it: our monotonic clock, set by the venue's answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from bus_schemas.events import Millis


class VenueClock:
    """Never goes back once the venue has told its time, and never jumps with the machine's own clock.

    Args:
        rate: the venue's seconds in one of ours; 1 except for a simulated venue.
        wall: milliseconds of this machine's clock, the first estimate.
        monotonic: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        rate: float = 1.0,
        wall: Callable[[], float] = lambda: time.time_ns() / 1e6,  # edge: until the venue tells its own
        monotonic: Callable[[], float] = time.monotonic,  # edge: runs between the venue's answers
    ) -> None:
        self._rate = rate
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = monotonic()
        self._base = wall()
        self._last = 0
        self._told = False

    def now(self) -> Millis:
        """The venue's time now, in milliseconds UTC."""
        self._last = max(self._last, round(self._at(self._monotonic())))
        return self._last

    def estimate(self) -> Millis:
        """The same without the promise not to go back: what a signature is dated by, since a venue refuses
        one from its future."""
        return round(self._at(self._monotonic()))

    def mark(self) -> float:
        """A moment, to hand to `set`."""
        return self._monotonic()

    def set(self, server_ms: float, asked: float, answered: float) -> int:
        """Take the venue's word, given between the two moments of `mark`; returns how far this machine's
        own clock was from it: venue minus ours, in milliseconds."""
        if not self._told:  # this machine's guess may lie years ahead of a simulated venue
            self._told, self._last = True, 0
        middle = (asked + answered) / 2
        self._anchor, self._base = middle, float(server_ms)
        return round(self._at(self._monotonic()) - self._wall())

    def _at(self, moment: float) -> float:
        return self._base + (moment - self._anchor) * 1000 * self._rate
