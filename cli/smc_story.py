"""What became of each zone and level, told from the events: from when to when a chart may draw it.

Nothing here looks ahead. A span begins at the bar by which it was known, with the prices known then; where a
gap is joined or a pool grows, one span ends and the next begins, so that no drawn past ever changes.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from strategy.smc import Candle, Parameters, StructureEvent
from strategy.smc.rules import names

GAP, BLOCK, BREAKER, INVERTED, POOL, PERIOD, SESSION, INDUCEMENT, RANGE, ENTRY = (
    "gap", "block", "breaker", "inverted", "pool", "period", "session", "inducement", "range", "entry",
)  # fmt: skip
"""Sorts of spans. A `breaker` is a mitigation block as well; an `inverted` is a gap that changed sides; a
`range` is the dealing range as one event told it, until the next did; an `entry` is an optimal trade entry,
until the next one or break of its scope."""

_BEGINS: Final = {
    "fvg": GAP,
    "fvg_joined": GAP,
    "fvg_inverted": INVERTED,
    "block": BLOCK,
    "breaker": BREAKER,
    "mitigation_block": BREAKER,
    "pool": POOL,
    "pool_grown": POOL,
    "inducement": INDUCEMENT,
}
_ENDS: Final = frozenset(
    {"fvg_joined", "fvg_filled", "block_broken", "flip_failed", "swept", "run", "inducement_taken", "expired"}
)
_STEPS: Final = frozenset({"fvg_touched", "fvg_half_filled", "block_mitigated", "flip_retested"})
_PLACES: Final = frozenset({"pivot", "pivot_extended", "pool", "previous", "session_closed", "choch"})
_LEVELS: Final = frozenset({PERIOD, SESSION})
_RANGES: Final = frozenset({"dealing_range", "premium", "discount", "equilibrium"})


class Span(msgspec.Struct):
    """A zone or level while it was one.

    Attributes:
        id: of the event that made it; the high and the low of a day share one, and so do a pool's stages.
        sort: one of the sorts above.
        kind, scope: of that event.
        side: as an event's direction; of a level +1 above the price.
        at: open time of the bar where it lies.
        known_at: open time of the bar at whose close it was known.
        of: of an inducement the block that it waits before.
        ended_at: open time of the bar that ended it, 0 while it lives.
        ended: kind of the event that did, or `replaced`.
        steps: kinds of events on the way, with the open times of their bars.
    """

    id: int
    sort: str
    kind: str
    scope: str
    side: int
    at: int
    known_at: int
    top: float
    bottom: float
    level: float
    of: int = 0
    ended_at: int = 0
    ended: str = ""
    steps: list[tuple[str, int]] = []


class Story:
    """The fold. Feed it every candle and then its events, once and in order.

    Args:
        params: those of the events.

    Attributes:
        spans: what can still be drawn, in the order of becoming known.
        places: open times of the bars where pivots, pools, periods and CHoCHs lie, by event; of a CHoCH
            that is where its pivot lies, of a pool its first pivot.
        extended: open time of the bar by which a pivot was found to be extended, by pivot.
    """

    def __init__(self, params: Parameters) -> None:
        self._sessions = frozenset(names(params))
        self._coverage = params.period_coverage
        self._newest_bars: deque[Candle] = deque(maxlen=params.sweep_bars)
        self.spans: list[Span] = []
        self.places: dict[int, int] = {}
        self.extended: dict[int, int] = {}
        self._live: dict[tuple[int, int], Span] = {}
        self._newest: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._resumed = 0
        self._kept = 0

    @property
    def live(self) -> list[Span]:
        """What has not ended."""
        return list(self._live.values())

    def see(self, candle: Candle) -> None:
        """Take the candle whose events follow."""
        self._newest_bars.append(candle)

    def add(self, event: StructureEvent) -> None:
        """Take one event."""
        kind = event.kind
        if kind == "data_gap":
            self._resumed = event.known_at
        if kind in _PLACES:
            self.places[event.id] = self._place(event)
        if kind == "pivot_extended" and event.on:
            self.extended[event.on[0]] = event.known_at
        if kind in _STEPS:
            self._step(event)
        if kind in _ENDS:
            self._end(event)
        if kind in _BEGINS:
            self._begin(event)
        elif kind in ("previous", "session_closed"):
            self._levels(event)
        elif kind in _RANGES:
            self._renew(RANGE, event, 0, event.top, event.bottom, event.level)
        elif kind == "ote":
            self._renew(ENTRY, event, 0, event.top, event.bottom, event.level)
        elif kind in ("bos", "choch"):
            self._close(self._newest.get((ENTRY, event.scope, 0), (0, 0)), event)

    def forget(self, before: int) -> None:
        """Drop spans that ended before a bar; cheap enough for every bar."""
        if len(self.spans) < 2 * self._kept + 1_000:
            return
        self.spans = [span for span in self.spans if not span.ended_at or span.ended_at >= before]
        self._kept = len(self.spans)

    def _place(self, event: StructureEvent) -> int:
        if event.kind == "choch":
            return self.places.get(event.on[0], event.at)
        return self.places.get(event.on[1], event.at) if event.kind == "pool" else event.at

    def _begin(self, event: StructureEvent) -> None:
        name, sort = event.id, _BEGINS[event.kind]
        if event.kind == "pool_grown":
            name = event.on[1]
            self._close((name, event.direction), event)
        self._open(name, sort, event, event.direction, event.top, event.bottom, event.level)

    def _levels(self, event: StructureEvent) -> None:
        """A day, week, month or session gives two levels, unless too little of it was seen."""
        period = event.kind == "previous"
        late = not period and event.known_at == self._resumed and event.value < 1.0
        if late or event.value < self._coverage:
            return
        for side, level in ((1, event.top), (-1, event.bottom)):
            self._renew(PERIOD if period else SESSION, event, side, level, level, level)

    def _renew(
        self, sort: str, event: StructureEvent, side: int, top: float, bottom: float, level: float
    ) -> None:
        """Open a span in place of the one of its sort, scope and side, if that still lives and is no level
        that price is beyond: that one is yet to be swept or run."""
        before = self._newest.get((sort, event.scope, side), (0, 0))
        if not (before in self._live and side and self._beyond(self._live[before])):
            self._close(before, event, "replaced")
        self._open(event.id, sort, event, side or event.direction, top, bottom, level)
        self._newest[sort, event.scope, side] = (event.id, side)

    def _beyond(self, level: Span) -> bool:
        bars = (bar for bar in self._newest_bars if bar.time > level.known_at)
        return any(bar.high > level.level if level.side > 0 else bar.low < level.level for bar in bars)

    def _step(self, event: StructureEvent) -> None:
        span = self._live.get((event.on[0], 0))
        if span is not None:
            span.steps.append((event.kind, event.known_at))

    def _end(self, event: StructureEvent) -> None:
        side = -event.direction if event.kind == "swept" else event.direction
        for key in ((event.on[0], 0), (event.on[0], side)):
            self._close(key, event)
        if event.kind in ("block_broken", "expired"):
            self._orphan(event)

    def _orphan(self, event: StructureEvent) -> None:
        """A block that ends takes its inducement along."""
        for key, span in list(self._live.items()):
            if span.sort == INDUCEMENT and span.of == event.on[0]:
                self._close(key, event)

    def _open(
        self, name: int, sort: str, event: StructureEvent, side: int, top: float, bottom: float, level: float
    ) -> None:
        span = Span(
            name, sort, event.kind, event.scope, side, event.at, event.known_at, top, bottom, level,
            of=event.on[1] if sort == INDUCEMENT else 0,
        )  # fmt: skip
        self.spans.append(span)
        self._live[name, side if sort == POOL or sort in _LEVELS else 0] = span

    def _close(self, key: tuple[int, int], event: StructureEvent, ended: str = "") -> None:
        span = self._live.pop(key, None)
        if span is not None:
            span.ended_at, span.ended = event.known_at, ended or event.kind
