"""Liquidity: equal highs and lows, sweeps and runs, as plain lists of levels that every bar looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strategy.smc import StructureEvent
from tests.unit.strategy.smc.history import Fact, History
from tests.unit.strategy.smc.oracle_calendar import counts, ended


@dataclass
class Level:
    """A level, or a pool of them.

    Attributes:
        beyond: bars since price went beyond it, that one included.
        mark: how far it went.
        first: bar at which it did.
    """

    id: int
    scope: str
    side: int
    at: int
    top: float
    bottom: float
    pivots: int = 1
    beyond: int = 0
    mark: float = 0.0
    first: int = 0

    @property
    def price(self) -> float:
        return self.top if self.side > 0 else self.bottom


def levels(h: History) -> Iterator[Fact]:
    """Each bar meets the levels known before it; then come those that it makes known."""
    for side in (1, -1):
        live: list[Level] = []
        new = h.of("pivot", "pivot_extended", "session_closed", "previous")
        by_bar: dict[int, list[StructureEvent]] = {}
        for event in new:
            by_bar.setdefault(event.known_at, []).append(event)
        for index, bar in enumerate(h.bars):
            for level in list(live):
                fact = _meet(h, level, index)
                if level.beyond < 0:
                    live.remove(level)
                if fact:
                    yield fact
            for event in by_bar.get(bar.time, ()):
                if event.scope == "internal" and event.direction == side:
                    yield from _pivot(h, live, event, side, index)
                elif ended(event) if event.kind == "previous" else _of_session(h, event):
                    price = event.top if side > 0 else event.bottom
                    live[:] = [one for one in live if one.scope != event.scope or one.beyond]
                    yield from _add(h, live, event, event.scope, side, price)


def _of_session(h: History, event: StructureEvent) -> bool:
    return event.kind == "session_closed" and counts(h, event)


def _meet(h: History, level: Level, index: int) -> Fact | None:
    bar, side, price = h.bars[index], level.side, level.price
    reach = h.ahead(index, side)
    if level.beyond == 0 and (reach - price) * side <= 0:
        return None
    if level.beyond == 0:
        level.first, level.mark = bar.time, reach
    level.mark = max(level.mark, reach) if side > 0 else min(level.mark, reach)
    level.beyond += 1
    if (bar.close - price) * side < 0:
        level.beyond = -1
        atr = h.averages[index].atr
        top, bottom = max(level.mark, price), min(level.mark, price)
        depth = abs(level.mark - price) / atr if atr > 0 else 0.0
        where = (level.scope, -side, level.first, price, top, bottom, depth, (level.id,))
        return Fact(bar.time, "swept", *where)
    if level.beyond < h.params.sweep_bars:
        return None
    level.beyond = -1
    where = (level.scope, side, level.first, price, level.top, level.bottom, bar.close, (level.id,))
    return Fact(bar.time, "run", *where)


def _pivot(h: History, live: list[Level], event: StructureEvent, side: int, index: int) -> Iterator[Fact]:
    """The untouched pivot or pool nearest to the market that is within the tolerance takes it in.

    Where a pivot and a pool lie at the very same price it is the one that the engine takes.
    """
    tolerance = h.params.pool_atr * h.averages[index].atr
    taken = [e.on[1] for e in h.of("pool", "pool_grown") if e.on[0] == event.id]
    for level in sorted(live, key=lambda one: (one.price * side, one.id not in taken)):
        if level.beyond or level.scope not in ("internal", "pool"):
            continue
        top, bottom = max(level.top, event.level), min(level.bottom, event.level)
        if top - bottom > tolerance:
            continue
        level.top, level.bottom, level.pivots = top, bottom, level.pivots + 1
        kind = "pool" if level.scope == "internal" else "pool_grown"
        where = ("pool", side, event.at, level.price, top, bottom, level.pivots, (event.id, level.id))
        if kind == "pool":
            level.scope, level.id = "pool", h.id_of("pool", index, side, "pool")
        yield Fact(event.known_at, kind, *where)
        return
    before = h.before(event)
    if event.kind == "pivot" and before and abs(before.level - event.level) <= tolerance:
        top, bottom = max(before.level, event.level), min(before.level, event.level)
        price = top if side > 0 else bottom
        where = ("pool", side, event.at, price, top, bottom, 2, (event.id, before.id))
        yield Fact(event.known_at, "pool", *where)
        yield from _add(h, live, event, "pool", side, price)
        live[-1].id = h.id_of("pool", index, side, "pool")
        live[-1].top, live[-1].bottom, live[-1].pivots = top, bottom, 2
        return
    yield from _add(h, live, event, "internal", side, event.level)


def _add(
    h: History, live: list[Level], event: StructureEvent, scope: str, side: int, price: float
) -> Iterator[Fact]:
    """Where there are as many as may be, the oldest untouched pivot goes, or else the oldest of all."""
    if len(live) == h.params.levels_kept:
        pivots = [one for one in live if one.scope == "internal" and not one.beyond]
        lost = min(pivots or live, key=lambda one: one.id)
        live.remove(lost)
        where = (lost.at, (lost.top + lost.bottom) / 2, lost.top, lost.bottom, 0.0, (lost.id,))
        yield Fact(event.known_at, "expired", lost.scope, side, *where)
    live.append(Level(event.id, scope, side, event.at, price, price))
