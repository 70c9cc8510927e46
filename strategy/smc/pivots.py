"""Pivots (swing highs and lows), internal and swing: known `length` candles after they lie.

A candle is a swing high if its high is above those of the `length` candles before it and not below those of
the `length` candles after it: of equal highs the earliest counts. Highs and lows alternate: a higher high
without a low between is the same swing, *extended*; the first pivot of the other side *confirms* it. A
candle that is both is taken as the opposite of the newest pivot.

The reference library's variant looks at one candle less before, lets equal highs be candidates, and takes a
candle that is both as a high.
"""

from __future__ import annotations

from strategy.smc.candle import Candle
from strategy.smc.kinds import PIVOT, PIVOT_CONFIRMED, PIVOT_EXTENDED
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Pivots, Slot, Window


def side_of(pivots: Pivots, slot: Slot, number: int, before: int, first: int, rules: Rules) -> int:
    """+1 if a candle is a swing high, -1 if it is a low, 0 if neither.

    Args:
        slot, number: the candle, `length` candles ago, and its number in the window.
        before: candles before it that count.
        first: the first number that can be a pivot.
    """
    if number < first:
        return 0
    least = number - before
    if rules.reference_pivots:
        return 1 if slot.higher < least else -1 if slot.lower < least else 0
    high = slot.above < least
    low = slot.below < least
    if high and low:
        return -pivots.side
    return 1 if high else -1 if low else 0


def take(
    pivots: Pivots,
    side: int,
    scope: int,
    slots: list[Slot],
    window: Window,
    bar: Candle,
    length: int,
    rules: Rules,
    out: Out,
) -> bool:
    """Take a candidate; whether it is the newest pivot of its side now."""
    slot = slots[(window.count - 1 - length) & rules.mask]
    at = bar.time - length * rules.length
    if side > 0:
        level, last, last_id = slot.high, pivots.high, pivots.high_id
        other, other_id, other_at = pivots.low, pivots.low_id, pivots.low_at
    else:
        level, last, last_id = slot.low, pivots.low, pivots.low_id
        other, other_id, other_at = pivots.high, pivots.high_id, pivots.high_at
    if pivots.side == side:
        if (level - last) * side <= 0:
            return False
        kind = PIVOT_EXTENDED
    else:
        kind = PIVOT
        last_id = other_id
        if pivots.side != 0:
            emit(out, PIVOT_CONFIRMED, scope, -side, other_at, other, other, other, 0.0, other_id, 0, 0)
    name = emit(out, kind, scope, side, at, level, level, level, 0.0, last_id, 0, 0)
    pivots.side = side
    if side > 0:
        pivots.high_id = name
        pivots.high_at = at
        pivots.high = level
    else:
        pivots.low_id = name
        pivots.low_at = at
        pivots.low = level
    return True
