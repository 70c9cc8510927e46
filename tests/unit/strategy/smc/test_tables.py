"""Candles drawn by hand and the events that must come of them, on both sides."""

from __future__ import annotations

from typing import Any

import pytest

from bus_schemas.timeframes import HOUR
from strategy.smc import Candle, Parameters, StructureEvent
from strategy.smc.params import BlockCandle, BlockZone, By
from tests.support.candles import START, mirrored, stream

Row = tuple[float, float, float, float]
SMALL: dict[str, Any] = {
    "internal_length": 1, "swing_length": 2, "atr_period": 1, "fvg_min_atr": 0.0, "sessions": (),
    "displacement_atr": 100.0,
}  # fmt: skip

SIDES = pytest.mark.parametrize("side", [1, -1], ids=["up", "down"])


def say(side: int, rows: list[Row], **changes: Any) -> list[StructureEvent]:
    """Events of hourly candles, given as open, high, low, close for the upward side."""
    candles = [Candle(START + n * HOUR, *map(float, row), 1.0) for n, row in enumerate(rows)]
    candles = candles if side > 0 else [mirrored(candle) for candle in candles]
    return stream(candles, Parameters(**(SMALL | changes)))


def seen(said: list[StructureEvent], side: int, *kinds: str, scope: str = "") -> list[tuple[Any, ...]]:
    """Kind, bar where it lies, bar at which it was known, direction, level, both edges; as if upward."""
    out = []
    for e in said:
        if e.kind in kinds and (not scope or e.scope == scope):
            edges = sorted((side * e.top, side * e.bottom), reverse=True)
            bars = ((e.at - START) // HOUR, (e.known_at - START) // HOUR)
            out.append((e.kind, *bars, side * e.direction, side * e.level, *edges))
    return out


@SIDES
def test_optimal_trade_entry_is_measured_back_from_the_end_of_the_impulse(side: int) -> None:
    """From 100 to 200 it is 138 down to 121; for the other side, from -100 to -200, it is -138 up to -121."""
    up: list[Row] = [
        (150, 155, 145, 150), (150, 160, 148, 155), (150, 152, 100, 110), (110, 150, 105, 145),
        (145, 200, 140, 190), (190, 195, 138.5, 140), (140, 150, 138, 149), (149, 150, 125, 130),
        (130, 131, 100, 101), (101, 102, 99, 101), (101, 138, 100, 120),
    ]  # fmt: skip
    said = say(side, up, internal_length=1, swing_length=9)
    entries = [e for e in said if e.kind == "ote" and e.scope == "internal"]
    assert seen(said, side, "ote", scope="internal")[:1] == [("ote", 6, 6, 1, 129.5, 138.0, 121.0)]
    assert entries[0].value == pytest.approx(0.62)
    broken = next(e for e in said if e.kind == "bos" and side * e.direction == 1)
    assert entries[0].on == (broken.id,)
    assert (side * broken.top, side * broken.bottom) in ((200.0, 100.0), (100.0, 200.0))


@SIDES
def test_the_entry_comes_again_after_a_new_extreme_which_counts_by_its_close(side: int) -> None:
    """The break of 200 begins an impulse at 120; its end is 301, whose own low of 150 counts by the close."""
    rise: list[Row] = [
        (150, 155, 145, 150), (150, 160, 148, 155), (150, 152, 100, 110), (110, 150, 105, 145),
        (145, 200, 140, 190), (190, 190, 130, 135), (135, 300, 120, 290), (290, 301, 150, 150),
        (150, 299, 145, 160),
    ]  # fmt: skip
    said = say(side, rise, swing_length=9)
    found = seen(said, side, "ote", scope="internal")
    assert [(at, level) for _, at, _, _, level, *_ in found] == [(5, 129.5), (7, pytest.approx(173.395))]


@SIDES
def test_the_four_states_of_a_gap_one_at_a_time(side: int) -> None:
    rows: list[Row] = [
        (9, 10, 8, 9), (10, 15, 9, 15), (16, 19, 14, 18), (18, 19, 14.5, 18), (18, 18, 14, 17),
        (17, 17, 12.5, 16), (16, 16, 12, 15), (15, 15, 10.5, 14), (14, 14, 10, 13), (13, 13, 9, 10),
        (10, 11, 8, 9),
    ]  # fmt: skip
    said = say(side, rows)
    kinds = ("fvg", "fvg_joined", "fvg_touched", "fvg_half_filled", "fvg_filled", "fvg_inverted")
    edges = (12.0, 14.0, 10.0)
    assert seen(said, side, *kinds) == [
        ("fvg", 1, 2, 1, *edges),
        ("fvg_touched", 4, 4, 1, *edges),
        ("fvg_half_filled", 6, 6, 1, *edges),
        ("fvg_filled", 8, 8, 1, *edges),
        ("fvg_inverted", 10, 10, -1, *edges),
    ]
    gap = next(e for e in said if e.kind == "fvg")
    assert all(e.on == (gap.id,) for e in said if e.kind.startswith("fvg_"))
    assert [side * e.value for e in said if e.kind.startswith("fvg_")] == [14.0, 12.0, 10.0, 9.0]


@SIDES
def test_one_candle_may_take_a_gap_through_all_its_states_and_fail_it_later(side: int) -> None:
    rows: list[Row] = [
        (9, 10, 8, 9), (10, 15, 9, 15), (16, 19, 14, 18), (18, 18, 5, 6), (6, 10, 5, 7), (7, 13, 6, 12),
        (12, 16, 11, 15),
    ]  # fmt: skip
    said = say(side, rows)
    assert [e.kind for e in said if e.kind.startswith("fvg_") and e.known_at == START + 3 * HOUR] == [
        "fvg_touched", "fvg_half_filled", "fvg_filled", "fvg_inverted",
    ]  # fmt: skip
    assert seen(said, side, "flip_retested", "flip_failed") == [
        ("flip_retested", 4, 4, -1, 12.0, 14.0, 10.0),
        ("flip_failed", 6, 6, -1, 12.0, 14.0, 10.0),
    ]


@SIDES
def test_gaps_of_consecutive_candles_are_joined(side: int) -> None:
    rows: list[Row] = [
        (9, 10, 8, 9), (10, 15, 9, 15), (15, 20, 12, 19), (19, 24, 17, 23), (23, 24, 22, 23),
        (23, 23, 16, 20),
    ]  # fmt: skip
    said = say(side, rows)
    first, second, *_ = [e for e in said if e.kind in ("fvg", "fvg_joined")]
    assert second.on == (first.id,)
    assert seen([first, second], side, "fvg", "fvg_joined") == [
        ("fvg", 1, 2, 1, 11.0, 12.0, 10.0),
        ("fvg_joined", 2, 3, 1, 13.5, 17.0, 10.0),
    ]
    touched = [e for e in said if e.kind == "fvg_touched"]
    assert touched[0].on == (next(e for e in reversed(said) if e.kind == "fvg_joined").id,)
    apart = seen(say(side, rows, fvg_joined=False), side, "fvg", "fvg_joined")
    assert [kind for kind, *_ in apart] == ["fvg"] * len(apart)
    assert apart[1][4:] == (16.0, 17.0, 15.0)


@SIDES
@pytest.mark.parametrize(("share", "gaps"), [(0.0, 1), (0.33, 1), (0.34, 0)])
def test_a_gap_needs_its_share_of_the_atr_and_a_middle_candle_of_its_colour(
    side: int, share: float, gaps: int
) -> None:
    rows: list[Row] = [(9, 10, 8, 9), (10, 15, 9, 15), (16, 18, 12, 18)]
    assert len(seen(say(side, rows, fvg_min_atr=share, atr_period=1), side, "fvg")) == gaps
    rows[1] = (15, 15, 9, 15)
    assert seen(say(side, rows), side, "fvg") == []


@SIDES
def test_pivots_are_known_late_extended_and_confirmed(side: int) -> None:
    rows: list[Row] = [
        (10, 11, 9, 10), (10, 13, 10, 12), (12, 12.5, 10.5, 11), (11, 12.4, 10.6, 12), (12, 15, 11, 14),
        (14, 14.5, 11, 12), (12, 12, 5, 6), (6, 9, 5.5, 8),
    ]  # fmt: skip
    said = say(side, rows, swing_length=2)
    kinds = ("pivot", "pivot_extended", "pivot_confirmed")
    assert seen(said, side, *kinds, scope="swing") == [("pivot", 4, 6, 1, 15.0, 15.0, 15.0)]
    high, extended, confirmed, low = [e for e in said if e.kind in kinds and e.scope == "internal"]
    assert seen([high, extended, confirmed, low], side, *kinds) == [
        ("pivot", 1, 2, 1, 13.0, 13.0, 13.0),
        ("pivot_extended", 4, 5, 1, 15.0, 15.0, 15.0),
        ("pivot_confirmed", 4, 7, 1, 15.0, 15.0, 15.0),
        ("pivot", 6, 7, -1, 5.0, 5.0, 5.0),
    ]
    assert [e.on for e in (high, extended, confirmed, low)] == [
        (), (high.id,), (extended.id,), (extended.id,),
    ]  # fmt: skip


@SIDES
def test_of_equal_highs_the_earliest_is_the_pivot(side: int) -> None:
    start: list[Row] = [(9, 10, 8, 9), (9, 10, 8, 9)]
    rows: list[Row] = [*start, (9, 12, 8.5, 9), (9, 12, 8.6, 9), (9, 11, 8.7, 9), (9, 10, 8.8, 9)]
    pivot = ("pivot", 2, 4, 1, 12.0, 12.0, 12.0)
    assert seen(say(side, rows, swing_length=2), side, "pivot", scope="swing") == [pivot]


@SIDES
def test_the_reference_looks_at_one_candle_less_before(side: int) -> None:
    highs = (10, 12, 10, 12, 11, 10)
    rows: list[Row] = [(9, high, 8 + n / 10, 9) for n, high in enumerate(highs)]
    usual, theirs = (say(side, rows, swing_length=2, reference_pivots=on) for on in (False, True))
    assert seen(usual, side, "pivot", scope="swing") == []
    assert seen(theirs, side, "pivot", scope="swing") == [("pivot", 3, 5, 1, 12.0, 12.0, 12.0)]


def _beyond(*closes: float) -> list[Row]:
    """A low pivot at 10, then candles down to 8 that close there."""
    start: list[Row] = [(14, 15, 12, 13), (13, 14, 10, 12), (12, 14, 11, 13), (13, 14, 12, 13)]
    return [*start, *((c, max(c, 11.5), 8.0 - n * 0.5, c) for n, c in enumerate(closes))]


@SIDES
@pytest.mark.parametrize(
    ("bars", "closes", "kind", "known"),
    [
        (1, (10.5,), "swept", 4),
        (1, (10.0, 10.5), "run", 4),
        (1, (9.0, 10.5), "run", 4),
        (2, (9.0, 10.5), "swept", 5),
        (2, (9.0, 10.0, 10.5), "run", 5),
        (3, (9.0, 9.5, 10.5), "swept", 6),
        (3, (9.0, 9.5, 9.9, 10.5), "run", 6),
        (3, (10.5,), "swept", 4),
    ],
)
def test_a_sweep_is_back_inside_within_so_many_candles(
    side: int, bars: int, closes: tuple[float, ...], kind: str, known: int
) -> None:
    said = say(side, _beyond(*closes), sweep_bars=bars)
    low = next(e for e in said if e.kind == "pivot" and side * e.level == 10.0)
    (event,) = [e for e in said if e.kind in ("swept", "run") and e.on == (low.id,)]
    assert (event.kind, (event.known_at - START) // HOUR) == (kind, known)
    assert ((event.at - START) // HOUR, side * event.level) == (4, 10.0)
    assert side * event.direction == (1 if kind == "swept" else -1)
    if kind == "swept":
        farthest = 8.0 - (known - 4) * 0.5
        assert sorted((side * event.top, side * event.bottom)) == [farthest, 10.0]


@SIDES
@pytest.mark.parametrize(
    ("second", "pooled"), [(10.0, True), (10.5, True), (10.6, False), (9.9, True), (9.4, False)]
)
def test_lows_within_the_tolerance_are_a_pool(side: int, second: float, pooled: bool) -> None:
    rows: list[Row] = [
        (14, 15, 12, 13), (13, 14, 10, 12), (12, 14, 11, 13), (13, 15, 12, 13), (13, 14, second, 13),
        (13, 16, 11, 15),
    ]  # fmt: skip
    said = say(side, rows, pool_atr=0.1)
    found = [e for e in said if e.kind == "pool" and side * e.direction == -1]
    lows = [e for e in said if e.kind == "pivot" and side * e.direction == -1]
    pool = ((lows[1].id, lows[0].id), 2.0, min(10.0, second))
    assert [(e.on, e.value, side * e.level) for e in found] == ([pool] if pooled else [])
    swept = [e.on for e in said if e.kind == "swept" and e.on == (lows[0].id,)]
    assert len(swept) == (second < 10.0), "who goes beyond a level does not join it"


@SIDES
def test_the_order_block_its_return_its_end_and_what_it_turns_into(side: int) -> None:
    rows: list[Row] = [
        (20, 21, 19, 20), (20, 25, 20, 22), (22, 22, 18, 19), (19, 20, 15, 17), (17, 18, 14, 18),
        (18, 30, 17, 29), (29, 30, 26, 27), (27, 28, 19, 26), (26, 26, 13, 14.5), (14, 15, 11, 12),
        (12, 16, 11, 12), (12, 22, 11, 21),
    ]  # fmt: skip
    kinds = (
        "block",
        "block_mitigated",
        "block_broken",
        "breaker",
        "mitigation_block",
        "flip_retested",
        "flip_failed",
    )
    last, extreme = (17.5, 20.0, 15.0), (16.0, 18.0, 14.0)
    assert seen(say(side, rows), side, *kinds, scope="internal")[:3] == [
        ("block", 3, 5, 1, *last),
        ("block_mitigated", 7, 7, 1, *last),
        ("block_broken", 8, 8, 1, 15.0, 20.0, 15.0),
    ]
    by_extreme = seen(say(side, rows, block_candle=BlockCandle.EXTREME), side, *kinds, scope="internal")
    assert by_extreme[:3] == [
        ("block", 4, 5, 1, *extreme),
        ("block_mitigated", 8, 8, 1, *extreme),
        ("block_broken", 9, 9, 1, 14.0, 18.0, 14.0),
    ]
    body = seen(say(side, rows, block_zone=BlockZone.BODY), side, *kinds, scope="internal")
    assert body[0] == ("block", 3, 5, 1, 18.0, 19.0, 17.0)
    wick = seen(
        say(side, rows, block_candle=BlockCandle.EXTREME, block_broken_by=By.WICK),
        side,
        *kinds,
        scope="internal",
    )
    assert [(kind, at) for kind, at, *_ in wick[:3]] == [
        ("block", 4), ("block_mitigated", 8), ("block_broken", 8),
    ]  # fmt: skip


@SIDES
def test_no_block_without_a_break(side: int) -> None:
    rows: list[Row] = [
        (20, 21, 19, 20), (20, 25, 20, 22), (22, 22, 18, 19), (19, 20, 15, 17), (17, 25, 14, 25),
        (25, 25, 17, 24),
    ]  # fmt: skip
    assert seen(say(side, rows), side, "bos", "choch", "block") == []
    said = say(side, [*rows, (24, 26, 24, 25.5)])
    assert [e.kind for e in said if e.scope == "internal" and e.kind in ("bos", "block")] == ["bos", "block"]
