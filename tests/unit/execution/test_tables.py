"""The two transition tables, pair by pair, and the client ids."""

from __future__ import annotations

import re

import pytest

from bus_schemas.errors import IllegalTransition
from bus_schemas.events import Leg, OrderState, PositionPhase
from execution import order_states, position_states
from execution.ids import MAX_LENGTH, client_id
from execution.order_states import OrderEvent
from execution.position_states import PositionEvent

# state: accept, fill_part, fill_all, reject, cancel_sent, cancelled, cancel_rejected, lost, gone, never_held
ORDERS = """
pending        accepted  partly_filled filled rejected cancelling cancelled -         unknown -         -
accepted       accepted  partly_filled filled -        cancelling cancelled unknown   unknown -         -
partly_filled  partly_filled partly_filled filled -    cancelling cancelled unknown   unknown -         -
cancelling     cancelling cancelling   filled rejected -          cancelled unknown   unknown -         -
unknown        accepted  partly_filled filled rejected -     cancelled unknown   unknown cancelled rejected
filled         filled    -             -      -        -          filled    filled    -       -         -
cancelled      cancelled cancelled     filled -        -          cancelled cancelled -       -         -
rejected       accepted  partly_filled filled rejected -          rejected  rejected  -       -         -
"""
# phase: filled, unfilled, exit, done
POSITIONS = """
opening    open     abandoned -        -
open       open     -         closing  closed
closing    closing  -         closing  closed
closed     -        -         -        -
abandoned  -        -         -        -
"""


def rows(table: str, events: list[str]) -> list[tuple[str, str, str]]:
    lines = [line.split() for line in table.strip().splitlines()]
    return [(line[0], event, after) for line in lines for event, after in zip(events, line[1:], strict=True)]


@pytest.mark.parametrize(("state", "event", "after"), rows(ORDERS, list(OrderEvent)))
def test_every_order_transition(state: str, event: str, after: str) -> None:
    if after == "-":
        with pytest.raises(IllegalTransition, match=f"order id-1: {event} in state {state}"):
            order_states.step(OrderState(state), OrderEvent(event), "id-1")
    else:
        assert order_states.step(OrderState(state), OrderEvent(event), "id-1") is OrderState(after)


@pytest.mark.parametrize(("phase", "event", "after"), rows(POSITIONS, list(PositionEvent)))
def test_every_position_transition(phase: str, event: str, after: str) -> None:
    if after == "-":
        with pytest.raises(IllegalTransition, match=f"position X: {event} in phase {phase}"):
            position_states.step(PositionPhase(phase), PositionEvent(event), "X")
    else:
        assert position_states.step(PositionPhase(phase), PositionEvent(event), "X") is PositionPhase(after)


def test_client_ids_fit_the_narrowest_venue_and_differ() -> None:
    ids = [
        client_id(signal, leg, attempt)
        for signal in ("s", "s1", "smc.BTCUSDT.1700000000000.order_block.long" * 3, "é\0")
        for leg in Leg
        for attempt in (1, 2, 11, 999, 1000, 10**9)
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", i) and len(i) <= MAX_LENGTH for i in ids)
    assert client_id("s", Leg.STOP, 1) == client_id("s", Leg.STOP, 1)
