"""Missing candles: found from the open times, told as events, never filled."""

from __future__ import annotations

from bus_schemas.events import Gap


def gap_before(
    opened: int, previous: int | None, symbol: str, timeframe: str, span: int, *, hydration: bool
) -> Gap | None:
    """The gap between the candle that closed at `previous` and the one that opens at `opened`; None for none.

    Args:
        previous: close time of the candle before in milliseconds; None where this is the first.
        span: length of the timeframe in milliseconds.
    """
    if previous is None or opened <= previous:
        return None
    return Gap(
        time=opened,
        symbol=symbol,
        timeframe=timeframe,
        start=previous,
        end=opened,
        missing=(opened - previous) // span,
        hydration=hydration,
    )
