"""Candles with what the engine said of them, and how what it should have said is compared with that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import NamedTuple

from bus_schemas.timeframes import length
from strategy.smc import Candle, Parameters, SmcEngine, StructureEvent


class Fact(NamedTuple):
    """An event as a definition demands it; everything but its id. `value` is None where it is not defined."""

    known: int
    kind: str
    scope: str
    direction: int
    at: int
    level: float
    top: float
    bottom: float
    value: float | None
    on: tuple[int, ...] = ()


class Averages(NamedTuple):
    """The engine's own averages after a bar. They are compared with the textbook's within a tolerance; what
    depends on them being above a threshold is then computed from these, so that ties are no matter."""

    atr: float
    plus: float
    minus: float
    adx: float
    fast: float
    slow: float


@dataclass
class History:
    """A run of the engine. Indices are those of `bars`."""

    bars: Sequence[Candle]
    params: Parameters
    step: int = 0
    events: list[StructureEvent] = field(default_factory=list)
    averages: list[Averages] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    """For each bar the first one of its run without holes."""

    def __post_init__(self) -> None:
        self.step = length(self.params.timeframe)
        engine = SmcEngine(self.params)
        for index, bar in enumerate(self.bars):
            whole = index > 0 and bar.time == self.bars[index - 1].time + self.step
            self.begins.append(self.begins[-1] if whole else index)
            self.events += engine.update(bar)
            a = engine.state.averages
            self.averages.append(Averages(a.atr, a.plus, a.minus, a.adx, a.fast, a.slow))
        self.index = {bar.time: index for index, bar in enumerate(self.bars)}
        self._by: dict[tuple[str, int], list[StructureEvent]] = defaultdict(list)
        self._kinds: dict[str, list[StructureEvent]] = defaultdict(list)
        for event in self.events:
            self._kinds[event.kind].append(event)
            self._by[event.kind, event.known_at].append(event)

    def of(self, *kinds: str, scope: str | None = None) -> list[StructureEvent]:
        """Events of these kinds in order."""
        found = [e for kind in kinds for e in self._kinds[kind] if scope in (None, e.scope)]
        return found if len(kinds) == 1 else sorted(found, key=lambda e: e.id)

    def id_of(self, kind: str, index: int, direction: int, scope: str = "", on: int = 0, at: int = -1) -> int:
        """Id of the event of this kind at a bar, -1 where the engine did not say it."""
        for event in self._by.get((kind, self.bars[index].time), ()):
            one = event.direction == direction and event.scope == scope
            if one and (not on or event.on[0] == on) and at in (-1, event.at):
                return event.id
        return -1

    def atr_before(self, index: int) -> float:
        return self.averages[index - 1].atr if index else 0.0

    def ahead(self, index: int, side: int) -> float:
        """The extreme of a bar in a direction."""
        return self.bars[index].high if side > 0 else self.bars[index].low

    def before(self, event: StructureEvent) -> StructureEvent | None:
        """The pivot before this one, of the same scope and side, as it was known last."""
        found = self.pivots(event.scope, event.direction)
        index = found.index(event)
        return found[index - 1] if index else None

    def pivots(self, scope: str, side: int = 0) -> list[StructureEvent]:
        """Pivots as they became known; an extended one once more."""
        found = self.of("pivot", "pivot_extended", scope=scope)
        return [e for e in found if side in (0, e.direction)]


def flat(known: int, kind: str, scope: str, side: int, at: int, level: float, *rest: object) -> Fact:
    """A fact about one price."""
    return Fact(known, kind, scope, side, at, level, level, level, *rest)  # type: ignore[arg-type]


def _key(fact: Fact) -> tuple[object, ...]:
    return (fact.known, fact.kind, fact.scope, fact.direction, fact.at, fact.on, fact.level)


def _alike(one: Fact, other: Fact) -> bool:
    if one[:8] != other[:8] or one.on != other.on:
        return False
    if one.value is None or other.value is None:
        return True
    return isclose(one.value, other.value, rel_tol=1e-9, abs_tol=1e-9)


def assert_facts(history: History, facts: Iterable[Fact]) -> None:
    """What was said is what had to be said, no more and no less."""
    said = [
        Fact(e.known_at, e.kind, e.scope, e.direction, e.at, e.level, e.top, e.bottom, e.value, e.on)
        for e in history.events
    ]
    ours, theirs = sorted(said, key=_key), sorted(facts, key=_key)
    for index in range(max(len(ours), len(theirs))):
        one = ours[index] if index < len(ours) else None
        other = theirs[index] if index < len(theirs) else None
        if one is None or other is None or not _alike(one, other):
            raise AssertionError(f"said {one}, defined {other}, with {history.params}")
