"""Faults planted into a life, to show that the judge sees each: a harness that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from bus_schemas.events import Body, OrderFilled, PlaceOrder
from execution.live.delivery import Delivery
from execution.live.desk import Desk
from execution.live.edge import Edge
from execution.live.records import Pending
from execution.live.register import Register
from execution.turn import Turn
from tests.chaos_live.probe import put


def send_again_without_looking() -> None:
    """After a restart a command is sent again, and under another id where the venue refuses the first."""
    place = Delivery._place

    async def careless(delivery: Delivery, order: PlaceOrder, _doubt_until: int) -> list[Body]:
        return await place(delivery, order, 0)

    put(Delivery, "_place", careless)


def answer_before_the_call() -> None:
    """The command counts as answered before the venue was asked."""
    lane = Edge._lane

    async def hasty(edge: Edge, seq: int, pending: Pending, sent: bool) -> None:
        command = pending.command()
        if isinstance(command, PlaceOrder):
            edge._desk.answer(seq, pending, [])
            await edge._delivery.answer(command, 0)
        else:
            await lane(edge, seq, pending, sent)

    put(Edge, "_lane", hasty)


def forget_fills_of_stops() -> None:
    """A fill of a stop is never reported."""
    traded = Register.traded

    def deaf(register: Register, fills: Any, time: int, again: str = "") -> list[Body]:
        kept = [fill for fill in fills if not fill.client_id.startswith("cw-t1")]
        return traded(register, kept, time, again)

    put(Register, "traded", deaf)


def pay_no_fees() -> None:
    """Fees of fills are lost on the way."""
    tell = Desk._outputs

    def cheap(desk: Desk, bodies: Sequence[Body]) -> Any:
        free = [replace(body, fee=body.fee * 0) if isinstance(body, OrderFilled) else body for body in bodies]
        return tell(desk, free)

    put(Desk, "_outputs", cheap)


def place_no_stops() -> None:
    """The order manager asks for no stop."""
    command = Turn.command

    def bare(turn: Turn, body: Body) -> None:
        if not (isinstance(body, PlaceOrder) and body.leg.value == "stop"):
            command(turn, body)

    put(Turn, "command", bare)


PLANTS: dict[str, Callable[[], None]] = {
    plant.__name__: plant
    for plant in (
        send_again_without_looking,
        answer_before_the_call,
        forget_fills_of_stops,
        pay_no_fees,
        place_no_stops,
    )
}
