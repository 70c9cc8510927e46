"""Parameters of the engine, and what makes them impossible."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.structure import BlockCandle, BlockZone, By
from strategy.smc.kinds import SCOPES

MOST_KEPT = 256
MOST_SESSIONS = 16
MOST_WINDOW = 1_024
MOST_LENGTH = MOST_WINDOW - 2


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
        """Refuse what makes no sense; words may be given as plain text, sessions as a list.

        Raises:
            ConfigurationError: with every fault in one message.
        """
        faults = [*_word_faults(self), *_range_faults(self), *_session_faults(self)]
        faults += _pair_faults(self, faults)
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


_WORDS: dict[str, type[StrEnum]] = {
    "breaks": Breaks,
    "break_by": By,
    "block_candle": BlockCandle,
    "block_zone": BlockZone,
    "block_broken_by": By,
}


def _word_faults(params: Parameters) -> list[str]:
    faults = []
    for name, words in _WORDS.items():
        value = getattr(params, name)
        if value in list(words):
            msgspec.structs.force_setattr(params, name, words(value))
        else:
            faults.append(f"{name} must be one of {', '.join(words)}, not {value!r}")
    for name in ("reference_pivots", "fvg_joined"):
        if not isinstance(getattr(params, name), bool):
            faults.append(f"{name} must be true or false, not {getattr(params, name)!r}")
    for name in ("timeframe", "session_zone"):
        if not isinstance(getattr(params, name), str):
            faults.append(f"{name} must be text, not {getattr(params, name)!r}")
    return faults


def _pair_faults(params: Parameters, before: list[str]) -> list[str]:
    """Of pairs that are each sound by themselves."""
    broken = {fault.split(" ", 1)[0] for fault in before}
    pairs = (("internal_length", "swing_length"), ("ote_from", "ote_to"), ("ema_fast", "ema_slow"))
    return [
        f"{low} {getattr(params, low)} must be below {high} {getattr(params, high)}"
        for low, high in pairs
        if low not in broken and high not in broken and not getattr(params, low) < getattr(params, high)
    ]


def _range_faults(params: Parameters) -> list[str]:
    faults = []
    for name, (least, most) in _RANGES.items():
        value, kinds = getattr(params, name), (int,) if isinstance(least, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            whole = "a whole number" if kinds == (int,) else "a number"
            faults.append(f"{name} must be {whole} between {least:g} and {most:g}, not {value!r}")
    return faults


def _session_faults(params: Parameters) -> list[str]:
    given: object = params.sessions
    if not isinstance(given, list | tuple) or not all(isinstance(one, Session) for one in given):
        return [f"sessions must be a list of sessions, not {given!r}"]
    msgspec.structs.force_setattr(params, "sessions", tuple(given))
    names = [session.name for session in params.sessions]
    if len(params.sessions) > MOST_SESSIONS:
        return [f"there may be {MOST_SESSIONS} sessions, not {len(params.sessions)}"]
    faults = [f"session {name!r} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    for session in params.sessions:
        if not session.name or not isinstance(session.name, str):
            faults.append("a session needs a name")
        elif session.name in SCOPES or not session.name.isprintable():
            faults.append(f"a session cannot be named {session.name!r}")
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
    hours, colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    sound = colon and text.isascii() and hours.isdecimal() and rest.isdecimal()
    sound = sound and len(rest) == 2 and len(hours) <= 2
    if not sound or int(hours) > 23 or int(rest) > 59:
        raise ConfigurationError(f"{text!r} is not a time of day such as 07:00")
    return int(hours) * 60 + int(rest)
