"""Pages of one-minute candles whose prices tell their number."""

from __future__ import annotations

from collections.abc import Iterable

from bus_schemas.timeframes import MINUTE
from market_data.live.bars import Page, Row, page_of
from market_data.live.track import Rules, Track

START = 1_700_000_040_000 // MINUTE * MINUTE
RULES = Rules(timeframe="1m", span=MINUTE, settle_ms=1000, gap_ms=5000, gap_tries=2, fresh_ms=10 * MINUTE)


def at(index: float) -> int:
    """Open time of candle `index`; with a fraction, a moment within it."""
    return START + round(index * MINUTE)


def row(index: int, close: float | None = None) -> Row:
    base = 100.0 + index
    return Row(at(index), base, base + 1, base - 1, base if close is None else close, 5.0)


def page(indices: Iterable[int], asked: float, since: int = 0, limit: int = 1000) -> Page:
    """An answer with these candles, asked at the moment `asked` (in candles)."""
    return page_of("BTCUSDT", at(since), limit, MINUTE, at(asked), [row(index) for index in indices])


def track(closed: int | None = None) -> Track:
    found = Track("BTCUSDT", RULES)
    found.resume(None if closed is None else at(closed), START)
    return found
