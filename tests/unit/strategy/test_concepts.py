"""Swings, structure, zones, liquidity and true range, each on a handful of drawn candles."""

from __future__ import annotations

import pytest

from bus_schemas.events import Side
from bus_schemas.settings.strategy import BlockCandle
from strategy.aggregate import Bar
from strategy.first.atr import Atr
from strategy.first.engine import Parameters, SmcEngine
from strategy.first.fair_value_gaps import fair_value_gap
from strategy.first.liquidity import Liquidity
from strategy.first.structure import BreakKind
from strategy.first.swings import Pivot, confirmed
from strategy.first.zones import Zone, ZoneKind, ZoneState
from tests.unit.strategy.make import HOUR, START, bar


def flat(*ranges: tuple[float, float]) -> list[Bar]:
    """Bars from (low, high), opening and closing in the middle."""
    return [bar(n, (lo + hi) / 2, hi, lo, (lo + hi) / 2) for n, (lo, hi) in enumerate(ranges)]


@pytest.mark.parametrize(
    ("highs", "is_high"),
    [
        ((1, 2, 5, 3, 1), True),
        ((1, 5, 5, 3, 1), False),
        ((1, 2, 5, 5, 1), True),
        ((1, 2, 5, 3, 6), False),
        ((6, 2, 5, 3, 1), False),
    ],
)
def test_a_swing_high_needs_both_sides_and_the_earliest_of_equals_counts(
    highs: tuple[float, ...], is_high: bool
) -> None:
    bars = flat(*((0, h) for h in highs))
    high, _ = confirmed(bars, 2)
    assert high == (Pivot(5, bars[2].at, bars[4].known_at) if is_high else None)


def test_a_swing_is_not_known_before_its_last_candle_has_closed() -> None:
    bars = flat((0, 1), (0, 2), (0, 5), (0, 3), (0, 1))
    assert [confirmed(bars[:n], 2)[0] is not None for n in range(6)] == [False] * 5 + [True]


def test_a_swing_low_mirrors_a_swing_high() -> None:
    _, low = confirmed(flat((3, 9), (2, 9), (1, 9), (1, 9), (4, 9)), 2)
    assert low is not None
    assert low.price == 1


RULES = Parameters(
    length=HOUR, swing_length=1, atr_period=3, block_candle=BlockCandle.EXTREME, fvg_min_atr=0.0
)

RISE = [
    bar(0, 10, 12, 9, 11),
    bar(1, 11, 15, 11, 14),  # swing high at 15
    bar(2, 14, 14, 10, 11),  # confirms it; closes down
    bar(3, 11, 12, 8, 9),  # the extreme; closes down, confirms nothing
    bar(4, 9, 13, 9, 12),  # confirms the swing low at 8
    bar(5, 12, 13.5, 11, 11.5),  # the last opposite candle
    bar(6, 12, 17, 12, 16),  # closes above 15
]


def taken(bars: list[Bar], rules: Parameters = RULES) -> SmcEngine:
    engine = SmcEngine()
    for b in bars:
        engine.advance(b, rules)
    return engine


def test_a_break_is_a_close_beyond_the_last_confirmed_pivot() -> None:
    engine = taken(RISE[:6])
    assert not engine.last_break
    engine.advance(RISE[6], RULES)
    last = engine.last_break
    assert last is not None
    assert (last.side, last.kind, last.level) == (Side.LONG, BreakKind.BOS, 15)
    assert (last.pivot_at, last.at, last.known_at) == (RISE[1].at, RISE[6].at, RISE[6].known_at)
    assert (last.origin_at, last.body) == (RISE[3].at, 4)


def test_a_wick_beyond_the_pivot_is_no_break() -> None:
    assert taken([*RISE[:6], bar(6, 12, 17, 12, 15)]).last_break is None


def test_a_pivot_breaks_once() -> None:
    engine = taken([*RISE, bar(7, 16, 18, 16, 17)])
    assert engine.last_break is not None
    assert engine.last_break.at == RISE[6].at


def test_a_break_against_the_last_one_is_a_change_of_character() -> None:
    engine = taken([*RISE, bar(7, 16, 16, 7, 7.5)])
    assert engine.last_break is not None
    assert (engine.last_break.side, engine.last_break.kind) == (Side.SHORT, BreakKind.CHOCH)


@pytest.mark.parametrize(("which", "number"), [(BlockCandle.EXTREME, 3), (BlockCandle.LAST_OPPOSITE, 5)])
def test_the_order_block_is_a_candle_of_the_leg(which: BlockCandle, number: int) -> None:
    rules = Parameters(length=HOUR, swing_length=1, atr_period=3, block_candle=which, fvg_min_atr=9.0)
    (block,) = taken(RISE, rules).zones(Side.LONG)
    source = RISE[number]
    assert (block.kind, block.state) == (ZoneKind.ORDER_BLOCK, ZoneState.FRESH)
    assert (block.top, block.bottom, block.at) == (source.high, source.low, source.at)
    assert block.known_at == RISE[6].known_at


def test_a_block_that_the_breaking_candle_closes_inside_of_is_not_fresh() -> None:
    bars = [*RISE[:3], bar(3, 11, 18, 8, 9), bar(4, 9, 17, 9, 16)]
    (block,) = taken(bars).zones(Side.LONG)
    assert (block.top, block.state) == (18, ZoneState.TOUCHED)


@pytest.mark.parametrize(
    ("kind", "after", "state"),
    [
        (ZoneKind.ORDER_BLOCK, bar(9, 25, 25, 21, 24), ZoneState.FRESH),
        (ZoneKind.ORDER_BLOCK, bar(9, 25, 25, 20, 24), ZoneState.TOUCHED),
        (ZoneKind.ORDER_BLOCK, bar(9, 25, 25, 5, 10), ZoneState.TOUCHED),
        (ZoneKind.ORDER_BLOCK, bar(9, 25, 25, 5, 9), ZoneState.SPENT),
        (ZoneKind.FAIR_VALUE_GAP, bar(9, 25, 25, 21, 24), ZoneState.FRESH),
        (ZoneKind.FAIR_VALUE_GAP, bar(9, 25, 25, 11, 24), ZoneState.TOUCHED),
        (ZoneKind.FAIR_VALUE_GAP, bar(9, 25, 25, 10, 24), ZoneState.SPENT),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_what_a_bar_does_to_a_zone(kind: ZoneKind, after: Bar, state: ZoneState, side: Side) -> None:
    zone = Zone(kind=kind, side=side, top=20, bottom=10, at=START, known_at=START + HOUR)
    if side is Side.SHORT:  # mirrored around the middle of the zone
        after = bar(9, 30 - after.open, 30 - after.low, 30 - after.high, 30 - after.close)
    zone.advance(after, blind=False)
    assert zone.state is state
    assert zone.changed_at == (0 if state is ZoneState.FRESH else after.known_at)


def test_a_broken_block_stays_broken() -> None:
    zone = Zone(kind=ZoneKind.ORDER_BLOCK, side=Side.LONG, top=20, bottom=10, at=START, known_at=START + HOUR)
    for n, close in enumerate((5, 15, 30, 40)):
        zone.advance(bar(9 + n, close, close, close, close), blind=False)
        assert (zone.state, zone.changed_at) == (ZoneState.SPENT, START + 10 * HOUR)


def test_nobody_can_say_that_a_zone_is_fresh_after_missing_candles() -> None:
    engine = taken([*RISE, bar(9, 30, 31, 29, 30)])
    assert [z.state for z in engine.zones(Side.LONG)] == [ZoneState.TOUCHED]
    engine = taken([*RISE, bar(7, 30, 31, 29, 30, gap=True)])
    assert [z.state for z in engine.zones(Side.LONG)] == [ZoneState.TOUCHED]


UP = [bar(0, 9, 10, 8, 10), bar(1, 10, 14, 10, 14), bar(2, 14, 16, 12, 15)]


@pytest.mark.parametrize(
    ("bars", "edges"),
    [
        (UP, (Side.LONG, 12, 10)),
        ([UP[0], bar(1, 10, 14, 10, 10), UP[2]], None),
        ([UP[0], UP[1], bar(2, 14, 16, 10, 15)], None),
        ([UP[0], UP[1], bar(3, 14, 16, 12, 15)], None),
        ([UP[0], bar(1, 10, 14, 10, 14, gap=True), UP[2]], None),
        ([bar(0, 15, 16, 14, 15), bar(1, 14, 14, 9, 10), bar(2, 10, 11, 8, 9)], (Side.SHORT, 14, 11)),
        (UP[:2], None),
    ],
)
def test_fair_value_gaps(bars: list[Bar], edges: tuple[Side, float, float] | None) -> None:
    found = fair_value_gap(bars, HOUR, 0.5)
    assert (found and (found.side, found.top, found.bottom)) == edges
    if found:
        assert (found.at, found.known_at) == (bars[1].at, bars[2].known_at)
        assert fair_value_gap(bars, HOUR, found.top - found.bottom + 0.1) is None


def test_liquidity_is_swept_by_a_wick_beyond_it_and_not_by_an_equal_high() -> None:
    levels = Liquidity()
    for price in (30, 20, 20):
        levels.confirm(Pivot(price, START, START), Pivot(-price, START, START), 16)
    levels.advance(bar(1, 0, 20, -20, 0))
    assert [p.price for p in levels.beyond(Side.LONG, 5)] == [20, 20, 30]
    assert [p.price for p in levels.beyond(Side.LONG, 20)] == [30]
    levels.advance(bar(2, 0, 21, -29, 0))
    assert [p.price for p in levels.beyond(Side.LONG, 5)] == [30]
    assert [p.price for p in levels.beyond(Side.SHORT, -5)] == [-30]


def test_true_range_is_smoothed_the_way_wilder_does() -> None:
    atr, seen = Atr(), []
    for b in (bar(0, 5, 8, 4, 8), bar(1, 12, 14, 12, 12), bar(2, 12, 13, 12, 12), bar(3, 12, 12, 4, 5)):
        atr.advance(b, 2)
        seen.append(atr.value)
    # true ranges 4, 14-8=6, 1, 8
    assert seen == [4, 5, 3, 5.5]
