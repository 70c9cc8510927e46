"""What a soak sees while it goes on: events, fired faults, kills, what health says, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.codec import decode
from bus_schemas.envelope import Event
from bus_schemas.errors import BusError
from bus_schemas.events import AccountReport, AccountSnapshot, Body, Candle, ClockTick, Gap
from bus_schemas.topology import Place, Stream
from tests.soak.plan import name_of

PAGE = 1000
KEPT = (Stream.COMMANDS, Stream.REPORTS, Stream.EXECUTIONS, Stream.ORDERS, Stream.CONTROLS, Stream.CANDLES)
_MOVES = (Stream.COMMANDS, Stream.EXECUTIONS)
_NEWEST_ONLY = (ClockTick, AccountReport, AccountSnapshot)
"""Said all the time; only the last one matters."""

T = TypeVar("T", bound=Body)


class Firing(msgspec.Struct, frozen=True):
    """A fault that happened, or began to.

    Attributes:
        at, until: our wall clock, seconds; between them it happened.
    """

    name: str
    operation: str
    at: float
    until: float
    times: int = 1


class Kill(msgspec.Struct, frozen=True):
    """A service that was killed."""

    service: str
    pid: int
    at: float


class Spell(msgspec.Struct):
    """A reason of health, from when to when it was given."""

    code: str
    subject: str
    detail: str
    begin: float
    end: float


class Sample(msgspec.Struct, frozen=True):
    """Memory of one process, bytes."""

    name: str
    pid: int
    at: float
    memory: int


class Record:
    """Everything that was seen.

    Attributes:
        began: our wall clock when the fault plan was loaded.
        holes: entries that were gone before they were read.
        pids: process ids by service, in order.
        halts_released: acknowledgements that were given.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.events: dict[Stream, list[Event]] = {stream: [] for stream in KEPT}
        self.newest: dict[type[Body], Event] = {}
        self.firings: list[Firing] = []
        self.kills: list[Kill] = []
        self.spells: list[Spell] = []
        self.samples: list[Sample] = []
        self.pids: dict[str, list[int]] = {}
        self.holes: list[str] = []
        self.halts_released = 0
        self._at: dict[Place, int] = {}
        self._fired: list[int] = []
        self._looked = self.began

    def said(self, kind: type[T], stream: Stream) -> Iterator[tuple[Event, T]]:
        """Events of a type, in the order of their stream."""
        for event in self.events[stream]:
            if isinstance(event.body, kind):
                yield event, event.body

    def read(self, observer: RedisObserver) -> int:
        """Read what is new on the bus; returns how much that was."""
        number = 0
        for stream in KEPT:
            for place in observer.topology.places(stream):
                while entries := observer.range(place, self._at.get(place, 0), PAGE):
                    number += len(entries)
                    for entry in entries:
                        self._take(decode(*entry))
        return number

    def _take(self, event: Event) -> None:
        due = self._at.get(event.place, 0) + 1
        if event.seq != due:
            self.holes.append(f"{event.place}: {due} to {event.seq - 1} were trimmed before they were read")
        self._at[event.place] = event.seq
        if isinstance(event.body, _NEWEST_ONLY):
            self.newest[type(event.body)] = event
        elif not isinstance(event.body, Candle | Gap) or not event.body.hydration:
            self.events[event.place.stream].append(event)

    def faults(self, report: Sequence[Mapping[str, Any]]) -> None:
        """Take the venue's count of fired faults."""
        now = time.time()
        before = self._fired if len(self._fired) == len(report) else [0] * len(report)
        self._fired = [rule["fired"] for rule in report]
        for rule, then, times in zip(report, before, self._fired, strict=True):
            if times > then:
                operation = rule.get("operation", "*")
                self.firings.append(Firing(name_of(rule), operation, self._looked, now, times - then))
        self._looked = now

    def windows(self, name: str, rules: Sequence[Mapping[str, Any]]) -> None:
        """Note faults that are a state and not an act: they are counted by nobody."""
        for rule in rules:
            if name_of(rule) == name:
                begin, end = (self.began + rule[key] for key in ("from_s", "until_s"))
                self.firings.append(Firing(name, "*", begin, end))

    def health(self, reasons: Sequence[Mapping[str, str]]) -> None:
        """Take what health finds wrong now. A reason that was away for some seconds is a new one."""
        now = time.time()
        for reason in reasons:
            code, subject = reason["code"], reason["subject"]
            for spell in reversed(self.spells):
                if (spell.code, spell.subject) == (code, subject) and now - spell.end < 5:
                    spell.end, spell.detail = now, reason["detail"]
                    break
            else:
                self.spells.append(Spell(code, subject, reason["detail"], now, now))

    def process(self, service: str, pid: int) -> None:
        """A process was seen to work as a service."""
        seen = self.pids.setdefault(service, [])
        if pid not in seen:
            seen.append(pid)


def drained(record: Record, observer: RedisObserver, still_s: float, within_s: float) -> bool:
    """Read until no order has moved for so long; False where that does not come."""
    deadline = time.monotonic() + within_s
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < still_s:
        if time.monotonic() > deadline:
            return False
        before = [len(record.events[stream]) for stream in _MOVES]
        record.read(observer)
        if [len(record.events[stream]) for stream in _MOVES] != before:
            quiet_since = time.monotonic()
        time.sleep(0.1)
    return True


def patiently(act: Callable[[], object]) -> bool:
    """Do it; False where the bus is away for the moment."""
    try:
        act()
    except BusError:
        return False
    return True
