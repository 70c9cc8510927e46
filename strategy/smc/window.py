"""The newest candles, with what makes pivots cheap: links to the nearest higher and lower ones.

Each candle is linked to the nearest candle before it with an equal or higher high. The links are a stack:
a new candle unlinks those below its high, each once, so a candle costs the same for every pivot length.
A candle is the highest of the `before` candles up to it if its link leads farther back, and of those
after it as long as no later candle has passed it.
"""

from __future__ import annotations

from typing import Final

from strategy.smc.candle import Candle
from strategy.smc.kinds import DATA_GAP, NONE
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Slot, Window

PASSED: Final = 1 << 30
"""In place of a link: a later candle went beyond."""


def resume(window: Window, bar: Candle, rules: Rules, out: Out) -> None:
    """Notice missing candles: what looks at neighbours starts again, with an event."""
    if window.time < 0:
        return
    missing = (bar.time - window.time) // rules.length - 1
    window.count = 0
    window.resumed = bar.time
    emit(out, DATA_GAP, NONE, 0, bar.time, bar.open, bar.open, bar.open, float(missing), 0, 0, 0)


def push(window: Window, slots: list[Slot], bar: Candle, rules: Rules) -> None:
    """Take the candle into the window."""
    number, mask = window.count, rules.mask
    oldest = number - mask
    link = number - 1
    higher = -1
    while link >= 0 and link >= oldest:
        other = slots[link & mask]
        if other.high >= bar.high:
            higher = other.higher if other.high == bar.high else link
            break
        above = other.above
        other.above = PASSED
        other.higher = PASSED
        link = above
    below = number - 1
    lower = -1
    while below >= 0 and below >= oldest:
        other = slots[below & mask]
        if other.low <= bar.low:
            lower = other.lower if other.low == bar.low else below
            break
        under = other.below
        other.below = PASSED
        other.lower = PASSED
        below = under
    slot = slots[number & mask]
    slot.open = bar.open
    slot.high = bar.high
    slot.low = bar.low
    slot.close = bar.close
    slot.above = link
    slot.higher = higher
    slot.below = below
    slot.lower = lower
    window.count = number + 1
    window.time = bar.time
    if bar.close < bar.open:
        window.down_at = bar.time
        window.down_open = bar.open
        window.down_high = bar.high
        window.down_low = bar.low
        window.down_close = bar.close
    elif bar.close > bar.open:
        window.up_at = bar.time
        window.up_open = bar.open
        window.up_high = bar.high
        window.up_low = bar.low
        window.up_close = bar.close
