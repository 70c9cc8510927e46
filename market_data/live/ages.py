"""How old each symbol's data is: the only liveness that counts, because a silent socket still pongs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Age(NamedTuple):
    """Seconds: of the last mark, and by which the next candle is overdue (0 while it is not)."""

    mark: float
    candle: float


class Change(NamedTuple):
    """A symbol went silent, or came back."""

    symbol: str
    silent: bool
    age: Age


class Ages:
    """Data ages by symbol, and who is silent.

    Args:
        stale_s: age at which a symbol is silent.
    """

    def __init__(self, stale_s: float) -> None:
        self._stale_s = stale_s
        self._silent: set[str] = set()
        self.latest: dict[str, Age] = {}

    def look(self, ages: dict[str, Age]) -> list[Change]:
        """Take the ages of now; returns each change once."""
        self.latest = ages
        silent = {symbol for symbol, age in ages.items() if max(age) > self._stale_s}
        changed = sorted((silent ^ self._silent) & set(ages))
        self._silent = silent
        return [Change(symbol, symbol in silent, ages[symbol]) for symbol in changed]

    def gauges(self) -> dict[str, float]:
        """For the heartbeat: the worst of all, how many are silent, and each symbol's own."""
        found: dict[str, float] = {
            "symbols": float(len(self.latest)),
            "silent_symbols": float(len(self._silent)),
            "mark_age_s": _most(age.mark for age in self.latest.values()),
            "candle_late_s": _most(age.candle for age in self.latest.values()),
        }
        for symbol, age in self.latest.items():
            found[f"mark_age_s.{symbol}"] = round(age.mark, 3)
            found[f"candle_late_s.{symbol}"] = round(age.candle, 3)
        return found


def _most(ages: Iterable[float]) -> float:
    return round(max(ages, default=0.0), 3)
