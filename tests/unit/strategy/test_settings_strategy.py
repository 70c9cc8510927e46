from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bus_schemas.settings.strategy import BlockCandle, BlockZone, By, StrategySettings
from bus_schemas.timeframes import parse_time
from strategy.rules import bias_rules, decision_rules, digest
from strategy.smc import Candle, SmcEngine, params
from strategy.smc.params import KILL_ZONES
from strategy.smc.rules import rules


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"entry_timeframe": "7m"}, "unknown timeframe 7m"),
        ({"decision_timeframe": "5m"}, "multiple of the one before"),
        ({"min_stop_atr": 4.0}, "min_stop_atr"),
        ({"second_target_r": 2.0}, "first_target_r"),
        ({"min_room_r": 2.5}, "min_room_r"),
        ({"warmup_bars": 12}, "warmup_bars"),
        ({"swing_length": 30}, "warmup_bars"),
        ({"internal_length": 10}, "internal_length must be below swing_length"),
        ({"bias_internal_length": 11}, "bias_internal_length must be below bias_swing_length"),
        ({"ote_from": 0.8}, "ote_from must be below ote_to"),
        ({"bias_step": "off", "shift_step": "scored"}, "nothing else tells the side"),
        ({"zones": ""}, "there would be no entry"),
        ({"zones": "optimal_trade_entry"}, "there would be no entry"),
        ({"zones": "wall"}, "zones"),
        ({"kill_zone_step": "required", "kill_zones": ""}, "kill_zones names none"),
        ({"kill_zone_step": "required", "decision_timeframe": "2h"}, "longer than a session"),
        ({"kill_zones": "tokyo"}, "kill_zones names tokyo, but the sessions are asia, london"),
        ({"sessions": "asia 20:00-24:00"}, "a session such as"),
        ({"sessions": "asia 20:00-20:00"}, "starts when it ends"),
        ({"sessions": "a 01:00-02:00, a 02:00-03:00", "kill_zones": "a"}, "the session a is there twice"),
        ({"session_zone": "New York"}, "IANA name"),
        ({"session_zone": "../etc/passwd"}, "IANA name"),
        ({"sweep_step": "maybe"}, "sweep_step"),
        ({"min_stop_atr": 0.001}, "min_stop_atr"),
        ({"stop_buffer_atr": 3.0}, "stop_buffer_atr must be below max_stop_atr"),
        ({"stop_buffer_atr": 2.0, "max_stop_atr": 1.5}, "stop_buffer_atr must be below max_stop_atr"),
        ({"inducement_step": "required", "zones": "fair_value_gap,breaker"}, "does not name order_block"),
        ({"inducement_step": "required", "zone_step": "scored", "zones": ""}, "does not name order_block"),
        ({"inducement_step": "required", "zone_step": "off"}, "zone_step is off: only order blocks"),
        ({"shift_step": "off", "zone_step": "off"}, "zone_step and shift_step are both off"),
        ({"shift_step": "off", "zone_step": "scored", "zones": ""}, "zones names none and shift_step is off"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StrategySettings.model_validate(change)


@pytest.mark.parametrize(
    "change",
    [
        {"stop_buffer_atr": 2.99},
        {"min_stop_atr": 0.01},
        {"inducement_step": "required", "zones": "order_block"},
        {"inducement_step": "required", "zone_step": "scored"},
        {"inducement_step": "scored", "zones": "fair_value_gap"},
        {"shift_step": "off", "zone_step": "scored"},
        {"shift_step": "scored", "zone_step": "off"},
        {"kill_zone_step": "required"},
    ],
)
def test_what_can_give_a_signal_is_allowed(change: dict[str, object]) -> None:
    StrategySettings.model_validate(change)


MINUTES = {"15m": 15, "30m": 30, "1h": 60}


@pytest.mark.parametrize(
    ("session", "timeframe", "zone", "holds"),
    [
        ("10:15-10:45", "1h", "America/New_York", False),
        ("10:00-11:00", "1h", "America/New_York", False),
        ("10:00-11:01", "1h", "America/New_York", True),
        ("10:15-11:45", "1h", "America/New_York", False),
        ("10:15-11:45", "1h", "Asia/Kolkata", True),
        ("10:15-12:15", "1h", "America/New_York", True),
        ("23:15-00:45", "1h", "UTC", False),
        ("23:00-00:15", "1h", "UTC", True),
        ("10:15-10:45", "15m", "America/New_York", True),
        ("10:15-10:30", "15m", "America/New_York", False),
    ],
)
def test_a_kill_zone_that_no_decision_lies_in(session: str, timeframe: str, zone: str, holds: bool) -> None:
    """The engine says whether a session goes on after a candle: on the days without a clock change."""
    change = {
        "kill_zone_step": "required",
        "kill_zones": "silver",
        "sessions": f"silver {session}",
        "session_zone": zone,
        "decision_timeframe": timeframe,
    }
    if holds:
        StrategySettings.model_validate(change)
    else:
        with pytest.raises(
            ValidationError, match=f"no candle of {timeframe} lies inside any of silver {session}"
        ):
            StrategySettings.model_validate(change)
    allowed = StrategySettings.model_validate(change | {"kill_zone_step": "off"})
    engine = SmcEngine(decision_rules(allowed))
    span = MINUTES[timeframe] * 60_000
    opened = False
    for number in range(3 * 86_400_000 // span):
        engine.update(Candle(parse_time("2024-06-03") + number * span, 1.0, 2.0, 0.5, 1.5, 1.0))
        opened |= engine.state.kills[0].id != 0
    assert opened is holds


def test_one_kill_zone_that_holds_a_decision_is_enough() -> None:
    StrategySettings.model_validate(
        {
            "kill_zone_step": "required",
            "kill_zones": "silver,london",
            "sessions": "silver 10:15-10:45,london 02:00-05:00",
        }
    )


LENGTHS = {
    "internal_length": st.integers(1, 50),
    "swing_length": st.integers(2, 200),
    "bias_internal_length": st.integers(1, 50),
    "bias_swing_length": st.integers(2, 200),
    "atr_period": st.integers(2, 200),
    "warmup_bars": st.just(401),
    "displacement_atr": st.floats(0, 20),
    "fvg_min_atr": st.floats(0, 10),
    "pool_atr": st.floats(0, 10),
    "sweep_bars": st.integers(1, 20),
    "ote_from": st.floats(0, 1),
    "ote_to": st.floats(0, 1),
    "decision_timeframe": st.sampled_from(["15m", "1h", "4h"]),
    "bias_timeframe": st.sampled_from(["4h", "1d"]),
    "break_by": st.sampled_from(By),
    "block_candle": st.sampled_from(BlockCandle),
    "block_zone": st.sampled_from(BlockZone),
    "session_zone": st.sampled_from(["UTC", "Europe/London"]),
}


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=LENGTHS))
def test_the_engine_takes_all_settings_that_are_allowed(change: dict[str, object]) -> None:
    """What it would refuse is refused here, as a sentence about settings."""
    try:
        allowed = StrategySettings.model_validate(change)
    except ValidationError:
        return
    for made in (decision_rules(allowed), bias_rules(allowed)):
        assert rules(made).length > 0


def test_the_words_of_the_settings_are_the_engines() -> None:
    for ours, theirs in (
        (BlockCandle, params.BlockCandle),
        (BlockZone, params.BlockZone),
        (By, params.By),
    ):
        assert {word.value for word in ours} == {word.value for word in theirs}
    assert decision_rules(StrategySettings()).sessions == KILL_ZONES


def test_parameters_that_differ_have_another_digest() -> None:
    plain = decision_rules(StrategySettings())
    assert digest(plain) == digest(decision_rules(StrategySettings(min_score=0.1)))
    for change in ({"swing_length": 11}, {"sessions": ()}, {"pool_atr": 0.2}):
        settings = StrategySettings.model_validate({"kill_zones": ()} | change)
        assert digest(plain) != digest(decision_rules(settings))
