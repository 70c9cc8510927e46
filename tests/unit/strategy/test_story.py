"""What is remembered of a timeframe, and what its view answers, from candles on."""

from __future__ import annotations

import msgspec
import pytest

from bus_schemas.settings.strategy import Scope, StrategySettings, ZoneKind
from bus_schemas.timeframes import HOUR
from strategy.aggregate import Bar
from strategy.frame import Frame, Frames
from strategy.rules import decision_rules
from strategy.story import Shift, Sweep
from strategy.view import View
from tests.unit.strategy.make import START

SETTINGS = StrategySettings(
    internal_length=1, swing_length=2, atr_period=2, fvg_min_atr=0, displacement_atr=1
)
ALL = tuple(ZoneKind)

RISE: list[tuple[float, float, float, float]] = [
    (10, 12, 9, 11),
    (11, 15, 11, 14),  # internal high at 15
    (14, 14, 10, 11),  # confirms it; the last candle against the break
    (11, 12, 8, 9),  # closes down, the extreme
    (9, 13, 9, 12),  # confirms the low at 8
    (12, 14, 7, 12.5),  # sweeps 8, closes back above
    (12.5, 20, 12.5, 19),  # closes above 15: a displacement
]


def bars(rows: list[tuple[float, float, float, float]], first: int = 0) -> list[Bar]:
    """Hourly bars of open, high, low, close; the first opens so many hours after `START`."""
    return [
        Bar(START + n * HOUR, START + (n + 1) * HOUR, *(float(p) for p in row), 1.0, 4)
        for n, row in enumerate(rows, first)
    ]


def after(*taken: Bar, settings: StrategySettings = SETTINGS) -> Frame:
    frames = Frames("decision", decision_rules(settings))
    for bar in taken:
        frames.take("A", bar)
    return frames.get("A")


def view(frame: Frame) -> View:
    return View(frame, HOUR, (0.62, 0.79), ("asia", "london", "new_york", "london_close"))


def newest(frame: Frame) -> Shift:
    found = frame.story.newest(Scope.INTERNAL)
    assert found is not None
    return found


def mirrored(rows: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    return [(-o, -low, -high, -c) for o, high, low, c in rows]


@pytest.mark.parametrize("side", [1, -1])
def test_a_break_is_remembered_with_its_leg_its_sweep_and_its_displacement(side: int) -> None:
    settings = SETTINGS.model_copy(update={"sessions": ()})
    frame = after(*bars(RISE if side > 0 else mirrored(RISE)), settings=settings)
    shift, at = newest(frame), [START + n * HOUR for n in range(7)]
    assert (shift.side, shift.kind, shift.at, shift.level) == (side, "bos", at[6], 15.0 * side)
    assert (shift.start, shift.start_at) == (7.0 * side, at[5])
    assert shift.sweep == frame.story.sweep(side)
    assert isinstance(shift.sweep, Sweep)
    told = shift.sweep
    assert (told.scope, told.level, told.extreme) == ("internal", 8.0 * side, 7.0 * side)
    assert (told.at, told.known_at) == (at[5], at[5])
    push = frame.story.push(side)
    assert push is not None
    assert (push.at, push.body) == (at[6], 6.5)
    assert len([s for s in (frame.story.internal_up, frame.story.internal_down) if s]) == 1


def test_the_newest_break_of_either_side_counts() -> None:
    frame = after(*bars([*RISE, (19, 19, 16, 17), (17, 18, 3, 4)]))
    assert newest(frame).side == -1
    assert newest(frame).kind in ("choch", "mss")
    assert frame.story.internal_up is not None
    assert frame.story.internal_up.side == 1


def test_a_choch_by_a_displacement_is_a_shift_of_market_structure() -> None:
    assert newest(after(*bars([*RISE, (19, 19, 16, 17), (17, 18, 3, 4)]))).kind == "mss"


def test_a_frame_comes_back_as_it_was() -> None:
    frame = after(*bars(RISE))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=Frame) == frame
    assert msgspec.json.decode(msgspec.json.encode(frame), type=Frame) == frame


def test_a_broken_block_is_no_longer_a_zone_of_its_side() -> None:
    """In an earlier system broken blocks stayed valid."""
    whole = bars(RISE)
    _, fresh = view(after(*whole)).leg_zones(None, 1, (ZoneKind.ORDER_BLOCK,))
    (block,) = fresh
    assert (block.near, block.far) == (12.0, 8.0)
    touched = after(*whole, *bars([(19, 19, 12, 13)], 7))
    assert view(touched).leg_zones(None, 1, (ZoneKind.ORDER_BLOCK,)) == (1, [])
    broken = after(*whole, *bars([(19, 19, 6, 7)], 7))
    assert view(broken).leg_zones(None, 1, (ZoneKind.ORDER_BLOCK,)) == (0, [])
    _, flipped = view(broken).leg_zones(None, -1, (ZoneKind.BREAKER, ZoneKind.MITIGATION_BLOCK))
    assert [(area.near, area.far) for area in flipped] == [(8.0, 12.0)]


def test_the_zones_of_a_leg_are_its_own() -> None:
    frame = after(*bars(RISE))
    everything, _ = view(frame).leg_zones(None, 1, ALL)
    shift = newest(frame)
    assert shift.block
    of_leg, fresh = view(frame).leg_zones(shift, 1, ALL)
    assert 0 < of_leg <= everything
    assert all(area.at >= shift.start_at or area.id == shift.block for area in fresh)


def test_a_bar_that_lacks_candles_is_missing_to_the_engine() -> None:
    """Whatever its prices, nothing is made of them; and what lay before is not fresh any more."""
    part = msgspec.structs.replace(bars([(19, 500, 1, 19)], 7)[0], count=3, gap=True)
    rest = bars([(19, 21, 18, 20), (20, 22, 19, 21)], 8)
    with_part, without = after(*bars(RISE), part, *rest), after(*bars(RISE), *rest)
    assert with_part == without
    assert with_part.state.window.resumed == START + 8 * HOUR
    assert view(with_part).leg_zones(None, 1, (ZoneKind.ORDER_BLOCK,)) == (1, [])
    assert not view(with_part).whole(newest(with_part))


def test_liquidity_is_told_nearest_first_and_only_what_is_untouched() -> None:
    frame = after(*bars([*RISE, (19, 25, 18, 20), (20, 22, 18, 19), (19, 30, 18, 20), (20, 22, 17, 19)]))
    above = [level.price for level in view(frame).liquidity(1, 19.0)]
    assert above == sorted(above)
    assert 30.0 in above
    assert 25.0 not in above  # swept by the high at 30
    assert all(level.price > 26 for level in view(frame).liquidity(1, 26.0))
    below = [level.price for level in view(frame).liquidity(-1, 19.0)]
    assert below == sorted(below, reverse=True)
    assert below


def test_a_session_is_open_until_its_last_candle_has_closed() -> None:
    flat = [(10.0, 11.0, 9.0, 10.0)] * 24  # from 20:00 New York of the day before
    seen = [view(after(*bars(flat[: n + 1]))).open_session(("asia", "new_york")) for n in range(24)]
    names = [found[0] if found else "-" for found in seen]
    assert names == ["asia"] * 3 + ["-"] * 8 + ["new_york"] * 2 + ["-"] * 11
    assert view(after(*bars(flat[:2]))).open_session(("london",)) is None


def test_of_what_one_candle_swept_the_level_of_more_weight_is_remembered() -> None:
    """The low at 8 is an internal pivot and the low of a session."""
    told = after(*bars(RISE)).story.sweep(1)
    assert told is not None
    assert (told.scope, told.level, told.extreme) == ("asia", 8.0, 7.0)
