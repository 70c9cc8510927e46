"""Parameters of the engine, for people, and the same as numbers, for the kernel."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.timeframes import HOUR, MINUTE, length
from strategy.smc.zone_clock import clock_changes

MOST_KEPT = 256
MOST_SESSIONS = 16
MOST_WINDOW = 1_024
MOST_LENGTH = MOST_WINDOW - 2


class By(StrEnum):
    """Which price must pass a level."""

    CLOSE = "close"
    WICK = "wick"


class BlockCandle(StrEnum):
    """Which candle of the leg is the order block."""

    LAST_OPPOSITE = "last_opposite"
    """The last candle against the break at or before the leg's extreme: the choice of most teaching."""
    EXTREME = "extreme"
    """The candle with the leg's extreme since the pivot: the choice of most indicators."""


class BlockZone(StrEnum):
    """Which part of that candle is the zone."""

    WICK = "wick"
    BODY = "body"


class Breaks(StrEnum):
    """What is called a break."""

    LAST_PIVOT = "last_pivot"
    """Price passes the last known pivot, once: knowable at that bar."""
    FOUR_SWINGS = "four_swings"
    """The reference library's pattern of four pivots: known when both pattern and break are."""


class Session(msgspec.Struct, frozen=True):
    """A daily window of local time.

    Attributes:
        start, end: `HH:MM`; the end is excluded and may lie after midnight.
    """

    name: str
    start: str
    end: str


KILL_ZONES = (
    Session("asia", "20:00", "00:00"),
    Session("london", "02:00", "05:00"),
    Session("new_york", "07:00", "10:00"),
    Session("london_close", "10:00", "12:00"),
)


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine is told. Every default is the field's most accepted variant; strategy/smc/README.md
    says why.

    Attributes:
        timeframe: of the candles, such as `1h`.
        internal_length, swing_length: candles on each side of a pivot.
        reference_pivots: the reference library's window (one candle less before than after, equal extremes
            allowed, a bar that is both is a high).
        breaks, break_by: what is a break, and which price makes it.
        displacement_atr: least body of a displacement, in ATR.
        atr_period, adx_period, volume_period, ema_fast, ema_slow: candles.
        adx_trending: ADX at and above which the market trends.
        block_candle, block_zone, block_broken_by: the order block and its end.
        fvg_min_atr: least height of a fair value gap, in ATR.
        fvg_joined: whether consecutive gaps of one side become one.
        pool_atr: how far equal highs or lows may differ, in ATR.
        sweep_bars: candles within which price must be back inside; 1 is the same candle.
        ote_from, ote_to: share of the impulse that is retraced, from its end.
        equilibrium_width: share of the dealing range, about its middle, that is neither premium nor discount.
        period_coverage: share of a day's, week's or month's candles that must have been seen for its high and
            low to count.
        session_zone: IANA name. Sessions are off above one hour.
        sessions: kill zones.
        zones_kept, levels_kept: live zones per concept and side, and levels per side; beyond that the oldest
            expires, with an event.
    """

    timeframe: str = "1h"
    internal_length: int = 5
    swing_length: int = 50
    reference_pivots: bool = False
    breaks: Breaks = Breaks.LAST_PIVOT
    break_by: By = By.CLOSE
    displacement_atr: float = 1.5
    atr_period: int = 14
    adx_period: int = 14
    adx_trending: float = 25.0
    ema_fast: int = 50
    ema_slow: int = 200
    volume_period: int = 20
    block_candle: BlockCandle = BlockCandle.LAST_OPPOSITE
    block_zone: BlockZone = BlockZone.WICK
    block_broken_by: By = By.CLOSE
    fvg_min_atr: float = 0.25
    fvg_joined: bool = True
    pool_atr: float = 0.1
    sweep_bars: int = 1
    ote_from: float = 0.62
    ote_to: float = 0.79
    equilibrium_width: float = 0.05
    period_coverage: float = 1.0
    session_zone: str = "America/New_York"
    sessions: tuple[Session, ...] = KILL_ZONES
    zones_kept: int = 32
    levels_kept: int = 32

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigurationError: with every fault in one message.
        """
        faults = [*_range_faults(self), *_session_faults(self)]
        if not self.internal_length < self.swing_length:
            faults.append(
                f"internal_length {self.internal_length} must be below swing_length {self.swing_length}"
            )
        if not self.ote_from < self.ote_to:
            faults.append(f"ote_from {self.ote_from} must be below ote_to {self.ote_to}")
        if not self.ema_fast < self.ema_slow:
            faults.append(f"ema_fast {self.ema_fast} must be below ema_slow {self.ema_slow}")
        if faults:
            raise ConfigurationError("; ".join(faults))


_RANGES: dict[str, tuple[float, float]] = {
    "internal_length": (1, MOST_LENGTH),
    "swing_length": (2, MOST_LENGTH),
    "displacement_atr": (0.0, 100.0),
    "atr_period": (1, 10_000),
    "adx_period": (1, 10_000),
    "adx_trending": (0.0, 100.0),
    "ema_fast": (1, 10_000),
    "ema_slow": (2, 10_000),
    "volume_period": (1, 10_000),
    "fvg_min_atr": (0.0, 100.0),
    "pool_atr": (0.0, 100.0),
    "sweep_bars": (1, 100),
    "ote_from": (0.0, 1.0),
    "ote_to": (0.0, 1.0),
    "equilibrium_width": (0.0, 1.0),
    "period_coverage": (0.0, 1.0),
    "zones_kept": (1, MOST_KEPT),
    "levels_kept": (1, MOST_KEPT),
}


def _range_faults(params: Parameters) -> list[str]:
    faults = []
    for name, (least, most) in _RANGES.items():
        value, kinds = getattr(params, name), (int,) if isinstance(least, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            whole = "a whole number" if kinds == (int,) else "a number"
            faults.append(f"{name} must be {whole} between {least:g} and {most:g}, not {value!r}")
    return faults


def _session_faults(params: Parameters) -> list[str]:
    names = [session.name for session in params.sessions]
    if len(params.sessions) > MOST_SESSIONS:
        return [f"there may be {MOST_SESSIONS} sessions, not {len(params.sessions)}"]
    faults = [f"session {name!r} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    for session in params.sessions:
        if not session.name:
            faults.append("a session needs a name")
        try:
            if minutes(session.start) == minutes(session.end):
                faults.append(f"session {session.name!r} is empty: it starts and ends at {session.start}")
        except ConfigurationError as error:
            faults.append(f"session {session.name!r}: {error}")
    return faults


def minutes(text: str) -> int:
    """Minutes after midnight of `HH:MM`.

    Raises:
        ConfigurationError: it is no such time.
    """
    hours, colon, rest = text.partition(":")
    sound = colon and hours.isdigit() and rest.isdigit() and len(rest) == 2 and len(hours) <= 2
    if not sound or int(hours) > 23 or int(rest) > 59:
        raise ConfigurationError(f"{text!r} is not a time of day such as 07:00")
    return int(hours) * 60 + int(rest)


class Rules(msgspec.Struct, frozen=True):
    """The parameters as the kernel reads them: numbers and switches only.

    Attributes:
        length: milliseconds of a candle.
        mask: size of the window of candles, a power of two, less one.
        internal_before, swing_before: candles before a pivot that it must exceed.
        internal_first, swing_first: first candle after a start that can be a pivot.
        *_weight: how much a new value counts once the period is full.
        starts, ends: local time of the sessions, in milliseconds after midnight.
        clocks: rows of the table of the local clock.
        clock_times, clock_offsets: from which moment on it has which distance to UTC, in milliseconds.
    """

    length: int
    mask: int
    internal_length: int
    internal_before: int
    internal_first: int
    swing_length: int
    swing_before: int
    swing_first: int
    reference_pivots: bool
    four_swings: bool
    break_by_wick: bool
    displacement_atr: float
    atr_period: int
    atr_weight: float
    adx_period: int
    adx_weight: float
    adx_trending: float
    ema_fast: int
    ema_slow: int
    fast_weight: float
    slow_weight: float
    volume_period: int
    volume_weight: float
    block_extreme: bool
    block_body: bool
    block_broken_by_wick: bool
    fvg_min_atr: float
    fvg_joined: bool
    pool_atr: float
    sweep_bars: int
    ote_from: float
    ote_to: float
    equilibrium_half: float
    period_coverage: float
    sessions: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    clocks: int
    clock_times: tuple[int, ...]
    clock_offsets: tuple[int, ...]
    zones_kept: int
    levels_kept: int


def rules(params: Parameters) -> Rules:
    """The numbers of these parameters.

    Raises:
        ConfigurationError: unknown timeframe or time zone.
    """
    milliseconds = length(params.timeframe)
    sessions = params.sessions if milliseconds <= HOUR else ()
    times, offsets = clock_changes(params.session_zone)
    less = 1 if params.reference_pivots else 0
    window = 4
    while window < params.swing_length + 2:
        window *= 2

    def first(pivot_length: int) -> int:
        return 2 * pivot_length - 1 if params.reference_pivots else pivot_length

    return Rules(
        length=milliseconds,
        mask=window - 1,
        internal_length=params.internal_length,
        internal_before=params.internal_length - less,
        internal_first=first(params.internal_length),
        swing_length=params.swing_length,
        swing_before=params.swing_length - less,
        swing_first=first(params.swing_length),
        reference_pivots=params.reference_pivots,
        four_swings=params.breaks is Breaks.FOUR_SWINGS,
        break_by_wick=params.break_by is By.WICK,
        displacement_atr=float(params.displacement_atr),
        atr_period=params.atr_period,
        atr_weight=1.0 / params.atr_period,
        adx_period=params.adx_period,
        adx_weight=1.0 / params.adx_period,
        adx_trending=float(params.adx_trending),
        ema_fast=params.ema_fast,
        ema_slow=params.ema_slow,
        fast_weight=2.0 / (params.ema_fast + 1),
        slow_weight=2.0 / (params.ema_slow + 1),
        volume_period=params.volume_period,
        volume_weight=2.0 / (params.volume_period + 1),
        block_extreme=params.block_candle is BlockCandle.EXTREME,
        block_body=params.block_zone is BlockZone.BODY,
        block_broken_by_wick=params.block_broken_by is By.WICK,
        fvg_min_atr=float(params.fvg_min_atr),
        fvg_joined=params.fvg_joined,
        pool_atr=float(params.pool_atr),
        sweep_bars=params.sweep_bars,
        ote_from=float(params.ote_from),
        ote_to=float(params.ote_to),
        equilibrium_half=params.equilibrium_width / 2,
        period_coverage=float(params.period_coverage),
        sessions=len(sessions),
        starts=tuple(minutes(session.start) * MINUTE for session in sessions),
        ends=tuple(minutes(session.end) * MINUTE for session in sessions),
        clocks=len(times),
        clock_times=times,
        clock_offsets=offsets,
        zones_kept=params.zones_kept,
        levels_kept=params.levels_kept,
    )


def names(params: Parameters) -> tuple[str, ...]:
    """Names of the sessions that are on, in the order of their scopes."""
    return tuple(session.name for session in params.sessions) if length(params.timeframe) <= HOUR else ()
