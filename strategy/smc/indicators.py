"""Average true range, ADX, two EMAs, relative volume; and displacement, which is measured in them.

Wilder's definitions (New Concepts in Technical Trading Systems, 1978). Before a period is full, the mean of
what there is.
"""

from __future__ import annotations

from typing import Final

from strategy.smc.candle import Candle
from strategy.smc.kinds import DISPLACEMENT, EMA_CROSS, NONE, RANGING, TRENDING
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Averages

NOTHING: Final = 1e-100
"""Averages below that are 0: thousands of candles that do not move leave numbers by which nothing can be
divided."""


def displacement(averages: Averages, bar: Candle, rules: Rules, out: Out) -> int:
    """A bar whose body is `averages.displaced` or more, which is measured before the bar: the event's id.

    0 for a body of nothing, which is no displacement whatever the parameters.
    """
    if bar.close == bar.open:
        return 0
    relative = 0.0
    if averages.volumes >= rules.volume_period and averages.volume > 0.0:
        relative = bar.volume / averages.volume
    top, bottom, side = max(bar.close, bar.open), min(bar.close, bar.open), 1 if bar.close > bar.open else -1
    return emit(out, DISPLACEMENT, NONE, side, bar.time, bar.close, top, bottom, relative, 0, 0, 0)


def advance(averages: Averages, bar: Candle, contiguous: bool, rules: Rules, out: Out) -> None:
    """Take the bar. Across a hole in the data no range or move is measured."""
    high, low, close = bar.high, bar.low, bar.close
    count = averages.bars + 1
    averages.bars = count
    span = high - low
    if contiguous:
        last = averages.last_close
        if high - last > span:
            span = high - last
        if last - low > span:
            span = last - low
        _strength(averages, bar, rules, out)
    atr = averages.atr
    if averages.ranges < rules.atr_period:
        averages.ranges += 1
        atr += (span - atr) / averages.ranges
    else:
        atr += (span - atr) * rules.atr_weight
    averages.atr = atr if atr > NOTHING else 0.0
    if averages.ranges == rules.atr_period:
        averages.displaced = rules.displacement_atr * atr
    _volume(averages, bar.volume, rules)
    fast = 1.0 / count if count <= rules.ema_fast else rules.fast_weight
    slow = 1.0 / count if count <= rules.ema_slow else rules.slow_weight
    averages.fast += (close - averages.fast) * fast
    averages.slow += (close - averages.slow) * slow
    if (averages.fast - averages.slow) * averages.above <= 0 and count >= rules.ema_slow:
        _cross(averages, bar, out)
    averages.first_high = averages.last_high
    averages.first_low = averages.last_low
    averages.last_high = high
    averages.last_low = low
    averages.last_close = close


def _volume(averages: Averages, volume: float, rules: Rules) -> None:
    if averages.volumes < rules.volume_period:
        averages.volumes += 1
        averages.volume += (volume - averages.volume) / averages.volumes
    else:
        averages.volume += (volume - averages.volume) * rules.volume_weight
    if averages.volume < NOTHING:
        averages.volume = 0.0


def _cross(averages: Averages, bar: Candle, out: Out) -> None:
    """The fast average may have crossed the slow one. The first bars of either are their plain means."""
    if averages.fast == averages.slow:
        return
    above = 1 if averages.fast > averages.slow else -1
    if averages.above != 0:
        slow = averages.slow
        emit(out, EMA_CROSS, NONE, above, bar.time, slow, slow, slow, averages.fast, 0, 0, 0)
    averages.above = above


def _strength(averages: Averages, bar: Candle, rules: Rules, out: Out) -> None:
    """Wilder's directional movement; an event where ADX comes to or falls below the threshold.

    The true range by which both sides are divided cancels out of their ratio.
    """
    up = bar.high - averages.last_high
    down = averages.last_low - bar.low
    plus = up if up > down and up > 0.0 else 0.0
    minus = down if down > up and down > 0.0 else 0.0
    weight = rules.adx_weight
    if averages.moves < rules.adx_period:
        averages.moves += 1
        weight = 1.0 / averages.moves
    plus = averages.plus + (plus - averages.plus) * weight
    minus = averages.minus + (minus - averages.minus) * weight
    averages.plus = plus
    averages.minus = minus
    if averages.moves < rules.adx_period:
        return
    strength = 100.0 * abs(plus - minus) / (plus + minus) if plus + minus > 0.0 else 0.0
    weight = rules.adx_weight
    if averages.strengths < rules.adx_period:
        averages.strengths += 1
        weight = 1.0 / averages.strengths
    adx = averages.adx + (strength - averages.adx) * weight
    averages.adx = adx
    if averages.strengths < rules.adx_period:
        return
    trending = 1 if adx >= rules.adx_trending else -1
    if trending != averages.trending:
        side = 1 if plus > minus else -1 if plus < minus else 0
        kind = TRENDING if trending > 0 else RANGING
        emit(out, kind, NONE, side, bar.time, bar.close, bar.close, bar.close, adx, 0, 0, 0)
        averages.trending = trending
