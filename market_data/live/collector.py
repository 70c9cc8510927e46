"""Asks a venue for what is wanted, in a thread and an event loop of its own, and puts answers in the mailbox.

It keeps nothing that matters: what is wanted comes from committed progress, and an answer may be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import MarketDataSettings
from bus_schemas.timeframes import HOUR, length
from market_data.live.faults import LOUD, Trouble, Troubles
from market_data.live.gate import Backoff
from market_data.live.hints import Hints
from market_data.live.mailbox import Mailbox
from market_data.live.universe import choose, shrinks_too_much
from market_data.live.venue import VenueSource

log = logging.getLogger("causeway.collector")

CLOCK_S = 60.0
"""Time between two looks at the venue's clock."""
AHEAD_MS = 2000
"""A message that is so far ahead of our estimate of the venue's clock makes us ask for its time."""
RETRY_MOST_S = 15.0
NAP_S = 5.0
"""Longest sleep towards a moment of the venue's clock, which may be set meanwhile."""
FUNDING_AFTER_MS = (20_000, 300_000)
"""Funding is settled on the hour; the history has it some seconds later. Then once more, for a late one."""


class Collector:
    """The thread.

    Args:
        source: the venue; the collector opens and closes it.
        settings: what to collect, and how patiently.
        timeframe: of the candles.
        mailbox: where answers go.
        before: the universe that was traded last.
        also: symbols that still get marks, because a position may be open.
    """

    def __init__(
        self,
        source: VenueSource,
        settings: MarketDataSettings,
        timeframe: str,
        mailbox: Mailbox,
        before: Sequence[str] = (),
        also: Iterable[str] = (),
    ) -> None:
        self._source = source
        self._settings = settings
        self._timeframe = timeframe
        self._span = length(timeframe)
        self._mailbox = mailbox
        self._before = tuple(before)
        self._also = set(also)
        self._rate = source.rate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self._main: asyncio.Task[None] | None = None
        self._wants: dict[str, int] = {}
        self._funding_from: dict[str, int | None] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._last_hint: dict[str, int] = {}
        self._clock_due = asyncio.Event()
        self._troubles = Troubles()
        self._symbols: tuple[str, ...] = ()
        self._hints = Hints(source, timeframe, settings.silent_s, self._on_time, self._wake_all)

    @property
    def reconnects(self) -> int:
        """Times that the streams were opened anew."""
        return self._hints.reconnects

    @property
    def failures(self) -> int:
        """Questions that got no answer."""
        return self._troubles.count

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and wait a moment for it."""
        self._from_outside(lambda: self._main.cancel() if self._main else None)
        self._thread.join(5)

    def want(self, symbol: str, since: int) -> None:
        """Candles from this open time on are wanted. From any thread."""
        if self._wants.get(symbol) != since:
            self._wants[symbol] = since
            self._from_outside(lambda: self._wake(symbol))

    def want_funding(self, symbol: str, since: int | None) -> None:
        """Settlements after this moment are wanted, None for those from now on. From any thread."""
        self._funding_from[symbol] = since

    def _from_outside(self, call: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the collector has ended")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._work())
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            log.info("collector stopped")
        except Exception as error:
            self._mailbox.fail(_first(error))
        finally:
            self._loop.run_until_complete(_end_all())
            gc.collect()  # ccxt's clients are cycles, and their connections need the loop to end
            self._loop.close()

    async def _work(self) -> None:
        try:
            await self._open()
            async with asyncio.TaskGroup() as group:
                for task in (self._clock(), self._quotes(), self._funding(), self._markets()):
                    group.create_task(task)
        finally:
            await self._source.close()

    async def _open(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._source.open(self._timeframe)
                self._troubles.fine("venue")
                return
            except Trouble as trouble:
                if trouble.refused:
                    raise ConfigurationError(f"{self._source.perp.id} cannot be used: {trouble}") from None
                self._troubles.note("venue", trouble, LOUD)
            await asyncio.sleep(backoff.next())

    # What is traded

    async def _markets(self) -> None:
        """Follow the symbols of the settings, or the universe as it changes."""
        self._also &= set(self._source.listings)
        if self._settings.symbols:
            self._source.check_symbols(self._settings.symbols)
            await self._follow_all(self._settings.symbols)
            return
        while True:
            chosen = await self._chosen()
            self._before = chosen
            running = asyncio.create_task(self._follow_all(chosen))
            try:
                while True:
                    await asyncio.wait([running], timeout=self._settings.universe_s)
                    if running.done():
                        await running  # raises what ended it
                    if await self._chosen() != chosen:
                        break
            finally:
                running.cancel()
                await asyncio.wait([running])

    async def _chosen(self) -> tuple[str, ...]:
        """The universe now; the one before where the venue does not answer, or answers with too few."""
        backoff = Backoff()
        before = tuple(symbol for symbol in self._before if symbol in self._source.listings)
        while True:
            try:
                candidates = await self._source.candidates()
            except Trouble as trouble:
                self._troubles.note("universe", trouble)
                if before:
                    return before
            else:
                settings = self._settings
                chosen = choose(candidates, settings.universe_top, settings.universe_spread_pct)
                if chosen and not shrinks_too_much(before, chosen):
                    self._troubles.fine("universe")
                    return chosen
                few = f"{len(chosen)} of {len(before)} symbols would be left; the universe stays as it was"
                why = few if before else "no symbol has volume and spread"
                self._troubles.note("universe", Trouble(why), LOUD)
                if before:
                    return before
            await asyncio.sleep(backoff.next())

    async def _follow_all(self, symbols: Sequence[str]) -> None:
        self._also |= set(self._symbols)
        self._symbols = tuple(symbols)
        self._woken = {symbol: asyncio.Event() for symbol in symbols}
        self._mailbox.universe(self._symbols, tuple(self._also - set(symbols)))
        async with asyncio.TaskGroup() as group:
            for symbol in symbols:
                group.create_task(self._follow(symbol))
            group.create_task(self._hints.run(symbols))

    # Candles

    async def _follow(self, symbol: str) -> None:
        """Ask for a symbol's candles whenever the wanted one may be final, and again while it is missing."""
        backoff = Backoff(self._settings.retry_s, max(RETRY_MOST_S, self._settings.retry_s))
        asked = -1
        while True:
            wanted = self._wants.get(symbol)
            left_s = NAP_S if wanted is None else self._seconds_until(wanted + self._span)
            if wanted is None or left_s > 0:
                await self._sleep(symbol, min(left_s, NAP_S))
                continue
            if wanted != asked:
                backoff.reset()
            asked = wanted
            try:
                await self._pages(symbol, wanted)
                self._troubles.fine(f"candles of {symbol}")
            except Trouble as trouble:
                self._troubles.note(f"candles of {symbol}", trouble)
            await self._sleep(symbol, backoff.next())

    async def _pages(self, symbol: str, since: int) -> None:
        while True:
            while self._mailbox.full:
                await asyncio.sleep(0.05)
            limit = max(0, self._source.clock.now() - since) // self._span + 3
            page = await self._source.candles(symbol, self._timeframe, since, limit)
            self._mailbox.page(page)
            if page.until <= since or page.until + self._span > page.asked:
                return
            # a page's last candle has no follower in it, and is final only in the next
            since = page.until - self._span if len(page.rows) > 1 else page.until

    def _seconds_until(self, close: int) -> float:
        return (close + self._settings.settle_ms - self._source.clock.now()) / 1000 / self._rate

    async def _sleep(self, symbol: str, wait_s: float) -> None:
        woken = self._woken[symbol]
        try:
            await asyncio.wait_for(woken.wait(), wait_s)
        except TimeoutError:
            return
        woken.clear()

    def _wake(self, symbol: str) -> None:
        if symbol in self._woken:
            self._woken[symbol].set()

    def _wake_all(self) -> None:
        for woken in self._woken.values():
            woken.set()

    def _on_time(self, symbol: str, opened: int) -> None:
        """A stream speaks of the candle that opens at `opened`: those before it have closed."""
        if opened > self._source.clock.now() + AHEAD_MS:
            self._clock_due.set()
        wanted = self._wants.get(symbol)
        begun = wanted is not None and wanted < opened and self._last_hint.get(symbol) != opened
        if begun and self._seconds_until(opened) <= 0:
            self._last_hint[symbol] = opened
            self._wake(symbol)

    # Prices, funding, clock

    async def _quotes(self) -> None:
        while True:
            began = _now()
            await self._quote(sorted({*self._symbols, *self._also}), began)
            await asyncio.sleep(max(0.0, self._settings.mark_s - (_now() - began)))

    async def _quote(self, symbols: Sequence[str], now: float) -> None:
        heard, fresh_s = self._hints.heard, self._settings.mark_s
        told = {s: q for s, (q, at) in heard.quotes.items() if s in symbols and now - at <= fresh_s}
        spots = {s: p for s, (p, at) in heard.spots.items() if now - at <= self._settings.silent_s}
        missing = [symbol for symbol in symbols if symbol not in told]
        try:
            spots |= await self._source.spot_prices([s for s in told if s not in spots])
            asked = await self._source.quotes(missing) if missing else []
            self._troubles.fine("prices")
        except Trouble as trouble:
            self._troubles.note("prices", trouble)
            asked = []
        quotes = [quote.with_spot(spots.get(symbol)) for symbol, quote in told.items()]
        self._mailbox.quotes([*quotes, *asked])

    async def _funding(self) -> None:
        looked: dict[str, int] = {}
        while True:
            now = self._source.clock.now()
            look = sum((now - after) // HOUR for after in FUNDING_AFTER_MS)
            for symbol in sorted(self._funding_from):
                since = self._funding_from[symbol]
                if since is None:
                    since = self._funding_from[symbol] = now
                if looked.get(symbol) == look or symbol not in self._source.listings:
                    continue
                try:
                    found = await self._source.settlements(symbol, since + 1)
                    self._troubles.fine(f"funding of {symbol}")
                except Trouble as trouble:
                    self._troubles.note(f"funding of {symbol}", trouble)
                    continue
                looked[symbol] = look
                if found:
                    self._mailbox.settlements(symbol, found)
            await asyncio.sleep(1.0)

    async def _clock(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._clock_due.wait(), CLOCK_S)
            self._clock_due.clear()
            try:
                await self._source.sync_clock()
                self._troubles.fine("clock")
            except Trouble as trouble:
                self._troubles.note("clock", trouble)
                await asyncio.sleep(1.0)


async def _end_all() -> None:
    """End what ccxt left running, so that no connection outlives the loop."""
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0.05)  # transports close in the loop's next rounds


def _first(error: BaseException) -> BaseException:
    """What ended a group of tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _now() -> float:
    return time.monotonic()  # edge: prices are asked for by the wall
