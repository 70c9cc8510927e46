"""The dealing range and its parts: premium above the middle, discount below, equilibrium about it.

The range goes from the newest swing low to the newest swing high, and farther as price goes farther. An event
tells when a new swing sets it, and when a close comes into another part of it.
"""

from __future__ import annotations

from typing import Final

from strategy.smc.candle import Candle
from strategy.smc.kinds import DEALING_RANGE, DISCOUNT, EQUILIBRIUM, PREMIUM, SWING
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import NOWHERE_ABOVE, NOWHERE_BELOW, Pivots, Range

BOTH: Final = 3


def follow(known: Range, bar: Candle, rules: Rules, out: Out) -> None:
    """Let the range follow the price. Called when the bar leaves it, or its close may be in another part."""
    if bar.high > known.top or bar.low < known.bottom:
        known.top = max(known.top, bar.high)
        known.bottom = min(known.bottom, bar.low)
    if known.known == BOTH:
        _place(known, bar, rules, out)


def reset(known: Range, pivots: Pivots, bar: Candle, out: Out) -> None:
    """Take a new swing; `follow` is to be called next."""
    side = pivots.side
    if known.known == 0:
        known.top, known.bottom = bar.high, bar.low
    known.top = max(known.top, bar.high)
    known.bottom = min(known.bottom, bar.low)
    if side > 0:
        known.top = pivots.high
        known.known |= 1
    else:
        known.bottom = pivots.low
        known.known |= 2
    if known.known != BOTH:
        return
    newest, other = (pivots.high_id, pivots.low_id) if side > 0 else (pivots.low_id, pivots.high_id)
    at = pivots.high_at if side > 0 else pivots.low_at
    middle, size = (known.top + known.bottom) / 2, known.top - known.bottom
    known.id = emit(
        out, DEALING_RANGE, SWING, side, at, middle, known.top, known.bottom, size, newest, other, 0
    )
    known.upper = NOWHERE_BELOW


def _place(known: Range, bar: Candle, rules: Rules, out: Out) -> None:
    """Say where the close lies, if that changed."""
    middle = (known.top + known.bottom) / 2
    half = (known.top - known.bottom) * rules.equilibrium_half
    part = 1 if bar.close > middle + half else -1 if bar.close < middle - half else 0
    known.upper = NOWHERE_ABOVE if part > 0 else middle + half if part == 0 else middle - half
    known.lower = NOWHERE_BELOW if part < 0 else middle - half if part == 0 else middle + half
    if part == known.part:
        return
    known.part = part
    kind = PREMIUM if part > 0 else DISCOUNT if part < 0 else EQUILIBRIUM
    emit(out, kind, SWING, -part, bar.time, middle, known.top, known.bottom, bar.close, known.id, 0, 0)
