"""Pivots, breaks and impulses, by loops over the whole history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from strategy.smc import StructureEvent
from strategy.smc.params import Breaks, By
from tests.unit.strategy.smc.history import Fact, History, flat

SCOPES = ("internal", "swing")


def lengths(h: History) -> dict[str, int]:
    return {"internal": h.params.internal_length, "swing": h.params.swing_length}


def holes(h: History) -> Iterator[Fact]:
    for index, bar in enumerate(h.bars):
        if index and h.begins[index] == index:
            missing = (bar.time - h.bars[index - 1].time) // h.step - 1
            yield flat(bar.time, "data_gap", "", 0, bar.time, bar.open, missing)


def _candidate(h: History, index: int, size: int, newest: int) -> int:
    """+1, -1 or 0: whether the bar is a swing high or low, looking `size` bars to both sides."""
    bar, first = h.bars[index], h.begins[index + size]
    if h.params.reference_pivots:
        if index - first < 2 * size - 1:
            return 0
        window = h.bars[index - size + 1 : index + size + 1]
        if bar.high == max(b.high for b in window):
            return 1
        return -1 if bar.low == min(b.low for b in window) else 0
    if index - size < first:
        return 0
    left, right = h.bars[index - size : index], h.bars[index + 1 : index + size + 1]
    high = max(b.high for b in left) < bar.high >= max(b.high for b in right)
    low = min(b.low for b in left) > bar.low <= min(b.low for b in right)
    return -newest if high and low else high - low


def pivots(h: History, scope: str) -> Iterator[Fact]:
    size, newest = lengths(h)[scope], 0
    level, at, name = {1: 0.0, -1: 0.0}, {1: 0, -1: 0}, {1: 0, -1: 0}
    for index in range(size, len(h.bars)):
        known = h.bars[index].time
        side = _candidate(h, index - size, size, newest)
        price = h.ahead(index - size, side)
        if side == 0 or (side == newest and (price - level[side]) * side <= 0):
            continue
        kind, on = ("pivot_extended", name[side]) if side == newest else ("pivot", name[-side])
        if newest == -side:
            yield flat(known, "pivot_confirmed", scope, -side, at[-side], level[-side], 0.0, (on,))
        newest, level[side], at[side] = side, price, h.bars[index - size].time
        name[side] = h.id_of(kind, index, side, scope)
        yield flat(known, kind, scope, side, at[side], price, 0.0, (on,) if on else ())


class Break(NamedTuple):
    """A pivot broken by a bar.

    Attributes:
        index, pivot: of the bars that break and are broken.
        start, end: of the impulse.
        name: id of the event, or of the pivot where breaks are named by another rule.
    """

    index: int
    scope: str
    side: int
    pivot: int
    level: float
    start: float
    end: float
    name: int
    displaced: int
    of: int
    against: bool


def breaks(h: History, scope: str) -> list[Break]:
    """In order. A pivot is watched from the bar after it became known until the next one is known."""
    found = []
    for side in (1, -1):
        known = h.pivots(scope, side)
        for event, later in zip(known, [*known[1:], None], strict=False):
            last = h.index[later.known_at] if later else len(h.bars) - 1
            for index in range(h.index[event.known_at] + 1, last + 1):
                bar = h.bars[index]
                price = h.ahead(index, side) if h.params.break_by is By.WICK else bar.close
                if (price - event.level) * side > 0:
                    found.append((index, side if bar.close >= bar.open else -side, side, event))
                    break
    out: list[Break] = []
    for index, _, side, event in sorted(found, key=lambda item: item[:2]):
        against = bool(out) and out[-1].side == -side
        out.append(_break(h, scope, index, side, event, against))
    return out


def _break(h: History, scope: str, index: int, side: int, event: StructureEvent, against: bool) -> Break:
    pivot = h.index[event.at]
    behind = [h.ahead(i, -side) for i in range(pivot + 1, index + 1)]
    start = min(behind) if side > 0 else max(behind)
    displaced = max(h.id_of("displacement", index, side), 0)
    name = event.id
    if h.params.breaks is Breaks.LAST_PIVOT:
        name = h.id_of("choch" if against else "bos", index, side, scope)
    end = h.ahead(index, side)
    return Break(index, scope, side, pivot, event.level, start, end, name, displaced, event.id, against)


def named(h: History, found: list[Break]) -> Iterator[Fact]:
    """BOS, CHoCH and MSS."""
    for b in found:
        bar, atr = h.bars[b.index], h.atr_before(b.index)
        top, bottom = max(b.start, b.end), min(b.start, b.end)
        body = (bar.close - bar.open) * b.side / atr if atr > 0 else 0.0
        kind = "choch" if b.against else "bos"
        where = (b.scope, b.side, bar.time, b.level, top, bottom, body)
        on = (b.of, b.displaced) if b.displaced else (b.of,)
        yield Fact(bar.time, kind, *where, on)
        if b.against and b.displaced:
            yield Fact(bar.time, "mss", *where, (b.name, b.displaced))


def entries(h: History, found: list[Break]) -> Iterator[Fact]:
    """Optimal trade entries: each impulse lives until the next break, or until its start is passed."""
    for b, later in zip(found, [*found[1:], None], strict=False):
        end, armed, side = b.end, True, b.side
        for index in range(b.index + 1, (later.index if later else len(h.bars) - 1) + 1):
            bar, back = h.bars[index], h.ahead(index, -side)
            if (h.ahead(index, side) - end) * side > 0:
                end, armed, back = h.ahead(index, side), True, bar.close
            size = end - b.start
            near, far = end - h.params.ote_from * size, end - h.params.ote_to * size
            over = (h.ahead(index, -side) - b.start) * side < 0
            if not over and armed and (back - near) * side <= 0:
                armed = False
                depth = (end - back) / size if size else 0.0
                top, bottom = max(near, far), min(near, far)
                known = bar.time
                yield Fact(
                    known, "ote", b.scope, side, known, (near + far) / 2, top, bottom, depth, (b.name,)
                )
            if over:
                break
