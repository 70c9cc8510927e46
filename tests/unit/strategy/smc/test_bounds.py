"""Memory is bounded: lists have limits, and a saved state stays small however long the history."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from strategy.smc import Candle, Parameters, SmcEngine
from strategy.smc.batch import scan_on
from strategy.smc.state import Book, State
from tests.support.candles import cases, columns, data_sets, read, sample

KILOBYTES = {"usual": 32, "few": 16, "most": 160}
SETS = {
    "usual": Parameters(),
    "few": Parameters(zones_kept=4, levels_kept=4),
    "most": Parameters(zones_kept=256, levels_kept=256, swing_length=1000),
}


def limits(params: Parameters) -> dict[str, int]:
    """The most that each list of the state may hold."""
    slots = 4
    while slots < params.swing_length + 2:
        slots *= 2
    fixed = {"slots": slots, "internal_turns": 4, "swing_turns": 4, "kills": len(params.sessions)}
    fixed |= dict.fromkeys(("highs", "lows"), params.levels_kept)
    zones = ("internal_waits", "swing_waits", "gaps_up", "gaps_down", "blocks_up", "blocks_down")
    return fixed | dict.fromkeys((*zones, "flips_up", "flips_down"), params.zones_kept)


def assert_bounded(state: State, params: Parameters) -> None:
    most = limits(params)
    lists = {name for name in State.__struct_fields__ if isinstance(getattr(state, name), list)}
    assert lists == set(most)
    for name in lists:
        held, book = len(getattr(state, name)), getattr(state, f"{name}_book", None)
        assert held <= most[name], name
        assert not isinstance(book, Book) or book.count == held, name


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("path", "timeframe"), data_sets())
def test_a_state_stays_small_on_real_candles(path: Path, timeframe: str, name: str) -> None:
    params = msgspec.structs.replace(SETS[name], timeframe=timeframe)
    arrays, state, sizes = columns(read(path)), None, list[int]()
    for start in (0, 10_000, 25_000):
        part = [column[start : {0: 10_000, 10_000: 25_000}.get(start, 50_000)] for column in arrays]
        _, state = scan_on(state, *part, params)
        assert_bounded(state, params)
        sizes.append(len(SmcEngine(params, state).save()))
    assert max(sizes) <= KILOBYTES[name] * 1024


@settings(max_examples=25, deadline=None)
@given(cases(most=150))
def test_no_list_ever_exceeds_its_limit(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    engine = SmcEngine(params)
    most = limits(params) | {"kills": len(engine.state.kills)}
    for candle in candles:
        engine.update(candle)
        assert all(len(getattr(engine.state, name)) <= limit for name, limit in most.items())


def test_limits_are_reached_and_the_oldest_goes_with_an_event() -> None:
    params = Parameters(timeframe="15m", internal_length=2, swing_length=5, zones_kept=2, levels_kept=3)
    engine, said = SmcEngine(params), []
    for candle in sample("BTCUSDT-15m")[:1500]:
        said += engine.update(candle)
    assert_bounded(engine.state, params)
    lost = [(event.on[0], event.direction) for event in said if event.kind == "expired"]
    assert len(lost) == len(set(lost)) > 100
    kinds = {event.id: event.kind for event in said}
    both_sides = ("previous", "session_closed")
    gone = {name for name, _ in lost if kinds[name] not in both_sides}
    assert {kinds[name] for name in gone} >= {"fvg", "block", "pivot", "fvg_inverted"}
    ended = {"swept", "run", "flip_failed", "block_broken", "fvg_inverted"}
    assert not [e for e in said if e.kind in ended and e.on[0] in gone], "nothing more is said of it"


def test_a_state_has_only_finite_numbers_even_at_the_largest_prices() -> None:
    engine = SmcEngine(Parameters(internal_length=1, swing_length=2, sessions=()))
    for n in range(600):
        price = 1e15 if n % 3 else -1e15
        engine.update(Candle(n * 3_600_000, price, 1e15, -1e15, -price, 1e15))
    numbers: list[object] = [msgspec.to_builtins(engine.state)]
    while numbers:
        one = numbers.pop()
        if isinstance(one, dict | list):
            numbers += one.values() if isinstance(one, dict) else one
        else:
            assert isfinite(one)  # type: ignore[arg-type]
    assert SmcEngine.restore(engine.params, engine.save()).save() == engine.save()
