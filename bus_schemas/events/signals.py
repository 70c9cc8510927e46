"""What strategy says: one assessment per decision candle, and why."""

from __future__ import annotations

from enum import StrEnum

from bus_schemas.events.base import Body, Millis, Part


class Side(StrEnum):
    """Direction of a position or an order. An order that closes a long has side `short`."""

    LONG = "long"
    SHORT = "short"

    @property
    def opposite(self) -> Side:
        return Side.SHORT if self is Side.LONG else Side.LONG

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is Side.LONG else -1


class NoSignal(StrEnum):
    """Closed list of reasons why a decision candle gave no signal: the first step that failed."""

    WARMING_UP = "warming_up"
    """Too few candles of a timeframe."""
    DATA_GAP = "data_gap"
    """Candles are missing: in the decision candle, or since the leg of the shift began."""
    NO_BIAS = "no_bias"
    """No young break on the bias timeframe, or one against the side."""
    NO_SWEEP = "no_sweep"
    """No liquidity was swept before the shift, or the sweep is too old or did not hold."""
    NO_BREAK = "no_break"
    """No young break on the decision timeframe."""
    BREAK_AGAINST_BIAS = "break_against_bias"
    """The newest break on the decision timeframe goes against the bias."""
    NO_SHIFT = "no_shift"
    """It goes with the bias, but is not of the kind that is asked for."""
    NO_DISPLACEMENT = "no_displacement"
    """No large candle in the leg of the shift."""
    LOW_VOLUME = "low_volume"
    """No large candle, or one without volume."""
    OUTSIDE_KILL_ZONE = "outside_kill_zone"
    NO_ZONE = "no_zone"
    """No zone of the leg is alive."""
    ZONE_SPOILED = "zone_spoiled"
    """Price came back to all of them already."""
    NOT_IN_DISCOUNT = "not_in_discount"
    """For a short: not in the premium."""
    NOT_IN_OTE = "not_in_ote"
    """The zone has no price in common with the optimal trade entry."""
    NO_INDUCEMENT = "no_inducement"
    PRICE_TOO_FAR = "price_too_far"
    ALREADY_SIGNALLED = "already_signalled"
    STOP_TOO_WIDE = "stop_too_wide"
    NO_TARGET = "no_target"
    """Opposite liquidity is too near, or a target is no price."""
    SCORE_TOO_LOW = "score_too_low"


class Evidence(Part, frozen=True, kw_only=True):
    """One step of the reasoning.

    Attributes:
        step: name of the step, for example `bias`, `sweep`, `shift`, `zone`, `stop`, `targets`, `score`.
        passed: whether the step allowed a signal. One that is only scored passes even where its number `met`
            is 0.
        known_at: close time of the candle at which this became knowable, never after the decision.
        at: open time of the candle where it lies, where there is one.
        numbers: what was compared, by name; prices in quote currency.
        text: names that are not numbers, such as the kind of zone; `event` is the id of the structure event
            that the step rests on.
    """

    step: str
    passed: bool
    known_at: Millis
    at: Millis | None = None
    numbers: dict[str, float] = {}
    text: dict[str, str] = {}


class Signal(Part, frozen=True, kw_only=True):
    """A wish to trade. Levels are floats; risk puts them on the tick.

    Attributes:
        id: function of (strategy, symbol, decision time, setup, side); never of a counter.
        entry: limit price.
        stop: where the idea is wrong, beyond the sweep or the zone.
        targets: two levels, the nearer first.
        setup: name of the setup, for example `order_block` or `breaker`.
        score: 0 to 1.
        expires: event time after which an unfilled entry is cancelled.
    """

    id: str
    side: Side
    entry: float
    stop: float
    targets: tuple[float, float]
    setup: str
    score: float
    expires: Millis


class Assessment(Body, frozen=True, kw_only=True):
    """Exactly one per symbol and decision candle. `time` is the event time at which it was
    closed: its own close, or later where a gap swallowed its end.

    Attributes:
        timeframe: the decision timeframe.
        signal: the signal, or None.
        reason: why there is none; None when there is a signal.
        evidence: every step that was looked at, in order; the last one failed if there is no signal.
    """

    symbol: str
    timeframe: str
    signal: Signal | None = None
    reason: NoSignal | None = None
    evidence: tuple[Evidence, ...] = ()


class SymbolHalted(Body, frozen=True, kw_only=True):
    """An event of this symbol could not be handled and lies in the dead letters.

    Any decider may say it on its output stream. Risk refuses entries for the symbol until a person
    acknowledges. `symbol` is `*` where the broken entry does not tell its symbol.

    Attributes:
        origin: id of the event that was moved to the dead letters.
        detail: the error, in one line.
    """

    symbol: str
    origin: str
    detail: str
