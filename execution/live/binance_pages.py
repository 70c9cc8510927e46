"""Binance's histories, page by page to their end: raw rows, each once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bus_schemas.events import Millis
from execution.live.binance_parse import Raw

Ask = Callable[[dict[str, Any]], Awaitable[Any]]
"""Carries out one request of the history that is read."""

PAGE = 1000
WEEK_MS = 7 * 24 * 3_600_000
WINDOW_MS = WEEK_MS - 1
"""Most time from the first to the last moment of one request, both of which belong to it."""
_TRADES_KEPT_MS = 89 * 24 * 3_600_000


async def trades(ask: Ask, symbol: str, since: Millis, now: Millis) -> list[Raw]:
    """Own trades since then, and perhaps earlier ones. The venue answers for at most a week at once, and
    keeps three months.

    Args:
        symbol: the venue's.
    """
    start = max(since, now - _TRADES_KEPT_MS)
    found: dict[str, Raw] = {}
    while start <= now:
        request: dict[str, Any] = {"symbol": symbol, "limit": PAGE}
        page = await ask(request | {"startTime": start, "endTime": start + WINDOW_MS})
        full = len(page) >= PAGE
        while True:
            found |= {str(raw["id"]): raw for raw in page}
            if len(page) < PAGE:
                break
            page = await ask(request | {"fromId": max(int(raw["id"]) for raw in page) + 1})
        if full:  # the pages by id went on to the present
            break
        start += WEEK_MS
    return list(found.values())


async def incomes(ask: Ask, symbol: str, kind: str, since: Millis) -> dict[str, Raw]:
    """Changes of the balance of one kind since then, by an id of their own. A page begins with the time of
    the last row before it, because several may have that time.

    Args:
        symbol: the venue's.
    """
    start = since
    found: dict[str, Raw] = {}
    while True:
        page = await ask({"symbol": symbol, "limit": PAGE, "incomeType": kind, "startTime": start})
        found |= {f"{raw['tranId']}:{raw['time']}": raw for raw in page}
        last = max((int(raw["time"]) for raw in page), default=start)
        if len(page) < PAGE or last <= start:
            return found
        start = last
