"""Everything that the engine remembers of one symbol and timeframe.

Plain numbers in slotted classes, whose fields the interpreter sets fastest, and lists of such: `saved`
writes them as JSON, and each class has a record of the same fields in the compiled kernel. Times are open
times in milliseconds UTC, 0 for none; `id` and `on` are ids of events, 0 for none; switches are 0 or 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

NOWHERE_BELOW: Final = -1e300
NOWHERE_ABOVE: Final = 1e300


class Slot(msgspec.Struct, array_like=True):
    """One candle of the window, with links to higher and lower ones before it.

    Attributes:
        above: number of the nearest candle before with an equal or higher high, below zero if none;
            `strategy.smc.window.PASSED` once a later high is higher.
        higher: the same with a strictly higher high.
        below, lower: the mirror for lows.
    """

    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    above: int = 0
    higher: int = 0
    below: int = 0
    lower: int = 0


@dataclass(slots=True)
class Window:
    """The newest candles, numbered from the last start or hole in the data.

    Attributes:
        made_for: the parameters that the state belongs to, as `Rules.made_for`.
        count: candles taken since; the newest has the number `count - 1`.
        time: open time of the newest candle ever.
        resumed: open time of the first candle after the last hole.
        down_*, up_*: the newest candle that closed below, above its open.
    """

    made_for: int = 0
    count: int = 0
    time: int = -1
    resumed: int = 0
    down_at: int = 0
    down_open: float = 0.0
    down_high: float = 0.0
    down_low: float = 0.0
    down_close: float = 0.0
    up_at: int = 0
    up_open: float = 0.0
    up_high: float = 0.0
    up_low: float = 0.0
    up_close: float = 0.0


@dataclass(slots=True)
class Averages:
    """Smoothed ranges, directional movement, closes and volume.

    Attributes:
        bars: candles ever.
        displaced: body from which on the next candle is a displacement.
        first_*, last_*: the last candle but one, and the last.
    """

    bars: int = 0
    ranges: int = 0
    atr: float = 0.0
    displaced: float = NOWHERE_ABOVE
    first_high: float = 0.0
    first_low: float = 0.0
    last_high: float = 0.0
    last_low: float = 0.0
    last_close: float = 0.0
    moves: int = 0
    plus: float = 0.0
    minus: float = 0.0
    strengths: int = 0
    adx: float = 0.0
    trending: int = 0
    fast: float = 0.0
    slow: float = 0.0
    above: int = 0
    volume: float = 0.0
    volumes: int = 0


@dataclass(slots=True)
class Pivots:
    """The newest pivot of one length.

    Attributes:
        side: +1 for a high, -1 for a low, 0 for none yet.
        high_*, low_*: the newest of each.
    """

    side: int = 0
    high_id: int = 0
    high_at: int = 0
    high: float = 0.0
    low_id: int = 0
    low_at: int = 0
    low: float = 0.0


@dataclass(slots=True)
class Leg:
    """The newest pivot of a side that price has not broken, and what came after it.

    Attributes:
        trigger: the pivot's level, or out of reach where there is no pivot to break.
        far: the far_ candle's extreme, or out of reach.
        level, at, id: of the pivot.
        far_*: the candle farthest from the pivot since, the last of equals.
        block_*: the last candle against the break at or before that one; `block_at` 0 if none.
    """

    trigger: float = 0.0
    far: float = 0.0
    id: int = 0
    at: int = 0
    level: float = 0.0
    far_at: int = 0
    far_open: float = 0.0
    far_high: float = 0.0
    far_low: float = 0.0
    far_close: float = 0.0
    block_at: int = 0
    block_open: float = 0.0
    block_high: float = 0.0
    block_low: float = 0.0
    block_close: float = 0.0


@dataclass(slots=True)
class Trend:
    """Direction of the newest break, and the impulse that it belongs to.

    Attributes:
        side: +1, -1, or 0 before the first break.
        id: the newest break.
        start, end: where the impulse began and its extreme so far; `start_at` its open time.
        impulse: the side of the impulse while it is alive, else 0.
        armed: whether the end moved since the last retrace into the optimal trade entry.
        above, below: prices at which something happens to the impulse.
    """

    side: int = 0
    id: int = 0
    start: float = 0.0
    start_at: int = 0
    end: float = 0.0
    impulse: int = 0
    armed: int = 0
    above: float = NOWHERE_ABOVE
    below: float = NOWHERE_BELOW


class Turn(msgspec.Struct, array_like=True):
    """One of the last four pivots in the four-swing variant.

    Attributes:
        broken: open time of the first close beyond it, at least two candles later.
        used: whether a pattern named it already.
    """

    id: int = 0
    side: int = 0
    at: int = 0
    level: float = 0.0
    broken: int = 0
    used: int = 0


class Zone(msgspec.Struct, array_like=True):
    """A live range or level.

    Attributes:
        on: what its newest state stands on, or the event that replaced its id.
        since: open time of the bar at which it became known.
        next: the price at which something happens next.
        stage: how far it has come; the numbers are each concept's own.
        changed: of a level the bar that first went beyond it.
        mark: of a block its inducement; of a level the extreme beyond it.
        marked: of a block the event that found the inducement; of a flip the candle of the zone that it was.
        kind: of a flip the kind that made it; of a level how many pivots.
        used: whether a signal came from it; written by the decider only.
    """

    id: int = 0
    kind: int = 0
    scope: int = 0
    side: int = 0
    at: int = 0
    since: int = 0
    top: float = 0.0
    bottom: float = 0.0
    next: float = 0.0
    stage: int = 0
    changed: int = 0
    mark: float = 0.0
    marked: int = 0
    on: int = 0
    used: int = 0


@dataclass(slots=True)
class Book:
    """What is known of a list of zones of one side without looking at it.

    Attributes:
        count: zones in the list.
        near: the price nearest to the market at which something happens.
        waiting: zones that need every bar.
        last: id of the newest event that took one away for good (of levels: the newest sweep).
    """

    count: int = 0
    near: float = 0.0
    waiting: int = 0
    last: int = 0


@dataclass(slots=True)
class Range:
    """The dealing range: from the newest swing low to the newest swing high, and beyond as price goes.

    Attributes:
        known: 1 after the first swing high, 2 after the first swing low, 3 after both.
        part: +1 premium, 0 equilibrium, -1 discount, 2 before the first range.
        upper, lower: closes at which the part may be another.
    """

    known: int = 0
    id: int = 0
    top: float = NOWHERE_ABOVE
    bottom: float = NOWHERE_BELOW
    part: int = 2
    upper: float = NOWHERE_ABOVE
    lower: float = NOWHERE_BELOW


class Period(msgspec.Struct, array_like=True):
    """A day, week or month that is going on, and the id of the one before.

    Attributes:
        start, end: milliseconds UTC, the end excluded; both 0 before the first candle.
        seen: candles taken.
    """

    start: int = 0
    end: int = 0
    high: float = 0.0
    low: float = 0.0
    seen: int = 0
    last: int = 0


class Kill(msgspec.Struct, array_like=True):
    """A session that is going on, if `id` is set.

    Attributes:
        start: when it began, milliseconds UTC.
        local: the same on the local clock.
        last: the event that closed the one before.
    """

    id: int = 0
    start: int = 0
    local: int = 0
    high: float = 0.0
    low: float = 0.0
    seen: int = 0
    last: int = 0


@dataclass(slots=True)
class Clock:
    """The local clock.

    Attributes:
        row: of the table of its changes.
        next: the close of the first candle that may begin or end a session.
    """

    row: int = 0
    next: int = 0


def _up() -> Leg:
    return Leg(trigger=NOWHERE_ABOVE, far=NOWHERE_BELOW)


def _down() -> Leg:
    return Leg(trigger=NOWHERE_BELOW, far=NOWHERE_ABOVE)


def _below() -> Book:
    return Book(near=NOWHERE_BELOW)


def _above() -> Book:
    return Book(near=NOWHERE_ABOVE)


def _field(kind: type) -> Any:
    return msgspec.field(default_factory=kind)


class State(msgspec.Struct):
    """All of it. `up` is bullish: legs that break upwards, zones below the price; `down` is the mirror."""

    window: Window = _field(Window)
    slots: list[Slot] = []
    averages: Averages = _field(Averages)
    internal: Pivots = _field(Pivots)
    swing: Pivots = _field(Pivots)
    internal_up: Leg = msgspec.field(default_factory=_up)
    internal_down: Leg = msgspec.field(default_factory=_down)
    swing_up: Leg = msgspec.field(default_factory=_up)
    swing_down: Leg = msgspec.field(default_factory=_down)
    internal_trend: Trend = _field(Trend)
    swing_trend: Trend = _field(Trend)
    internal_turns: list[Turn] = []
    swing_turns: list[Turn] = []
    internal_waits: list[Zone] = []
    swing_waits: list[Zone] = []
    internal_waits_book: Book = _field(Book)
    swing_waits_book: Book = _field(Book)
    gaps_up: list[Zone] = []
    gaps_down: list[Zone] = []
    gaps_up_book: Book = msgspec.field(default_factory=_below)
    gaps_down_book: Book = msgspec.field(default_factory=_above)
    blocks_up: list[Zone] = []
    blocks_down: list[Zone] = []
    blocks_up_book: Book = msgspec.field(default_factory=_below)
    blocks_down_book: Book = msgspec.field(default_factory=_above)
    flips_up: list[Zone] = []
    flips_down: list[Zone] = []
    flips_up_book: Book = msgspec.field(default_factory=_below)
    flips_down_book: Book = msgspec.field(default_factory=_above)
    highs: list[Zone] = []
    lows: list[Zone] = []
    highs_book: Book = msgspec.field(default_factory=_above)
    lows_book: Book = msgspec.field(default_factory=_below)
    range: Range = _field(Range)
    day: Period = _field(Period)
    week: Period = _field(Period)
    month: Period = _field(Period)
    kills: list[Kill] = []
    clock: Clock = _field(Clock)


def fresh(made_for: int, mask: int, sessions: int) -> State:
    """Nothing known: the state before the first candle.

    Args:
        made_for: the parameters, as a number.
        mask: size of the window less one.
        sessions: how many.
    """
    return State(
        window=Window(made_for=made_for),
        slots=[Slot() for _ in range(mask + 1)],
        internal_turns=[Turn() for _ in range(4)],
        swing_turns=[Turn() for _ in range(4)],
        kills=[Kill() for _ in range(sessions)],
    )
