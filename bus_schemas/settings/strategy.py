"""Settings of strategy."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from pydantic import Field

from bus_schemas.settings.section import Contradiction, Section
from bus_schemas.timeframes import TIMEFRAMES, length


class BlockCandle(StrEnum):
    """Which candle of the leg is the order block."""

    EXTREME = "extreme"
    """The candle with the leg's extreme: the reference library's choice."""
    LAST_OPPOSITE = "last_opposite"
    """The last candle against the break: the choice of most teaching."""


class StrategySettings(Section):
    """Timeframes and the parameters of structure and entries.

    Distances are multiples of the decision timeframe's average true range (ATR), or of the risk R,
    which is the distance from entry to stop. None is a share of the price, so that long and short
    are exact mirrors.
    """

    name: str = Field("smc", pattern="^[a-z][a-z0-9_]{0,15}$", description="Part of every signal's id.")
    entry_timeframe: str = Field("15m", description="The candles that the feed publishes.")
    decision_timeframe: str = Field("1h", description="One assessment per closed candle of this length.")
    bias_timeframe: str = Field("4h", description="Trend filter.")

    swing_length: int = Field(5, ge=1, le=50, description="Candles on each side of a swing, decision.")
    bias_swing_length: int = Field(5, ge=1, le=50, description="Candles on each side of a swing, bias.")
    atr_period: int = Field(14, ge=2, le=200, description="Candles of Wilder's average true range.")
    warmup_bars: int = Field(40, ge=1, le=5000, description="Candles of each timeframe before any signal.")
    bias_max_age: int = Field(42, ge=1, description="Bias candles after which a break no longer gives bias.")
    break_max_age: int = Field(24, ge=1, description="Decision candles for which a break may be traded.")
    block_candle: BlockCandle = Field(BlockCandle.EXTREME, description="Which candle is the order block.")
    fvg_min_atr: float = Field(0.3, ge=0, le=10, description="Smallest fair value gap, in ATR.")

    max_entry_atr: float = Field(3.0, gt=0, le=50, description="Farthest entry from the close, in ATR.")
    stop_buffer_atr: float = Field(0.25, ge=0, le=10, description="Stop beyond the zone's far edge, in ATR.")
    min_stop_atr: float = Field(1.0, gt=0, le=50, description="Nearest stop from the entry, in ATR.")
    max_stop_atr: float = Field(3.0, gt=0, le=50, description="Widest stop from the entry, in ATR.")
    min_room_r: float = Field(1.0, ge=0, le=50, description="Nearest opposite liquidity of the bias, in R.")
    first_target_r: float = Field(2.0, gt=0, le=50, description="First target where no liquidity fits, in R.")
    second_target_r: float = Field(3.5, gt=0, le=50, description="Second target where none fits, in R.")
    target_reach_r: float = Field(1.5, ge=0, le=50, description="How far beyond liquidity may lie, in R.")
    expiry_bars: int = Field(24, ge=1, le=1000, description="Decision candles until an entry expires.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Of the timeframes, and of distances and lengths that depend on each other."""
        yield from self._timeframe_contradictions()
        if self.min_stop_atr > self.max_stop_atr:
            yield Contradiction(
                ("min_stop_atr", "max_stop_atr"),
                "min_stop_atr is above max_stop_atr: every stop would be refused",
            )
        if self.first_target_r >= self.second_target_r:
            yield Contradiction(
                ("first_target_r", "second_target_r"), "first_target_r must be below second_target_r"
            )
        if self.min_room_r > self.first_target_r:
            yield Contradiction(
                ("min_room_r", "first_target_r"),
                "min_room_r is above first_target_r: the first target must have room",
            )
        if max(self.atr_period, 2 * self.swing_length + 1, 2 * self.bias_swing_length + 1) > self.warmup_bars:
            yield Contradiction(
                ("atr_period", "swing_length", "bias_swing_length", "warmup_bars"),
                "warmup_bars is below what atr_period or a swing needs",
            )

    def _timeframe_contradictions(self) -> Iterator[Contradiction]:
        fields = ("entry_timeframe", "decision_timeframe", "bias_timeframe")
        names: tuple[str, ...] = tuple(getattr(self, field) for field in fields)
        unknown = [name for name in names if name not in TIMEFRAMES]
        if unknown:
            known = ", ".join(TIMEFRAMES)
            yield Contradiction(fields, f"unknown timeframe {', '.join(unknown)}; known are {known}")
            return
        entry, decision, bias = (length(name) for name in names)
        if not entry <= decision <= bias or decision % entry or bias % decision:
            yield Contradiction(
                fields, "timeframes must be ENTRY,DECISION,BIAS, each a multiple of the one before"
            )
