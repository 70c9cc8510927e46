"""From a zone to a trade: entry, stop, targets. Arithmetic only; the same for both sides."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Millis, Side
from bus_schemas.settings.strategy import EntryAt, StrategySettings
from strategy.view import Area


class Plan(msgspec.Struct, frozen=True):
    """A trade as it would be placed; prices in quote currency.

    Attributes:
        risk: distance from entry to stop, above zero: one R.
        area: where the entry waits.
        score: 0 to 1.
    """

    side: Side
    entry: float
    stop: float
    targets: tuple[float, float]
    risk: float
    area: Area
    expires: Millis
    score: float


def entry_of(area: Area, settings: StrategySettings) -> float:
    """At the near edge of the area, or in its middle."""
    return area.near if settings.entry_at is EntryAt.EDGE else (area.near + area.far) / 2


def stop_of(
    area: Area, entry: float, beyond: Sequence[float], atr: float, settings: StrategySettings
) -> float:
    """Beyond the area's far edge and every price of `beyond` by a share of ATR, and never nearer to the
    entry than the least."""
    sign = area.side
    farthest = min(price * sign for price in (area.far, *beyond))
    stop = farthest - settings.stop_buffer_atr * atr
    nearest = entry * sign - settings.min_stop_atr * atr
    return min(stop, nearest) * sign


def targets_of(
    side: int, entry: float, risk: float, levels: Sequence[float], settings: StrategySettings
) -> tuple[float, float]:
    """Two targets, the nearer first.

    Each is the nearest opposite liquidity that lies at least its multiple of R away and at most
    `target_reach_r` farther, else the multiple itself. The second is never nearer than its own
    multiple, so their mean is at least the mean of the two multiples.

    Args:
        levels: opposite liquidity, in any order.
    """
    first = _target(side, entry, risk, levels, settings.first_target_r, settings.target_reach_r)
    least = max(settings.second_target_r, (first - entry) * side / risk + MIN_STEP_R)
    second = _target(side, entry, risk, levels, least, settings.target_reach_r)
    return first, second


MIN_STEP_R = 0.5
"""Least distance between the two targets, in R."""


def _target(
    side: int, entry: float, risk: float, levels: Sequence[float], multiple: float, reach: float
) -> float:
    fitting = [
        distance
        for level in levels
        if multiple * risk <= (distance := (level - entry) * side) <= (multiple + reach) * risk
    ]
    return entry + side * min(fitting, default=multiple * risk)


def same_side_of_zero(*prices: float) -> bool:
    """Whether all are of one sign: a level beyond zero is no price."""
    return all(price > 0 for price in prices) or all(price < 0 for price in prices)
