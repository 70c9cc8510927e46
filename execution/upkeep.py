"""What follows from a position as it is now: the orders that it lacks, and those it no longer needs.

Called after every event that touched the position. It compares what should rest at the venue with
what does, so no path can forget the stop: a fill, a lost order, a venue that cancels on its own and
an adopted position all end here.
"""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import AmendOrder, ExitReason, Leg, OrderKind, OrderState
from execution import position_states
from execution.books import ZERO
from execution.position_states import PositionEvent
from execution.records import Order, Position
from execution.targets import Slice, allocate
from execution.turn import Turn

TARGETS = (Leg.TARGET_1, Leg.TARGET_2)


def upkeep(turn: Turn, position: Position) -> None:
    """Advance the phase, then give the commands that the position needs.

    Raises:
        IllegalTransition: the state contradicts itself.
    """
    if position.exit is None and position.refused.get(Leg.STOP.value, 0) >= turn.settings.stop_attempts:
        _stop_refused(turn, position)
    _advance(position)
    if position.ended:
        return
    _entry(turn, position)
    if position.quantity > ZERO:
        _protect(turn, position)
        _targets(turn, position)
        _close(turn, position)
    else:
        # A late fill of the entry after this finds the idea over: it is closed as well.
        position.exit = position.exit or position.last_exit
        for order in position.live(Leg.STOP, *TARGETS, Leg.CLOSE):
            turn.cancel(position, order)
    turn.prune(position)


def _stop_refused(turn: Turn, position: Position) -> None:
    old = position.live_stop()
    if position.adopted and not position.protected():
        if not position.bare_told:
            turn.mismatch(f"stop of an adopted position at {position.stop} was refused")
            position.bare_told = True
        return
    turn.mismatch(f"stop at {position.stop} was refused {turn.settings.stop_attempts} times")
    if old is not None and old.trigger is not None and position.protected():
        position.stop = old.trigger
        position.refused[Leg.STOP.value] = 0
    elif position.quantity > ZERO:
        position.exit = ExitReason.EMERGENCY


def _advance(position: Position) -> None:
    def step(event: PositionEvent) -> None:
        position.phase = position_states.step(position.phase, event, position.symbol)

    settled = all(order.settled for order in position.orders.values())
    opened = position.book.opened > ZERO
    if not opened:
        if settled:
            step(PositionEvent.UNFILLED)
        return
    step(PositionEvent.FILLED)
    if position.quantity == ZERO and settled:
        step(PositionEvent.DONE)
    elif position.exit is not None or position.quantity == ZERO:
        step(PositionEvent.EXIT)


def _entry(turn: Turn, position: Position) -> None:
    over = position.book.opened > ZERO and position.quantity == ZERO
    if over or position.exit or turn.time >= position.expires:
        position.entry_withdrawn = True
    if position.entry_withdrawn:
        for order in position.live(Leg.ENTRY):
            turn.cancel(position, order)


def _protect(turn: Turn, position: Position) -> None:
    stops = position.live(Leg.STOP)
    good = [
        order
        for order in stops
        if order.state is not OrderState.CANCELLING
        and order.trigger == position.stop
        and order.remaining >= position.quantity
    ]
    if not good:
        if position.may_ask(Leg.STOP, turn.settings.stop_attempts, turn.time):
            turn.place(position, Leg.STOP, OrderKind.STOP, position.quantity, trigger=position.stop)
    else:
        keep = next((order for order in reversed(good) if order.working), None)
        if keep is not None:
            for order in stops:
                if order is not keep:
                    turn.cancel(position, order)
    if position.protected():
        position.naked_since = position.naked_heard = None
    elif position.naked_since is None:
        position.naked_since = turn.time


def _targets(turn: Turn, position: Position) -> None:
    if position.exit is not None or position.targets_withdrawn:
        for order in position.live(*TARGETS):
            turn.cancel(position, order)
        return
    legs = TARGETS[: len(position.targets)]
    resting = [position.live(leg) for leg in legs]
    slices = [
        Slice(target, position.taken.get(leg.value, ZERO), bool(orders))
        for target, leg, orders in zip(position.targets, legs, resting, strict=True)
    ]
    goals = allocate(turn.instrument, slices, position.planned, position.book.opened, position.quantity)
    for leg, slice_, orders, goal in zip(legs, slices, resting, goals, strict=True):
        if orders:
            for order in orders:
                _resize(turn, position, order, goal)
        elif (
            goal > ZERO
            and position.protected()
            and position.refused.get(leg.value, 0) < turn.settings.target_attempts
        ):
            turn.place(position, leg, OrderKind.LIMIT, goal, price=slice_.target.price)


def _resize(turn: Turn, position: Position, order: Order, goal: Decimal) -> None:
    """Bring a resting target to `goal` open contracts; only shrinking cannot wait for the answer."""
    if goal == order.remaining and not order.amend_refused:
        return
    if order.amend_refused or goal == ZERO:
        turn.cancel(position, order)
    elif order.working and order.amending is None:
        order.asked = turn.time
        order.amending = order.filled + goal
        turn.command(
            AmendOrder(
                time=turn.time, client_id=order.client_id, symbol=position.symbol, quantity=order.amending
            )
        )
    elif goal < order.remaining:
        turn.cancel(position, order)


def _close(turn: Turn, position: Position) -> None:
    if position.exit is None or position.live(Leg.CLOSE):
        return
    if position.may_ask(Leg.CLOSE, turn.settings.close_attempts, turn.time):
        turn.place(position, Leg.CLOSE, OrderKind.MARKET, position.quantity)
