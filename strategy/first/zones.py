"""Zones: price ranges where an entry may wait. What order blocks and fair value gaps share."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from bus_schemas.events import Millis, Side
from strategy.aggregate import Bar


class ZoneKind(StrEnum):
    """What made the zone; also the name of the setup."""

    ORDER_BLOCK = "order_block"
    FAIR_VALUE_GAP = "fair_value_gap"


class ZoneState(StrEnum):
    """States only move downwards in this list."""

    FRESH = "fresh"
    """Price has not come back since the zone became known."""
    TOUCHED = "touched"
    """Price reached the near edge, or may have while candles were missing."""
    SPENT = "spent"
    """An order block was broken by a close beyond it; a fair value gap was filled."""


class Zone(msgspec.Struct, array_like=True):
    """A price range on one side.

    Attributes:
        side: direction of a trade from it; a `long` zone lies below the price.
        top, bottom: edges, in quote currency.
        at: open time of the candle where it lies; of a fair value gap the middle one.
        known_at: close of the candle at which it became known.
        changed_at: close of the candle at which the state changed last.
        signalled: whether a signal came from it.
    """

    kind: ZoneKind
    side: Side
    top: float
    bottom: float
    at: Millis
    known_at: Millis
    state: ZoneState = ZoneState.FRESH
    changed_at: Millis = 0
    signalled: bool = False

    @property
    def near(self) -> float:
        """The edge that price meets first when it comes back."""
        return self.top if self.side is Side.LONG else self.bottom

    @property
    def far(self) -> float:
        """The edge beyond which the zone has failed."""
        return self.bottom if self.side is Side.LONG else self.top

    def advance(self, bar: Bar, blind: bool) -> None:
        """Let a bar that closed after `known_at` change the state.

        An order block is spent by a close beyond its far edge, a fair value gap by a wick that
        reaches it. `blind` says that candles are missing just before the bar or in it: then nobody
        can say that price did not touch the zone.
        """
        if self.state is ZoneState.SPENT:
            return
        long = self.side is Side.LONG
        reach = bar.low if long else bar.high
        if self.kind is ZoneKind.ORDER_BLOCK:
            spent = bar.close < self.bottom if long else bar.close > self.top
        else:
            spent = reach <= self.bottom if long else reach >= self.top
        if spent:
            self._become(ZoneState.SPENT, bar)
        elif self.state is ZoneState.FRESH and (
            blind or (reach <= self.top if long else reach >= self.bottom)
        ):
            self._become(ZoneState.TOUCHED, bar)

    def _become(self, state: ZoneState, bar: Bar) -> None:
        self.state = state
        self.changed_at = bar.known_at
