"""Sessions as settings write them: daily windows of a local clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from bus_schemas.settings.section import spelled
from bus_schemas.timeframes import DAY, HOUR, MINUTE

_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
SESSION = re.compile(rf"(?P<name>[a-z][a-z0-9_]{{0,15}}) (?P<start>{_TIME})-(?P<end>{_TIME})")
"""How a session is written."""

SessionText = Annotated[str, spelled(SESSION.pattern, "a session such as `london 02:00-05:00`")]

_YEARS = range(1970, 2100)


def holds_a_candle(session: re.Match[str], length: int, zone: str) -> bool:
    """Whether a candle can open in a session and close before its end, so that the session still goes on.

    The hour in which clocks go back is not counted.

    Args:
        session: a match of `SESSION`.
        length: of a candle, in milliseconds; candles begin at midnight UTC.
        zone: whose clock the session is read from, an IANA name.
    """
    start, end = _moment(session["start"]), _moment(session["end"])
    lasts = (end - start) % DAY or DAY
    return any((offset - start) % length + length < lasts for offset in _offsets(zone))


def _moment(text: str) -> int:
    """Milliseconds after midnight."""
    hours, minutes = text.split(":")
    return int(hours) * HOUR + int(minutes) * MINUTE


@lru_cache(maxsize=8)
def _offsets(zone: str) -> frozenset[int]:
    """How far a clock is ahead of UTC, in milliseconds: in any month of the years that are known."""
    clock, millisecond = ZoneInfo(zone), timedelta(milliseconds=1)
    moments = (datetime(year, month, 1, tzinfo=UTC) for year in _YEARS for month in range(1, 13))
    return frozenset(
        (moment.astimezone(clock).utcoffset() or timedelta()) // millisecond for moment in moments
    )
