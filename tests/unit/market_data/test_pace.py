from __future__ import annotations

import pytest
from pydantic import ValidationError

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import MarketDataSettings
from market_data.pace import Pacer, seconds_to_wait, speed_of


@pytest.mark.parametrize(
    ("pace", "speed"), [("lockstep", None), ("realtime", 1.0), ("x60", 60.0), ("x1.5", 1.5), ("x0.5", 0.5)]
)
def test_a_pace_is_a_speed(pace: str, speed: float | None) -> None:
    assert speed_of(MarketDataSettings(pace=pace).pace) == speed


@pytest.mark.parametrize("pace", ["", "fast", "60", "x", "x0", "x0.0", "x-1", "xinf", "xnan", "x1e3x"])
def test_what_is_no_pace_is_refused(pace: str) -> None:
    with pytest.raises(ConfigurationError, match="none of lockstep, realtime, x60"):
        speed_of(pace)
    with pytest.raises(ValidationError):
        MarketDataSettings(pace=pace)


@pytest.mark.parametrize(
    ("event_ms", "wall_s", "speed", "wait"),
    [(60_000, 0, 1, 60), (60_000, 20, 1, 40), (60_000, 0, 60, 1), (60_000, 90, 1, 0), (0, 0, 1, 0)],
)
def test_the_wait_is_what_is_left(event_ms: int, wall_s: float, speed: float, wait: float) -> None:
    assert seconds_to_wait(event_ms, wall_s, speed) == wait


def test_a_pacer_keeps_to_its_anchor() -> None:
    pacer = Pacer(60)
    assert pacer.wait(900_000, 1000.0) == 0
    assert pacer.wait(1_800_000, 1000.5) == 14.5
    assert pacer.wait(2_700_000, 1040.0) == 0, "late: at once"
    assert pacer.wait(3_600_000, 1040.0) == 5, "and no later for it"


def test_times_out_of_order_and_doubtful_symbols_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"trade_from .* must come before end"):
        MarketDataSettings.model_validate({"trade_from": "2024-02-01", "end": "2024-01-01"})
    with pytest.raises(ValidationError, match=r"start .* must come before end"):
        MarketDataSettings.model_validate({"start": "2024-01-01", "end": "2024-01-01"})
    with pytest.raises(ValidationError, match="must be capital letters"):
        MarketDataSettings.model_validate({"symbols": ["BTC/USDT"]})
    assert MarketDataSettings(symbols=("B2", "A1", "B2")).symbols == ("A1", "B2")
