"""What a run over files is going to publish, from the times alone: cheap enough for every start."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import MarketDataSettings
from bus_schemas.timeframes import DAY, iso, length
from market_data.files import DataFile, SymbolFiles
from market_data.sources import refuse, times

TRADING_SPAN = 30 * DAY
"""Milliseconds at the end of the data that are traded where the settings do not say."""


class SymbolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's share.

    Attributes:
        first: open time of the first candle.
        last: close time of the last candle.
        hydrate, trade: candles before and after the start of trading, each bar once.
        gaps: places where candles are missing.
        duplicates: rows of the file that repeat a bar; dropped when they say the same.
        displaced: rows of the file that stand after a later one.
        mark, funding: whether there is a file of these.
    """

    symbol: str
    first: int
    last: int
    hydrate: int
    trade: int
    gaps: int
    duplicates: int
    displaced: int
    mark: bool
    funding: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All symbols, sorted. Times in milliseconds UTC; `first` opens, `last` closes."""

    timeframe: str
    trade_from: int
    first: int
    last: int
    symbols: tuple[SymbolPlan, ...]

    @property
    def hydrate(self) -> int:
        """Candles that fill the engine before trading."""
        return sum(symbol.hydrate for symbol in self.symbols)

    @property
    def trade(self) -> int:
        """Candles that are traded."""
        return sum(symbol.trade for symbol in self.symbols)


def make_plan(files: Mapping[str, SymbolFiles], settings: MarketDataSettings, timeframe: str) -> Plan:
    """The plan for these files.

    Raises:
        DataError: a file cannot be read, or the time of a row cannot.
        ConfigurationError: a symbol has no candles between `start` and `end`, or none is to be traded.
    """
    span = length(timeframe)
    rows = {symbol: list(times(f.candles, refuse(f.candles))) for symbol, f in files.items()}
    bars = {symbol: _kept(f.candles, rows[symbol], settings, span) for symbol, f in files.items()}
    first = min(times_[0] for times_ in bars.values())
    last = max(times_[-1] for times_ in bars.values()) + span
    trade_from = settings.trade_from
    if trade_from is None:
        trade_from = max(last - TRADING_SPAN, first)
    plan = Plan(
        timeframe=timeframe,
        trade_from=trade_from,
        first=first,
        last=last,
        symbols=tuple(
            _share(symbol, files[symbol], rows[symbol], bars[symbol], trade_from, span)
            for symbol in sorted(files)
        ),
    )
    if plan.trade == 0:
        raise ConfigurationError(
            f"there is nothing to trade: the last candle closes at {iso(last)}, "
            f"trading begins at {iso(trade_from)}"
        )
    return plan


def _kept(file: DataFile, rows: list[int], settings: MarketDataSettings, span: int) -> list[int]:
    start = settings.start or 0
    end = settings.end
    kept = sorted({time for time in rows if time >= start and (end is None or time + span <= end)})
    if kept:
        return kept
    if not rows:
        raise ConfigurationError(f"{file.path} has no candles")
    raise ConfigurationError(
        f"{file.path} has no candles in the chosen time; it has {iso(min(rows))} to {iso(max(rows) + span)}"
    )


def _share(
    symbol: str, files: SymbolFiles, rows: list[int], bars: list[int], trade_from: int, span: int
) -> SymbolPlan:
    latest, displaced = 0, 0
    for time in rows:
        displaced += time < latest
        latest = max(latest, time)
    hydrate = sum(time < trade_from for time in bars)
    return SymbolPlan(
        symbol=symbol,
        first=bars[0],
        last=bars[-1] + span,
        hydrate=hydrate,
        trade=len(bars) - hydrate,
        gaps=sum(later - earlier > span for earlier, later in pairwise(bars)),
        duplicates=len(rows) - len(set(rows)),
        displaced=displaced,
        mark=files.mark is not None,
        funding=files.funding is not None,
    )
