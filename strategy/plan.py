"""From a zone to a trade: entry, stop, targets. Arithmetic only; the same for both sides."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Millis, Side
from bus_schemas.settings.strategy import StrategySettings
from strategy.first.zones import Zone


class Plan(msgspec.Struct, frozen=True):
    """A trade as it would be placed; prices in quote currency.

    Attributes:
        risk: distance from entry to stop, above zero: one R.
        zone: the zone that it comes from; the engine's own object.
        score: 0 to 1, filled in at the end.
    """

    side: Side
    entry: float
    stop: float
    targets: tuple[float, float]
    risk: float
    zone: Zone
    expires: Millis
    score: float


def stop_of(zone: Zone, atr: float, settings: StrategySettings) -> float:
    """Beyond the zone's far edge by a share of ATR, and never nearer to the entry than the least."""
    sign = zone.side.sign
    stop = zone.far - sign * settings.stop_buffer_atr * atr
    nearest = zone.near - sign * settings.min_stop_atr * atr
    return min(stop * sign, nearest * sign) * sign


def targets_of(
    side: Side, entry: float, risk: float, levels: Sequence[float], settings: StrategySettings
) -> tuple[float, float]:
    """Two targets, the nearer first.

    Each is the nearest opposite liquidity that lies at least its multiple of R away and at most
    `target_reach_r` farther, else the multiple itself. The second is never nearer than its own
    multiple, so their mean is at least the mean of the two multiples.

    Args:
        levels: opposite liquidity, in any order.
    """
    first = _target(side, entry, risk, levels, settings.first_target_r, settings.target_reach_r)
    least = max(settings.second_target_r, (first - entry) * side.sign / risk + MIN_STEP_R)
    second = _target(side, entry, risk, levels, least, settings.target_reach_r)
    return first, second


MIN_STEP_R = 0.5
"""Least distance between the two targets, in R."""


def _target(
    side: Side, entry: float, risk: float, levels: Sequence[float], multiple: float, reach: float
) -> float:
    fitting = [
        distance
        for level in levels
        if multiple * risk <= (distance := (level - entry) * side.sign) <= (multiple + reach) * risk
    ]
    return entry + side.sign * min(fitting, default=multiple * risk)


def same_side_of_zero(*prices: float) -> bool:
    """Whether all are of one sign: a level beyond zero is no price."""
    return all(price > 0 for price in prices) or all(price < 0 for price in prices)
