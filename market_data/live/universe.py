"""Which symbols are traded where the settings name none: the largest by volume with a small spread. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A perpetual of the venue with candles to analyse.

    Attributes:
        volume: of the last day, in quote currency.
        bid, ask: best prices.
    """

    symbol: str
    volume: Decimal
    bid: Decimal
    ask: Decimal

    @property
    def spread_pct(self) -> Decimal:
        """Distance of bid and ask, in percent of the bid."""
        return (self.ask / self.bid - 1) * 100


def choose(candidates: Iterable[Candidate], top: int, spread_pct: Decimal) -> tuple[str, ...]:
    """The `top` of most volume whose spread is no wider, sorted by name."""
    fit = [c for c in candidates if c.bid > 0 and c.ask >= c.bid and c.spread_pct <= spread_pct]
    fit.sort(key=lambda candidate: (-candidate.volume, candidate.symbol))
    return tuple(sorted(candidate.symbol for candidate in fit[:top]))


def shrinks_too_much(current: Sequence[str], chosen: Sequence[str]) -> bool:
    """Whether more than half would go: then the venue's figures are wrong, not the market."""
    return 2 * len(chosen) < len(current)
