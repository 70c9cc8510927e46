"""One bar through every concept. The order is part of the definition.

What was known before the bar meets it first: levels, flips, gaps, blocks. Then the bar makes new gaps and
breaks pivots that were known before it. Last come the pivots that it confirms and the days and sessions
that it ends: so nothing that a bar makes known meets the same bar.
"""

from __future__ import annotations

from strategy.smc import (
    books,
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
from strategy.smc.kinds import INTERNAL, SWING
from strategy.smc.memory import Out
from strategy.smc.rules import Rules
from strategy.smc.state import State


def advance(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """Take a closed candle that is sound; say what it makes known."""
    averages, frame = state.averages, state.window
    if bar.time - frame.time != rules.length:
        window.resume(frame, bar, rules, out)
    contiguous = frame.count > 0
    atr, body, displaced = averages.atr, bar.close - bar.open, 0
    if body >= averages.displaced or -body >= averages.displaced:
        displaced = indicators.displacement(averages, bar, rules, out)
    gap = bar.low > averages.first_high or bar.high < averages.first_low
    indicators.advance(averages, bar, contiguous, rules, out)
    window.push(frame, state.slots, bar, rules)
    _meet(state, gap, bar, rules, out)
    _move(state, displaced, atr, bar, rules, out)
    _confirm(state, bar, rules, out)
    end, day = bar.time + rules.length, state.day
    if rules.sessions != 0:
        if end >= state.clock.next:
            sessions.advance(state, bar, rules, out)
        else:
            sessions.stretch(state.kills, bar, rules)
    if end >= day.end or day.seen == 0:
        periods.advance(state, bar, rules, out)
    else:
        periods.stretch(day, bar)


def _meet(state: State, gap: bool, bar: Candle, rules: Rules, out: Out) -> None:
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
    if gap:
        _gap(state, bar, rules, out)
    else:
        _gaps_meet(state, bar, rules, out)
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


def _gaps_meet(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    if bar.low <= state.gaps_up_book.near:
        fair_value_gaps.meet(
            state.gaps_up, state.gaps_up_book, 1, state.flips_down, state.flips_down_book, bar, rules, out
        )
    if bar.high >= state.gaps_down_book.near:
        fair_value_gaps.meet(
            state.gaps_down, state.gaps_down_book, -1, state.flips_up, state.flips_up_book, bar, rules, out
        )


def _gap(state: State, bar: Candle, rules: Rules, out: Out) -> None:
    """The bar may complete a gap. The one that it joins does not meet the bar by itself any more."""
    frame, slots = state.window, state.slots
    side = fair_value_gaps.side_of(frame, slots, bar, state.averages.atr, rules)
    if side == 0:
        _gaps_meet(state, bar, rules, out)
        return
    zones, book = (state.gaps_up, state.gaps_up_book) if side > 0 else (state.gaps_down, state.gaps_down_book)
    first, joined = slots[(frame.count - 3) & rules.mask], 0
    top, bottom = (bar.low, first.high) if side > 0 else (first.low, bar.high)
    index = fair_value_gaps.before(zones, book, bar, rules)
    if index >= 0:
        last = zones[index]
        joined, top, bottom = last.id, max(top, last.top), min(bottom, last.bottom)
        last.stage = books.GONE
        books.settle(zones, book, index, side)
    _gaps_meet(state, bar, rules, out)
    fair_value_gaps.found(zones, book, side, joined, top, bottom, bar, rules, out)


def _move(state: State, displaced: int, atr: float, bar: Candle, rules: Rules, out: Out) -> None:
    """Impulses that were under way go on, and pivots that were known are broken."""
    high, low = bar.high, bar.low
    internal, swing = state.internal_trend, state.swing_trend
    if high >= internal.above or low <= internal.below:
        impulse.advance(internal, INTERNAL, bar, rules, out)
    if high >= swing.above or low <= swing.below:
        impulse.advance(swing, SWING, bar, rules, out)
    up, down = (high, low) if rules.break_by_wick else (bar.close, bar.close)
    if (
        up > state.internal_up.trigger
        or down < state.internal_down.trigger
        or up > state.swing_up.trigger
        or down < state.swing_down.trigger
    ):
        _breaks(state, up, down, displaced, atr, bar, rules, out)
    if rules.four_swings:
        four_swings.watch(state.internal_turns, bar, rules)
        four_swings.watch(state.swing_turns, bar, rules)
        four_swings.meet(state.internal_waits, state.internal_waits_book, bar, rules, out)
        four_swings.meet(state.swing_waits, state.swing_waits_book, bar, rules, out)
    if low <= state.internal_up.far:
        structure.extend(state.internal_up, 1, state.window, bar)
    if high >= state.internal_down.far:
        structure.extend(state.internal_down, -1, state.window, bar)
    if low <= state.swing_up.far:
        structure.extend(state.swing_up, 1, state.window, bar)
    if high >= state.swing_down.far:
        structure.extend(state.swing_down, -1, state.window, bar)


def _breaks(
    state: State, up: float, down: float, displaced: int, atr: float, bar: Candle, rules: Rules, out: Out
) -> None:
    """Where wicks count, a bar may break both sides: then the one that it closed to comes last."""
    rising = bar.close >= bar.open
    for turn in range(2):
        if rising == (turn == 1):
            if up > state.internal_up.trigger:
                _broken(state, INTERNAL, 1, displaced, atr, bar, rules, out)
            if up > state.swing_up.trigger:
                _broken(state, SWING, 1, displaced, atr, bar, rules, out)
        else:
            if down < state.internal_down.trigger:
                _broken(state, INTERNAL, -1, displaced, atr, bar, rules, out)
            if down < state.swing_down.trigger:
                _broken(state, SWING, -1, displaced, atr, bar, rules, out)


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
    slots, mask = state.slots, rules.mask
    number = state.window.count - 1 - rules.internal_length
    slot, least = slots[number & mask], number - rules.internal_before
    if slot.higher < least or slot.lower < least:
        side = pivots.side_of(
            state.internal, slot, number, rules.internal_before, rules.internal_first, rules
        )
        if side != 0:
            _internal(state, side, bar, rules, out)
    number = state.window.count - 1 - rules.swing_length
    slot, least = slots[number & mask], number - rules.swing_before
    if slot.higher < least or slot.lower < least:
        side = pivots.side_of(state.swing, slot, number, rules.swing_before, rules.swing_first, rules)
        if side != 0:
            _swing(state, side, bar, rules, out)
    known = state.range
    if bar.high > known.top or bar.low < known.bottom or bar.close >= known.upper or bar.close <= known.lower:
        dealing_range.follow(known, bar, rules, out)


def _internal(state: State, side: int, bar: Candle, rules: Rules, out: Out) -> None:
    known, frame, slots, atr = state.internal, state.window, state.slots, state.averages.atr
    extended = known.side == side
    last, last_level = (known.high_id, known.high) if side > 0 else (known.low_id, known.low)
    if extended:
        last = 0
    if not pivots.take(known, side, INTERNAL, slots, frame, bar, rules.internal_length, rules, out):
        return
    if side > 0:
        name, at, level = known.high_id, known.high_at, known.high
        structure.begin(state.internal_up, 1, name, at, level, frame, slots, bar, rules)
        liquidity.pivot(
            state.highs, state.highs_book, 1, name, at, level, last, last_level, atr, bar, rules, out
        )
        inducement.found(state.blocks_down, state.blocks_down_book, -1, name, at, level, out)
    else:
        name, at, level = known.low_id, known.low_at, known.low
        structure.begin(state.internal_down, -1, name, at, level, frame, slots, bar, rules)
        liquidity.pivot(
            state.lows, state.lows_book, -1, name, at, level, last, last_level, atr, bar, rules, out
        )
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
