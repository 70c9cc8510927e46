"""When a time zone's clock changes, as two rows of numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from bus_schemas.errors import ConfigurationError

MOST_CHANGES = 512
"""More than a zone has in the years that are looked at."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = 366 * 131
_STEP = timedelta(days=10)
_SECOND = timedelta(seconds=1)


@cache
def clock_changes(zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Moments from which on the clock of a zone has a distance to UTC, 1970 to 2101.

    Found by asking the zone data for every tenth day and halving where the answer differs.

    Returns:
        Milliseconds UTC, rising, the first 0; and the distances in milliseconds, east above zero.

    Raises:
        ConfigurationError: there is no such zone.
    """
    try:
        clock = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(
            f"unknown time zone {zone!r}; an IANA name such as America/New_York is needed"
        ) from None

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(clock).utcoffset() or timedelta(0)

    times, offsets = [_EPOCH], [offset(_EPOCH)]
    for step in range(_SPAN // _STEP.days):
        low = _EPOCH + step * _STEP
        high = low + _STEP
        if offset(high) == offsets[-1]:
            continue
        while high - low > _SECOND:
            middle = low + (high - low) // 2
            middle = middle.replace(microsecond=0)
            if middle in (low, high):
                break
            low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
        times.append(high)
        offsets.append(offset(high))
    if len(times) > MOST_CHANGES:
        raise ConfigurationError(f"the clock of {zone} changes more than {MOST_CHANGES} times")
    return (
        tuple(int((moment - _EPOCH) / _SECOND) * 1000 for moment in times),
        tuple(int(distance / _SECOND) * 1000 for distance in offsets),
    )
