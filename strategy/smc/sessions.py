"""Sessions and kill zones: daily windows of a local clock, New York's, with its daylight saving.

A bar belongs to a session if its open time on that clock lies from the start up to the end, the end
excluded. The session is closed by the last such bar, or by the first bar after a hole in which it ended.
If its last bar closed it and enough of its candles were seen, its high and low are liquidity from then on.
"""

from __future__ import annotations

from typing import Final

from strategy.smc import liquidity
from strategy.smc.candle import Candle
from strategy.smc.kinds import SESSION_CLOSED, SESSION_OPENED, SESSIONS_FROM
from strategy.smc.memory import Out, emit
from strategy.smc.rules import Rules
from strategy.smc.state import Clock, Kill, State

DAY_LENGTH: Final = 86_400_000


def advance(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """Take a bar with which a session may begin or end."""
    kills, clock = state.kills, state.clock
    opening = _local(clock, bar.time, rules)
    now, row = opening % DAY_LENGTH, clock.row
    then = _local(clock, bar.time + rules.length, rules) % DAY_LENGTH
    wait = DAY_LENGTH
    for index in range(rules.sessions):
        kill, start, end = kills[index], rules.starts[index], rules.ends[index]
        inside = _within(now, start, end)
        if kill.id != 0 and (not inside or opening - kill.local >= DAY_LENGTH):
            _close(state, kill, index, False, bar, rules, out)
        if inside:
            if kill.id == 0:
                since = (now - start) % DAY_LENGTH
                _open(kill, index, opening - since, since, row, bar, rules, out)
            _stretch(kill, bar)
            if not _within(then, start, end):
                _close(state, kill, index, True, bar, rules, out)
        if kill.id != 0:
            wait = min(wait, (end - then) % DAY_LENGTH)
        elif _within(then, start, end):
            wait = 0
        else:
            wait = min(wait, (start - then) % DAY_LENGTH)
    clock.next = bar.time + rules.length + wait
    if clock.row + 1 < rules.clocks:
        clock.next = min(clock.next, rules.clock_times[clock.row + 1])


def stretch(kills: list[Kill], bar: Candle, rules: Rules) -> None:
    """Take a bar that begins and ends nothing."""
    for index in range(rules.sessions):
        if kills[index].id != 0:
            _stretch(kills[index], bar)


def _stretch(kill: Kill, bar: Candle) -> None:
    if bar.high > kill.high:
        kill.high = bar.high
    if bar.low < kill.low:
        kill.low = bar.low
    kill.seen += 1


def _open(
    kill: Kill, index: int, local: int, since: int, row: int, bar: Candle, rules: Rules, out: Out
) -> None:
    """Begin a session at this bar, or so many milliseconds of the local clock before it.

    It begins with the first candle that opens in it, seen or not.

    Args:
        local: when it began, on the local clock.
        row: of the clock's changes, at the bar.
    """
    scope = SESSIONS_FROM + index
    kill.id = emit(
        out, SESSION_OPENED, scope, 0, bar.time, bar.open, bar.open, bar.open, 0.0, kill.last, 0, 0
    )
    if row > 0 and bar.time - since < rules.clock_times[row]:
        row -= 1
    begun = local - rules.clock_offsets[row]
    kill.start = begun + -begun % rules.length
    kill.local = local
    kill.high = bar.high
    kill.low = bar.low
    kill.seen = 0


def _close(state: State, kill: Kill, index: int, whole: bool, bar: Candle, rules: Rules, out: Out) -> None:
    """End a session: with its last bar, or late, when it must have ended in a hole before this bar."""
    end = bar.time + rules.length if whole else bar.time
    coverage = min(kill.seen * rules.length / (end - kill.start), 1.0)
    scope = SESSIONS_FROM + index
    high, low = kill.high, kill.low
    name = emit(
        out, SESSION_CLOSED, scope, 0, kill.start, (high + low) / 2, high, low, coverage, kill.id, 0, 0
    )
    kill.id = 0
    kill.last = name
    if not whole or coverage < rules.period_coverage:
        return
    liquidity.renew(state, scope, name, kill.start, high, low, bar, rules, out)


def _local(clock: Clock, time: int, rules: Rules) -> int:
    """A moment on the local clock, in milliseconds; moments must not go back."""
    row = clock.row
    while row + 1 < rules.clocks and time >= rules.clock_times[row + 1]:
        row += 1
    clock.row = row
    return time + rules.clock_offsets[row]


def _within(now: int, start: int, end: int) -> bool:
    return start <= now < end if start < end else now >= start or now < end
