"""Every request for market data goes through one gate: paced, few at once, and obedient to rate limits."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from bus_schemas.venues.rate_limits import binance_rest_s, retry_after
from market_data.live.faults import Trouble

T = TypeVar("T")

PER_S = 20.0
"""Requests in a second. Several traders on one address are banned together, so this is far below limits."""
SLOW: Mapping[str, float] = {"binanceusdm": 4.0}
"""Requests in a second to one whose pages weigh more: a thousand candles of Binance's futures are 5 of the
2,400 that an address has in a minute, and its traders share them."""
AT_ONCE = 6
BINANCE = "binance"
_TEAPOT = re.compile(r"\b418\b")
"""ccxt tells a status only in the words of its error."""
BACKOFF_FIRST_S = 1.0
BACKOFF_MOST_S = 60.0


class Backoff:
    """Waits that double, with jitter, so that many who lost one server do not come back as one.

    Args:
        first_s, most_s: bounds of the wait before jitter of a quarter either way.
    """

    def __init__(self, first_s: float = BACKOFF_FIRST_S, most_s: float = BACKOFF_MOST_S) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next(self) -> float:
        """Seconds to wait now."""
        wait_s, self._next_s = self._next_s, min(self._most_s, self._next_s * 2)
        return wait_s * random.uniform(0.75, 1.25)  # edge: jitter of a backoff

    def reset(self) -> None:
        """It went well."""
        self._next_s = self._first_s


class Gate:
    """Calls of a ccxt client. Nothing is tried again here: who asks knows what it is worth.

    Args:
        per_s, at_once: requests in a second, and under way.
        rate: the venue's seconds in one of ours.
    """

    def __init__(self, per_s: float = PER_S, at_once: int = AT_ONCE, rate: float = 1.0) -> None:
        self._spacing_s = 1 / per_s
        self._rate = rate
        self._slots = asyncio.Semaphore(at_once)
        self._next = 0.0
        self._next_slow: dict[str, float] = {}
        self._limits = Backoff()

    async def ask(self, client: Any, call: Callable[[], Awaitable[T]]) -> T:
        """The answer.

        Raises:
            Trouble: there is none. After a rate limit, all requests wait as long as the venue says.
        """
        import ccxt  # takes half a second: only where a live venue is

        async with self._slots:
            await self._turn(client.id)
            try:
                answer = await call()
            except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
                wait_s = max(self._limits.next(), _told(client, str(error), self._rate))
                self._next = max(self._next, _now() + wait_s)
                raise Trouble(f"rate limit, {wait_s:.0f} s: {_short(error)}", limited=True) from None
            except (ccxt.BadSymbol, ccxt.NotSupported) as error:
                raise Trouble(_short(error), refused=True) from None
            except ccxt.BaseError as error:
                raise Trouble(_short(error)) from None
            except OSError as error:
                raise Trouble(_short(error)) from None
            except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
                # ccxt stumbles like this over answers that are not what it expects, such as a proxy's page
                raise Trouble(f"an answer that cannot be read: {_short(error)}") from None
            self._limits.reset()
            return answer

    async def _turn(self, name: str) -> None:
        while (wait_s := max(self._next, self._next_slow.get(name, 0.0)) - _now()) > 0:
            await asyncio.sleep(wait_s)
        self._next = _now() + self._spacing_s
        if name in SLOW:
            self._next_slow[name] = _now() + 1 / SLOW[name] / self._rate


def _told(client: Any, words: str, rate: float) -> float:
    """Seconds that the venue wants to be left alone."""
    headers = client.last_response_headers
    if not client.id.startswith(BINANCE):
        return retry_after(headers)
    banned = _TEAPOT.search(words) is not None
    return binance_rest_s(headers, words, client.milliseconds(), rate, banned=banned)


def _now() -> float:
    return time.monotonic()  # edge: requests are paced by the wall


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
