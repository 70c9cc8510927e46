"""The simulated venue's clock: it may run faster than ours, and be wrong on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable

from bus_schemas.events import Millis


class SimClock:
    """The venue's time.

    Args:
        start: the venue's time at the beginning, milliseconds UTC; None takes this machine's.
        rate: venue seconds in one of ours.
        monotonic: seconds of a clock that never jumps.

    Attributes:
        rate: as given.
        skew_ms: how far the time that the venue tells is off, set by hand.
        fault: how far it is off by a fault.
    """

    def __init__(
        self,
        start: Millis | None = None,
        rate: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,  # edge: the venue's time goes on by itself
    ) -> None:
        wall = time.time_ns() // 1_000_000  # edge: the venue's time where no data gives one
        self.rate = rate
        self.skew_ms = 0
        self.fault: Callable[[], int] = lambda: 0
        self._monotonic = monotonic
        self._anchor = monotonic()
        self._base = float(wall if start is None else start)

    def true(self) -> Millis:
        """The time that prices follow: no skew. Never goes back."""
        return int(self._base + (self._monotonic() - self._anchor) * 1000 * self.rate)

    def now(self) -> Millis:
        """The time that the venue tells and stamps; goes back when a skew ends."""
        return self.true() + self.skew_ms + self.fault()

    def seconds_until(self, moment: Millis) -> float:
        """Our seconds until the true time is `moment`; 0 where it is past."""
        return max(0.0, (moment - self.true()) / 1000 / self.rate)

    def advance(self, millis: int) -> None:
        """Let time pass at once."""
        self._base += millis
