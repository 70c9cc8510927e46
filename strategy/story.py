"""What the playbook remembers of a timeframe: the newest breaks, sweeps and displacements of each side.

The engine keeps what is live; a break or a sweep is an event that is over as soon as it was told. Of each
kind and side the newest is kept, so the story stays small.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.settings.strategy import Scope
from strategy.smc import StructureEvent
from strategy.smc.kinds import BLOCK, BOS, CHOCH, DISPLACEMENT, KINDS, MSS, SWEPT
from strategy.smc.state import State

WORDS = tuple(KINDS[kind] for kind in (DISPLACEMENT, SWEPT, BOS, CHOCH, MSS, BLOCK))
_DISPLACEMENT, _SWEPT, BOS_WORD, CHOCH_WORD, MSS_WORD, _BLOCK = WORDS


class Sweep(msgspec.Struct, array_like=True):
    """Liquidity that was taken and given back. Times are open times, as in the engine.

    Attributes:
        scope: whose liquidity: `internal` is a single pivot, anything else is more.
        level: price of the liquidity.
        extreme: how far price went beyond it.
        at, known_at: the candle that went beyond, and the one that closed back inside.
        reach: how far price went since then, at most; the extreme as long as that holds.
    """

    id: int
    scope: str
    level: float
    extreme: float
    at: int
    known_at: int
    reach: float


class Push(msgspec.Struct, array_like=True):
    """A displacement: `body` in quote currency, `volume` as a multiple of the average before it."""

    id: int
    at: int
    body: float
    volume: float


class Shift(msgspec.Struct, array_like=True):
    """A break, with the leg that made it and the sweep that came before.

    Attributes:
        kind: `bos`, `choch` or `mss`.
        side: +1 up, -1 down.
        at: the breaking candle, at whose close it was known.
        level: the pivot's price.
        start, start_at: extreme of the leg before the break, and its candle.
        body: of the breaking candle in its direction, in ATR.
        block: id of the order block that the break made, 0 if it made none.
        sweep: the newest of the same side before it.
        push: the newest displacement of the same side, the breaking candle included.
        used: whether a signal came from its optimal trade entry.
    """

    id: int
    kind: str
    side: int
    at: int
    level: float
    start: float
    start_at: int
    body: float
    block: int = 0
    sweep: Sweep | None = None
    used: int = 0
    push: Push | None = None


class Story(msgspec.Struct):
    """State: the newest of each, None for none yet. `up` is bullish."""

    internal_up: Shift | None = None
    internal_down: Shift | None = None
    swing_up: Shift | None = None
    swing_down: Shift | None = None
    sweep_up: Sweep | None = None
    sweep_down: Sweep | None = None
    push_up: Push | None = None
    push_down: Push | None = None

    def shifts(self, scope: Scope) -> tuple[Shift | None, Shift | None]:
        """The newest break of a scope, upwards and downwards."""
        if scope is Scope.INTERNAL:
            return self.internal_up, self.internal_down
        return self.swing_up, self.swing_down

    def newest(self, scope: Scope) -> Shift | None:
        """The newest break of a scope, to whichever side."""
        up, down = self.shifts(scope)
        if up is None or down is None:
            return up or down
        return up if up.id > down.id else down

    def sweep(self, side: int) -> Sweep | None:
        """The newest sweep that a trade of this side may follow."""
        return self.sweep_up if side > 0 else self.sweep_down

    def push(self, side: int) -> Push | None:
        """The newest displacement of a side."""
        return self.push_up if side > 0 else self.push_down


def follow(story: Story, high: float, low: float) -> None:
    """Let the sweeps that were known before a candle see how far it goes."""
    for sweep in (story.sweep_up, _sweep_of(story.internal_up), _sweep_of(story.swing_up)):
        if sweep is not None and low < sweep.reach:
            sweep.reach = low
    for sweep in (story.sweep_down, _sweep_of(story.internal_down), _sweep_of(story.swing_down)):
        if sweep is not None and high > sweep.reach:
            sweep.reach = high


def _sweep_of(shift: Shift | None) -> Sweep | None:
    return None if shift is None else shift.sweep


def remember(story: Story, state: State, events: Sequence[StructureEvent]) -> None:
    """Take what the engine said of a candle.

    Args:
        state: the engine's, after that candle.
    """
    for event in events:
        kind = event.kind
        if kind == _SWEPT:
            _swept(story, event)
        elif kind == _DISPLACEMENT:
            push = Push(event.id, event.at, event.top - event.bottom, event.value)
            if event.direction > 0:
                story.push_up = push
            else:
                story.push_down = push
        elif kind in (BOS_WORD, CHOCH_WORD):
            _broken(story, state, event)
        elif kind == MSS_WORD:
            shift = _shift(story, event)
            if shift is not None and shift.id == event.on[0]:
                shift.kind = kind
        elif kind == _BLOCK:
            shift = _shift(story, event)
            if shift is not None and shift.id == event.on[0]:
                shift.block = event.id


def _shift(story: Story, event: StructureEvent) -> Shift | None:
    up, down = story.shifts(Scope(event.scope))
    return up if event.direction > 0 else down


def _swept(story: Story, event: StructureEvent) -> None:
    """Of sweeps by one candle the one of more than a pivot counts: both have the same extreme."""
    up = event.direction > 0
    before = story.sweep(event.direction)
    pivot = event.scope == Scope.INTERNAL
    if before is not None and before.known_at == event.known_at and pivot:
        return
    extreme = event.bottom if up else event.top
    sweep = Sweep(event.id, event.scope, event.level, extreme, event.at, event.known_at, extreme)
    if up:
        story.sweep_up = sweep
    else:
        story.sweep_down = sweep


def _broken(story: Story, state: State, event: StructureEvent) -> None:
    """The leg's start is told by the trend, unless the same candle broke to the other side after it."""
    side, internal = event.direction, event.scope == Scope.INTERNAL
    trend = state.internal_trend if internal else state.swing_trend
    known = trend.id == event.id
    shift = Shift(
        id=event.id,
        kind=event.kind,
        side=side,
        at=event.at,
        level=event.level,
        start=event.bottom if side > 0 else event.top,
        start_at=trend.start_at if known else event.at,
        body=event.value,
        sweep=story.sweep(side),
        push=story.push(side),
    )
    if internal:
        if side > 0:
            story.internal_up = shift
        else:
            story.internal_down = shift
    elif side > 0:
        story.swing_up = shift
    else:
        story.swing_down = shift
