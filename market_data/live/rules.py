"""What the settings mean for live candles. Pure."""

from __future__ import annotations

from bus_schemas.settings import Settings, StrategySettings
from bus_schemas.timeframes import length
from market_data.live.track import Rules

MOST_HYDRATION = 50_000
MARGIN = 3
"""How many times over what strategy must have is fetched: structure reaches back farther than its warm-up."""


def rules_of(settings: Settings) -> Rules:
    """When a candle is final, missing, old.

    A candle is old at the age at which risk refuses data: a signal that follows from it would be refused.
    """
    own, timeframe = settings.market_data, settings.strategy.entry_timeframe
    return Rules(
        timeframe=timeframe,
        span=length(timeframe),
        settle_ms=own.settle_ms,
        gap_ms=own.gap_ms,
        gap_tries=own.gap_tries,
        fresh_ms=settings.risk.data_age_s * 1000,
    )


def hydration(settings: Settings) -> int:
    """Candles of history at a first start."""
    return settings.market_data.hydrate or needed(settings.strategy)


def needed(strategy: StrategySettings) -> int:
    """Entry candles in which the bias timeframe, the longest, has warmed up, with a margin."""
    bias = strategy.warmup_bars + 2 * strategy.bias_swing_length + strategy.bias_max_age
    decision = strategy.warmup_bars + 2 * strategy.swing_length + strategy.break_max_age
    longest = max(bias * length(strategy.bias_timeframe), decision * length(strategy.decision_timeframe))
    return min(MOST_HYDRATION, MARGIN * longest // length(strategy.entry_timeframe))
