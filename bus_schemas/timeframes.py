"""Timeframe names and bar arithmetic, in milliseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bus_schemas.errors import ConfigurationError

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

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
    """ISO 8601 UTC, to the second where the milliseconds are zero. `parse_time` is its inverse.

    Raises:
        ConfigurationError: the moment lies outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=time)
    except OverflowError:
        raise ConfigurationError(f"{time} ms is not a moment in the years 1 to 9999") from None
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if time % 1000 else "seconds")
    return text + "Z"


def parse_time(text: str) -> int:
    """Milliseconds from ISO 8601 (UTC where it names no zone) or from a number of milliseconds.

    A number needs at least 11 digits, so that `20240825` is a date and seconds are not mistaken.

    Raises:
        ConfigurationError: it is neither.
    """
    if text.isascii() and text.isdigit() and 11 <= len(text) <= 15:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round((moment - _EPOCH) / _MILLISECOND)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{text!r} is not a time such as 2024-08-25 or 2024-08-25T00:00:00Z"
        ) from None
