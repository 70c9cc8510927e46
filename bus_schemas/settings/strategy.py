"""Settings of strategy."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from bus_schemas.settings.section import Contradiction, Section
from bus_schemas.settings.sessions import SESSION as SESSION
from bus_schemas.settings.sessions import SessionText, holds_a_candle
from bus_schemas.structure import BlockCandle, BlockZone, By
from bus_schemas.timeframes import HOUR, TIMEFRAMES, length


class Step(StrEnum):
    """What a step of the playbook does."""

    REQUIRED = "required"
    """No signal without it."""
    SCORED = "scored"
    """Its points count where it is fulfilled; a signal can do without."""
    OFF = "off"
    """It is not looked at."""


class Scope(StrEnum):
    """Which pivots structure is read from."""

    INTERNAL = "internal"
    SWING = "swing"


class ShiftKind(StrEnum):
    """Which break of the decision timeframe is a shift."""

    ANY = "any"
    """Break of structure, change of character, market structure shift."""
    CHOCH = "choch"
    """A change of character, with or without displacement."""
    MSS = "mss"
    """A change of character by a displacement."""


class ZoneKind(StrEnum):
    """What an entry may wait at."""

    ORDER_BLOCK = "order_block"
    FAIR_VALUE_GAP = "fair_value_gap"
    BREAKER = "breaker"
    """A broken order block of the other side, after liquidity was swept."""
    MITIGATION_BLOCK = "mitigation_block"
    """A broken order block of the other side, without a sweep."""
    INVERTED_GAP = "inverted_gap"
    """A fair value gap of the other side that a candle closed through."""
    OPTIMAL_TRADE_ENTRY = "optimal_trade_entry"
    """No zone of its own: where the optimal trade entry of the impulse begins. Used where `zone_step` is not
    `required`."""


class EntryAt(StrEnum):
    """Where in its zone an entry waits."""

    EDGE = "edge"
    """At the edge that price comes to first."""
    MIDDLE = "middle"
    """At the middle, the consequent encroachment: better prices, fewer fills."""


class StopBeyond(StrEnum):
    """What the stop stands beyond, by `stop_buffer_atr`."""

    SWEEP = "sweep"
    """The extreme of the sweep, where there is one, and always the zone."""
    ZONE = "zone"
    """The far edge of the zone."""


class StrategySettings(Section):
    """Timeframes, structure, and the steps of the playbook.

    Distances are multiples of the decision timeframe's average true range (ATR), or of the risk R,
    which is the distance from entry to stop. None is a share of the price, so that long and short
    are exact mirrors.
    """

    name: str = Field("smc", pattern="^[a-z][a-z0-9_]{0,15}$", description="Part of every signal's id.")
    entry_timeframe: str = Field("15m", description="The candles that the feed publishes.")
    decision_timeframe: str = Field("1h", description="One assessment per closed candle of this length.")
    bias_timeframe: str = Field("4h", description="Trend filter.")

    internal_length: int = Field(5, ge=1, le=50, description="Candles on each side of a pivot, decision.")
    swing_length: int = Field(10, ge=2, le=200, description="Candles on each side of a swing, decision.")
    bias_internal_length: int = Field(5, ge=1, le=50, description="Candles on each side of a pivot, bias.")
    bias_swing_length: int = Field(10, ge=2, le=200, description="Candles on each side of a swing, bias.")
    break_by: By = Field(By.CLOSE, description="Which price must pass a pivot to break it.")
    atr_period: int = Field(14, ge=2, le=200, description="Candles of Wilder's average true range.")
    displacement_atr: float = Field(1.5, ge=0, le=20, description="Least body of a displacement, in ATR.")
    block_candle: BlockCandle = Field(BlockCandle.LAST_OPPOSITE, description="Which candle is the block.")
    block_zone: BlockZone = Field(BlockZone.WICK, description="Which part of that candle is the zone.")
    block_broken_by: By = Field(By.CLOSE, description="Which price must pass a block to break it.")
    fvg_min_atr: float = Field(0.3, ge=0, le=10, description="Smallest fair value gap, in ATR.")
    pool_atr: float = Field(0.1, ge=0, le=10, description="How far equal highs may differ, in ATR.")
    sweep_bars: int = Field(1, ge=1, le=20, description="Candles within which a sweep is back inside.")
    ote_from: float = Field(0.62, ge=0, le=1, description="Begin of the optimal trade entry, retraced share.")
    ote_to: float = Field(0.79, ge=0, le=1, description="End of the optimal trade entry, retraced share.")
    session_zone: str = Field("America/New_York", description="Time zone of the sessions, an IANA name.")
    sessions: tuple[SessionText, ...] = Field(
        ("asia 20:00-00:00", "london 02:00-05:00", "new_york 07:00-10:00", "london_close 10:00-12:00"),
        max_length=16,
        description="Daily windows of local time, the end excluded.",
    )

    bias_step: Step = Field(Step.REQUIRED, description="Structure of the bias timeframe tells the side.")
    sweep_step: Step = Field(Step.REQUIRED, description="Liquidity was swept before the shift.")
    shift_step: Step = Field(Step.REQUIRED, description="Structure of the decision timeframe broke.")
    displacement_step: Step = Field(Step.SCORED, description="A large candle made the leg of the shift.")
    volume_step: Step = Field(Step.SCORED, description="That candle had more volume than usual.")
    kill_zone_step: Step = Field(Step.OFF, description="A kill zone is open at the decision.")
    zone_step: Step = Field(Step.REQUIRED, description="A fresh zone of the leg lies ahead.")
    discount_step: Step = Field(Step.SCORED, description="The entry lies in the discount; shorts, premium.")
    ote_step: Step = Field(Step.SCORED, description="The zone meets the optimal trade entry.")
    inducement_step: Step = Field(Step.OFF, description="The first pullback before the block was taken.")

    warmup_bars: int = Field(40, ge=1, le=5000, description="Candles of each timeframe before any signal.")
    bias_scope: Scope = Field(Scope.INTERNAL, description="Structure that tells the bias.")
    bias_max_age: int = Field(42, ge=1, description="Bias candles after which a break no longer gives bias.")
    sweep_max_age: int = Field(24, ge=0, description="Decision candles from a sweep to its shift.")
    shift_scope: Scope = Field(Scope.INTERNAL, description="Structure that must break.")
    shift_kind: ShiftKind = Field(ShiftKind.ANY, description="Which break is a shift.")
    break_max_age: int = Field(24, ge=1, description="Decision candles for which a break may be traded.")
    min_volume: float = Field(1.5, ge=0, le=100, description="Displacement's volume, times the average.")
    kill_zones: tuple[str, ...] = Field(
        ("london", "new_york", "london_close"), description="Sessions that are kill zones."
    )
    zones: tuple[ZoneKind, ...] = Field(
        tuple(kind for kind in ZoneKind if kind is not ZoneKind.OPTIMAL_TRADE_ENTRY),
        description="Kinds of zones to enter at.",
    )
    entry_at: EntryAt = Field(EntryAt.EDGE, description="Where in its zone an entry waits.")
    min_score: float = Field(0.5, ge=0, le=1, description="Least score of a signal.")

    max_entry_atr: float = Field(3.0, gt=0, le=50, description="Farthest entry from the close, in ATR.")
    stop_beyond: StopBeyond = Field(StopBeyond.SWEEP, description="What the stop stands beyond.")
    stop_buffer_atr: float = Field(0.25, ge=0, le=10, description="Stop beyond that, in ATR.")
    min_stop_atr: float = Field(1.0, ge=0.01, le=50, description="Nearest stop from the entry, in ATR.")
    max_stop_atr: float = Field(3.0, gt=0, le=50, description="Widest stop from the entry, in ATR.")
    min_room_r: float = Field(1.0, ge=0, le=50, description="Nearest opposite liquidity of the bias, in R.")
    first_target_r: float = Field(2.0, gt=0, le=50, description="First target where no liquidity fits, in R.")
    second_target_r: float = Field(3.5, gt=0, le=50, description="Second target where none fits, in R.")
    target_reach_r: float = Field(1.5, ge=0, le=50, description="How far beyond liquidity may lie, in R.")
    expiry_bars: int = Field(24, ge=1, le=1000, description="Decision candles until an entry expires.")

    @field_validator("session_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise ValueError("unknown time zone; an IANA name such as America/New_York is needed") from None
        return value

    def contradictions(self) -> Iterator[Contradiction]:
        """Of the timeframes, of steps, and of distances and lengths that depend on each other."""
        yield from self._timeframe_contradictions()
        yield from self._structure_contradictions()
        yield from self._session_contradictions()
        yield from self._step_contradictions()
        if self.min_stop_atr > self.max_stop_atr:
            yield Contradiction(
                ("min_stop_atr", "max_stop_atr"),
                "min_stop_atr is above max_stop_atr: every stop would be refused",
            )
        if self.stop_buffer_atr >= self.max_stop_atr:
            yield Contradiction(
                ("stop_buffer_atr", "max_stop_atr"),
                "stop_buffer_atr must be below max_stop_atr: every stop would be refused",
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

    def _structure_contradictions(self) -> Iterator[Contradiction]:
        for internal, swing in (
            ("internal_length", "swing_length"),
            ("bias_internal_length", "bias_swing_length"),
        ):
            if getattr(self, internal) >= getattr(self, swing):
                yield Contradiction((internal, swing), f"{internal} must be below {swing}")
        if self.ote_from >= self.ote_to:
            yield Contradiction(("ote_from", "ote_to"), "ote_from must be below ote_to")
        fields = ("atr_period", "swing_length", "bias_swing_length", "warmup_bars")
        if max(self.atr_period, 2 * self.swing_length + 1, 2 * self.bias_swing_length + 1) > self.warmup_bars:
            yield Contradiction(fields, "warmup_bars is below what atr_period or a swing needs")

    def _session_contradictions(self) -> Iterator[Contradiction]:
        found = [match for text in self.sessions if (match := SESSION.fullmatch(text))]
        names = [match["name"] for match in found]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield Contradiction(("sessions",), f"the session {name} is there twice")
        for match in found:
            if match["start"] == match["end"]:
                yield Contradiction(("sessions",), f"the session {match['name']} starts when it ends")
        strangers = [name for name in self.kill_zones if name not in names]
        if strangers:
            yield Contradiction(
                ("sessions", "kill_zones"),
                f"kill_zones names {', '.join(strangers)}, but the sessions are {', '.join(names) or 'none'}",
            )

    def _step_contradictions(self) -> Iterator[Contradiction]:
        if Step.REQUIRED not in (self.bias_step, self.shift_step):
            yield Contradiction(
                ("bias_step", "shift_step"),
                "bias_step or shift_step must be required: nothing else tells the side",
            )
        yield from self._zone_contradictions()
        if self.kill_zone_step is Step.REQUIRED:
            yield from self._kill_zone_contradictions()

    def _zone_contradictions(self) -> Iterator[Contradiction]:
        waits = any(kind is not ZoneKind.OPTIMAL_TRADE_ENTRY for kind in self.zones)
        if self.zone_step is Step.REQUIRED and not waits:
            yield Contradiction(
                ("zone_step", "zones"), "zone_step is required, but zones names none: there would be no entry"
            )
        if self.zone_step is not Step.REQUIRED and self.shift_step is Step.OFF:
            if self.zone_step is Step.OFF:
                yield Contradiction(
                    ("zone_step", "shift_step"),
                    "zone_step and shift_step are both off: there would be no entry, for the optimal trade"
                    " entry is that of a shift",
                )
            elif not waits:
                yield Contradiction(
                    ("zone_step", "zones", "shift_step"),
                    "zones names none and shift_step is off: there would be no entry, for the optimal trade"
                    " entry is that of a shift",
                )
        if self.inducement_step is not Step.REQUIRED:
            return
        if self.zone_step is Step.OFF:
            yield Contradiction(
                ("inducement_step", "zone_step"),
                "inducement_step is required, but zone_step is off: only order blocks have inducement",
            )
        elif ZoneKind.ORDER_BLOCK not in self.zones:
            yield Contradiction(
                ("inducement_step", "zones"),
                "inducement_step is required, but zones does not name order_block: only that has inducement",
            )

    def _kill_zone_contradictions(self) -> Iterator[Contradiction]:
        if not self.kill_zones:
            yield Contradiction(
                ("kill_zone_step", "kill_zones"), "kill_zone_step is required, but kill_zones names none"
            )
            return
        candle = TIMEFRAMES.get(self.decision_timeframe)
        if candle is None:
            return
        if candle > HOUR:
            yield Contradiction(
                ("kill_zone_step", "decision_timeframe"),
                "kill_zone_step is required, but decision candles above 1h are longer than a session",
            )
            return
        named = {match["name"]: match for text in self.sessions if (match := SESSION.fullmatch(text))}
        if not all(name in named for name in self.kill_zones):
            return
        if not any(holds_a_candle(named[name], candle, self.session_zone) for name in self.kill_zones):
            yield Contradiction(
                ("kill_zone_step", "kill_zones", "sessions", "session_zone", "decision_timeframe"),
                f"kill_zone_step is required, but no candle of {self.decision_timeframe} lies inside any of"
                f" {', '.join(named[name][0] for name in self.kill_zones)} and ends before it does",
            )
