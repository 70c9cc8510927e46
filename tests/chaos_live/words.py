"""Names of moments: what a person reads in the matrix, and what a case is asked for by.

A name depends on what is done, never on numbers of the run, so that it means the same in every life.
"""

from __future__ import annotations

import re

from bus_schemas.events import (
    AmendOrder,
    Body,
    CancelOrder,
    ClockTick,
    LookUpOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    PlaceOrder,
)

_ID = re.compile(r"cw-(e|s|t1|t2|c)(\d+)-").match
_LEGS = {"e": "entry", "s": "stop", "t1": "target1", "t2": "target2", "c": "close"}
_VERBS = {PlaceOrder: "place", AmendOrder: "amend", CancelOrder: "cancel", LookUpOrder: "look up"}
_SAID = {OrderAccepted: "acceptance", OrderFilled: "fill", OrderCancelled: "cancellation", ClockTick: "tick"}


def order_name(client_id: str) -> str:
    """Of an order of ours, such as `stop 2`: leg and attempt."""
    found = _ID(client_id)
    if found is None:
        return "?"
    leg, attempt = found.groups()
    return f"{_LEGS[leg]} {attempt}" if leg != "e" else "entry"


def command_name(command: Body) -> str:
    """Of a command, such as `place stop 2`."""
    client_id: str = getattr(command, "client_id", "")
    return f"{_VERBS.get(type(command), '?')} {order_name(client_id)}"


def event_name(body: Body) -> str:
    """Of any event, such as `fill of entry`."""
    if type(body) in _VERBS:
        return command_name(body)
    said = _SAID.get(type(body), type(body).__name__)
    client_id = getattr(body, "client_id", "")
    return f"{said} of {order_name(client_id)}" if client_id else said


def row(label: str) -> str:
    """The command, or the part of the machine, that a moment belongs to: a row of the matrix."""
    return label.split(":", 1)[0]
