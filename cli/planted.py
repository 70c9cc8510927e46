"""Faults to plant, so that anybody can see the look-ahead check fail: the button on the smoke alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Candle, Gap
from bus_schemas.settings import StrategySettings
from bus_schemas.timeframes import length
from strategy.decider import StrategyDecider

_BIAS = "bias:"


class Plant(StrEnum):
    """Which fault."""

    FORMING_CANDLE = "forming-candle"
    """The bias sees each of its candles, whole, as soon as it opens: what happens where somebody resamples
    the file first and then joins the higher candles to the lower by their open time."""


class PeekingDecider(Decider):
    """The strategy, whose bias is taken from as far ahead in the data as its open candle reaches.

    When that candle truly closes, the memory is put right, so that the strategy takes it once and not twice.

    Args:
        settings: of the strategy.
        data: every event that it is going to be given, in order; of one symbol.

    Raises:
        ConfigurationError: each decision candle ends with a bias candle, so that none is ever open.
    """

    def __init__(self, settings: StrategySettings, data: Sequence[Event]) -> None:
        self._settings = settings
        self._data = data
        self._span = length(settings.bias_timeframe)
        if self._span == length(settings.decision_timeframe):
            raise ConfigurationError(
                f"--plant {Plant.FORMING_CANDLE} needs a bias timeframe above the decision timeframe; "
                f"both are {settings.bias_timeframe}"
            )
        self._inner = StrategyDecider(settings)
        self._taken = 0
        self._stored: dict[str, bytes] = {}
        self._shown_until = 0

    def load(self, state: Mapping[str, bytes]) -> None:
        self._stored = dict(state)
        self._inner.load(state)
        self._shown_until = 0

    def changes(self) -> Mapping[str, bytes | None]:
        """All that it stores, as it would be without the fault."""
        self._keep(self._inner)
        return dict(self._stored)

    def handle(self, event: Event) -> Sequence[Output]:
        self._taken += 1
        if self._shown_until and _reached(event) >= self._shown_until:
            self._keep(self._inner)
            self._inner.load(self._stored)
            self._shown_until = 0
        said = self._inner.handle(event)
        if not self._shown_until:
            self._show(_reached(event))
        return said

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return self._inner.poisoned(symbol, origin, detail)

    def _show(self, now: int) -> None:
        """Give the strategy the bias as it will be when the candle that is open now has closed."""
        end = now - now % self._span + self._span
        if not self._data or _reached(self._data[-1]) < end:
            return
        self._keep(self._inner)
        scout = StrategyDecider(self._settings)
        scout.load(self._stored)
        for event in self._data[self._taken :]:
            scout.handle(event)
            if _reached(event) >= end:
                break
        ahead = {key: value for key, value in scout.changes().items() if value and key.startswith(_BIAS)}
        self._inner.load(self._stored | ahead)
        self._shown_until = end

    def _keep(self, decider: StrategyDecider) -> None:
        """Note what the strategy stores; while it is shown a bias from ahead, all but that."""
        for key, value in decider.changes().items():
            if self._shown_until and key.startswith(_BIAS):
                continue
            if value is None:
                self._stored.pop(key, None)
            else:
                self._stored[key] = value


def _reached(event: Event) -> int:
    """Until when it says what happened, or that nothing is known."""
    body = event.body
    return body.end if isinstance(body, Gap) else body.time if isinstance(body, Candle) else 0
