"""The few things that the kernel does to memory. Everything else it says in arithmetic.

The functions of the concepts run twice: by the interpreter over the structs and lists of
`strategy.smc.state`, and compiled over arrays of records with the same fields. Only what follows differs
between the two; the compiled counterparts are in `strategy.smc.compiled`.
"""

from __future__ import annotations

from strategy.smc.events import StructureEvent
from strategy.smc.kinds import KINDS
from strategy.smc.state import Book, Zone

ORDINAL_BITS = 10
"""An event's id is its bar's open time with so many bits for its place in the bar. A bar with more events
than that only counts on: a millisecond is far shorter than a bar."""


class Out:
    """Where events of the current bar go.

    Attributes:
        time: open time of the bar.
        next: id of the next event.
        events: those of this bar.
    """

    __slots__ = ("events", "next", "scopes", "time")

    def __init__(self, scopes: tuple[str, ...]) -> None:
        self.scopes = scopes
        self.time = 0
        self.next = 0
        self.events: list[StructureEvent] = []

    def begin(self, time: int) -> None:
        """Start a bar."""
        self.time = time
        self.next = (time << ORDINAL_BITS) + 1
        self.events = []


def emit(
    out: Out,
    kind: int,
    scope: int,
    direction: int,
    at: int,
    level: float,
    top: float,
    bottom: float,
    value: float,
    on1: int,
    on2: int,
    on3: int,
) -> int:
    """Say that something is known now; return the event's id. `on` ids of 0 are none."""
    name = out.next
    out.next = name + 1
    on = (on1, on2, on3) if on3 else (on1, on2) if on2 else (on1,) if on1 else ()
    out.events.append(
        StructureEvent(
            name, KINDS[kind], out.scopes[scope], direction, at, out.time, level, top, bottom, value, on
        )
    )
    return name


def add(zones: list[Zone], book: Book) -> Zone:
    """A new zone at the end, every field 0."""
    zone = Zone()
    zones.append(zone)
    book.count += 1
    return zone


def move(zones: list[Zone], to: int, source: int) -> None:
    """Put a zone where another was that is no longer needed."""
    zones[to] = zones[source]


def drop(zones: list[Zone], book: Book, index: int) -> None:
    """Take one out, keeping the order."""
    del zones[index]
    book.count -= 1


def sink(zones: list[Zone], at: int, side: int) -> None:
    """Move one towards the start until none before it is nearer to the price.

    Args:
        side: +1 where higher is nearer, for zones below the price.
    """
    zone = zones[at]
    while at > 0 and (zones[at - 1].next - zone.next) * side > 0:
        zones[at] = zones[at - 1]
        at -= 1
    zones[at] = zone


def cut(zones: list[Zone], book: Book, count: int) -> None:
    """Keep the first so many."""
    del zones[count:]
    book.count = count
