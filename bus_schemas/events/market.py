"""What market_data says: marks and candles. Sources: the venue, or files as in the data folder."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events.base import Body, Millis, Part


class Range(Part, frozen=True, kw_only=True):
    """The prices of one bar, in quote currency; the interval is (open_time, Mark.time]."""

    open_time: Millis
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Mark(Body, frozen=True, kw_only=True):
    """Prices of one symbol at `time`; in file replay also what happened during the bar.

    Attributes:
        symbol: canonical symbol; also the envelope's key.
        mark: price that the venue values positions and triggers stops at, in quote currency.
        spot: last spot price known at `time`.
        index: the venue's index price, where it tells one.
        funding: funding rate that was settled in the bar that ends at `time`, as a fraction of
            notional that longs pay shorts; None when no settlement fell into it.
        bar: price range of the bar that ends at `time`; None from a live venue.
    """

    symbol: str
    mark: Decimal
    spot: Decimal
    index: Decimal | None = None
    funding: Decimal | None = None
    bar: Range | None = None


class Candle(Body, frozen=True, kw_only=True):
    """A closed spot candle. `time` is its close: `open_time` plus the timeframe.

    Attributes:
        timeframe: such as `15m`, `1h`, `4h`, `1d`.
        open, high, low, close: prices in quote currency; floats, because indicators are.
        volume: traded base currency.
        hydration: history that fills the engine before trading; no assessment follows from it.
    """

    symbol: str
    timeframe: str
    open_time: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float
    hydration: bool = False


class Gap(Body, frozen=True, kw_only=True):
    """Candles that the source does not have. They are never invented.

    Attributes:
        start: open time of the first missing candle.
        end: open time of the first candle after the gap; equal to `time`.
        missing: how many candles lie between.
    """

    symbol: str
    timeframe: str
    start: Millis
    end: Millis
    missing: int
    hydration: bool = False
