"""How fast and how stubbornly a venue may be asked: weight within a budget, and breakers.

Pure: the moment is passed in. The numbers are the venues' own, as documented in 2026: Binance USDⓈ-M
counts 2,400 of weight a minute (its futures API's "Limits"), Kraken Futures 500 in ten seconds
(its "Rate limits" page). Others are taken to allow what the settings say, or 600 a minute.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bus_schemas.settings import VenueSettings
from execution.live.faults import NotSent

Weights = Mapping[str, float]

BUDGETS: dict[str, tuple[float, float]] = {"binanceusdm": (2400, 60), "krakenfutures": (500, 10)}
"""Weight, and the seconds that it is for."""
OTHERS = (600.0, 60.0)

WEIGHTS: dict[str, Weights] = {
    "binanceusdm": {
        "place": 1, "amend": 1, "cancel": 1, "look_up": 2, "open_orders": 80, "fills": 5, "positions": 5,
        "account": 5, "funding": 60, "rights": 1, "sync_clock": 1,
    },
    "krakenfutures": {
        "place": 10, "amend": 10, "cancel": 10, "look_up": 5, "open_orders": 2, "fills": 25, "positions": 2,
        "account": 2, "funding": 3, "rights": 1, "sync_clock": 1,
    },
}  # fmt: skip
"""Of each method of the port. Open orders of Binance are two lists, of all symbols."""

_LEAST_WAIT_S = 0.005
ALL = ""


class Budget:
    """A bucket that fills at a steady rate. What keeps positions safe may empty it; the rest may not.

    Args:
        weight, seconds: what the venue allows.
        reserve: share of the weight, from 0 to 1, that is kept for urgent calls.
        now: the moment, in seconds of a monotonic clock.
    """

    def __init__(self, weight: float, seconds: float, reserve: float, now: float) -> None:
        self.weight = weight
        self._rate = weight / seconds
        self._floor = weight * reserve
        self._level = weight
        self._at = now
        self._closed: dict[str, float] = {}

    def wait(self, weight: float, urgent: bool, now: float, group: str = "") -> float:
        """Seconds until a call of this weight may go; 0 takes the weight at once."""
        self._fill(now)
        closed = max(self._closed.get(ALL, 0.0), self._closed.get(group, 0.0))
        if now < closed:
            return closed - now
        need = weight + (0 if urgent else self._floor)
        need = min(need, self.weight)
        if self._level < need:
            return max((need - self._level) / self._rate, _LEAST_WAIT_S)
        self._level -= weight
        return 0.0

    def spent(self, used: float, now: float) -> None:
        """The venue's own count of what was used, by an earlier life or another program on this host too."""
        self._fill(now)
        self._level = min(self._level, self.weight - used)

    def close(self, seconds: float, now: float, group: str = "") -> None:
        """The venue says that we ask too much: of this group nothing goes before this time, however urgent;
        without one, nothing at all."""
        self._closed[group] = max(self._closed.get(group, 0.0), now + seconds)
        self._level = min(self._level, self._floor)

    def used(self, now: float) -> float:
        """Share of the budget in use, from 0 to 1."""
        self._fill(now)
        return 1 - max(self._level, 0.0) / self.weight

    def _fill(self, now: float) -> None:
        self._level = min(self.weight, self._level + (now - self._at) * self._rate)
        self._at = now


class Breaker(msgspec.Struct):
    """Stops asking a group of endpoints that fails again and again, and tries one call after a while.

    Attributes:
        failures: in a row that open it.
        rest_s: how long it stays open before one call may try.
        opened: when it opened, or last let a call try; None while it is closed.
        last: what the last failure said.
    """

    failures: int
    rest_s: float
    count: int = 0
    opened: float | None = None
    last: str = ""

    def check(self, group: str, now: float) -> None:
        """Let the call pass, or not.

        Raises:
            NotSent: it is open.
        """
        if self.opened is None:
            return
        left = self.opened + self.rest_s - now
        if left > 0:
            why = f", last: {self.last}" if self.last else ""
            text = f"{group} failed {self.count} times in a row{why}; next try in {left:.1f} s"
            raise NotSent(text, left)
        self.opened = now  # this one tries

    def answered(self) -> None:
        """The venue answered, be it with a refusal."""
        self.count, self.opened = 0, None

    def failed(self, now: float, why: str = "") -> None:
        """It did not."""
        self.last = why
        self.count += 1
        if self.count >= self.failures:
            self.opened = now


def budget_of(settings: VenueSettings, now: float) -> Budget:
    """The venue's budget, or the one of the settings.

    A simulated venue whose clock runs faster counts its minutes as fast.
    """
    weight, seconds = BUDGETS.get(settings.name, OTHERS)
    if settings.weight_per_min:
        weight, seconds = float(settings.weight_per_min), 60.0
    return Budget(weight, seconds / settings.clock_rate, float(settings.reserve_pct) / 100, now)
