"""Timeframe names and bar arithmetic, in milliseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from bus_schemas.errors import ConfigurationError

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TIMEFRAMES: dict[str, int] = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
}
"""Length of each timeframe in milliseconds. Each divides a UTC day, so bars align to midnight."""


def length(timeframe: str) -> int:
    """Milliseconds of one bar.

    Raises:
        ConfigurationError: there is no such timeframe.
    """
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        known = ", ".join(TIMEFRAMES)
        raise ConfigurationError(f"unknown timeframe {timeframe!r}; known are {known}") from None


def opening(time: int, timeframe: str) -> int:
    """Open time of the bar that holds this moment."""
    return time - time % length(timeframe)


def iso(time: int) -> str:
    """ISO 8601 UTC, to the second where the milliseconds are zero."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if time % 1000 == 0 else moment.isoformat()


def parse_time(text: str) -> int:
    """Milliseconds from ISO 8601 (UTC where it names no zone) or from a number of milliseconds.

    Raises:
        ConfigurationError: it is neither.
    """
    if text.isdigit() and len(text) >= 11:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a time such as 2024-08-25 or 2024-08-25T00:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
