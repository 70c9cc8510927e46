"""The order state machine: one table, and one function that reads it.

Reports may come late, twice and in another order, so much is legal that looks odd: a fill after a
cancellation counts, an acknowledgement after the end changes nothing. What contradicts an earlier
word of the venue, such as a rejection of an order that it holds, is illegal.
"""

from __future__ import annotations

from enum import StrEnum

from bus_schemas.errors import IllegalTransition
from bus_schemas.events import OrderState


class OrderEvent(StrEnum):
    """What can happen to an order.

    `lost`: no answer in time, or a contradictory one; its fate is unknown.
    `gone`: the venue held it once and holds it no longer.
    `never_held`: the venue's explicit word, believed after a grace.
    """

    ACCEPT = "accept"
    FILL_PART = "fill_part"
    FILL_ALL = "fill_all"
    REJECT = "reject"
    CANCEL_SENT = "cancel_sent"
    CANCELLED = "cancelled"
    CANCEL_REJECTED = "cancel_rejected"
    LOST = "lost"
    GONE = "gone"
    NEVER_HELD = "never_held"


_S, _E = OrderState, OrderEvent

_TABLE: dict[OrderState, dict[OrderEvent, OrderState]] = {
    _S.PENDING: {
        _E.ACCEPT: _S.ACCEPTED,
        _E.FILL_PART: _S.PARTLY_FILLED,
        _E.FILL_ALL: _S.FILLED,
        _E.REJECT: _S.REJECTED,
        _E.CANCEL_SENT: _S.CANCELLING,
        _E.CANCELLED: _S.CANCELLED,
        _E.LOST: _S.UNKNOWN,
    },
    _S.ACCEPTED: {
        _E.ACCEPT: _S.ACCEPTED,
        _E.FILL_PART: _S.PARTLY_FILLED,
        _E.FILL_ALL: _S.FILLED,
        _E.CANCEL_SENT: _S.CANCELLING,
        _E.CANCELLED: _S.CANCELLED,
        _E.CANCEL_REJECTED: _S.UNKNOWN,
        _E.LOST: _S.UNKNOWN,
    },
    _S.PARTLY_FILLED: {
        _E.ACCEPT: _S.PARTLY_FILLED,
        _E.FILL_PART: _S.PARTLY_FILLED,
        _E.FILL_ALL: _S.FILLED,
        _E.CANCEL_SENT: _S.CANCELLING,
        _E.CANCELLED: _S.CANCELLED,
        _E.CANCEL_REJECTED: _S.UNKNOWN,
        _E.LOST: _S.UNKNOWN,
    },
    _S.CANCELLING: {
        _E.ACCEPT: _S.CANCELLING,
        _E.FILL_PART: _S.CANCELLING,
        _E.FILL_ALL: _S.FILLED,
        _E.REJECT: _S.REJECTED,
        _E.CANCELLED: _S.CANCELLED,
        _E.CANCEL_REJECTED: _S.UNKNOWN,
        _E.LOST: _S.UNKNOWN,
    },
    _S.UNKNOWN: {
        _E.ACCEPT: _S.ACCEPTED,
        _E.FILL_PART: _S.PARTLY_FILLED,
        _E.FILL_ALL: _S.FILLED,
        _E.REJECT: _S.REJECTED,
        _E.CANCELLED: _S.CANCELLED,
        _E.CANCEL_REJECTED: _S.UNKNOWN,
        _E.LOST: _S.UNKNOWN,
        _E.GONE: _S.CANCELLED,
        _E.NEVER_HELD: _S.REJECTED,
    },
    _S.FILLED: {
        _E.ACCEPT: _S.FILLED,
        _E.CANCELLED: _S.FILLED,
        _E.CANCEL_REJECTED: _S.FILLED,
    },
    _S.CANCELLED: {
        _E.ACCEPT: _S.CANCELLED,
        _E.FILL_PART: _S.CANCELLED,
        _E.FILL_ALL: _S.FILLED,
        _E.CANCELLED: _S.CANCELLED,
        _E.CANCEL_REJECTED: _S.CANCELLED,
    },
    _S.REJECTED: {
        # Only after `never_held` can these come: the real word supersedes the inferred one.
        _E.ACCEPT: _S.ACCEPTED,
        _E.FILL_PART: _S.PARTLY_FILLED,
        _E.FILL_ALL: _S.FILLED,
        _E.REJECT: _S.REJECTED,
        _E.CANCELLED: _S.REJECTED,
        _E.CANCEL_REJECTED: _S.REJECTED,
    },
}

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (state, event): after for state, row in _TABLE.items() for event, after in row.items()
}
"""Every legal transition of an order."""


def step(state: OrderState, event: OrderEvent, client_id: str) -> OrderState:
    """The state after the event.

    Raises:
        IllegalTransition: the table has no such transition; the message names the order.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"order {client_id}: {event.value} in state {state.value}") from None
