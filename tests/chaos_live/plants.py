"""Faults planted into a life, to show that the judge sees each: a harness that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from bus_schemas.events import Body, CancelOrder, Fill, Leg, OrderFilled, PlaceOrder
from execution.live.delivery import Delivery
from execution.live.desk import Desk
from execution.live.edge import Edge
from execution.live.records import Held, Pending
from execution.live.register import Register
from execution.turn import Turn
from tests.chaos_live.probe import put


def send_again_without_looking() -> None:
    """After a restart a command is sent again, and nobody asks before whether the venue has it."""

    async def careless(delivery: Delivery, order: PlaceOrder, _doubt_until: int) -> list[Body]:
        found = await delivery._venue.place(order, delivery._settings.valid_ms)
        return await delivery._placed(Held.of(order), found)

    put(Delivery, "_place", careless)


def answer_before_the_call() -> None:
    """The command counts as answered before the venue was asked."""
    lane, answer = Edge._lane, Desk.answer

    def once(desk: Desk, seq: int, pending: Pending, bodies: Sequence[Body]) -> None:
        if seq in {number for number, _ in desk.register.pending()}:
            answer(desk, seq, pending, bodies)
        else:
            desk.tell(bodies)

    async def hasty(edge: Edge, seq: int, pending: Pending, sent: bool) -> None:
        edge._desk.answer(seq, pending, [])
        await lane(edge, seq, pending, sent)

    put(Desk, "answer", once)
    put(Edge, "_lane", hasty)


def forget_fills_of_a_target() -> None:
    """A fill is never reported."""
    fill = Register._fill

    def deaf(register: Register, found: Any, time: int, again: str) -> list[Body]:
        told = fill(register, found, time, again)
        return [body for body in told if not getattr(body, "client_id", "").startswith("cw-t1")]

    put(Register, "_fill", deaf)


def pay_no_fees() -> None:
    """Fees are lost on the way."""
    outputs = Desk._outputs

    def cheap(desk: Desk, bodies: Sequence[Body]) -> Any:
        return outputs(
            desk,
            [replace(body, fee=body.fee * 0) if isinstance(body, OrderFilled) else body for body in bodies],
        )

    put(Desk, "_outputs", cheap)


def say_fills_twice() -> None:
    """Every fill is told to the ledger two times."""
    say = Turn.say

    def stammer(turn: Turn, body: Body) -> None:
        say(turn, body)
        if isinstance(body, Fill):
            say(turn, body)

    put(Turn, "say", stammer)


def place_no_stops() -> None:
    """Nobody asks for a stop."""
    command = Turn.command

    def bare(turn: Turn, body: Body) -> None:
        if not (isinstance(body, PlaceOrder) and body.leg is Leg.STOP):
            command(turn, body)

    put(Turn, "command", bare)


def forget_old_stops() -> None:
    """A stop that another has replaced is never cancelled."""
    command = Turn.command

    def lazy(turn: Turn, body: Body) -> None:
        if not (isinstance(body, CancelOrder) and body.client_id.startswith("cw-s")):
            command(turn, body)

    put(Turn, "command", lazy)


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        send_again_without_looking,
        answer_before_the_call,
        forget_fills_of_a_target,
        pay_no_fees,
        say_fills_twice,
        place_no_stops,
        forget_old_stops,
    )
}
"""By name."""
