"""Average true range, ADX, two EMAs, relative volume; and displacement, which is measured in them.

Wilder's definitions (New Concepts in Technical Trading Systems, 1978). Before a period is full, the mean of
what there is.
"""

from __future__ import annotations

from strategy.smc.candle import Candle
from strategy.smc.kinds import DISPLACEMENT, EMA_CROSS, NONE, RANGING, TRENDING
from strategy.smc.memory import Out, emit
from strategy.smc.params import Rules
from strategy.smc.state import Averages


def displacement(averages: Averages, bar: Candle, rules: Rules, out: Out) -> int:
    """The id of the displacement that the bar is, else 0: a body of many ATR, as known before the bar."""
    body = bar.close - bar.open
    if averages.range_bars < rules.atr_period or abs(body) < rules.displacement_atr * averages.atr:
        return 0
    if body == 0.0:
        return 0
    top, bottom = (bar.close, bar.open) if body > 0 else (bar.open, bar.close)
    side = 1 if body > 0 else -1
    return emit(
        out,
        DISPLACEMENT,
        NONE,
        side,
        bar.time,
        bar.close,
        top,
        bottom,
        relative(averages, bar, rules),
        0,
        0,
        0,
    )


def relative(averages: Averages, bar: Candle, rules: Rules) -> float:
    """The bar's volume as a multiple of the average before it; 0 while that is not known."""
    if averages.volumes < rules.volume_period or averages.volume <= 0.0:
        return 0.0
    return bar.volume / averages.volume


def advance(averages: Averages, bar: Candle, contiguous: bool, rules: Rules, out: Out) -> None:
    """Take the bar. Across a hole in the data no range or move is measured."""
    span = bar.high - bar.low
    if contiguous:
        span = max(span, bar.high - averages.last_close, averages.last_close - bar.low)
        _strength(averages, bar, span, rules, out)
    if averages.range_bars < rules.atr_period:
        averages.range_bars += 1
    averages.atr += (span - averages.atr) / averages.range_bars
    _volume(averages, bar, rules)
    _crossing(averages, bar, rules, out)
    averages.bars += 1
    averages.last_high = bar.high
    averages.last_low = bar.low
    averages.last_close = bar.close


def _volume(averages: Averages, bar: Candle, rules: Rules) -> None:
    if averages.volumes < rules.volume_period:
        averages.volumes += 1
        averages.volume += (bar.volume - averages.volume) / averages.volumes
    else:
        averages.volume += (bar.volume - averages.volume) * 2.0 / (rules.volume_period + 1)


def _crossing(averages: Averages, bar: Candle, rules: Rules, out: Out) -> None:
    """The fast average crosses the slow one. The first `ema_slow` bars are their plain means."""
    count = averages.bars + 1
    fast = 1.0 / count if count <= rules.ema_fast else 2.0 / (rules.ema_fast + 1)
    slow = 1.0 / count if count <= rules.ema_slow else 2.0 / (rules.ema_slow + 1)
    averages.fast += (bar.close - averages.fast) * fast
    averages.slow += (bar.close - averages.slow) * slow
    if count < rules.ema_slow or averages.fast == averages.slow:
        return
    above = 1 if averages.fast > averages.slow else -1
    if averages.above != 0 and above != averages.above:
        emit(
            out, EMA_CROSS, NONE, above, bar.time, averages.slow, averages.slow, averages.slow,
            averages.fast, 0, 0, 0,
        )  # fmt: skip
    averages.above = above


def _strength(averages: Averages, bar: Candle, span: float, rules: Rules, out: Out) -> None:
    """Wilder's directional movement; an event where ADX comes to or falls below the threshold."""
    up = bar.high - averages.last_high
    down = averages.last_low - bar.low
    plus = up if up > down and up > 0.0 else 0.0
    minus = down if down > up and down > 0.0 else 0.0
    if averages.moves < rules.adx_period:
        averages.moves += 1
    averages.plus += (plus - averages.plus) / averages.moves
    averages.minus += (minus - averages.minus) / averages.moves
    averages.span += (span - averages.span) / averages.moves
    if averages.moves < rules.adx_period:
        return
    total = averages.plus + averages.minus
    strength = 100.0 * abs(averages.plus - averages.minus) / total if total > 0.0 else 0.0
    if averages.strengths < rules.adx_period:
        averages.strengths += 1
    averages.adx += (strength - averages.adx) / averages.strengths
    if averages.strengths < rules.adx_period:
        return
    trending = 1 if averages.adx >= rules.adx_trending else -1
    if trending != averages.trending:
        side = 1 if averages.plus > averages.minus else -1 if averages.plus < averages.minus else 0
        kind = TRENDING if trending > 0 else RANGING
        emit(out, kind, NONE, side, bar.time, bar.close, bar.close, bar.close, averages.adx, 0, 0, 0)
    averages.trending = trending
