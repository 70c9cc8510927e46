"""Market structure: break of structure (BOS), change of character (CHoCH), market structure shift (MSS).

A break is a close (or, as a variant, a wick) beyond the newest known pivot of a side; each pivot breaks once.
It is a CHoCH if it goes against the break before it, else a BOS. A CHoCH whose candle is a displacement is an
MSS as well.

A break begins an impulse: from the extreme between the pivot and the break to wherever price goes from there.
"""

from __future__ import annotations

from strategy.smc import impulse
from strategy.smc.candle import Candle
from strategy.smc.kinds import BOS, CHOCH, MSS
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import NOWHERE_ABOVE, Leg, Slot, Trend, Window


def begin(
    leg: Leg,
    side: int,
    name: int,
    at: int,
    level: float,
    window: Window,
    slots: list[Slot],
    bar: Candle,
    rules: Rules,
) -> None:
    """Take a new pivot, whose candle may lie some candles ago; `side` is that of its break."""
    leg.trigger = level
    leg.id = name
    leg.at = at
    leg.level = level
    newest = window.count - 1
    first = newest - (bar.time - at) // rules.length + 1
    leg.block_at = 0
    block = -1
    for number in range(first, newest + 1):
        slot = slots[number & rules.mask]
        if (slot.open - slot.close) * side > 0:
            block = number
        price = slot.low if side > 0 else slot.high
        if number == first or (price - leg.far) * side <= 0:
            time = bar.time - (newest - number) * rules.length
            _far(leg, side, time, slot.open, slot.high, slot.low, slot.close)
            if block >= 0:
                source = slots[block & rules.mask]
                time = bar.time - (newest - block) * rules.length
                _block(leg, time, source.open, source.high, source.low, source.close)


def extend(leg: Leg, side: int, window: Window, bar: Candle) -> None:
    """Take a bar that is the farthest from the pivot so far, or as far."""
    _far(leg, side, bar.time, bar.open, bar.high, bar.low, bar.close)
    if side > 0:
        if window.down_at > leg.at:
            _block(
                leg, window.down_at, window.down_open, window.down_high, window.down_low, window.down_close
            )
    elif window.up_at > leg.at:
        _block(leg, window.up_at, window.up_open, window.up_high, window.up_low, window.up_close)


def _far(leg: Leg, side: int, at: int, opening: float, high: float, low: float, close: float) -> None:
    leg.far_at = at
    leg.far = low if side > 0 else high
    leg.far_open = opening
    leg.far_high = high
    leg.far_low = low
    leg.far_close = close


def _block(leg: Leg, at: int, opening: float, high: float, low: float, close: float) -> None:
    leg.block_at = at
    leg.block_open = opening
    leg.block_high = high
    leg.block_low = low
    leg.block_close = close


def broken(
    leg: Leg,
    trend: Trend,
    side: int,
    scope: int,
    displaced: int,
    atr: float,
    bar: Candle,
    rules: Rules,
    out: Out,
) -> int:
    """The bar breaks the leg's pivot: the id of the break, or of the pivot where another variant names
    breaks.

    Args:
        displaced: id of the displacement that the bar is in the direction of the break, else 0.
        atr: as known before the bar.
    """
    leg.trigger = side * NOWHERE_ABOVE
    leg.far = -side * NOWHERE_ABOVE
    start, start_at = leg.far_low if side > 0 else leg.far_high, leg.far_at
    end, back = (bar.high, bar.low) if side > 0 else (bar.low, bar.high)
    if (start - back) * side > 0:
        start, start_at = back, bar.time
    name = leg.id
    if not rules.four_swings:
        against = trend.side == -side
        body = (bar.close - bar.open) * side / atr if atr > 0.0 else 0.0
        top, bottom = (end, start) if side > 0 else (start, end)
        name = emit(
            out, CHOCH if against else BOS, scope, side, bar.time, leg.level, top, bottom, body,
            leg.id, displaced, 0,
        )  # fmt: skip
        if against and displaced != 0:
            emit(out, MSS, scope, side, bar.time, leg.level, top, bottom, body, name, displaced, 0)
    trend.side = side
    trend.id = name
    trend.start = start
    trend.start_at = start_at
    trend.end = end
    trend.impulse = side
    trend.armed = 1
    impulse.watch(trend, rules)
    return name
