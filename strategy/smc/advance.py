"""One bar through every concept. The order is part of the definition.

What was known before the bar meets it first: levels, flips, gaps, blocks. Then the bar makes new gaps and breaks
pivots that were known before it. Last come the pivots that it confirms and the days and sessions that it ends: so
nothing that a bar makes known meets the same bar.
"""

from __future__ import annotations

from strategy.smc import (
    dealing_range,
    fair_value_gaps,
    flips,
    four_swings,
    impulse,
    indicators,
    inducement,
    liquidity,
    order_blocks,
    periods,
    pivots,
    sessions,
    structure,
    window,
)
from strategy.smc.candle import Candle
from strategy.smc.kinds import DAY, INTERNAL, MONTH, SWING, WEEK
from strategy.smc.memory import Out
from strategy.smc.params import Rules
from strategy.smc.state import State


def advance(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """Take a closed candle that is sound; say what it makes known."""
    averages, frame = state.averages, state.window
    window.resume(frame, bar, rules, out)
    contiguous = frame.count > 0
    atr = averages.atr
    displaced = indicators.displacement(averages, bar, rules, out)
    indicators.advance(averages, bar, contiguous, rules, out)
    window.push(frame, state.slots, bar, rules)
    _meet(state, bar, rules, out)
    _break(state, displaced, atr, bar, rules, out)
    _confirm(state, bar, rules, out)
    highs, highs_book, lows, lows_book = state.highs, state.highs_book, state.lows, state.lows_book
    if rules.sessions != 0 and (state.clock.open != 0 or bar.time >= state.clock.next):
        sessions.advance(
            state.kills, state.clock, contiguous, bar, highs, highs_book, lows, lows_book, rules, out
        )
    periods.advance(state.day, DAY, bar, highs, highs_book, lows, lows_book, rules, out)
    periods.advance(state.week, WEEK, bar, highs, highs_book, lows, lows_book, rules, out)
    periods.advance(state.month, MONTH, bar, highs, highs_book, lows, lows_book, rules, out)


def _meet(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """What was known meets the bar; the books tell without a look at their zones whether it does."""
    atr, low, high = state.averages.atr, bar.low, bar.high
    if high > state.highs_book.near or state.highs_book.waiting != 0:
        liquidity.meet(state.highs, state.highs_book, 1, atr, bar, rules, out)
    if low < state.lows_book.near or state.lows_book.waiting != 0:
        liquidity.meet(state.lows, state.lows_book, -1, atr, bar, rules, out)
    if low <= state.flips_up_book.near:
        flips.meet(state.flips_up, state.flips_up_book, 1, bar, out)
    if high >= state.flips_down_book.near:
        flips.meet(state.flips_down, state.flips_down_book, -1, bar, out)
    gap = fair_value_gaps.side_of(state.window, state.slots, bar, atr, rules)
    zones, book = (state.gaps_up, state.gaps_up_book) if gap > 0 else (state.gaps_down, state.gaps_down_book)
    joined = gap != 0 and fair_value_gaps.joins(zones, book, bar, rules)
    if joined:
        fair_value_gaps.found(zones, book, gap, True, state.window, state.slots, bar, rules, out)
    if low <= state.gaps_up_book.near:
        fair_value_gaps.meet(
            state.gaps_up, state.gaps_up_book, 1, state.flips_down, state.flips_down_book, bar, rules, out
        )
    if high >= state.gaps_down_book.near:
        fair_value_gaps.meet(
            state.gaps_down, state.gaps_down_book, -1, state.flips_up, state.flips_up_book, bar, rules, out
        )
    if low <= state.blocks_up_book.near:
        order_blocks.meet(
            state.blocks_up, state.blocks_up_book, 1, state.flips_down, state.flips_down_book,
            state.highs_book.last, bar, rules, out,
        )  # fmt: skip
    if high >= state.blocks_down_book.near:
        order_blocks.meet(
            state.blocks_down, state.blocks_down_book, -1, state.flips_up, state.flips_up_book,
            state.lows_book.last, bar, rules, out,
        )  # fmt: skip
    if gap != 0 and not joined:
        fair_value_gaps.found(zones, book, gap, False, state.window, state.slots, bar, rules, out)


def _break(state: State, displaced: int, atr: float, bar: Candle, rules: Rules, out: Out) -> None:
    """Pivots that were known are broken; impulses that were under way go on."""
    if state.internal_trend.impulse != 0:
        impulse.advance(state.internal_trend, INTERNAL, bar, rules, out)
    if state.swing_trend.impulse != 0:
        impulse.advance(state.swing_trend, SWING, bar, rules, out)
    up, down = (bar.high, bar.low) if rules.break_by_wick else (bar.close, bar.close)
    rising = bar.close >= bar.open
    for turn in range(2):
        if rising == (turn == 1):
            if state.internal_up.live != 0 and up > state.internal_up.level:
                _broken(state, INTERNAL, 1, displaced, atr, bar, rules, out)
            if state.swing_up.live != 0 and up > state.swing_up.level:
                _broken(state, SWING, 1, displaced, atr, bar, rules, out)
        else:
            if state.internal_down.live != 0 and down < state.internal_down.level:
                _broken(state, INTERNAL, -1, displaced, atr, bar, rules, out)
            if state.swing_down.live != 0 and down < state.swing_down.level:
                _broken(state, SWING, -1, displaced, atr, bar, rules, out)
    if rules.four_swings:
        four_swings.watch(state.internal_turns, bar, rules)
        four_swings.watch(state.swing_turns, bar, rules)
        if state.internal_waits_book.count != 0:
            four_swings.meet(state.internal_waits, state.internal_waits_book, bar, rules, out)
        if state.swing_waits_book.count != 0:
            four_swings.meet(state.swing_waits, state.swing_waits_book, bar, rules, out)
    frame = state.window
    if state.internal_up.live != 0 and bar.low <= state.internal_up.far_low:
        structure.extend(state.internal_up, 1, frame, bar)
    if state.internal_down.live != 0 and bar.high >= state.internal_down.far_high:
        structure.extend(state.internal_down, -1, frame, bar)
    if state.swing_up.live != 0 and bar.low <= state.swing_up.far_low:
        structure.extend(state.swing_up, 1, frame, bar)
    if state.swing_down.live != 0 and bar.high >= state.swing_down.far_high:
        structure.extend(state.swing_down, -1, frame, bar)


def _broken(
    state: State, scope: int, side: int, displaced: int, atr: float, bar: Candle, rules: Rules, out: Out
) -> None:
    """A break, and the order block behind it."""
    if (bar.close - bar.open) * side < 0:
        displaced = 0
    if scope == INTERNAL:
        leg, trend = state.internal_up if side > 0 else state.internal_down, state.internal_trend
    else:
        leg, trend = state.swing_up if side > 0 else state.swing_down, state.swing_trend
    name = structure.broken(leg, trend, side, scope, displaced, atr, bar, rules, out)
    if side > 0:
        order_blocks.found(
            state.blocks_up, state.blocks_up_book, 1, scope, leg, name, displaced, bar, rules, out
        )
    else:
        order_blocks.found(
            state.blocks_down, state.blocks_down_book, -1, scope, leg, name, displaced, bar, rules, out
        )


def _confirm(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """Pivots that the bar confirms, and what follows from them."""
    if state.range.known != 0:
        dealing_range.stretch(state.range, bar)
    side = pivots.candidate(
        state.internal, state.window, state.slots, rules.internal_length, rules.internal_before,
        rules.internal_first, rules,
    )  # fmt: skip
    if side != 0:
        _internal(state, side, bar, rules, out)
    side = pivots.candidate(
        state.swing,
        state.window,
        state.slots,
        rules.swing_length,
        rules.swing_before,
        rules.swing_first,
        rules,
    )
    if side != 0:
        _swing(state, side, bar, rules, out)
    if state.range.known == dealing_range.BOTH:
        dealing_range.place(state.range, bar, rules, out)


def _internal(state: State, side: int, bar: Candle, rules: Rules, out: Out) -> None:
    known, frame, slots, atr = state.internal, state.window, state.slots, state.averages.atr
    extended = known.side == side
    if not pivots.take(known, side, INTERNAL, slots, frame, bar, rules.internal_length, rules, out):
        return
    if side > 0:
        name, at, level = known.high_id, known.high_at, known.high
        structure.begin(state.internal_up, 1, name, at, level, frame, slots, bar, rules)
        liquidity.pivot(state.highs, state.highs_book, 1, name, at, level, atr, bar, rules, out)
        inducement.found(state.blocks_down, state.blocks_down_book, -1, name, at, level, out)
    else:
        name, at, level = known.low_id, known.low_at, known.low
        structure.begin(state.internal_down, -1, name, at, level, frame, slots, bar, rules)
        liquidity.pivot(state.lows, state.lows_book, -1, name, at, level, atr, bar, rules, out)
        inducement.found(state.blocks_up, state.blocks_up_book, 1, name, at, level, out)
    if rules.four_swings:
        four_swings.take(
            state.internal_turns, state.internal_waits, state.internal_waits_book, side, extended, name, at,
            level, INTERNAL, bar, rules, out,
        )  # fmt: skip


def _swing(state: State, side: int, bar: Candle, rules: Rules, out: Out) -> None:
    known, frame, slots = state.swing, state.window, state.slots
    extended = known.side == side
    if not pivots.take(known, side, SWING, slots, frame, bar, rules.swing_length, rules, out):
        return
    if side > 0:
        name, at, level = known.high_id, known.high_at, known.high
        structure.begin(state.swing_up, 1, name, at, level, frame, slots, bar, rules)
    else:
        name, at, level = known.low_id, known.low_at, known.low
        structure.begin(state.swing_down, -1, name, at, level, frame, slots, bar, rules)
    dealing_range.reset(state.range, known, bar, out)
    if rules.four_swings:
        four_swings.take(
            state.swing_turns, state.swing_waits, state.swing_waits_book, side, extended, name, at, level,
            SWING, bar, rules, out,
        )  # fmt: skip
