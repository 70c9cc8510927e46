"""ATR, ADX, EMA and relative volume as the textbooks write them, and the events that stand on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose

from tests.unit.strategy.smc.history import Fact, History, flat


def wilder(values: Sequence[float], period: int) -> list[float]:
    """Smoothed by Wilder: the mean until the period is full, then one part in `period` of each new value."""
    out: list[float] = []
    for count, value in enumerate(values, 1):
        full = count > period
        out.append((out[-1] * (period - 1) + value) / period if full else sum(values[:count]) / count)
    return out


def ema(values: Sequence[float], period: int) -> list[float]:
    """Exponential average; the mean until the period is full."""
    out: list[float] = []
    for count, value in enumerate(values, 1):
        weight = 2 / (period + 1)
        mean = sum(values[:count]) / count if count <= period else 0.0
        out.append(value * weight + out[-1] * (1 - weight) if count > period else mean)
    return out


def true_ranges(h: History) -> list[float]:
    """High less low, or from the close before where there was a candle just before."""
    out = []
    for index, bar in enumerate(h.bars):
        reach = [bar.high - bar.low]
        if h.begins[index] < index:
            close = h.bars[index - 1].close
            reach += [abs(bar.high - close), abs(bar.low - close)]
        out.append(max(reach))
    return out


def directional(h: History) -> tuple[list[int], list[float], list[float], list[float]]:
    """Bars that move, smoothed +DM and -DM, and ADX (as far as there is one) after each of them."""
    moving = [i for i in range(len(h.bars)) if h.begins[i] < i]
    plus, minus = [], []
    for i in moving:
        up = h.bars[i].high - h.bars[i - 1].high
        down = h.bars[i - 1].low - h.bars[i].low
        plus.append(up if up > max(down, 0) else 0.0)
        minus.append(down if down > max(up, 0) else 0.0)
    period = h.params.adx_period
    plus, minus = wilder(plus, period), wilder(minus, period)
    strengths = [
        100 * abs(p - m) / (p + m) if p + m > 0 else 0.0
        for p, m in zip(plus[period - 1 :], minus[period - 1 :], strict=True)
    ]
    return moving, plus, minus, wilder(strengths, period)


def assert_averages(h: History) -> None:
    """The engine's running averages are the textbook's, to rounding."""
    size = max((abs(price) for b in h.bars for price in (b.high, b.low)), default=0.0) or 1.0

    def same(ours: float, theirs: float, scale: float) -> bool:
        return isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-11 * scale)

    closes = [bar.close for bar in h.bars]
    for index, (ours, atr, fast, slow) in enumerate(
        zip(
            h.averages,
            wilder(true_ranges(h), h.params.atr_period),
            ema(closes, h.params.ema_fast),
            ema(closes, h.params.ema_slow),
            strict=True,
        )
    ):
        assert same(ours.atr, atr, size), f"ATR at {index}"
        assert same(ours.fast, fast, size), f"fast EMA at {index}"
        assert same(ours.slow, slow, size), f"slow EMA at {index}"
    moving, plus, minus, adx = directional(h)
    for place, index in enumerate(moving):
        ours = h.averages[index]
        assert same(ours.plus, plus[place], size), f"+DM at {index}"
        assert same(ours.minus, minus[place], size), f"-DM at {index}"
        known = place - h.params.adx_period + 1
        assert same(ours.adx, adx[known] if known >= 0 else 0.0, 1e4), f"ADX at {index}"


def displacements(h: History) -> Iterator[Fact]:
    """A body of many ATR, both as known before the bar; its value is the relative volume."""
    usual = ema([bar.volume for bar in h.bars], h.params.volume_period)
    for index, bar in enumerate(h.bars):
        body = bar.close - bar.open
        if index < h.params.atr_period or abs(body) < h.params.displacement_atr * h.atr_before(index):
            continue
        known = index >= h.params.volume_period and usual[index - 1] > 0
        relative = bar.volume / usual[index - 1] if known else 0.0
        if body:
            top, bottom, side = max(bar.open, bar.close), min(bar.open, bar.close), 1 if body > 0 else -1
            yield Fact(bar.time, "displacement", "", side, bar.time, bar.close, top, bottom, relative)


def crossings(h: History) -> Iterator[Fact]:
    side = 0
    for index, bar in enumerate(h.bars):
        fast, slow = h.averages[index].fast, h.averages[index].slow
        now = (fast > slow) - (fast < slow)
        if index < h.params.ema_slow - 1 or now == 0:
            continue
        if side == -now:
            yield flat(bar.time, "ema_cross", "", now, bar.time, slow, fast)
        side = now


def strengths(h: History) -> Iterator[Fact]:
    """Trending and ranging: where ADX comes to the threshold or below it, and where it is first known."""
    before = 0
    for index in directional(h)[0][2 * h.params.adx_period - 2 :]:
        bar, a = h.bars[index], h.averages[index]
        now = 1 if a.adx >= h.params.adx_trending else -1
        if now != before:
            before, kind = now, "trending" if now > 0 else "ranging"
            side = (a.plus > a.minus) - (a.plus < a.minus)
            yield flat(bar.time, kind, "", side, bar.time, bar.close, a.adx)
