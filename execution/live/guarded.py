"""A venue behind its budget and its breakers: the same port, and calls that wait or fail early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from bus_schemas.events import Millis, PlaceOrder, PositionState, VenueRefusal
from bus_schemas.instruments import Instrument
from bus_schemas.settings import VenueSettings
from bus_schemas.venues.rate_limits import BANNED_S
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear
from execution.live.limits import ALL, WEIGHTS, Breaker, budget_of
from execution.live.port import (
    FundingFee,
    Hint,
    KeyRights,
    OrderRef,
    Venue,
    VenueAccount,
    VenueFill,
    VenueOrder,
)
from execution.live.terms import too_large

T = TypeVar("T")

PROTECTION, ENTRIES, QUERIES = "protection", "entries", "queries"
"""Endpoint groups. A stop is not kept from the venue because entries or queries fail."""

PROTECTION_S = 1.0
"""Most time for which stops, cancels, and the look-ups that these need are not tried."""

LIMITED_S = 1.0
"""How long to keep still after a rate limit that names no time; after a ban of the whole host, which a
request prolongs, it is `BANNED_S`."""


class Guarded(Venue):
    """Passes every call on to `inner`, when there is weight left for it and its group's breaker is closed.
    Entries that could not be protected are refused before they are sent.

    Args:
        inner: the adapter.
        settings: budget, reserve, breakers.

    Attributes:
        warn_at: when `warning` is to be told next, by our monotonic clock.
    """

    warn_at: float = 0.0

    def __init__(self, inner: Venue, settings: VenueSettings) -> None:
        self.name = inner.name
        self._inner = inner
        self._weights = WEIGHTS.get(inner.name, {})
        self._budget = budget_of(settings, _moment())
        rest_s = settings.breaker_s
        self._breakers = {
            PROTECTION: Breaker(settings.breaker_failures, min(rest_s, PROTECTION_S)),
            ENTRIES: Breaker(settings.breaker_failures, rest_s),
            QUERIES: Breaker(settings.breaker_failures, min(rest_s, PROTECTION_S)),
        }

    @property
    def gauges(self) -> dict[str, float]:
        """Weight in use as a share, and how many breakers are open."""
        opened = sum(breaker.opened is not None for breaker in self._breakers.values())
        return {
            "venue_weight_used": round(self._budget.used(_moment()), 3),
            "venue_breaker_open": float(opened),
        }

    async def open(self) -> None:
        if wait := self._budget.wait(0, True, _moment(), QUERIES):  # whoever opens tries again and again
            raise NotSent(f"after a rate limit; {wait:.0f} s are left", wait, limited=True)
        await self._do(QUERIES, self._inner.open)
        self.warning = self._inner.warning

    async def close(self) -> None:
        await self._inner.close()

    def now(self) -> Millis:
        return self._inner.now()

    async def sync_clock(self) -> int:
        # no breaker: a wrong clock is what may keep it open
        await self._take("sync_clock", QUERIES, urgent=True)
        return await self._do(QUERIES, self._inner.sync_clock)

    def instruments(self) -> Mapping[str, Instrument]:
        return self._inner.instruments()

    async def rights(self) -> KeyRights:
        return await self._ask("rights", QUERIES, self._inner.rights)

    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:
        if why := too_large(order, self._inner.instruments()):
            raise Refused(VenueRefusal.OTHER, why)
        group = PROTECTION if order.reduce_only else ENTRIES
        return await self._act(group, lambda: self._inner.place(order, valid_ms))

    async def amend(self, ref: OrderRef, quantity: Decimal) -> None:
        # in a group with cancellations, of which one may wait behind it
        await self._act(PROTECTION, lambda: self._inner.amend(ref, quantity))

    async def cancel(self, ref: OrderRef) -> None:
        await self._act(PROTECTION, lambda: self._inner.cancel(ref))

    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        return await self._ask("look_up", QUERIES, lambda: self._inner.look_up(ref), urgent=True)

    async def open_orders(self) -> list[VenueOrder]:
        return await self._ask("open_orders", QUERIES, self._inner.open_orders)

    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        return await self._ask("fills", QUERIES, lambda: self._inner.fills(symbol, since), urgent=True)

    async def positions(self) -> list[PositionState]:
        return await self._ask("positions", QUERIES, self._inner.positions)

    async def account(self) -> VenueAccount:
        return await self._ask("account", QUERIES, self._inner.account)

    async def funding(self, symbol: str, since: Millis) -> list[FundingFee]:
        return await self._ask("funding", QUERIES, lambda: self._inner.funding(symbol, since))

    def hints(self) -> AsyncIterator[Hint]:
        return self._inner.hints()

    async def room(self, method: str, protects: bool) -> None:
        await self._take(method, PROTECTION if protects else ENTRIES, protects)

    async def _take(self, method: str, group: str, urgent: bool) -> None:
        """Wait until there is weight for the call, and take it."""
        weight = self._weights.get(method, 1.0)
        while wait := self._budget.wait(weight, urgent, _moment(), group):
            await asyncio.sleep(wait)

    async def _ask(self, method: str, group: str, act: Callable[[], Awaitable[T]], urgent: bool = False) -> T:
        """A call that waits for its weight."""
        self._breakers[group].check(group, _moment())
        await self._take(method, group, urgent)
        return await self._do(group, act)

    async def _act(self, group: str, act: Callable[[], Awaitable[T]]) -> T:
        """A call for which there is room: nothing is awaited before it goes out."""
        self._breakers[group].check(group, _moment())
        return await self._do(group, act)

    async def _do(self, group: str, act: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._judged(group, act)
        finally:
            used, self._inner.used_weight = self._inner.used_weight, None
            if used is not None:
                self._budget.spent(used, _moment())

    async def _judged(self, group: str, act: Callable[[], Awaitable[T]]) -> T:
        breaker = self._breakers[group]
        try:
            answer = await act()
        except NotSent as fault:
            if fault.apart:
                pass
            elif fault.limited:
                closed, rest_s = (ALL, BANNED_S) if fault.banned else (group, LIMITED_S)
                self._budget.close(fault.retry_s or rest_s, _moment(), closed)
            elif fault.stale:
                breaker.answered()  # it did, and its word is what sets our clock
            else:
                breaker.failed(_moment(), str(fault))
            raise
        except Unclear as fault:
            breaker.failed(_moment(), str(fault))
            raise
        except (Refused, NotHeld, Denied):
            breaker.answered()
            raise
        breaker.answered()
        return answer


def _moment() -> float:
    return time.monotonic()  # edge: budgets are in our seconds
