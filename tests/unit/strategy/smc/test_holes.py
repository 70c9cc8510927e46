"""Candles that are missing: an event says how many, and nothing is measured across them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bus_schemas.timeframes import HOUR
from strategy.smc import Candle, Parameters, SmcEngine
from tests.support.candles import START, outages, stream

SMALL = Parameters(internal_length=1, swing_length=2, atr_period=2, adx_period=1, fvg_min_atr=0.0)


def hours(*rows: tuple[float, float, float, float] | int) -> list[Candle]:
    """Candles one after another; a whole number is so many missing ones."""
    out, at = list[Candle](), START
    for row in rows:
        if isinstance(row, int):
            at += row * HOUR
        else:
            out.append(Candle(at, *map(float, row), 1.0))
            at += HOUR
    return out


@pytest.mark.parametrize("missing", [1, 2, 23, 24, 8760])
def test_a_hole_is_told_with_the_number_of_missing_candles(missing: int) -> None:
    said = stream(hours((9, 10, 8, 9), (9, 10, 8, 9), missing, (15, 16, 14, 15), (15, 16, 14, 15)), SMALL)
    (gap,) = [event for event in said if event.kind == "data_gap"]
    assert (gap.value, gap.level, gap.direction, gap.on) == (missing, 15.0, 0, ())
    assert gap.at == gap.known_at == START + (2 + missing) * HOUR
    assert next(e for e in said if e.known_at == gap.known_at) == gap, "first of its bar"


def test_the_first_candle_ever_is_no_hole() -> None:
    assert [e.kind for e in stream(hours(50, (9, 10, 8, 9)), SMALL)] == ["session_opened"]


def test_the_outages_of_the_exchange() -> None:
    said, candles = stream(outages(), SMALL), outages()
    between = [(b.time - a.time) // HOUR - 1 for a, b in pairwise(candles)]
    assert [e.value for e in said if e.kind == "data_gap"] == [n for n in between if n]
    assert sum(n > 0 for n in between) >= 27


def test_no_gap_of_prices_is_found_across_a_hole() -> None:
    rows = ((9, 10, 8, 9), (10, 15, 9, 15), (16, 19, 14, 18))
    assert [e.kind for e in stream(hours(*rows), SMALL) if e.kind == "fvg"] == ["fvg"]
    for place in (1, 2):
        holed = hours(*rows[:place], 1, *rows[place:])
        assert not [e for e in stream(holed, SMALL) if e.kind == "fvg"]


def test_no_pivot_has_a_hole_beside_it() -> None:
    rows = ((9, 10, 8, 9), (9, 11, 8.5, 9), (9, 15, 9, 9), (9, 12, 8.5, 9), (9, 11, 8.4, 9))

    def swings(*some: tuple[float, float, float, float] | int) -> list[float]:
        return [e.level for e in stream(hours(*some), SMALL) if e.kind == "pivot" and e.scope == "swing"]

    assert swings(*rows) == [15.0]
    for place in (1, 2, 3, 4):
        assert swings(*rows[:place], 3, *rows[place:]) == []


def test_no_true_range_and_no_movement_are_measured_across_a_hole() -> None:
    before = ((9, 10, 8, 9), (9, 10, 8, 9))
    whole, holed = SmcEngine(SMALL), SmcEngine(SMALL)
    for candle in hours(*before, (100, 101, 99, 100)):
        whole.update(candle)
    for candle in hours(*before, 5, (100, 101, 99, 100)):
        holed.update(candle)
    assert whole.state.averages.atr == (2 + 92) / 2
    assert holed.state.averages.atr == 2.0
    assert (whole.state.averages.moves, holed.state.averages.moves) == (1, 1)
    assert whole.state.averages.plus == 91.0
    assert holed.state.averages.plus == 0.0


def test_levels_and_zones_outlive_a_hole() -> None:
    rows = ((14, 15, 12, 13), (13, 14, 10, 12), (12, 14, 11, 13), 30, (13, 14, 9, 12))
    said = stream(hours(*rows), SMALL)
    low = next(e for e in said if e.kind == "pivot" and e.level == 10.0)
    assert [e.at for e in said if e.kind == "swept" and e.on == (low.id,)] == [START + 33 * HOUR]
    gap = ((9, 10, 8, 9), (10, 15, 9, 15), (16, 19, 14, 18), 30, (18, 18, 13, 17))
    assert [e.value for e in stream(hours(*gap), SMALL) if e.kind == "fvg_touched"] == [13.0]


def test_gaps_on_both_sides_of_a_hole_are_not_joined() -> None:
    rise = ((9, 10, 8, 9), (10, 15, 9, 15), (16, 19, 14, 18))
    later = ((29, 30, 28, 29), (30, 35, 29, 35), (36, 39, 34, 38))
    said = [e.kind for e in stream(hours(*rise, 1, *later), SMALL) if e.kind.startswith("fvg")]
    assert said == ["fvg", "fvg"]
