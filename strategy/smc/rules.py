"""The parameters as the kernel reads them: numbers and switches only."""

from __future__ import annotations

import hashlib

import msgspec

from bus_schemas.structure import BlockCandle, BlockZone, By
from bus_schemas.timeframes import HOUR, MINUTE, length
from strategy.smc.params import Breaks, Parameters, minutes
from strategy.smc.zone_clock import clock_changes


class Rules(msgspec.Struct, frozen=True):
    """Numbers of one set of parameters.

    Attributes:
        made_for: a number that differs where the parameters do; a state goes on only with its own.
        length: milliseconds of a candle.
        mask: size of the window of candles, a power of two, less one.
        internal_before, swing_before: candles before a pivot that it must exceed.
        internal_first, swing_first: first candle after a start that can be a pivot.
        *_weight: how much a new value counts once the period is full.
        starts, ends: local time of the sessions, in milliseconds after midnight.
        clocks: rows of the table of the local clock.
        clock_times, clock_offsets: from which moment on it has which distance to UTC, in milliseconds.
    """

    made_for: int
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

    numbers = Rules(
        made_for=0,
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
    digest = hashlib.blake2b(msgspec.json.encode((names(params), numbers)), digest_size=6).digest()
    return msgspec.structs.replace(numbers, made_for=int.from_bytes(digest))


def names(params: Parameters) -> tuple[str, ...]:
    """Names of the sessions that are on, in the order of their scopes."""
    return tuple(session.name for session in params.sessions) if length(params.timeframe) <= HOUR else ()
