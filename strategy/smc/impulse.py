"""Optimal trade entry (OTE): the part of an impulse, measured back from its end, where a retrace is bought.

For an impulse upwards from 100 to 200 the entry lies from 138 down to 121: 0.62 to 0.79 of the way back. It
becomes known when price gets there, and again after the impulse has gone on to a new extreme. A bar that
makes the extreme counts only by its close: nobody knows whether its low came before. A bar that goes back
beyond the start ends the impulse, and is no retrace.
"""

from __future__ import annotations

from strategy.smc.candle import Candle
from strategy.smc.kinds import OTE
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import NOWHERE_ABOVE, NOWHERE_BELOW, Trend


def advance(trend: Trend, scope: int, bar: Candle, rules: Rules, out: Out) -> None:
    """Follow a living impulse that began before this bar. Called when the bar goes above or below its
    prices."""
    side = trend.impulse
    ahead, behind = (bar.high, bar.low) if side > 0 else (bar.low, bar.high)
    retrace = behind
    if (ahead - trend.end) * side > 0:
        trend.end = ahead
        trend.armed = 1
        retrace = bar.close
    size = trend.end - trend.start
    near = trend.end - rules.ote_from * size
    over = (behind - trend.start) * side < 0
    if not over and trend.armed != 0 and (retrace - near) * side <= 0:
        trend.armed = 0
        far = trend.end - rules.ote_to * size
        top, bottom = (near, far) if side > 0 else (far, near)
        depth = (trend.end - retrace) / size if size != 0.0 else 0.0
        emit(out, OTE, scope, side, bar.time, (near + far) / 2, top, bottom, depth, trend.id, 0, 0)
    if over:
        trend.impulse = 0
    watch(trend, rules)


def watch(trend: Trend, rules: Rules) -> None:
    """Set the prices at which the impulse must be looked at again."""
    if trend.impulse == 0:
        trend.above = NOWHERE_ABOVE
        trend.below = NOWHERE_BELOW
        return
    back = trend.end - rules.ote_from * (trend.end - trend.start) if trend.armed != 0 else trend.start
    if trend.impulse > 0:
        trend.above = trend.end
        trend.below = back
    else:
        trend.above = back
        trend.below = trend.end
