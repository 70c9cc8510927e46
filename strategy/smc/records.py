"""The state as one NumPy record: the same fields in the same order, for the compiled kernel."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

import numpy as np

from strategy.smc.params import MOST_KEPT, MOST_SESSIONS, MOST_WINDOW
from strategy.smc.rules import Rules
from strategy.smc.state import State
from strategy.smc.zone_clock import MOST_CHANGES

_WIDTHS: dict[object, str] = {int: "i8", float: "f8", bool: "i8"}
_ROOM = {"slots": MOST_WINDOW, "internal_turns": 4, "swing_turns": 4, "kills": MOST_SESSIONS}
_NUMBERS = {
    "starts": MOST_SESSIONS,
    "ends": MOST_SESSIONS,
    "clock_times": MOST_CHANGES,
    "clock_offsets": MOST_CHANGES,
}


@cache
def dtype_of(kind: type) -> np.dtype[Any]:
    """The record of a struct whose fields are whole numbers and floats."""
    return np.dtype([(name, _WIDTHS[hint]) for name, hint in get_type_hints(kind).items()])


@cache
def _parts() -> tuple[tuple[str, type, int], ...]:
    """Name, struct, and room of each part of the state; room 0 where it is one struct and no list."""
    parts = []
    for name, hint in get_type_hints(State).items():
        inner = getattr(hint, "__args__", ())
        parts.append((name, inner[0], _ROOM.get(name, MOST_KEPT + 1)) if inner else (name, hint, 0))
    return tuple(parts)


STATE = np.dtype(
    [(name, dtype_of(kind), (room,)) if room else (name, dtype_of(kind)) for name, kind, room in _parts()]
)
"""Every list has room for the most that parameters may ask for, so that one compiled kernel serves them
all."""

RULES = np.dtype(
    [
        (name, "i8", (_NUMBERS[name],)) if name in _NUMBERS else (name, _WIDTHS[hint])
        for name, hint in get_type_hints(Rules).items()
    ]
)


def to_record(state: State) -> Any:
    """An array of one record."""
    array = np.zeros(1, STATE)
    for name, kind, room in _parts():
        value = getattr(state, name)
        if not room:
            array[name][0] = _row(kind, value)
        for index, item in enumerate(value if room else ()):
            array[name][0, index] = _row(kind, item)
    return array


def _row(kind: type, item: object) -> tuple[float, ...]:
    return tuple(getattr(item, name) for name in dtype_of(kind).names or ())


def from_record(array: Any, rules: Rules) -> State:
    """The state that streaming goes on from."""
    record = array[0]
    counts = {"slots": rules.mask + 1, "internal_turns": 4, "swing_turns": 4, "kills": rules.sessions}
    values: dict[str, Any] = {}
    for name, kind, room in _parts():
        if room:
            count = counts[name] if name in counts else int(record[f"{name}_book"]["count"])
            values[name] = [kind(*row) for row in record[name][:count].tolist()]
        else:
            values[name] = kind(*record[name].item())
    return State(**values)


def rules_record(rules: Rules) -> Any:
    """An array of one record."""
    array = np.zeros(1, RULES)
    for name in RULES.names or ():
        value = getattr(rules, name)
        if name in _NUMBERS:
            array[name][0, : len(value)] = value
        else:
            array[name][0] = value
    return array
