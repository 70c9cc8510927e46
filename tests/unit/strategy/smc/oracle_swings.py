"""What is told from several swings: the four-swing breaks and the dealing range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from strategy.smc import StructureEvent
from strategy.smc.params import By
from tests.unit.strategy.smc.history import Fact, History, flat


class Pattern(NamedTuple):
    """Low, high, low, high or the mirror: the second and the last pivot, and when each half was known."""

    kind: str
    second: StructureEvent
    last: StructureEvent
    known: int
    broken: int


def _patterns(h: History, scope: str) -> Iterator[Pattern]:
    turns: list[StructureEvent] = []
    used: set[int] = set()
    for event in h.pivots(scope):
        turns = [*(turns if event.kind == "pivot" else turns[:-1]), event]
        if len(turns) < 4 or turns[-3].id in used:
            continue
        a, b, c, d = (turn.level * turns[-3].direction for turn in turns[-4:])
        if not (max(a, c) < b < d and a != c):
            continue
        second = turns[-3]
        used.add(second.id)
        later = range(h.index[second.at] + 2, len(h.bars))
        broken = next((i for i in later if _beyond(h, i, second)), len(h.bars))
        yield Pattern("bos" if a < c else "choch", second, event, h.index[event.known_at], broken)


def _beyond(h: History, index: int, pivot: StructureEvent) -> bool:
    by_wick = h.params.break_by is By.WICK
    price = h.ahead(index, pivot.direction) if by_wick else h.bars[index].close
    return (price - pivot.level) * pivot.direction > 0


def four_swings(h: History, scope: str) -> Iterator[Fact]:
    """Each pattern is named once, when both it and its break are known; too many that wait push one out."""
    waits: list[Pattern] = []
    lost: set[int] = set()
    found = list(_patterns(h, scope))
    for p in found:
        waits = [w for w in waits if w.broken > p.known]
        if p.broken > p.known:
            if len(waits) == h.params.zones_kept:
                out = waits.pop(0).second
                lost.add(out.id)
                yield flat(
                    p.last.known_at, "expired", scope, out.direction, out.at, out.level, 0.0, (out.id,)
                )
            waits.append(p)
    for p in found:
        if p.second.id not in lost and p.broken < len(h.bars):
            known, at = h.bars[max(p.known, p.broken)].time, h.bars[p.broken].time
            on = (p.second.id, p.last.id)
            yield flat(known, p.kind, scope, p.second.direction, at, p.second.level, 0.0, on)


def dealing_range(h: History) -> Iterator[Fact]:
    """From the newest swing low to the newest swing high, or farther where price went farther since."""
    newest: dict[int, StructureEvent] = {}
    edge: dict[int, float] = {}
    part, name, swings = 2, 0, {e.known_at: e for e in h.pivots("swing")}
    for index, bar in enumerate(h.bars):
        swing = swings.get(bar.time)
        if swing:
            newest[swing.direction] = swing
        for side, pivot in newest.items():
            if pivot is swing:
                since = [h.ahead(i, side) for i in range(h.index[pivot.at], index + 1)]
                edge[side] = max(since) if side > 0 else min(since)
            edge[side] = max(edge[side], bar.high) if side > 0 else min(edge[side], bar.low)
        if len(newest) < 2:
            continue
        top, bottom = edge[1], edge[-1]
        middle, half = (top + bottom) / 2, (top - bottom) * (h.params.equilibrium_width / 2)
        if swing:
            side, other = swing.direction, newest[-swing.direction]
            name = h.id_of("dealing_range", index, side, "swing")
            where = (swing.at, middle, top, bottom, top - bottom, (swing.id, other.id))
            yield Fact(bar.time, "dealing_range", "swing", side, *where)
        now = 1 if bar.close > middle + half else -1 if bar.close < middle - half else 0
        if now != part:
            part, kind = now, ("equilibrium", "premium", "discount")[now]
            yield Fact(bar.time, kind, "swing", -now, bar.time, middle, top, bottom, bar.close, (name,))
