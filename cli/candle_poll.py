"""Candles of a venue, polled, as market_data would publish them: for a trial without processes.

What is final, missing or old is decided by the same rules as in the live service (`market_data.live.track`).
Unlike there a candle comes with the mark that file replay has: its close, and the price range of its bar, so
that the paper venue can match orders inside it. Funding is that of the venue's history.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from bus_schemas.envelope import Output
from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Candle, Gap, Mark, Range
from bus_schemas.instruments import Instrument
from bus_schemas.settings import Settings
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream
from bus_schemas.venues.clock import VenueClock
from market_data.live.faults import Trouble
from market_data.live.gate import Backoff
from market_data.live.rules import hydration, rules_of
from market_data.live.track import Track
from market_data.live.universe import choose
from market_data.live.venue import VenueSource

T = TypeVar("T")

CHUNK = 250
"""Most candles of one step of history."""
NAP_S = 2.0
SYNC_S = 60.0


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to publish.

    Attributes:
        hydration: it is history.
        time: event time of its last event.
    """

    symbol: str
    outputs: tuple[Output, ...]
    hydration: bool
    time: int


class CandlePoll:
    """The candles of some symbols of a venue.

    Args:
        settings: `market_data` says which symbols, `venue` where.
        say: told when the venue does not answer, and when it does again.

    Attributes:
        symbols: what is polled, after `open`.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        own = settings.market_data
        venue = settings.venue.model_copy(update={"name": own.venue}) if own.venue else settings.venue
        self._settings = settings
        self._rules = rules_of(settings)
        self._source = VenueSource(venue, VenueClock(venue.clock_rate), own.candles_from, own.spot)
        self._say = say
        self._silent = False
        self._synced = 0.0
        self._tracks: dict[str, Track] = {}
        self.symbols: tuple[str, ...] = ()

    def now(self) -> int:
        """The venue's time."""
        return self._source.clock.now()

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Contract terms of the symbols, as the venue tells them."""
        return {symbol: self._source.listings[symbol].market.instrument for symbol in self.symbols}

    async def open(self) -> None:
        """Wait until the venue answers; choose the symbols.

        Raises:
            ConfigurationError: it has no such symbols, or none that can be traded.
        """
        await self._patiently(lambda: self._source.open(self._rules.timeframe))
        own = self._settings.market_data
        if own.symbols:
            self._source.check_symbols(own.symbols)
            self.symbols = own.symbols
        else:
            found = await self._patiently(self._source.candidates)
            self.symbols = choose(found, own.universe_top, own.universe_spread_pct)
        if not self.symbols:
            raise ConfigurationError("the venue has no symbol of enough volume and small enough a spread")
        start = self.now() - hydration(self._settings) * self._rules.span
        for symbol in self.symbols:
            self._tracks[symbol] = track = Track(symbol, self._rules)
            track.resume(None, start)

    async def close(self) -> None:
        """Give the connections back. Does not raise."""
        await self._source.close()

    async def steps(self) -> AsyncIterator[Polled]:
        """History of every symbol, then whatever closes, by (time, symbol); without an end."""
        while True:
            fresh: list[Candle | Gap] = []
            for symbol, track in self._tracks.items():
                await self._ask(track)
                for bodies in _ready(track, self.now()):
                    history = [body for body in bodies if body.hydration]
                    if history:
                        outputs = tuple(Output(Stream.CANDLES, symbol, body) for body in history)
                        yield Polled(symbol=symbol, outputs=outputs, hydration=True, time=history[-1].time)
                    fresh += [body for body in bodies if not body.hydration]
            async for step in self._closed(sorted(fresh, key=lambda body: (body.time, body.symbol))):
                yield step
            await self._wait()

    async def _closed(self, bodies: Sequence[Candle | Gap]) -> AsyncIterator[Polled]:
        gaps: dict[str, Gap] = {}
        for body in bodies:
            if isinstance(body, Gap):
                gaps[body.symbol] = body
                continue
            gap = gaps.pop(body.symbol, None)
            mark = mark_of(
                body, await self._funding(body.symbol, gap.start if gap else body.open_time, body.time)
            )
            for outputs in ([mark], [gap, body] if gap else [body]):
                stream = Stream.MARKS if outputs[0] is mark else Stream.CANDLES
                told = tuple(Output(stream, body.symbol, one) for one in outputs)
                yield Polled(symbol=body.symbol, outputs=told, hydration=False, time=body.time)

    async def _ask(self, track: Track) -> None:
        """Take every page from the wanted candle to now."""
        span, since = self._rules.span, track.wanted
        while since + span + self._rules.settle_ms <= self.now():
            at, limit = since, (self.now() - since) // span + 3
            page = await self._patiently(
                lambda: self._source.candles(track.symbol, self._rules.timeframe, at, limit)  # noqa: B023
            )
            track.take(page)
            if page.until <= since or page.until + span > page.asked:
                return
            # a page's last candle has no follower in it, and is final only in the next
            since = page.until - span if len(page.rows) > 1 else page.until

    async def _funding(self, symbol: str, after: int, until: int) -> Decimal | None:
        """The sum of what was settled in (after, until]; the venue may be a moment late with it."""
        if after // HOUR == until // HOUR:
            return None
        found = await self._patiently(lambda: self._source.settlements(symbol, after + 1))
        rates = [one.rate for one in found if after < one.time <= until]
        return sum(rates, Decimal(0)) if rates else None

    async def _wait(self) -> None:
        """Until the next candle may be final; a missing one is asked for again after `retry_s`."""
        due = min(track.wanted for track in self._tracks.values()) + self._rules.span + self._rules.settle_ms
        if due <= self.now():
            await asyncio.sleep(self._settings.market_data.retry_s)
        while (left_s := (due - self.now()) / 1000 / self._source.rate) > 0:
            if time.monotonic() - self._synced > SYNC_S:
                self._synced = time.monotonic()
                await self._patiently(self._source.sync_clock)
            await asyncio.sleep(min(left_s, NAP_S))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, asked for until there is one.

        Raises:
            ConfigurationError: the venue's word that there is no such market.
        """
        backoff = Backoff()
        while True:
            try:
                answer = await ask()
            except Trouble as trouble:
                if trouble.refused:
                    raise ConfigurationError(str(trouble)) from None
                if not self._silent:
                    self._silent = True
                    self._say(f"the venue gives no answer: {trouble}")
                await asyncio.sleep(backoff.next())
                continue
            if self._silent:
                self._silent = False
                self._say("the venue answers again")
            return answer


def mark_of(candle: Candle, funding: Decimal | None) -> Mark:
    """The mark at a candle's close, with what happened during its bar."""
    opened, high, low, close = (
        Decimal(repr(price)) for price in (candle.open, candle.high, candle.low, candle.close)
    )
    return Mark(
        time=candle.time,
        symbol=candle.symbol,
        mark=close,
        spot=close,
        funding=funding,
        bar=Range(open_time=candle.open_time, open=opened, high=high, low=low, close=close),
    )


def _ready(track: Track, now: int) -> list[tuple[Candle | Gap, ...]]:
    """What can be published now, in chunks."""
    chunks = []
    while (ready := track.ready(now, CHUNK)) is not None:
        chunks.append(ready.bodies)
        track.advance(ready)
    return chunks
