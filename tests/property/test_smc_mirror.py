"""Up and down are mirrors: negated prices give the negated events, to the last bit.

Two exceptions, both of which this file pins down. The reference library's pivots take a bar that is both a
high and a low as a high. And where wicks break, a bar that breaks both sides and closes where it opened has
no direction to tell which came first: it counts as rising, that is, as down first and then up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from bus_schemas.timeframes import HOUR
from strategy.smc import Candle, Parameters, StructureEvent
from strategy.smc.params import By
from tests.support.candles import START, VARIANTS, cases, mirrored, outages, sample, stream

_OPPOSITE = {"premium": "discount", "discount": "premium"}
_PRICES = {
    "fvg_touched", "fvg_half_filled", "fvg_filled", "fvg_inverted", "block_mitigated", "block_broken",
    "breaker", "mitigation_block", "flip_retested", "flip_failed", "run", "inducement_taken", "premium",
    "discount", "equilibrium", "ema_cross",
}  # fmt: skip
"""Kinds whose value is a price; that of the others is a size, a share or a number."""


def content(event: StructureEvent, sign: int) -> tuple[Any, ...]:
    """The event without ids, as it looks with prices multiplied by `sign`."""
    e = event
    kind = _OPPOSITE.get(e.kind, e.kind) if sign < 0 else e.kind
    top, bottom = (e.top, e.bottom) if sign > 0 else (-e.bottom, -e.top)
    value = sign * e.value if e.kind in _PRICES else e.value
    return e.known_at, kind, e.scope, sign * e.direction, e.at, sign * e.level, top, bottom, value


def story(events: Sequence[StructureEvent], sign: int) -> list[Any]:
    """What was said, with what it stands on in place of ids; sorted, as highs come before lows in a bar."""
    by_id = {event.id: content(event, sign) for event in events}
    return sorted((content(event, sign), [by_id[one] for one in event.on]) for event in events)


def assert_mirrored(candles: Sequence[Candle], params: Parameters) -> None:
    there = stream([mirrored(candle) for candle in candles], params)
    for one, other in zip(story(stream(candles, params), 1), story(there, -1), strict=True):
        assert one == other


@settings(max_examples=60, deadline=None)
@given(cases(reference_pivots=False))
def test_awkward_candles(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    if params.break_by is By.WICK:
        candles = [candle for candle in candles if candle.open != candle.close]
    assert_mirrored(candles, params)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "reference"])
def test_real_candles(variant: str) -> None:
    assert_mirrored(sample("ETHUSDT-15m")[:2000], Parameters(timeframe="15m", **VARIANTS[variant]))
    assert_mirrored(outages(), Parameters(**VARIANTS[variant]))


def _hours(*prices: tuple[float, float, float, float]) -> list[Candle]:
    return [Candle(START + n * HOUR, *four, 1.0) for n, four in enumerate(prices)]


def test_exception_one_the_reference_takes_an_outside_bar_as_a_high() -> None:
    bars = _hours((10, 11, 9, 10), (10, 12, 8, 10), (10, 11, 9, 10), (10, 11, 9, 10))
    params = Parameters(internal_length=1, swing_length=2, reference_pivots=True)
    for candles in (bars, [mirrored(bar) for bar in bars]):
        first = next(event for event in stream(candles, params) if event.kind == "pivot")
        assert (first.scope, first.direction, first.at) == ("internal", 1, START + HOUR)


def test_exception_two_a_doji_that_breaks_both_sides_breaks_down_and_then_up() -> None:
    bars = _hours((10, 11, 9, 10), (10, 13, 9, 10), (10, 11, 7, 10), (10, 12, 8, 10), (10, 14, 6, 10))
    params = Parameters(internal_length=1, swing_length=2, break_by=By.WICK)
    for candles in (bars, [mirrored(bar) for bar in bars]):
        broken = [e for e in stream(candles, params) if e.kind in ("bos", "choch")]
        internal = [(e.kind, e.direction) for e in broken if e.scope == "internal"]
        assert internal == [("bos", -1), ("choch", 1)]


def test_a_bar_that_rises_broke_down_first_and_one_that_falls_broke_up_first() -> None:
    bars = _hours((10, 11, 9, 10), (10, 13, 9, 10), (10, 11, 7, 10), (10, 12, 8, 10), (10, 14, 6, 11))
    params = Parameters(internal_length=1, swing_length=2, break_by=By.WICK)
    for candles, side in ((bars, 1), ([mirrored(bar) for bar in bars], -1)):
        broken = [e for e in stream(candles, params) if e.kind in ("bos", "choch")]
        internal = [(e.kind, e.direction) for e in broken if e.scope == "internal"]
        assert internal == [("bos", -side), ("choch", side)]
