"""The market behind the simulated venues: candles played as a price path, or prices set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis, Side
from bus_schemas.timeframes import HOUR, iso, length
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import ZERO, Quote, SimBar
from execution.simulator.rules import Listing
from execution.simulator.tape import Feed, Tape, steps_of

FUNDING_EVERY = 8 * HOUR
_LEAST_TICKS = 100


class Market:
    """Feeds every exchange. Funding is settled every eight hours where there are candles, and by hand alone
    where prices are.

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
            source: Tape(source, feed, start, steps_of(length(feed.timeframe), clock.rate), loop)
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
            ConfigurationError: a listing's source is not here, or its price is too small for the tick.
        """
        for listing in exchange.listings.values():
            if listing.source not in self._rows:
                raise ConfigurationError(f"{listing.name} needs prices of {listing.source}; there are none")
            lowest = self._tapes[listing.source].lowest
            if lowest is not None and lowest < _LEAST_TICKS * listing.instrument.tick:
                raise ConfigurationError(
                    f"{listing.name} cannot be simulated: its price of {lowest} is too small "
                    f"for a tick of {listing.instrument.tick}"
                )
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
                for each in self._tapes.values():
                    if not each.by_hand:
                        self.settle(each.source, each.rate(boundary))
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
                    next_funding=0 if tape.by_hand else upcoming,
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
