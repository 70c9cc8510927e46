"""How long a feed waits before a step, so that events come at the speed of the market or a multiple.

Pure: the caller reads its clock and passes in what went by.
"""

from __future__ import annotations

from bus_schemas.errors import ConfigurationError


def speed_of(pace: str) -> float | None:
    """Event seconds per wall second: 1 for `realtime`, 60 for `x60`; None for `lockstep`, which never waits.

    Raises:
        ConfigurationError: it is none of these.
    """
    if pace == "lockstep":
        return None
    if pace == "realtime":
        return 1.0
    try:
        speed = float(pace.removeprefix("x"))
    except ValueError:
        speed = 0.0
    if not pace.startswith("x") or not 0 < speed < float("inf"):
        raise ConfigurationError(f"pace {pace!r} is none of lockstep, realtime, x60 (sixty times real time)")
    return speed


def seconds_to_wait(event_ms: int, wall_s: float, speed: float) -> float:
    """Seconds from now until an event is due; 0 where it is due or late.

    A feed that fell behind catches up without waiting; it does not shift what follows.

    Args:
        event_ms: event time since the anchor, in milliseconds.
        wall_s: wall time since the anchor, in seconds.
        speed: event seconds per wall second.
    """
    return max(0.0, event_ms / 1000 / speed - wall_s)


class Pacer:
    """Seconds to wait from step to step. The first step is the anchor, and is due at once.

    After a restart the anchor is new: what was missed meanwhile is not hurried through.

    Args:
        speed: event seconds per wall second.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._anchor: tuple[int, float] | None = None

    def wait(self, time: int, now: float) -> float:
        """Seconds to wait before the event of `time` (milliseconds), at `now` on a monotonic clock."""
        if self._anchor is None:
            self._anchor = (time, now)
        event, wall = self._anchor
        return seconds_to_wait(time - event, now - wall, self._speed)
