"""Every event of the engine against loops over the whole history, written from the definitions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from strategy.smc import Candle, Parameters
from strategy.smc.params import Breaks
from tests.support.candles import VARIANTS, cases, outages, sample
from tests.unit.strategy.smc.history import Fact, History, assert_facts
from tests.unit.strategy.smc.oracle_averages import assert_averages, crossings, displacements, strengths
from tests.unit.strategy.smc.oracle_calendar import periods, sessions
from tests.unit.strategy.smc.oracle_levels import levels
from tests.unit.strategy.smc.oracle_structure import SCOPES, breaks, entries, holes, named, pivots
from tests.unit.strategy.smc.oracle_swings import dealing_range, four_swings
from tests.unit.strategy.smc.oracle_zones import zones


def defined(h: History) -> Iterator[Fact]:
    """Everything that has to be said."""
    found = []
    for scope in SCOPES:
        broken = breaks(h, scope)
        found += broken
        yield from pivots(h, scope)
        yield from entries(h, broken)
        by_pivot = h.params.breaks is Breaks.LAST_PIVOT
        yield from named(h, broken) if by_pivot else four_swings(h, scope)
    for scope in ("day", "week", "month"):
        yield from periods(h, scope)
    for part in (holes, displacements, crossings, strengths, dealing_range, sessions, levels):
        yield from part(h)
    yield from zones(h, found)


@settings(max_examples=120, deadline=None)
@given(cases())
def test_awkward_candles(case: tuple[list[Candle], Parameters]) -> None:
    h = History(*case)
    assert_averages(h)
    assert_facts(h, defined(h))


@pytest.mark.parametrize("variant", VARIANTS)
def test_real_candles(variant: str) -> None:
    h = History(sample("BTCUSDT-15m")[300:1500], Parameters(timeframe="15m", **VARIANTS[variant]))
    assert_averages(h)
    assert_facts(h, defined(h))


@pytest.mark.parametrize("variant", ["short", "cramped", "wide"])
def test_real_candles_with_holes(variant: str) -> None:
    h = History(outages(), Parameters(timeframe="1h", **VARIANTS[variant]))
    assert_averages(h)
    assert_facts(h, defined(h))
