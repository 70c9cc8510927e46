"""From risk's approved order to a position with a resting entry, or to its refusal."""

from __future__ import annotations

from collections.abc import Callable

from bus_schemas.envelope import Output
from bus_schemas.errors import InvalidOrder
from bus_schemas.events import (
    Leg,
    OrderApproved,
    OrderChanged,
    OrderKind,
    OrderState,
    PositionChanged,
    PositionPhase,
)
from bus_schemas.topology import Stream
from execution.books import ZERO
from execution.records import Position
from execution.turn import Turn


def check(body: OrderApproved) -> None:
    """The last look before money moves.

    Raises:
        InvalidOrder: a quantity or price is not above zero, the stop or a target is on the wrong side
            of the entry, there are more targets than legs, or they exceed the quantity.
    """
    sign, name = body.side.sign, f"signal {body.signal_id}"
    if min(body.quantity, body.entry, body.stop) <= ZERO:
        raise InvalidOrder(f"{name}: quantity, entry and stop must be above zero")
    if (body.entry - body.stop) * sign <= ZERO:
        raise InvalidOrder(f"{name}: stop {body.stop} is not beyond entry {body.entry}")
    if any((t.price - body.entry) * sign <= ZERO or t.quantity < ZERO for t in body.targets):
        raise InvalidOrder(f"{name}: a target is not beyond entry {body.entry}")
    if len(body.targets) > 2 or sum((t.quantity for t in body.targets), ZERO) > body.quantity:
        raise InvalidOrder(f"{name}: targets exceed the position")


def intent(body: OrderApproved) -> Position:
    """The position before anything is placed."""
    return Position(
        signal_id=body.signal_id,
        symbol=body.symbol,
        side=body.side,
        planned=body.quantity,
        stop=body.stop,
        expires=body.expires,
        targets=body.targets,
    )


def enter(body: OrderApproved) -> Callable[[Turn, Position], object]:
    """The act that places the entry."""

    def act(turn: Turn, position: Position) -> None:
        turn.place(position, Leg.ENTRY, OrderKind.LIMIT, body.quantity, price=body.entry)

    return act


def refused(body: OrderApproved, entry: str, detail: str) -> list[Output]:
    """The approved order is not placed after all; what risk has reserved for it is free again."""
    order = OrderChanged(
        time=body.time,
        client_id=entry,
        signal_id=body.signal_id,
        symbol=body.symbol,
        side=body.side,
        leg=Leg.ENTRY,
        kind=OrderKind.LIMIT,
        state=OrderState.REJECTED,
        quantity=body.quantity,
        filled=ZERO,
        price=body.entry,
        detail=detail,
    )
    position = PositionChanged(
        time=body.time,
        signal_id=body.signal_id,
        symbol=body.symbol,
        side=body.side,
        phase=PositionPhase.ABANDONED,
        quantity=ZERO,
        entry_price=ZERO,
        reserved=ZERO,
        stop=None,
        protected=True,
    )
    return [Output(Stream.EXECUTIONS, body.symbol, b) for b in (order, position)]
