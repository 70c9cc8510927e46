"""The venue's account beside ours. Unknown positions are adopted and protected, never flattened.

A difference may be a report that is still on its way, so it must last for a grace, while our books stay
as they are, before anything follows from it. Then it is reported, and the orders are looked up. What
the venue has beyond our books is taken over, because it needs a stop; what it lacks stays in our books
until a person acknowledges, unless the position was adopted: such a one has no books but the venue's.
"""

from __future__ import annotations

from bus_schemas.events import PositionPhase, PositionState, Side
from bus_schemas.instruments import Rounding
from execution.books import ZERO
from execution.records import Position
from execution.turn import Turn


def adopt(turn: Turn, state: PositionState) -> Position:
    """A position that the venue holds and we do not know, with a stop at a distance from the mark.

    Its id is a function of (symbol, side, time), so a replay adopts the same.
    """
    side = Side.LONG if state.quantity > ZERO else Side.SHORT
    distance = side.sign * turn.settings.adopted_stop_pct / 100
    rounding = Rounding.DOWN if side is Side.LONG else Rounding.UP
    position = Position(
        signal_id=f"adopted.{state.symbol}.{side.value}.{turn.time}",
        symbol=state.symbol,
        side=side,
        planned=ZERO,
        stop=turn.instrument.price(state.mark * (1 - distance), rounding),
        expires=0,
        phase=PositionPhase.OPEN,
        opened=turn.time,
        adopted=True,
    )
    position.book.enter(abs(state.quantity), state.entry_price, turn.instrument.contract_size)
    turn.mismatch(f"unknown position of {state.quantity} at {state.entry_price}: adopted")
    return position


def compare(turn: Turn, position: Position, state: PositionState | None) -> bool:
    """Compare with the venue's position; whether that changed ours."""
    theirs = state.quantity if state else ZERO
    if theirs == position.signed:
        _agree(position)
        return False
    if position.differs_since is None or position.signed != position.beside:
        # each of two looks may lag behind a fill of its own
        position.differs_since, position.mismatch_told = turn.time, False
    position.theirs, position.beside = theirs, position.signed
    lasted = turn.time - position.differs_since
    if lasted < turn.settings.mismatch_grace_ms:
        return False
    if not position.mismatch_told:
        position.mismatch_told = True
        turn.mismatch(f"position: venue has {theirs}, we have {position.signed}")
        for order in list(position.orders.values()):
            if order.live:
                turn.look_up(position, order)
        return True
    if lasted < 2 * turn.settings.mismatch_grace_ms:
        return False
    if theirs * position.side.sign < ZERO:
        # the other way round: once our books are closed, what is there is adopted and gets its stop
        return write_off(turn, position)
    if state is not None and theirs * position.side.sign > position.quantity:
        missing = abs(theirs) - position.quantity
        position.opened = position.opened or turn.time
        position.book.enter(missing, state.entry_price, turn.instrument.contract_size)
        return True
    return position.adopted and write_off(turn, position)


def write_off(turn: Turn, position: Position) -> bool:
    """Drop the contracts that the venue, asked more than once, does not have; whether there were any."""
    if not position.mismatch_told or position.theirs is None:
        return False
    surplus = position.quantity - max(position.theirs * position.side.sign, ZERO)
    if surplus <= ZERO:
        return False
    position.book.forget(surplus)
    _agree(position)
    turn.mismatch(f"{surplus} contracts written off: the venue does not have them")
    return True


def _agree(position: Position) -> None:
    position.theirs, position.beside, position.differs_since, position.mismatch_told = None, None, None, False
