"""What each word of the venue about an order does to that order and its position.

`upkeep` runs after each of these and gives the commands that follow.
"""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.errors import DecisionError, InvalidOrder
from bus_schemas.events import (
    CancelRejected,
    ExitReason,
    Fill,
    Leg,
    Millis,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderNotFound,
    OrderRejected,
    OrderState,
    VenueRefusal,
)
from bus_schemas.instruments import Rounding
from execution.books import ZERO
from execution.order_states import OrderEvent
from execution.records import FILL_MEMORY, Order, Position
from execution.turn import Turn

Answer = OrderAccepted | OrderRejected | OrderFilled | OrderCancelled | CancelRejected | OrderNotFound
"""Every report about one order."""


def answer(turn: Turn, position: Position, order: Order, body: Answer) -> None:
    """Apply one report about an order of the position.

    Raises:
        IllegalTransition: it contradicts what the venue said before.
        InvalidOrder: a fill with a price or quantity that is not above zero.
        DecisionError: a fill of the other side.
    """
    if isinstance(body, OrderFilled):
        _filled(turn, position, order, body)
    elif isinstance(body, OrderAccepted):
        _accepted(turn, position, order)
    elif isinstance(body, OrderRejected):
        _rejected(turn, position, order, body)
    elif isinstance(body, OrderCancelled):
        _cancelled(turn, position, order, body)
    elif isinstance(body, CancelRejected):
        _cancel_rejected(turn, position, order)
    else:
        _not_found(turn, position, order)


def watch(turn: Turn, position: Position, resumed: bool = False) -> None:
    """Look at the time: commands without an answer, orders of unknown fate, a position without a stop.

    Args:
        resumed: the clock stood still until now, and with it perhaps the way to the venue.
    """
    if resumed and position.naked_since is not None and position.naked_heard is None:
        position.naked_heard = turn.time
    patience = turn.settings.answer_ms
    for order in list(position.orders.values()):
        waited = turn.time - order.asked
        if order.state in (OrderState.PENDING, OrderState.CANCELLING) and waited > patience:
            turn.move(position, order, OrderEvent.LOST)
            turn.look_up(position, order)
        elif order.state is OrderState.UNKNOWN or (order.state.terminal and not order.settled):
            if waited > patience * max(order.look_ups, 1):
                turn.look_up(position, order)
        elif order.amending is not None and waited > patience:
            _give_up_amending(turn, position, order)
    if position.quantity > ZERO and position.protected():
        position.refused.pop(Leg.STOP.value, None)
    if position.exit is None and not position.protected() and _overdue(turn, position):
        detail = f"no acknowledged stop over {position.quantity} since {position.naked_since}"
        if not position.adopted:
            turn.mismatch(detail)
            position.exit = ExitReason.EMERGENCY
        elif not position.bare_told:  # somebody else's: a person is told, and the stop is asked for again
            turn.mismatch(detail)
            position.bare_told = True


def _overdue(turn: Turn, position: Position) -> bool:
    """Whether the stop had its time. A fill that we heard of late leaves the venue the time to answer: a
    restart must not close a position for want of a stop that was only just asked for."""
    if position.naked_since is None:
        return False
    deadline = turn.settings.stop_deadline_ms
    due = position.naked_since + deadline
    if position.naked_heard is not None:
        due = max(due, position.naked_heard + min(deadline, turn.settings.answer_ms))
    return turn.time > due


def _accepted(turn: Turn, position: Position, order: Order) -> None:
    order.look_ups = 0
    order.acked = True
    order.missing = 0
    if order.amending is not None and order.live:
        order.quantity, order.amending = order.amending, None
        turn.changed(position, order)
    event = OrderEvent.ACCEPT
    if order.filled and order.state in (OrderState.UNKNOWN, OrderState.REJECTED):
        event = OrderEvent.FILL_PART
    turn.move(position, order, event)


def _rejected(turn: Turn, position: Position, order: Order, body: OrderRejected) -> None:
    if order.amend_refused:
        return
    if order.amending is not None:
        _give_up_amending(turn, position, order)
        return
    if body.reason is VenueRefusal.DUPLICATE_ID:
        # The venue holds an order under this id: ours, from before a lost reply.
        if order.state is OrderState.PENDING:
            turn.move(position, order, OrderEvent.LOST)
            turn.look_up(position, order)
        return
    if not turn.move(position, order, OrderEvent.REJECT, f"{body.reason.value}: {body.detail}"):
        return
    if order.leg is Leg.STOP and body.reason is VenueRefusal.WOULD_TRIGGER:
        moved = position.break_even and order.trigger == position.stop
        _leave(turn, position, ExitReason.BREAK_EVEN if moved else ExitReason.EMERGENCY)
    elif order.leg is Leg.CLOSE and body.reason is VenueRefusal.NO_LIQUIDITY:
        _unmet(turn, position, ZERO)
    else:
        _count_refusal(turn, position, order)


def _leave(turn: Turn, position: Position, reason: ExitReason) -> None:
    """The price is beyond the stop: the position is closed at market, and another stop can wait."""
    count = max(position.refused.get(Leg.STOP.value, 0) + 1, turn.settings.stop_attempts)
    position.refuse(Leg.STOP, count, turn.time)
    position.exit = position.exit or reason


def _give_up_amending(turn: Turn, position: Position, order: Order) -> None:
    order.amending = None
    order.amend_refused = True
    order.quantity = max(order.quantity, order.filled)
    if order.filled == order.quantity and order.live:
        turn.move(position, order, OrderEvent.FILL_ALL)


def _count_refusal(turn: Turn, position: Position, order: Order) -> None:
    """The order ended against our will: its leg is asked for again, at a bounded rate."""
    count = position.refused.get(order.leg.value, 0) + 1
    position.refuse(order.leg, count, turn.time)
    if order.leg is Leg.CLOSE and count >= turn.settings.close_attempts:
        turn.mismatch(f"closing order was refused {count} times; {position.signed} stay open")


def _cancelled(turn: Turn, position: Position, order: Order, body: OrderCancelled) -> None:
    doubted, asked_for = order.state is OrderState.UNKNOWN, order.state is OrderState.CANCELLING
    order.total = body.filled
    order.missing = 0
    if not turn.move(position, order, OrderEvent.CANCELLED):
        return
    if not order.settled:
        turn.look_up(position, order)
    if asked_for or order.leg is Leg.ENTRY:
        return
    taken = max(order.filled, body.filled)
    if order.leg is Leg.CLOSE:
        _unmet(turn, position, taken)
    elif order.leg is Leg.STOP and taken > ZERO:  # it triggered and the market took a part: the rest is due
        _leave(turn, position, _stop_exit(position, order))
    elif not doubted:
        _count_refusal(turn, position, order)


def _unmet(turn: Turn, position: Position, taken: Decimal) -> None:
    """The market did not take all of a closing order: the rest is asked for again, at a bounded rate."""
    bound = turn.settings.close_attempts
    position.unmet_at = turn.time
    position.unmet = position.unmet + 1 if taken == ZERO else min(position.unmet + 1, bound)
    rounds, more = divmod(position.unmet, bound)
    if taken == ZERO and more == 0 and rounds & (rounds - 1) == 0:  # told again when they have doubled
        turn.mismatch(
            f"the market took nothing of {position.unmet} closing orders; {position.signed} stay open"
        )


def _stop_exit(position: Position, order: Order) -> ExitReason:
    moved = position.break_even and order.trigger == position.stop
    return ExitReason.BREAK_EVEN if moved else ExitReason.STOP


def _cancel_rejected(turn: Turn, position: Position, order: Order) -> None:
    # "No longer open" is success for the one who wanted it gone. Whether it had filled, only a
    # look-up can tell, so its exposure stays reserved until then.
    if turn.move(position, order, OrderEvent.CANCEL_REJECTED):
        turn.look_up(position, order)


def _not_found(turn: Turn, position: Position, order: Order) -> None:
    order.missing = order.missing or turn.time
    if order.state is OrderState.CANCELLING:
        _cancel_rejected(turn, position, order)
    elif order.working:
        turn.move(position, order, OrderEvent.LOST)
        turn.look_up(position, order)
    elif order.state is not OrderState.UNKNOWN:
        return
    elif turn.time - _doubted_since(order) < turn.settings.not_found_grace_ms:
        order.look_ups, order.asked = 0, turn.time  # an answer, if not the last: from here on we wait anew
    else:
        held = order.acked or order.filled > ZERO
        turn.move(position, order, OrderEvent.GONE if held else OrderEvent.NEVER_HELD, "not found")
        if order.reduce_only:
            _count_refusal(turn, position, order)


def _doubted_since(order: Order) -> Millis:
    """From when "not found" must have been said to be believed. An entry that the venue has held and then
    does not know may come up again and fill; a second stop beside a living one does no harm, and a position
    without any does."""
    return order.missing if order.acked and not order.reduce_only else order.sent


def _filled(turn: Turn, position: Position, order: Order, body: OrderFilled) -> None:
    if body.price <= ZERO or body.quantity <= ZERO:
        raise InvalidOrder(f"fill {body.fill_id}: {body.quantity} at {body.price}")
    if body.side is not order.side:
        raise DecisionError(f"fill {body.fill_id} of {order.client_id} has side {body.side.value}")
    if body.fill_id in order.fills:
        turn.changed(position, order, f"duplicate fill {body.fill_id} ignored")
        return
    order.fills = [*order.fills[1 - FILL_MEMORY :], body.fill_id]
    limit = order.cap - order.filled
    if order.reduce_only:
        limit = min(limit, position.quantity)
    quantity = min(body.quantity, limit)
    if quantity < body.quantity:
        turn.mismatch(f"fill {body.fill_id} of {body.quantity}: only {quantity} can be ours")
    if quantity <= ZERO:
        return
    order.acked = True
    order.look_ups = 0
    order.missing = 0
    order.filled += quantity
    if order.leg is Leg.CLOSE:  # it gets on: the rest is asked for without waiting
        position.allow(Leg.CLOSE)
        if order.filled >= order.quantity:
            position.unmet = 0
    profit = _book(turn, position, order, body, quantity)
    turn.move(position, order, OrderEvent.FILL_ALL if order.filled >= order.cap else OrderEvent.FILL_PART)
    turn.say(
        Fill(
            time=turn.time,
            client_id=order.client_id,
            signal_id=position.signal_id,
            symbol=position.symbol,
            side=order.side,
            leg=order.leg,
            fill_id=body.fill_id,
            price=body.price,
            quantity=quantity,
            fee=body.fee,
            liquidity=body.liquidity,
            profit=profit,
            position=position.signed,
            traded=body.traded,
        )
    )
    if order.leg in (Leg.TARGET_1, Leg.TARGET_2) and order.state is OrderState.FILLED:
        _to_break_even(turn, position)


def _book(turn: Turn, position: Position, order: Order, body: OrderFilled, quantity: Decimal) -> Decimal:
    book, size = position.book, turn.instrument.contract_size
    book.fees += body.fee
    if order.leg is Leg.ENTRY:
        position.opened = position.opened or turn.time
        book.enter(quantity, body.price, size)
        _bare(turn, position, body)
        return ZERO
    if order.leg is Leg.STOP:
        position.last_exit = _stop_exit(position, order)
    elif order.leg is Leg.CLOSE:
        position.last_exit = position.exit or ExitReason.EMERGENCY
    else:
        position.last_exit = ExitReason.TARGETS
        position.taken[order.leg.value] = position.taken.get(order.leg.value, ZERO) + quantity
    return book.leave(quantity, body.price, size, position.side.sign)


def _bare(turn: Turn, position: Position, body: OrderFilled) -> None:
    """A fill that we hear of late has left the position without a stop since the trade."""
    late = body.traded is not None and body.traded < turn.time
    if late and position.naked_since is None and not position.protected():
        position.naked_since, position.naked_heard = body.traded, turn.time


def _to_break_even(turn: Turn, position: Position) -> None:
    position.entry_withdrawn = True
    if position.quantity == ZERO:
        return
    offset = position.side.sign * turn.settings.break_even_bps / 10_000
    level = position.book.average(turn.instrument.contract_size) * (1 + offset)
    rounding = Rounding.UP if position.side.sign > 0 else Rounding.DOWN
    if position.tighten(turn.instrument.price(level, rounding)):
        position.break_even = True
