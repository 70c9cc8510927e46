"""The position state machine: from intent to archive."""

from __future__ import annotations

from enum import StrEnum

from bus_schemas.errors import IllegalTransition
from bus_schemas.events import PositionPhase


class PositionEvent(StrEnum):
    """What can happen to a position.

    `filled`: a fill of the entry. `unfilled`: the entry ended without any.
    `exit`: an exit is wanted, or the last contract is gone while orders still rest.
    `done`: flat, and every order's fate is known.
    """

    FILLED = "filled"
    UNFILLED = "unfilled"
    EXIT = "exit"
    DONE = "done"


_P, _E = PositionPhase, PositionEvent

TRANSITIONS: dict[tuple[PositionPhase, PositionEvent], PositionPhase] = {
    (_P.OPENING, _E.FILLED): _P.OPEN,
    (_P.OPENING, _E.UNFILLED): _P.ABANDONED,
    (_P.OPEN, _E.FILLED): _P.OPEN,
    (_P.OPEN, _E.EXIT): _P.CLOSING,
    (_P.OPEN, _E.DONE): _P.CLOSED,
    # An entry's late fill while an exit is under way: the exit goes on until it is flat.
    (_P.CLOSING, _E.FILLED): _P.CLOSING,
    (_P.CLOSING, _E.EXIT): _P.CLOSING,
    (_P.CLOSING, _E.DONE): _P.CLOSED,
}
"""Every legal transition of a position. `closed` and `abandoned` are the end."""


def step(phase: PositionPhase, event: PositionEvent, symbol: str) -> PositionPhase:
    """The phase after the event.

    Raises:
        IllegalTransition: the table has no such transition; the message names the symbol.
    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError:
        raise IllegalTransition(f"position {symbol}: {event.value} in phase {phase.value}") from None
