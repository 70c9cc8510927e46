"""Highs and lows of the previous day, week (from Monday) and month, in UTC.

They roll exactly at the boundary: the candle that ends the day makes its high and low known. A day of which
too few candles were seen gives none.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import liquidity
from strategy.smc.candle import Candle
from strategy.smc.kinds import DAY, PREVIOUS, WEEK
from strategy.smc.memory import Out, emit
from strategy.smc.params import Rules
from strategy.smc.state import Book, Period, Zone

DAY_LENGTH: Final = 86_400_000
MONDAY: Final = 4 * DAY_LENGTH
"""From 1970-01-01, a Thursday, to the first Monday."""


def advance(
    period: Period,
    scope: int,
    bar: Candle,
    highs: list[Zone],
    highs_book: Book,
    lows: list[Zone],
    lows_book: Book,
    rules: Rules,
    out: Out,
) -> None:
    """Take a bar: the period before ends if it has not, and this one if the bar is its last."""
    if bar.time >= period.end:
        if period.seen != 0:
            _finish(period, scope, bar, highs, highs_book, lows, lows_book, rules, out)
        period.start = start_of(bar.time, scope)
        period.end = end_of(period.start, scope)
        period.high = bar.high
        period.low = bar.low
        period.seen = 1
    else:
        period.high = max(period.high, bar.high)
        period.low = min(period.low, bar.low)
        period.seen += 1
    if bar.time + rules.length >= period.end:
        _finish(period, scope, bar, highs, highs_book, lows, lows_book, rules, out)
        period.seen = 0


def _finish(
    period: Period,
    scope: int,
    bar: Candle,
    highs: list[Zone],
    highs_book: Book,
    lows: list[Zone],
    lows_book: Book,
    rules: Rules,
    out: Out,
) -> None:
    coverage = period.seen * rules.length / (period.end - period.start)
    if coverage < rules.period_coverage:
        return
    high, low = period.high, period.low
    name = emit(
        out, PREVIOUS, scope, 0, period.start, (high + low) / 2, high, low, coverage, period.last, 0, 0
    )
    period.last = name
    liquidity.replace(highs, highs_book, scope)
    liquidity.replace(lows, lows_book, scope)
    liquidity.level_at(highs, highs_book, 1, scope, name, period.start, high, bar, rules, out)
    liquidity.level_at(lows, lows_book, -1, scope, name, period.start, low, bar, rules, out)


def start_of(time: int, scope: int) -> int:
    """Start of the day, week or month that holds a moment; milliseconds UTC."""
    if scope == DAY:
        return time - time % DAY_LENGTH
    if scope == WEEK:
        return time - (time - MONDAY) % (7 * DAY_LENGTH)
    return time - time % DAY_LENGTH - (_day_of_month(time // DAY_LENGTH) - 1) * DAY_LENGTH


def end_of(start: int, scope: int) -> int:
    """End of the period that starts then."""
    if scope == DAY:
        return start + DAY_LENGTH
    if scope == WEEK:
        return start + 7 * DAY_LENGTH
    later = start + 31 * DAY_LENGTH
    return later - (_day_of_month(later // DAY_LENGTH) - 1) * DAY_LENGTH


def _day_of_month(days: int) -> int:
    """Day of the month, from 1, of the Gregorian day so many days after 1970-01-01.

    Counted from 1 March of a year that 400 divides, so that leap days come last.
    """
    of_era = (days + 719_468) % 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return of_year - (153 * month + 2) // 5 + 1
