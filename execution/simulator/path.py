"""The prices inside a candle, and candles out of candles. Pure.

A candle tells four prices and no order of them. Its path goes from the open to the extreme that a candle of
its colour is likely to meet first (a rising one its low, a falling one its high), on to the other, and to
the close, in straight lines. All four prices are on the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from bus_schemas.events import Millis
from execution.simulator.orders import SimBar

LEAST_STEPS = 4
"""Fewer points than this cannot show four prices."""


def points(bar: SimBar, steps: int) -> list[Decimal]:
    """Prices at `steps` moments of the candle, the first at its open time, evenly spread.

    Args:
        steps: at least `LEAST_STEPS`.
    """
    rising = bar.close >= bar.open
    nodes = (bar.open, bar.low if rising else bar.high, bar.high if rising else bar.low, bar.close)
    last = steps - 1
    places = (0, max(1, last // 3), max(2, 2 * last // 3), last)
    digits = max(places_of(price) for price in nodes)
    unit = Decimal(1).scaleb(-digits)
    found: list[Decimal] = []
    for leg in range(3):
        start, end = nodes[leg], nodes[leg + 1]
        length = places[leg + 1] - places[leg]
        found += [(start + (end - start) * at / length).quantize(unit) for at in range(length)]
    return [*found, bar.close]


def places_of(price: Decimal) -> int:
    """Digits after the point."""
    exponent = price.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def finer(bar: SimBar, span: int, steps: int, timeframe: int) -> list[SimBar]:
    """The candle's path cut into candles of a shorter timeframe.

    Args:
        span: the candle's length, a multiple of `timeframe`, milliseconds.
        steps: moments of the path, as it is or was played.
    """
    made: list[SimBar] = []
    volume = bar.volume / (span // timeframe)
    for at, price in enumerate(points(bar, steps)):
        opened = bar.time + at * span // steps // timeframe * timeframe
        if made and made[-1].time == opened:
            made[-1] = merged(made[-1], price)
        else:
            made.append(SimBar(opened, price, price, price, price, volume))
    return made


def merged(bar: SimBar, price: Decimal, volume: Decimal = Decimal(0)) -> SimBar:
    """The candle after one more trade."""
    high = price if price > bar.high else bar.high
    low = price if price < bar.low else bar.low
    return SimBar(bar.time, bar.open, high, low, price, bar.volume + volume)


def coarser(bars: Iterable[SimBar], timeframe: int) -> Iterator[SimBar]:
    """Candles of a longer timeframe; the first and the last one hold what there is."""
    now: SimBar | None = None
    for bar in bars:
        opened = opening(bar.time, timeframe)
        if now is not None and now.time == opened:
            high, low = max(now.high, bar.high), min(now.low, bar.low)
            now = SimBar(opened, now.open, high, low, bar.close, now.volume + bar.volume)
            continue
        if now is not None:
            yield now
        now = SimBar(opened, bar.open, bar.high, bar.low, bar.close, bar.volume)
    if now is not None:
        yield now


def opening(time: Millis, timeframe: int) -> Millis:
    """Open time of the candle that holds this moment."""
    return time - time % timeframe
