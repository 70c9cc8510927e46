"""Questions of the playbook to a timeframe's state. Nothing here changes anything.

Prices are asked for by side: +1 for long, -1 for short; the answers for one side mirror the other's.
Times that are told are event times: of the close at which something was known.
"""

from __future__ import annotations

import msgspec

from bus_schemas.events import Millis
from bus_schemas.settings.strategy import Scope, ZoneKind
from strategy.frame import Frame
from strategy.smc import kinds
from strategy.smc.dealing_range import BOTH
from strategy.smc.state import Trend, Zone
from strategy.story import Shift, Story

_KINDS = {
    kinds.BLOCK: ZoneKind.ORDER_BLOCK,
    kinds.FVG: ZoneKind.FAIR_VALUE_GAP,
    kinds.BREAKER: ZoneKind.BREAKER,
    kinds.MITIGATION_BLOCK: ZoneKind.MITIGATION_BLOCK,
    kinds.FVG_INVERTED: ZoneKind.INVERTED_GAP,
}


class Area(msgspec.Struct, frozen=True):
    """Where an entry may wait.

    Attributes:
        id: of the event that made it known.
        side: +1 below the price, -1 above.
        near, far: the edge that price comes to first, and the other.
        at: open time of its candle.
        known_at: event time.
        source: the engine's zone, or the shift whose optimal trade entry it is; marked once it gave a signal.
        inducement: id of the event that took its inducement, 0 for none.
        ahead: whether price has not come to it yet.
    """

    id: int
    kind: ZoneKind
    side: int
    near: float
    far: float
    at: Millis
    known_at: Millis
    source: Zone | Shift
    inducement: int = 0
    ahead: bool = True

    def meets(self, near: float, far: float) -> bool:
        """Whether it has a price in common with a range of its side."""
        return (self.near - far) * self.side >= 0 and (near - self.far) * self.side >= 0

    def overlaps(self, other: Area) -> bool:
        """Whether a zone of another kind has a price in common with it."""
        alike = other.kind is self.kind or other.kind is ZoneKind.OPTIMAL_TRADE_ENTRY
        return not alike and self.meets(other.near, other.far)


class Level(msgspec.Struct, frozen=True):
    """Liquidity that nobody has taken."""

    id: int
    price: float


class Dealing(msgspec.Struct, frozen=True):
    """The dealing range, and the event that set it."""

    id: int
    top: float
    bottom: float


class Band(msgspec.Struct, frozen=True):
    """The optimal trade entry of a living impulse.

    Attributes:
        near, far: where a retrace enters and leaves it.
        start, end: of the impulse.
        ahead: whether price has not come to it since the impulse's newest extreme.
        id: the break that the impulse belongs to.
    """

    near: float
    far: float
    start: float
    end: float
    ahead: bool
    id: int


class View:
    """One symbol and timeframe.

    Args:
        length: milliseconds of a candle.
        ote: shares of the impulse at which the optimal trade entry begins and ends.
        sessions: names, in the engine's order.
    """

    __slots__ = ("_ote", "_sessions", "_state", "length", "story")

    def __init__(
        self, frame: Frame, length: int, ote: tuple[float, float], sessions: tuple[str, ...] = ()
    ) -> None:
        self._state = frame.state
        self.story: Story = frame.story
        self.length = length
        self._ote = ote
        self._sessions = sessions

    @property
    def bars(self) -> int:
        """Whole candles so far."""
        return self._state.averages.bars

    @property
    def atr(self) -> float:
        """Average true range, in quote currency."""
        return self._state.averages.atr

    @property
    def adx(self) -> float:
        """Strength of the trend, 0 to 100."""
        return self._state.averages.adx

    @property
    def resumed(self) -> Millis:
        """Open time of the first candle after the last missing one, 0 if none was missing."""
        return self._state.window.resumed

    def closed(self, opening: Millis) -> Millis:
        """Close time of a candle."""
        return opening + self.length

    def age(self, opening: Millis, now: Millis) -> int:
        """Candles from a candle's close to now; those that are missing count too."""
        return (now - opening) // self.length - 1

    def whole(self, shift: Shift) -> bool:
        """Whether no candle is missing from the beginning of its leg until now."""
        return shift.start_at >= self.resumed

    def leg_zones(
        self, shift: Shift | None, side: int, wanted: tuple[ZoneKind, ...]
    ) -> tuple[int, list[Area]]:
        """How many zones of a side are alive, and those that are fresh: of the leg of a shift, or all.

        A zone belongs to a leg if it lies at the leg's extreme or after, or is the order block of its break.
        It is fresh if price has not come back to it, as far as every candle since it began was seen.
        """
        first, block = (0, 0) if shift is None else (shift.start_at, shift.block)
        state, resumed = self._state, self._state.window.resumed
        if side > 0:
            books = (state.blocks_up, state.gaps_up, state.flips_up)
        else:
            books = (state.blocks_down, state.gaps_down, state.flips_down)
        found, fresh = 0, []
        for book in books:
            for zone in book:
                if (zone.at >= first or zone.id == block) and _KINDS[zone.kind] in wanted:
                    found += 1
                    flipped = zone.kind not in (kinds.BLOCK, kinds.FVG)
                    if zone.stage == 0 and (zone.marked if flipped else zone.at) >= resumed:
                        fresh.append(self._area(zone))
        return found, fresh

    def _area(self, zone: Zone) -> Area:
        near, far = (zone.top, zone.bottom) if zone.side > 0 else (zone.bottom, zone.top)
        induced = zone.on if zone.kind == kinds.BLOCK else 0
        known_at = zone.since + self.length
        return Area(zone.id, _KINDS[zone.kind], zone.side, near, far, zone.at, known_at, zone, induced)

    def liquidity(self, side: int, price: float) -> list[Level]:
        """Levels beyond a price that a trade of a side goes to, the nearest first."""
        zones = self._state.highs if side > 0 else self._state.lows
        found = [zone for zone in zones if zone.stage == 0 and (zone.next - price) * side > 0]
        found.sort(key=lambda zone: (zone.next * side, zone.id))
        return [Level(zone.id, zone.next) for zone in found]

    @property
    def dealing_range(self) -> Dealing | None:
        """The dealing range; None before there is one."""
        known = self._state.range
        if known.known != BOTH or known.top <= known.bottom:
            return None
        return Dealing(known.id, known.top, known.bottom)

    def impulse(self, side: int, scope: Scope) -> Band | None:
        """The optimal trade entry of the impulse of a side, while that lives."""
        trend: Trend = self._state.internal_trend if scope is Scope.INTERNAL else self._state.swing_trend
        if trend.impulse != side or trend.start_at < self.resumed:
            return None
        size = trend.end - trend.start
        near, far = trend.end - self._ote[0] * size, trend.end - self._ote[1] * size
        return Band(near, far, trend.start, trend.end, trend.armed != 0, trend.id)

    def open_session(self, among: tuple[str, ...]) -> tuple[str, int] | None:
        """Name and event of a session that goes on after the newest candle."""
        for name, kill in zip(self._sessions, self._state.kills, strict=True):
            if kill.id and name in among:
                return name, kill.id
        return None
