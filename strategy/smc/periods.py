"""Highs and lows of the previous day, week (from Monday) and month, in UTC.

They roll exactly at the boundary: the candle that ends the day makes its high and low known, and liquidity. A
day whose end was not seen becomes known late, and is no liquidity: nobody knows what took it. A day of which
too few candles were seen gives none.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import liquidity
from strategy.smc.candle import Candle
from strategy.smc.kinds import DAY, MONTH, PREVIOUS, WEEK
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Period, State

DAY_LENGTH: Final = 86_400_000
MONDAY: Final = 4 * DAY_LENGTH
"""From 1970-01-01, a Thursday, to the first Monday."""


def advance(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """Take a bar that begins a day or ends one. A bar within a day only stretches the day, see `stretch`."""
    day = state.day
    if bar.time >= day.end:
        _end_day(state, bar, rules, out)
        day.start = start_of(bar.time, DAY)
        day.end = day.start + DAY_LENGTH
    stretch(day, bar)
    if bar.time + rules.length >= day.end:
        _end_day(state, bar, rules, out)


def stretch(day: Period, bar: Candle) -> None:
    """Take a bar into the day that is going on."""
    if day.seen == 0:
        day.high = bar.high
        day.low = bar.low
    elif bar.high > day.high or bar.low < day.low:
        day.high = max(day.high, bar.high)
        day.low = min(day.low, bar.low)
    day.seen += 1


def _end_day(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """End the day, if it has not ended, and the week and the month that end with it or before the bar."""
    day = state.day
    if day.seen != 0:
        _finish(state, day, DAY, bar, rules, out)
    for scope in (WEEK, MONTH):
        period = state.week if scope == WEEK else state.month
        if day.seen != 0:
            _include(period, day, scope)
        if period.seen != 0 and (day.end >= period.end or bar.time >= period.end):
            _finish(state, period, scope, bar, rules, out)
            period.seen = 0
    day.seen = 0


def _include(period: Period, day: Period, scope: int) -> None:
    """Take a day that has ended into its week or month."""
    if day.start >= period.end:
        period.start = start_of(day.start, scope)
        period.end = end_of(period.start, scope)
        period.seen = 0
    if period.seen == 0:
        period.high = day.high
        period.low = day.low
    period.high = max(period.high, day.high)
    period.low = min(period.low, day.low)
    period.seen += day.seen


def _finish(state: State, period: Period, scope: int, bar: Candle, rules: Rules, out: Out) -> None:
    coverage = period.seen * rules.length / (period.end - period.start)
    if coverage < rules.period_coverage:
        return
    high, low = period.high, period.low
    name = emit(
        out, PREVIOUS, scope, 0, period.start, (high + low) / 2, high, low, coverage, period.last, 0, 0
    )
    period.last = name
    if bar.time >= period.end:
        return
    liquidity.renew(state, scope, name, period.start, high, low, bar, rules, out)


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
