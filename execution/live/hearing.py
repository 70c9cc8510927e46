"""What the edge hears of the account: looks by REST, which are the truth; hints, which say when to look."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from bus_schemas.events import AlertCode, PositionState
from bus_schemas.settings import VenueSettings
from execution.live.delivery import Delivery
from execution.live.desk import Desk
from execution.live.faults import NotSent, VenueFault
from execution.live.port import Venue
from execution.live.records import Held
from execution.live.reports import alert

log = logging.getLogger("causeway.edge")

DEBOUNCE_S = 0.02
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 30.0
OVERLAP_MS = 10_000
"""How far before the last reading fills are read again: the venue may list one late."""
DEAF_LOOKS = 3
"""Looks in a row that found news of which no hint came, until the connection is taken for silent."""
ALL = "*"


class Hearing:
    """Keeps the register up with the venue.

    Args:
        venue: open.
        desk: commits.
        delivery: turns an order as the venue tells it into reports.
        settings: of the venue.
        troubled: told of faults that are waited out.
    """

    def __init__(
        self,
        venue: Venue,
        desk: Desk,
        delivery: Delivery,
        settings: VenueSettings,
        troubled: Callable[[str, VenueFault], None],
    ) -> None:
        self._venue = venue
        self._desk = desk
        self._register = desk.register
        self._delivery = delivery
        self._settings = settings
        self._troubled = troubled
        self._poked: set[str] = set()
        self._poke = asyncio.Event()
        self._look_now = asyncio.Event()
        self._heard = self._answered = _moment()
        self._deaf = 0
        self._ear: asyncio.Task[None] | None = None

    @property
    def silent_s(self) -> float:
        """Seconds since the last hint."""
        return _moment() - self._heard

    @property
    def unanswered_s(self) -> float:
        """Seconds since the account was last seen."""
        return _moment() - self._answered

    def poke(self, symbol: str) -> None:
        """Something has happened with this symbol, or with any for `*`: ask soon."""
        self._poked.add(symbol)
        self._poke.set()

    async def pause(self, seconds: float) -> None:
        """Wait for the next look: so long, or until a hint asks for one."""
        try:
            await asyncio.wait_for(self._look_now.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._look_now.clear()

    async def look(self) -> Sequence[PositionState]:
        """Look at open orders and positions, and at everything that they raise; returns the positions.

        Raises:
            VenueFault: the venue does not answer. What was found so far is told.
        """
        asked = self._venue.now()
        orders, positions = await asyncio.gather(self._venue.open_orders(), self._venue.positions())
        found = self._register.look(orders, positions, self._venue.now(), asked)
        self._desk.tell([*found.reports, *self._register.strays(self._venue.now())])
        news = bool(found.reports)
        for symbol in sorted((found.suspects | self._delivery.waiting) & self._venue.instruments().keys()):
            news |= await self._fills(symbol)
        for client_id in found.vanished:
            news |= await self._ask(client_id, asked)
        self._mind_the_ear(news)
        self._answered = _moment()
        return positions

    async def follow(self) -> None:
        """Ask about what was poked."""
        while True:
            await self._poke.wait()
            await asyncio.sleep(DEBOUNCE_S)
            symbols, self._poked = self._poked, set()
            self._poke.clear()
            if ALL in symbols:
                self._look_now.set()
                continue
            for symbol in sorted(symbols):
                try:
                    await self._fills(symbol)
                    for held in self._register.live(symbol):
                        await self._ask(held.client_id, self._venue.now())
                except VenueFault as fault:
                    self._troubled(symbol, fault)
                    self._look_now.set()

    async def listen(self) -> None:
        """Follow the venue's websocket for ever; after each new connection look at everything.

        Raises:
            Reload: an alert could not be committed.
        """
        wait = RETRY_FIRST_S
        while True:
            began = _moment()
            self._ear = asyncio.create_task(self._hear(), name="ear")
            try:
                await asyncio.wait([self._ear])
                if not self._ear.cancelled() and (error := self._ear.exception()) is not None:
                    raise error
            finally:
                self._ear.cancel()
            wait = RETRY_FIRST_S if _moment() - began > RETRY_MOST_S else min(2 * wait, RETRY_MOST_S)
            self._look_now.set()
            await asyncio.sleep(wait)

    async def _hear(self) -> None:
        try:
            async for hint in self._venue.hints():
                self._heard = _moment()
                self._deaf = 0
                self.poke(hint.symbol)
        except VenueFault as fault:
            self._troubled(ALL, fault)

    def _mind_the_ear(self, news: bool) -> None:
        """A socket that answers pings and tells nothing is found by what it did not tell."""
        self._deaf = self._deaf + 1 if news and self.silent_s > self._settings.poll_s else 0
        if self._deaf >= DEAF_LOOKS and self._ear is not None:
            self._deaf = 0
            self._ear.cancel()
            detail = f"no message for {self.silent_s:.0f} s while orders changed: connecting anew"
            self._desk.tell([alert(self._venue.now(), ALL, AlertCode.SILENT_SOCKET, detail)])

    async def _fills(self, symbol: str) -> bool:
        asked = self._venue.now()
        since = self._register.read_from(symbol, self._overlap, asked)
        self._delivery.waiting.discard(symbol)
        try:
            fills = await self._delivery.fills(symbol, since)
        except VenueFault:
            self._delivery.waiting.add(symbol)
            raise
        bodies = self._register.traded(fills, self._venue.now())
        self._register.lists.was_read(symbol, asked)
        self._desk.tell(bodies)
        return bool(bodies)

    async def _ask(self, client_id: str, asked: int) -> bool:
        """Look one order up; whether that gave anything new."""
        held = self._register.find(client_id)
        if held is None:
            return False
        try:
            order = await self._venue.look_up(held.ref)
        except NotSent as fault:
            if not fault.apart:
                raise
            self._troubled(held.symbol, fault)  # this order waits for another look, and nothing else does
            return False
        if order is not None:
            self._register.risen(client_id, order, asked)
            bodies = await self._delivery.told(held, order)
        elif self._fresh(held, asked):
            return False
        else:
            bodies = [self._register.not_found(client_id, held.symbol, self._venue.now())]
        self._desk.tell(bodies)
        return bool(bodies)

    def _fresh(self, held: Held, asked: int) -> bool:
        """Whether the order is so young that the venue may not list it yet, or on its way right now."""
        travel = self._settings.valid_ms * self._settings.clock_rate
        return asked - held.sent <= self._settings.lag_ms + travel or not held.told

    @property
    def _overlap(self) -> int:
        return max(OVERLAP_MS, self._settings.lag_ms)


def _moment() -> float:
    return time.monotonic()  # edge: patience is in our seconds
