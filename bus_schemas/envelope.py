"""The envelope around every event body, and what a decider hands back."""

from __future__ import annotations

import hashlib

import msgspec

from bus_schemas.events import Body
from bus_schemas.topology import STREAM_SPECS, Place, Stream


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as a reader sees it.

    Attributes:
        place: the stream that it stands in.
        seq: its number there, from 1, without holes; also the stream id `<seq>-0`.
        key: the symbol, or the account.
        body: the decoded body; its class name is the event's type.
        cause: id of the event that led to this one, empty for a root.
        trace: 32 hex digits, the same along a whole chain of causes.
        sent: server's wall clock at commit, in microseconds; for latencies, never for decisions.
    """

    place: Place
    seq: int
    key: str
    body: Body
    cause: str = ""
    trace: str = ""
    sent: int = 0

    @property
    def id(self) -> str:
        """`<stream>.<part>.<seq>`: unique in the namespace and the same in every run of one input."""
        return f"{self.place.stream}.{self.place.part}.{self.seq}"

    @property
    def type(self) -> str:
        return type(self.body).__name__

    @property
    def order(self) -> tuple[int, int, str, int]:
        """Sort key of a batch: event time, stream rank, part, number. Controls come first of all."""
        spec = STREAM_SPECS[self.place.stream]
        time = 0 if spec.rank == 0 else self.body.time
        return (time, spec.rank, self.place.part, self.seq)


class Output(msgspec.Struct, frozen=True, gc=False):
    """An event that a decider wants written. The runtime numbers it and fills in cause and trace.

    Attributes:
        stream: logical stream; the part is the unit's own.
        key: the symbol, or the account.
        body: the event.
    """

    stream: Stream
    key: str
    body: Body


def trace_of(event_id: str) -> str:
    """The trace id of a chain that starts at this event: a function of its id."""
    return hashlib.blake2b(event_id.encode(), digest_size=16).hexdigest()
