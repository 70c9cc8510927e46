from __future__ import annotations

import pytest
from pydantic import ValidationError

from bus_schemas.settings.strategy import StrategySettings


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
        ({"surprise": 1}, "surprise"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StrategySettings.model_validate(change)
