"""What was said up to a bar never changes: not by more bars, nor by a restart, nor by the way of running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from strategy.smc import Candle, Parameters, SmcEngine, StructureEvent
from strategy.smc.batch import scan, structure_events
from strategy.smc.memory import ORDINAL_BITS
from tests.support.candles import VARIANTS, cases, columns, data_sets, outages, read, sample, stream

modest = settings(max_examples=40, deadline=None)
FEW = Parameters(timeframe="15m", internal_length=2, swing_length=5)


def assert_in_order(found: NDArray[Any], times: NDArray[Any]) -> None:
    """Ids and times are as `StructureEvent` promises, whatever the events mean."""
    names, known, on = found["id"], found["known_at"], found["on"]
    assert (np.diff(names) > 0).all(), "ids rise"
    assert (np.diff(known) >= 0).all(), "in the order of knowing"
    assert (found["at"] <= known).all(), "nothing lies after it is known"
    assert np.isin(known, times).all(), "known at a bar that was given"
    place = names - (known << ORDINAL_BITS)
    first = np.r_[True, np.diff(known) > 0][: known.size]
    assert (np.where(first, 1, np.r_[0, place[:-1] + 1][: place.size]) == place).all(), (
        "the id is the bar and the place in it"
    )
    assert ((on == 0) | np.isin(on, names)).all(), "stands on events that were said"
    assert (on < names[:, None]).all(), "and said before"
    assert (found["bottom"] <= found["top"]).all()


@pytest.mark.parametrize(("path", "timeframe"), data_sets())
@pytest.mark.parametrize("variant", ["defaults", "reference"])
def test_a_longer_history_begins_with_the_shorter(path: Path, timeframe: str, variant: str) -> None:
    params = Parameters(timeframe=timeframe, **VARIANTS[variant])
    all_of_it = columns(read(path))
    whole = scan(*all_of_it, params)
    assert_in_order(whole, all_of_it[-1])
    size = all_of_it[-1].size
    for count in {0, 1, 2, 3, size - 1, *(size * part // 9 + part for part in range(1, 9))}:
        some = scan(*(column[:count] for column in all_of_it), params)
        assert np.array_equal(some, whole[: some.size])
        assert count == 0 or (whole["known_at"][some.size :] > all_of_it[-1][count - 1]).all()


def _every_prefix(candles: tuple[Candle, ...], params: Parameters) -> None:
    all_of_it = columns(candles)
    whole = scan(*all_of_it, params)
    for count in range(len(candles) + 1):
        some = scan(*(column[:count] for column in all_of_it), params)
        assert np.array_equal(some, whole[: some.size])
        end = whole["known_at"][some.size :]
        assert count == 0 or (end > candles[count - 1].time).all()


def test_every_prefix_of_some_real_candles() -> None:
    _every_prefix(sample("SOLUSDT-15m")[:160], FEW)
    _every_prefix(outages()[:70], msgspec.structs.replace(FEW, timeframe="1h"))


@modest
@given(cases(most=120))
def test_new_engines_on_prefixes_say_what_one_said_all_along(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    engine, said, ends = SmcEngine(params), list[StructureEvent](), [0]
    for candle in candles:
        said += engine.update(candle)
        ends.append(len(said))
    for count in range(0, len(candles) + 1, 13):
        assert stream(candles[:count], params) == said[: ends[count]]


@modest
@given(cases())
def test_events_are_in_order_and_final(case: tuple[list[Candle], Parameters]) -> None:
    candles, params = case
    engine, lists, written = SmcEngine(params), [], []
    for candle in candles:
        before = msgspec.structs.astuple(candle)
        lists.append(engine.update(candle))
        written.append(msgspec.json.encode(lists[-1]))
        assert msgspec.structs.astuple(candle) == before
        assert all(event.known_at == candle.time for event in lists[-1])
    assert [msgspec.json.encode(one) for one in lists] == written
    found = scan(*columns(candles), params)
    assert_in_order(found, columns(candles)[-1])
    assert list(structure_events(found, params)) == [event for one in lists for event in one]


def test_an_event_cannot_be_changed() -> None:
    event = stream(sample("BTCUSDT-15m")[:300], FEW)[0]
    with pytest.raises(AttributeError, match="immutable"):
        event.level = 1.0  # type: ignore[misc]
