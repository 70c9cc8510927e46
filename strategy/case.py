"""What one assessment looks at."""

from __future__ import annotations

import msgspec

from bus_schemas.events import Millis
from bus_schemas.settings.strategy import StrategySettings
from strategy.aggregate import Bar
from strategy.view import View


class Case(msgspec.Struct, frozen=True):
    """Everything that one assessment may look at.

    Attributes:
        time: event time of the event that closed the decision candle.
        bar: the decision candle.
        expected: base candles that it should hold.
        decision, bias: the timeframes, which have taken every whole candle that had closed by `time`.
    """

    time: Millis
    bar: Bar
    expected: int
    decision: View
    bias: View
    settings: StrategySettings
