"""Higher-timeframe candles, built only from closed base candles and aligned to UTC.

A candle that is forming cannot be seen: nothing here returns it. Candles that the source does not
have are never invented; a bar that lacks some says so by `gap` and by its count.
"""

from __future__ import annotations

import msgspec

from bus_schemas.events import Candle, Millis

NOTHING = -1


class Bar(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One closed candle of a higher timeframe.

    Attributes:
        at: open time.
        known_at: time of the event that closed it. Later than the bar's end where a gap swallowed
            its last base candles.
        open, high, low, close: prices in quote currency.
        volume: traded base currency.
        count: base candles inside.
        gap: whether base candles are missing inside.
    """

    at: Millis
    known_at: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int
    gap: bool = False


class Forming(msgspec.Struct, array_like=True):
    """State: the candle that is being built. `at` is `NOTHING` between two candles."""

    at: Millis = NOTHING
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: float = 0.0
    count: int = 0


def take(forming: Forming, candle: Candle, base: int, length: int) -> tuple[Bar, ...]:
    """Add a base candle; return the bars that it closed, in order.

    Usually none or one. Two where the candle shows that the end of the earlier bar is missing and
    itself is the last of its own.

    Args:
        forming: state, changed in place.
        candle: newer than every candle that was taken before.
        base, length: milliseconds of a base candle and of a bar.
    """
    late = pass_by(forming, candle.open_time, candle.time, base, length)
    if forming.at == NOTHING:
        forming.at = candle.open_time - candle.open_time % length
        forming.open, forming.high, forming.low = candle.open, candle.high, candle.low
        forming.close, forming.volume, forming.count = candle.close, candle.volume, 1
    else:
        forming.high = max(forming.high, candle.high)
        forming.low = min(forming.low, candle.low)
        forming.close = candle.close
        forming.volume += candle.volume
        forming.count += 1
    if candle.open_time + base == forming.at + length:
        return (*late, _close(forming, candle.time, base, length))
    return late


def pass_by(forming: Forming, until: Millis, known_at: Millis, base: int, length: int) -> tuple[Bar, ...]:
    """Close the bar that ends at or before `until` without having been completed.

    A bar without a single base candle does not exist, so a long gap gives at most one.

    Args:
        until: open time of the first base candle that may still come.
        known_at: time of the event that says so.
    """
    if forming.at == NOTHING or until < forming.at + length:
        return ()
    return (_close(forming, known_at, base, length),)


def _close(forming: Forming, known_at: Millis, base: int, length: int) -> Bar:
    bar = Bar(
        forming.at,
        known_at,
        forming.open,
        forming.high,
        forming.low,
        forming.close,
        forming.volume,
        forming.count,
        forming.count * base != length,
    )
    forming.at = NOTHING
    return bar
