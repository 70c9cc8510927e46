"""Settings of strategy."""

from __future__ import annotations

from pydantic import Field, model_validator

from bus_schemas.settings.section import Section
from bus_schemas.timeframes import TIMEFRAMES, length


class StrategySettings(Section):
    """Timeframes and the parameters of structure and entries."""

    name: str = Field("smc", pattern="^[a-z][a-z0-9_]{0,15}$", description="Part of every signal's id.")
    entry_timeframe: str = Field("15m", description="The candles that the feed publishes.")
    decision_timeframe: str = Field("1h", description="One assessment per closed candle of this length.")
    bias_timeframe: str = Field("4h", description="Trend filter.")

    @model_validator(mode="after")
    def _nested(self) -> StrategySettings:
        names = (self.entry_timeframe, self.decision_timeframe, self.bias_timeframe)
        unknown = [name for name in names if name not in TIMEFRAMES]
        if unknown:
            raise ValueError(f"unknown timeframe {', '.join(unknown)}; known are {', '.join(TIMEFRAMES)}")
        entry, decision, bias = (length(name) for name in names)
        if not entry <= decision <= bias or decision % entry or bias % decision:
            raise ValueError("timeframes must be ENTRY,DECISION,BIAS, each a multiple of the one before")
        return self
