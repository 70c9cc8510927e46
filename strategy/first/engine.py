"""The engine of one symbol and timeframe, and the small view that decisions are made from.

The decider needs a msgspec struct with `advance`; the assessment needs `View`. Whatever offers both
can take this engine's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from bus_schemas.events import Side
from bus_schemas.settings.strategy import BlockCandle
from strategy.aggregate import Bar
from strategy.first.atr import Atr
from strategy.first.fair_value_gaps import fair_value_gap
from strategy.first.liquidity import Liquidity
from strategy.first.order_blocks import order_block
from strategy.first.structure import Break, Structure
from strategy.first.swings import Pivot, confirmed
from strategy.first.zones import Zone

ZONES_KEPT = 8
LEVELS_KEPT = 16


class Parameters(msgspec.Struct, frozen=True):
    """What an engine is told; never part of its state.

    Attributes:
        length: milliseconds of a bar.
        fvg_min_atr: smallest fair value gap, as a multiple of the average true range.
    """

    length: int
    swing_length: int
    atr_period: int
    block_candle: BlockCandle
    fvg_min_atr: float


class View(Protocol):
    """What a decision may see of one timeframe. Everything in it was known at the last bar's close."""

    @property
    def bars(self) -> int:
        """Bars taken so far."""

    @property
    def atr(self) -> float:
        """Average true range, in quote currency."""

    @property
    def last_break(self) -> Break | None:
        """The newest break of structure."""

    def zones(self, side: Side) -> Sequence[Zone]:
        """Zones of a side in the order in which they became known, spoiled ones included."""

    def liquidity(self, side: Side, price: float) -> Sequence[Pivot]:
        """Unswept levels that a trade to this side from this price runs into, nearest first."""


class SmcEngine(msgspec.Struct):
    """State and rules of one timeframe: a constant amount of work and memory per bar.

    Attributes:
        bars: bars taken so far.
        recent: as many of the newest bars as a swing needs.
        book: zones by side, the newest `ZONES_KEPT` of each; an older one is forgotten.
    """

    bars: int = 0
    recent: list[Bar] = []
    true_range: Atr = msgspec.field(default_factory=Atr)
    structure: Structure = msgspec.field(default_factory=Structure)
    levels: Liquidity = msgspec.field(default_factory=Liquidity)
    book: dict[Side, list[Zone]] = msgspec.field(default_factory=lambda: {Side.LONG: [], Side.SHORT: []})

    def advance(self, bar: Bar, rules: Parameters) -> None:
        """Take the next closed bar.

        Order matters and is part of the definition: zones meet the bar before it makes new ones, and
        a pivot can be broken only by bars after the one that confirmed it.
        """
        blind = bar.gap or (bool(self.recent) and bar.at != self.recent[-1].at + rules.length)
        self.bars += 1
        self.recent.append(bar)
        del self.recent[: -max(2 * rules.swing_length + 1, 3)]
        self.true_range.advance(bar, rules.atr_period)
        self.levels.advance(bar)
        for side in Side:
            for zone in self.book[side]:
                zone.advance(bar, blind)
        self._add(fair_value_gap(self.recent, rules.length, rules.fvg_min_atr * self.true_range.value))
        broken = self.structure.advance(bar)
        if broken is not None:
            self._add(order_block(*broken, bar, rules.block_candle))
        high, low = confirmed(self.recent, rules.swing_length)
        self.structure.confirm(high, low, self.recent[-rules.swing_length :])
        self.levels.confirm(high, low, LEVELS_KEPT)

    @property
    def atr(self) -> float:
        return self.true_range.value

    @property
    def last_break(self) -> Break | None:
        return self.structure.last

    def zones(self, side: Side) -> Sequence[Zone]:
        return self.book[side]

    def liquidity(self, side: Side, price: float) -> Sequence[Pivot]:
        return self.levels.beyond(side, price)

    def _add(self, zone: Zone | None) -> None:
        if zone is not None:
            zones = self.book[zone.side]
            zones.append(zone)
            del zones[:-ZONES_KEPT]
