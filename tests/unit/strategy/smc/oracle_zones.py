"""Fair value gaps, order blocks, inducement and flips: each zone's life by a loop over the bars after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from strategy.smc.params import BlockCandle, BlockZone, By
from tests.unit.strategy.smc.history import Fact, History, flat
from tests.unit.strategy.smc.oracle_structure import Break

NEVER = 1 << 60


@dataclass
class Zone:
    """A zone from the bar at which it is known.

    Attributes:
        ends: bar after whose meeting it is no more of its kind.
        lost: bar at which others pushed it out.
        story: what happens to it, with the bar.
        left: id of the event that made it a flip, with the bar.
    """

    id: int
    scope: str
    side: int
    known: int
    at: int
    top: float
    bottom: float
    ends: int = NEVER
    lost: int = NEVER
    story: list[tuple[int, Fact]] = field(default_factory=list)

    @property
    def near(self) -> float:
        return self.top if self.side > 0 else self.bottom

    @property
    def far(self) -> float:
        return self.bottom if self.side > 0 else self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def fact(self, h: History, kind: str, index: int, value: float, side: int = 0, *on: int) -> Fact:
        known, side = h.bars[index].time, side or self.side
        where = (known, self.middle, self.top, self.bottom, value)
        return Fact(known, kind, self.scope, side, *where, (self.id, *(one for one in on if one)))

    def told(self) -> Iterator[Fact]:
        return (fact for index, fact in self.story if index <= self.lost)


def _tell(h: History, zone: Zone, kind: str, index: int, value: float, side: int = 0, *on: int) -> None:
    zone.story.append((index, zone.fact(h, kind, index, value, side, *on)))


def _expire(h: History, zones: list[Zone], index: int) -> Iterator[Fact]:
    """One more comes at this bar: where there are as many as may be, the oldest goes."""
    living = [z for z in zones if z.ends > index and z.lost == NEVER]
    if len(living) >= h.params.zones_kept:
        oldest = living[0]
        oldest.lost = index
        known = h.bars[index].time
        where = (oldest.middle, oldest.top, oldest.bottom, 0.0, (oldest.id,))
        yield Fact(known, "expired", oldest.scope, oldest.side, oldest.at, *where)


def gaps(h: History, side: int) -> tuple[list[Zone], list[Fact]]:
    """Three candles; the middle one closed in the gap's direction; neighbours joined."""
    zones: list[Zone] = []
    facts: list[Fact] = []
    for index in range(2, len(h.bars)):
        if h.begins[index] > index - 2:
            continue
        middle = h.bars[index - 1]
        near, far = h.ahead(index, -side), h.ahead(index - 2, side)
        size, least = (near - far) * side, h.params.fvg_min_atr * h.averages[index].atr
        if size <= 0 or (middle.close - middle.open) * side <= 0 or size < least:
            continue
        top, bottom, known = max(near, far), min(near, far), h.bars[index].time
        if h.params.fvg_joined and zones and zones[-1].known == index - 1:
            before, kind = zones[-1], "fvg_joined"
            before.ends = index - 1
            before.story = [(i, fact) for i, fact in before.story if i < index]
            top, bottom, on = max(top, before.top), min(bottom, before.bottom), (before.id,)
        else:
            kind, on = "fvg", ()
            facts += _expire(h, zones, index)
        zone = Zone(h.id_of(kind, index, side), "", side, index, middle.time, top, bottom)
        where = (middle.time, zone.middle, top, bottom, top - bottom, on)
        facts.append(Fact(known, kind, "", side, *where))
        _fill(h, zone)
        zones.append(zone)
    return zones, facts


def _fill(h: History, zone: Zone) -> None:
    stages = (("fvg_touched", zone.near), ("fvg_half_filled", zone.middle), ("fvg_filled", zone.far))
    stage = 0
    for index in range(zone.known + 1, len(h.bars)):
        reach = h.ahead(index, -zone.side)
        while stage < 3 and (reach - stages[stage][1]) * zone.side <= 0:
            _tell(h, zone, stages[stage][0], index, reach)
            stage += 1
        close = h.bars[index].close
        if stage == 3 and (close - zone.far) * zone.side < 0:
            _tell(h, zone, "fvg_inverted", index, close, -zone.side)
            zone.ends = index
            return


def blocks(h: History, side: int, found: list[Break]) -> tuple[list[Zone], list[Fact]]:
    """A block for each break: internal ones before swing ones at the same bar."""
    zones: list[Zone] = []
    facts: list[Fact] = []
    for b in sorted((b for b in found if b.side == side), key=lambda b: (b.index, b.scope)):
        candle = h.bars[_block(h, b)]
        top, bottom = candle.high, candle.low
        if h.params.block_zone is BlockZone.BODY:
            top, bottom = max(candle.open, candle.close), min(candle.open, candle.close)
        zone = Zone(-1, b.scope, side, b.index, candle.time, top, bottom)
        living = ((z.at, z.scope) for z in zones if z.ends > b.index and z.lost == NEVER)
        if (h.bars[b.index].close - zone.far) * side < 0 or (zone.at, zone.scope) in living:
            continue
        facts += _expire(h, zones, b.index)
        zone.id = h.id_of("block", b.index, side, b.scope)
        on = (b.name, b.displaced) if b.displaced else (b.name,)
        known, size = h.bars[b.index].time, top - bottom
        facts.append(Fact(known, "block", b.scope, side, zone.at, zone.middle, top, bottom, size, on))
        _come_back(h, zone)
        zones.append(zone)
    for zone in zones:
        _induce(h, zone)
    return zones, facts


def _block(h: History, b: Break) -> int:
    """The last candle against the break from the pivot to the extreme between pivot and break; or that."""
    between = range(b.pivot + 1, b.index)
    far = max(between, key=lambda i: (-b.side * h.ahead(i, -b.side), i))
    against = [i for i in between if i <= far and (h.bars[i].open - h.bars[i].close) * b.side > 0]
    return far if h.params.block_candle is BlockCandle.EXTREME or not against else against[-1]


def _come_back(h: History, zone: Zone) -> None:
    side, close = zone.side, h.bars[zone.known].close
    mitigated = (close - zone.near) * side <= 0
    if mitigated:
        _tell(h, zone, "block_mitigated", zone.known, close)
    for index in range(zone.known + 1, len(h.bars)):
        reach = h.ahead(index, -side)
        if not mitigated and (reach - zone.near) * side <= 0:
            mitigated = True
            _tell(h, zone, "block_mitigated", index, reach)
        beyond = reach if h.params.block_broken_by is By.WICK else h.bars[index].close
        if (beyond - zone.far) * side < 0:
            known = h.bars[index].time
            where = (known, zone.far, zone.top, zone.bottom, beyond, (zone.id,))
            zone.story.append((index, Fact(known, "block_broken", zone.scope, side, *where)))
            zone.ends = index
            _turn(h, zone, index)
            return


def _turn(h: History, zone: Zone, index: int) -> None:
    """A breaker if liquidity ahead was swept while the block lived."""
    end = h.id_of("block_broken", index, zone.side, zone.scope, zone.id)
    swept = [e.id for e in h.of("swept") if e.direction == -zone.side and zone.id < e.id < end]
    kind = "breaker" if swept else "mitigation_block"
    _tell(h, zone, kind, index, h.bars[index].close, -zone.side, end, *swept[-1:])


def _induce(h: History, zone: Zone) -> None:
    """The first internal pivot between price and an untouched block; and price beyond that pivot."""
    side = zone.side
    touched = min(i for i, fact in [*zone.story, (NEVER, None)] if not fact or fact.kind == "block_mitigated")
    for event in h.pivots("internal", -side):
        known = h.index[event.known_at]
        if event.at < h.bars[zone.known].time or (event.level - zone.near) * side <= 0:
            continue
        if known >= min(touched, zone.lost):
            return
        name = next((e.id for e in h.of("inducement") if e.on == (event.id, zone.id)), -1)
        on = (event.id, zone.id)
        zone.story.append(
            (known, flat(event.known_at, "inducement", zone.scope, side, event.at, event.level, 0.0, on))
        )
        for index in range(known + 1, min(zone.ends, len(h.bars) - 1) + 1):
            reach, at = h.ahead(index, -side), h.bars[index].time
            if (reach - event.level) * side < 0:
                taken = flat(
                    at, "inducement_taken", zone.scope, side, at, event.level, reach, (name, zone.id)
                )
                zone.story.append((index, taken))
                return
        return


def flips(h: History, side: int, sources: list[Zone]) -> Iterator[Fact]:
    """Zones of the other side that turned, in the order in which they did."""
    zones: list[Zone] = []
    by_id = {source.id: source for source in sources}
    for event in h.of("fvg_inverted", "breaker", "mitigation_block"):
        source = by_id.get(event.on[0])
        if source is None or event.direction != side:
            continue
        index = h.index[event.known_at]
        yield from _expire(h, zones, index)
        zone = Zone(event.id, source.scope, side, index, event.known_at, source.top, source.bottom)
        _retest(h, zone)
        zones.append(zone)
    for zone in zones:
        yield from zone.told()


def _retest(h: History, zone: Zone) -> None:
    retested = False
    for index in range(zone.known + 1, len(h.bars)):
        reach, close = h.ahead(index, -zone.side), h.bars[index].close
        if not retested and (reach - zone.near) * zone.side <= 0:
            retested = True
            _tell(h, zone, "flip_retested", index, reach)
        if (close - zone.far) * zone.side < 0:
            _tell(h, zone, "flip_failed", index, close)
            zone.ends = index
            return


def zones(h: History, found: list[Break]) -> Iterator[Fact]:
    """Everything about zones of both sides."""
    turning: dict[int, list[Zone]] = {}
    for side in (1, -1):
        some, facts = gaps(h, side)
        more, others = blocks(h, side, found)
        turning[-side] = some + more
        yield from facts + others
        for zone in some + more:
            yield from zone.told()
    for side in (1, -1):
        yield from flips(h, side, turning[side])
