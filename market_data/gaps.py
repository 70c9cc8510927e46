"""Missing candles: found from the open times, told as events, never filled."""

from __future__ import annotations

from bus_schemas.events import Gap
from market_data.rows import Bar


def gap_before(
    bar: Bar, previous: int | None, symbol: str, timeframe: str, span: int, *, hydration: bool
) -> Gap | None:
    """The gap between the candle that closed at `previous` and this one, None where there is none.

    Args:
        previous: close time of the candle before in milliseconds; None where this is the first.
        span: length of the timeframe in milliseconds.
    """
    if previous is None or bar.time <= previous:
        return None
    return Gap(
        time=bar.time,
        symbol=symbol,
        timeframe=timeframe,
        start=previous,
        end=bar.time,
        missing=(bar.time - previous) // span,
        hydration=hydration,
    )
