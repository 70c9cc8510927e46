"""The incremental engine against plain loops over the whole history, written from the definitions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import Candle, Side
from bus_schemas.settings.strategy import BlockCandle
from strategy.aggregate import Bar, Forming, take
from strategy.first.engine import ZONES_KEPT, Parameters, SmcEngine
from strategy.first.zones import ZoneKind, ZoneState
from tests.unit.strategy.make import HOUR, bar, from_bytes, real

RULES = Parameters(
    length=HOUR, swing_length=2, atr_period=3, block_candle=BlockCandle.EXTREME, fvg_min_atr=0.0
)


def hourly(drawn: bytes) -> list[Bar]:
    candles = (b for b in from_bytes(drawn) if isinstance(b, Candle))
    return [bar(n, c.open, c.high, c.low, c.close) for n, c in enumerate(candles)]


def flipped(bars: list[Bar]) -> list[Bar]:
    return [Bar(b.at, b.known_at, -b.open, -b.low, -b.high, -b.close, b.volume, b.count) for b in bars]


def swing_highs(bars: list[Bar], length: int) -> list[int]:
    found = []
    for i in range(length, len(bars) - length):
        left = max(b.high for b in bars[i - length : i])
        right = max(b.high for b in bars[i + 1 : i + length + 1])
        if left < bars[i].high >= right:
            found.append(i)
    return found


def breaks_up(bars: list[Bar], length: int) -> list[tuple[int, int]]:
    """(breaking bar, pivot) by looking back from each bar at the pivot that was the last known."""
    highs, found = swing_highs(bars, length), []
    for t in range(len(bars)):
        known = [p for p in highs if p + length < t]
        if known:
            p = known[-1]
            earlier = any(b.close > bars[p].high for b in bars[p + length + 1 : t])
            if bars[t].close > bars[p].high and not earlier:
                found.append((t, p))
    return found


def long_zones(bars: list[Bar], length: int) -> list[tuple[ZoneKind, int, float, float, int, ZoneState]]:
    """Kind, source, top, bottom, known bar and final state of every zone below the price."""
    zones = []
    for i in range(2, len(bars)):
        if bars[i - 2].high < bars[i].low and bars[i - 1].close > bars[i - 1].open:
            zones.append((ZoneKind.FAIR_VALUE_GAP, i - 1, bars[i].low, bars[i - 2].high, i))
    for t, p in breaks_up(bars, length):
        lowest = min(b.low for b in bars[p + 1 : t])
        x = max(i for i in range(p + 1, t) if bars[i].low == lowest)
        zones.append((ZoneKind.ORDER_BLOCK, x, bars[x].high, bars[x].low, t))
    zones.sort(key=lambda z: (z[4], z[0] is ZoneKind.ORDER_BLOCK))
    return [(*z, state(bars, *z)) for z in zones]


def state(bars: list[Bar], kind: ZoneKind, _: int, top: float, bottom: float, known: int) -> ZoneState:
    after = bars[known + 1 :]
    if kind is ZoneKind.ORDER_BLOCK and any(b.close < bottom for b in after):
        return ZoneState.SPENT
    if kind is ZoneKind.FAIR_VALUE_GAP and any(b.low <= bottom for b in after):
        return ZoneState.SPENT
    inside = kind is ZoneKind.ORDER_BLOCK and bars[known].close <= top
    return ZoneState.TOUCHED if inside or any(b.low <= top for b in after) else ZoneState.FRESH


def compare(bars: list[Bar]) -> None:
    engine, seen = SmcEngine(), []
    for b in bars:
        engine.advance(b, RULES)
        last = engine.last_break
        if last is not None and last.at == b.at:
            seen.append((last.side, (last.at - bars[0].at) // HOUR, (last.pivot_at - bars[0].at) // HOUR))
    for side, view in ((Side.LONG, bars), (Side.SHORT, flipped(bars))):
        sign, length = side.sign, RULES.swing_length
        assert [(t, p) for s, t, p in seen if s is side] == breaks_up(view, length)
        zones = [
            (
                z.kind,
                (z.at - bars[0].at) // HOUR,
                -z.near if sign < 0 else z.near,
                -z.far if sign < 0 else z.far,
                (z.known_at - bars[0].known_at) // HOUR,
                z.state,
            )
            for z in engine.zones(side)
        ]
        assert zones == long_zones(view, length)[-ZONES_KEPT:]
        levels = [
            view[p].high
            for p in swing_highs(view, length)
            if all(b.high <= view[p].high for b in view[p + 1 :])
        ]
        assert [sign * p.price for p in reversed(engine.liquidity(side, sign * -1e9))] == levels[-16:]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=40, max_size=240))
def test_breaks_zones_and_liquidity_equal_plain_loops(drawn: bytes) -> None:
    compare(hourly(drawn))


def test_they_do_on_real_hours_too() -> None:
    forming = Forming()
    bars: list[Bar] = []
    for candle in real()[:1600]:
        assert isinstance(candle, Candle)
        bars += take(forming, candle, 900_000, HOUR)
    assert len(bars) == 400
    compare(bars)
