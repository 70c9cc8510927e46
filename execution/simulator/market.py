"""The market behind the simulated venues: candles played as a price path, or prices set by hand."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis, Side
from bus_schemas.timeframes import HOUR, MINUTE, iso, length
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.history import History
from execution.simulator.orders import ZERO, Quote, SimBar
from execution.simulator.path import LEAST_STEPS, points
from execution.simulator.rules import Listing

FUNDING_EVERY = 8 * HOUR
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
    def moves(self) -> bool:
        """Whether it has candles to play."""
        return bool(self._bars)

    def due(self) -> Millis | None:
        """When the next price comes; None where prices are set by hand."""
        if not self._bars:
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
        """Funding rate of the settlement at this time."""
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


class Market:
    """Feeds every exchange.

    Args:
        clock: the venue's; the market follows its true time, without skew.
        feeds: by source, such as `BTCUSDT`.
        start: where playing begins, and the history ends; the clock must begin there too.
        loop: what happens at the end of the data: begin again, or stand still with the clock going on.
        basis_bps: how far the mark stands above the last price; the index equals the last price.
    """

    def __init__(
        self,
        clock: SimClock,
        feeds: Mapping[str, Feed],
        start: Millis = 0,
        loop: bool = False,
        basis_bps: Decimal = ZERO,
    ) -> None:
        self.clock = clock
        self._basis = 1 + basis_bps / 10_000
        self._tapes = {
            source: Tape(source, feed, start, _steps(length(feed.timeframe), clock.rate), loop)
            for source, feed in feeds.items()
        }
        self._rows: dict[str, list[tuple[Exchange, Listing]]] = {source: [] for source in feeds}
        self._funded = clock.true() // FUNDING_EVERY
        self._woken = asyncio.Event()

    @property
    def sources(self) -> tuple[str, ...]:
        """Whose prices there are."""
        return tuple(self._tapes)

    def list_on(self, exchange: Exchange) -> None:
        """Feed an exchange: its listings take their prices from here.

        Raises:
            ConfigurationError: a listing's source is not here.
        """
        for listing in exchange.listings.values():
            if listing.source not in self._rows:
                raise ConfigurationError(f"{listing.name} needs prices of {listing.source}; there are none")
            self._rows[listing.source].append((exchange, listing))
        exchange.history = self

    def source_of(self, name: str) -> str:
        """The source of a symbol: its own name, or a listing's canonical or venue name.

        Raises:
            ConfigurationError: nobody lists it.
        """
        if name in self._tapes:
            return name
        for source, rows in self._rows.items():
            if any(name in (listing.symbol, listing.name) for _, listing in rows):
                return source
        raise ConfigurationError(f"there is no symbol {name!r}; there are {', '.join(self._tapes)}")

    # Time ---------------------------------------------------------------------------------------

    def advance(self, until: Millis) -> None:
        """Play everything that is due up to and including this moment, in order of time."""
        while True:
            waiting = [(due, t.source) for t in self._tapes.values() if (due := t.due()) is not None]
            due, source = min(waiting, default=(until + 1, ""))
            boundary = (self._funded + 1) * FUNDING_EVERY
            if min(due, boundary) > until:
                return
            if boundary <= due:
                self._funded += 1
                for each in self._tapes:
                    self.settle(each, self._tapes[each].rate(boundary))
                continue
            tape = self._tapes[source]
            price, volume = tape.pop()
            if not tape.held:
                self._trade(source, due, price, price * self._basis, price, volume)

    async def run(self) -> None:
        """Play at the clock's pace until cancelled."""
        while True:
            self.advance(self.clock.true())
            moments = [due for tape in self._tapes.values() if (due := tape.due()) is not None]
            moments.append((self._funded + 1) * FUNDING_EVERY)
            self._woken.clear()
            try:
                async with asyncio.timeout(self.clock.seconds_until(min(moments))):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """The clock was set: look again what is due."""
        self._woken.set()

    # By hand ------------------------------------------------------------------------------------

    def set_price(
        self, source: str, last: Decimal, mark: Decimal | None = None, index: Decimal | None = None
    ) -> None:
        """Move the price by hand; the files' prices of this source wait until `release`.

        Args:
            mark, index: default the last price.
        """
        self._tapes[source].held = True
        mark = last if mark is None else mark
        self._trade(source, self.clock.true(), last, mark, last if index is None else index, ZERO)

    def release(self, source: str) -> None:
        """Let the files' prices go on, at the time that it is now."""
        self._tapes[source].held = False

    def settle(self, source: str, rate: Decimal) -> None:
        """Settle funding of this rate now, everywhere."""
        for exchange, listing in self._rows[source]:
            exchange.settle_funding(listing.symbol, rate)

    # Candles ------------------------------------------------------------------------------------

    def candles(
        self, source: str, timeframe: str, since: Millis, until: Millis, limit: int, price: str
    ) -> list[SimBar]:
        """As `ExchangeView.candles`."""
        bars = self._tapes[source].history.candles(timeframe, since, until, limit)
        if price != "mark" or self._basis == 1:
            return bars
        basis = self._basis
        return [
            SimBar(b.time, b.open * basis, b.high * basis, b.low * basis, b.close * basis, ZERO) for b in bars
        ]

    def watch(
        self, source: str, timeframe: str, listener: Callable[[SimBar, bool], None]
    ) -> Callable[[], None]:
        """As `ExchangeView.watch_candles`."""
        return self._tapes[source].history.watch(timeframe, listener)

    def _trade(
        self, source: str, time: Millis, last: Decimal, mark: Decimal, index: Decimal, volume: Decimal
    ) -> None:
        tape = self._tapes[source]
        tape.history.trade(time, last, volume)
        upcoming = (self._funded + 1) * FUNDING_EVERY
        rate = tape.rate(upcoming)
        for exchange, listing in self._rows[source]:
            price, old = listing.instrument.price, exchange.books.quotes.get(listing.symbol)
            shown = price(last)
            falling = old is not None and shown < old.last
            exchange.quote(
                Quote(
                    symbol=listing.symbol,
                    last=shown,
                    mark=price(mark),
                    index=price(index),
                    time=self.clock.now(),
                    volume=listing.instrument.quantity(volume),
                    trade_side=Side.SHORT if falling else Side.LONG,
                    funding_rate=rate,
                    next_funding=upcoming,
                )
            )


def beginning(feeds: Mapping[str, Feed], wanted: Millis | None, before: Millis) -> Millis:
    """Where playing begins: at the wanted moment, else `before` milliseconds from the end of the data, but
    not in its first half.

    Raises:
        ConfigurationError: there is no candle to play from there.
    """
    playable = [feed for feed in feeds.values() if feed.bars]
    first = min(feed.bars[0].time for feed in playable)
    last = max(feed.bars[-1].time + length(feed.timeframe) for feed in playable)
    span = max(length(feed.timeframe) for feed in playable)
    moment = max(last - before, (first + last) // 2) if wanted is None else wanted
    moment = -(-moment // span) * span
    for source, feed in feeds.items():
        if feed.bars and feed.bars[-1].time < moment:
            last_one = iso(feed.bars[-1].time)
            raise ConfigurationError(
                f"{source} has no candle from {iso(moment)} on; its last one opens at {last_one}"
            )
    return moment


def _steps(span: int, rate: float) -> int:
    """Prices in one candle: some in each second of ours, one in each minute of the market at least."""
    lively = round(span / 1000 / rate * _TICKS_PER_SECOND)
    return max(span // MINUTE, LEAST_STEPS, min(_MOST_STEPS, lively))
