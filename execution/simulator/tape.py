"""One source's candles, played price by price."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from bus_schemas.events import Millis
from bus_schemas.timeframes import MINUTE, length
from execution.simulator.history import History
from execution.simulator.orders import ZERO, SimBar
from execution.simulator.path import LEAST_STEPS, points

FUNDING_RATE = Decimal("0.0001")
"""Paid by longs where the data has no rate."""

_TICKS_PER_SECOND = 4
_MOST_STEPS = 900


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """The candles of one source.

    Attributes:
        bars: in order of time, each `timeframe` long; empty for prices by hand.
        funding: (time, rate) of the settlements, in order.
    """

    timeframe: str = "1m"
    bars: Sequence[SimBar] = ()
    funding: Sequence[tuple[Millis, Decimal]] = ()


class Tape:
    """One source's prices: what comes next, and what was.

    Args:
        start: the first bar that opens here or later is the first to be played.
        steps: prices of each bar.
        loop: begin again at `start` when the data ends; else the last price stands.
    """

    def __init__(self, source: str, feed: Feed, start: Millis, steps: int, loop: bool) -> None:
        self.source = source
        self.span = length(feed.timeframe)
        self.held = False
        first = next((at for at, bar in enumerate(feed.bars) if bar.time >= start), len(feed.bars))
        self.history = History(self.span, feed.bars[:first], steps)
        self._bars = feed.bars[first:]
        self._steps = steps
        self._loop = loop
        self._at, self._step, self._shift = 0, 0, 0
        self._points: list[Decimal] = []
        self._funding = feed.funding

    @property
    def by_hand(self) -> bool:
        """Whether there are no candles: prices and funding are set by hand alone."""
        return not self._bars

    @property
    def lowest(self) -> Decimal | None:
        """The lowest price that will be played; None where prices are set by hand."""
        return min((bar.low for bar in self._bars), default=None)

    def due(self) -> Millis | None:
        """When the next price comes; None where prices are set by hand."""
        if self.by_hand:
            return None
        bar = self._bars[self._at]
        return bar.time + self._shift + self._step * self.span // self._steps

    def pop(self) -> tuple[Decimal, Decimal]:
        """The next price and its volume."""
        bar = self._bars[self._at]
        if not self._step:
            self._points = points(bar, self._steps)
        price = self._points[self._step]
        self._step += 1
        if self._step == self._steps:
            self._step = 0
            self._next()
        return price, bar.volume / self._steps

    def rate(self, time: Millis) -> Decimal:
        """Funding rate of the settlement at this time; 0 by hand, where there is none."""
        if self.by_hand:
            return ZERO
        at = bisect_right(self._funding, time - self._shift, key=lambda pair: pair[0])
        return self._funding[at - 1][1] if at else FUNDING_RATE

    def _next(self) -> None:
        self._at += 1
        if self._at < len(self._bars):
            return
        last = self._bars[-1]
        if self._loop:
            self._at = 0
            self._shift += last.time + self.span - self._bars[0].time
        else:
            price = last.close
            still = SimBar(last.time + self.span, price, price, price, price, ZERO)
            self._bars, self._at = [still], 0


def steps_of(span: int, rate: float) -> int:
    """Prices in one candle: some in each second of ours, one in each minute of the market at least."""
    lively = round(span / 1000 / rate * _TICKS_PER_SECOND)
    return max(span // MINUTE, LEAST_STEPS, min(_MOST_STEPS, lively))
