"""Candle history of one source: what the files tell of the past, and what was played since."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from math import gcd

from bus_schemas.events import Millis
from bus_schemas.timeframes import MINUTE, length
from execution.simulator.orders import SimBar
from execution.simulator.path import coarser, finer, merged, opening

Moved = Callable[[SimBar, bool], None]
KEPT_BARS = 100_000
KEPT_MINUTES = 10_000
"""Candles of the files' timeframe, and played minutes, that are remembered."""


class Growing:
    """A candle that grows with every trade, for those who watch it.

    Args:
        seed: what it is already; None for nothing.
    """

    def __init__(self, timeframe: int, seed: SimBar | None) -> None:
        self.listeners: list[Moved] = []
        self._timeframe = timeframe
        self._bar = seed

    def trade(self, time: Millis, price: Decimal, volume: Decimal) -> None:
        """Take a trade in, and tell."""
        opened, before = opening(time, self._timeframe), self._bar
        if before is not None and before.time == opened:
            self._bar = merged(before, price, volume)
        else:
            self._bar = SimBar(opened, price, price, price, price, volume)
            if before is not None:
                self._tell(before, True)
        self._tell(self._bar, False)

    def _tell(self, bar: SimBar, closed: bool) -> None:
        for listener in tuple(self.listeners):
            listener(bar, closed)


class History:
    """All candles of one source.

    Args:
        span: length of the files' candles, milliseconds; a minute where there are no files.
        past: closed candles before the beginning, in order of time.
        steps: how many moments of a candle are played.
    """

    def __init__(self, span: int, past: Iterable[SimBar], steps: int) -> None:
        self._span = span
        self._steps = steps
        self._bars = list(past)[-KEPT_BARS:]
        self._minutes: list[SimBar] = []
        self._growing: dict[int, Growing] = {}

    def trade(self, time: Millis, price: Decimal, volume: Decimal) -> None:
        """Take a played trade in."""
        _grow(self._bars, opening(time, self._span), price, volume, KEPT_BARS)
        _grow(self._minutes, opening(time, MINUTE), price, volume, KEPT_MINUTES)
        for growing in tuple(self._growing.values()):
            growing.trade(time, price, volume)

    def watch(self, timeframe: str, moved: Moved) -> Callable[[], None]:
        """Hear of a candle's growth and end; returns how to stop."""
        span = length(timeframe)
        growing = self._growing.get(span)
        if growing is None:
            last = self.candles(timeframe, 0, 1 << 62, 1)
            growing = self._growing[span] = Growing(span, last[0] if last else None)
        growing.listeners.append(moved)

        def stop() -> None:
            if moved in growing.listeners:
                growing.listeners.remove(moved)
            if not growing.listeners:
                self._growing.pop(span, None)

        return stop

    def candles(self, timeframe: str, since: Millis, until: Millis, limit: int) -> list[SimBar]:
        """As `ExchangeView.candles`."""
        span = length(timeframe)
        since = -(-since // span) * span
        if limit < 1 or until < since:
            return []
        if span % self._span == 0:
            bars: Sequence[SimBar] = self._bars
            wanted = span // self._span
        else:
            bars, wanted = self._fine(span, since, until, limit), max(1, span // MINUTE)
        first = bisect_left(bars, since, key=_time)
        last = bisect_left(bars, opening(until, span) + span, key=_time)
        # A longer candle needs `wanted` short ones; one more, because the newest is not whole.
        most = (limit + 1) * wanted
        if since:
            last = min(last, first + most)
        else:
            first = max(first, last - most)
        found = list(coarser((bars[at] for at in range(first, last)), span))
        return found[:limit] if since else found[-limit:]

    def _fine(self, span: int, since: Millis, until: Millis, limit: int) -> list[SimBar]:
        """Candles that divide `span`: the minutes that were played, and before them the paths of the
        files' candles; as many as the answer can need."""
        played = self._minutes[0].time if self._minutes else 1 << 62
        played = -(-played // self._span) * self._span if self._minutes else played
        first = bisect_left(self._bars, since - self._span + 1, key=_time)
        last = bisect_left(self._bars, min(played, until + 1), key=_time)
        most = (limit + 1) * span // self._span + 2
        if since:
            last = min(last, first + most)
        else:
            first = max(first, last - most)
        made = [
            small
            for at in range(first, last)
            for small in finer(self._bars[at], self._span, self._steps, gcd(span, self._span))
        ]
        return made + [bar for bar in self._minutes if bar.time >= played]


def _grow(bars: list[SimBar], opened: Millis, price: Decimal, volume: Decimal, kept: int) -> None:
    if bars and bars[-1].time >= opened:
        bars[-1] = merged(bars[-1], price, volume)
        return
    bars.append(SimBar(opened, price, price, price, price, volume))
    if len(bars) > kept + kept // 10:
        del bars[:-kept]


def _time(bar: SimBar) -> Millis:
    return bar.time
