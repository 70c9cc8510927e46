"""Websocket streams as hints: prices between two questions, and the word that a new candle has begun.

Nothing here is a fact that a candle is made of. A connection that was lost is opened anew for ever; so is
one that stays open, answers pings, and says nothing of a symbol (nautilus_trader #4255). After each,
everything is asked for by REST.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.timeframes import opening
from market_data.live.faults import Trouble
from market_data.live.gate import Backoff
from market_data.live.prices import Quote
from market_data.live.venue import VenueSource, close_quietly
from market_data.live.words import price_of, quote_of

log = logging.getLogger("causeway.hints")

PROVEN_S = 60.0
"""A connection that lived so long was a good one: the next failure begins with a short wait again."""
CALM = 4
"""A market without trades has no candle messages; its stream may be silent so many times longer."""


class Heard(msgspec.Struct):
    """What the streams said last, each with the moment (monotonic seconds) at which it was heard."""

    quotes: dict[str, tuple[Quote, float]] = {}
    spots: dict[str, tuple[Decimal, float]] = {}


class Hints:
    """The streams of a set of symbols.

    Args:
        source: the venue, open.
        timeframe: of the candles.
        silent_s: longest silence of a symbol.
        on_time: told the symbol and the open time of the candle that a message lies in.
        on_reconnect: told after a connection was lost: ask for everything.
    """

    def __init__(
        self,
        source: VenueSource,
        timeframe: str,
        silent_s: float,
        on_time: Callable[[str, int], None],
        on_reconnect: Callable[[], None],
    ) -> None:
        self._source = source
        self._timeframe = timeframe
        self._silent_s = silent_s
        self._on_time = on_time
        self._on_reconnect = on_reconnect
        self._last: dict[str, float] = {}
        self.heard = Heard()
        self.reconnects = 0

    async def run(self, symbols: Sequence[str]) -> None:
        """Listen for ever. Returns only where the venue has no streams."""
        backoff = Backoff(most_s=30.0)
        troubled = False
        while True:
            began = _now()
            try:
                if not await self._listen(symbols):
                    log.info("no streams", extra={"venue": self._source.perp.id})
                    return
            except Trouble as trouble:
                if not troubled:
                    log.warning("stream lost", extra={"reason": str(trouble)})
                troubled = True
            if _now() - began > PROVEN_S:
                backoff.reset()
                troubled = False
            self.reconnects += 1
            self._on_reconnect()
            gc.collect()  # ccxt's clients are cycles, with 100 kB each of a decompressor that nobody counts
            await asyncio.sleep(backoff.next())

    async def _listen(self, symbols: Sequence[str]) -> bool:
        """Until something is wrong; False where there is no stream at all.

        Raises:
            Trouble: a connection was lost, or is silent.
        """
        self._last = {}
        async with self._clients() as (perp, bars):
            streams = self._streams(perp, bars, symbols)
            if not streams:
                return False
            tasks = [asyncio.create_task(stream) for stream in (*streams, self._watchdog())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            raise _reason(done)

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[Any, Any]]:
        """Clients of this connection alone: ccxt keeps what it knows of a broken one."""
        perp = self._fresh(self._source.perp)
        bars = perp if self._source.bars is self._source.perp else self._fresh(self._source.bars)
        try:
            yield perp, bars
        finally:
            await close_quietly(perp, bars)

    def _fresh(self, known: Any) -> Any:
        client = self._source.make(known.id)
        client.options |= {"fetchMarkets": known.options.get("fetchMarkets")}
        client.set_markets(known.markets)
        return client

    def _streams(self, perp: Any, bars: Any, symbols: Sequence[str]) -> list[Coroutine[Any, Any, None]]:
        listings = self._source.listings
        perps = {listings[symbol].market.unified: symbol for symbol in symbols}
        candles = {listings[symbol].candles: symbol for symbol in symbols}
        streams: list[Coroutine[Any, Any, None]] = []
        if perp.has.get("watchMarkPrices"):
            streams.append(self._prices(perp.watch_mark_prices, perps))
        elif perp.has.get("watchTickers"):
            streams.append(self._prices(perp.watch_tickers, perps))
        if bars.has.get("watchOHLCVForSymbols"):
            streams.append(self._candles(bars, candles))
        elif bars.has.get("watchTradesForSymbols") and not streams:
            streams.append(self._trades(bars, candles))
        return streams

    async def _prices(self, watch: Callable[[list[str]], Any], names: Mapping[str, str]) -> None:
        self._last |= dict.fromkeys(names.values(), _now())
        while True:
            for name, ticker in (await watch(list(names))).items():
                symbol = names.get(name)
                if symbol is None:
                    continue
                now = _now()
                self._last[symbol] = now
                quote = quote_of(symbol, ticker, self._source.clock.now(), None)
                if quote is not None:
                    self.heard.quotes[symbol] = (quote, now)
                    self._on_time(symbol, opening(quote.time, self._timeframe))

    async def _candles(self, client: Any, names: Mapping[str, str]) -> None:
        wanted = [[name, self._timeframe] for name in names]
        while True:
            told = await self._within(client.watch_ohlcv_for_symbols(wanted))
            for name, frames in told.items():
                symbol = names.get(name)
                rows = frames.get(self._timeframe)
                if symbol is None or not rows:
                    continue
                close = price_of(rows[-1][4])
                if self._source.is_spot and close is not None:
                    self.heard.spots[symbol] = (close, _now())
                self._on_time(symbol, int(rows[-1][0]))

    async def _trades(self, client: Any, names: Mapping[str, str]) -> None:
        while True:
            for trade in await self._within(client.watch_trades_for_symbols(list(names))):
                symbol = names.get(trade["symbol"])
                if symbol is not None and trade.get("timestamp"):
                    self._on_time(symbol, opening(int(trade["timestamp"]), self._timeframe))

    async def _within(self, message: Any) -> Any:
        try:
            return await asyncio.wait_for(message, CALM * self._silent_s)
        except TimeoutError:
            raise Trouble(f"no message for {CALM * self._silent_s:.0f} s") from None

    async def _watchdog(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._silent_s / 4))
            silent = sorted(s for s, heard in self._last.items() if _now() - heard > self._silent_s)
            if silent:
                raise Trouble(f"the connection says nothing of {', '.join(silent)}")


def _reason(done: set[asyncio.Task[None]]) -> Trouble:
    for task in done:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Trouble):
            return error
        if error is not None:
            return Trouble(" ".join(f"{type(error).__name__}: {error}".split())[:200])
    return Trouble("the stream ended")


def _now() -> float:
    return time.monotonic()  # edge: silence is measured by the wall
