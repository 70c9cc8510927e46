"""The declared topology: which streams exist, who writes and reads them, whose turn comes first.

Written into a namespace when it is created and compared at every start, so a reader that starts
late is behind, never absent.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import cached_property
from typing import Literal

import msgspec

Scope = Literal["partition", "account", "global"]


class Stream(StrEnum):
    """Logical streams. One key per partition, per account, or one in all, by the stream's scope."""

    MARKS = "marks"
    CANDLES = "candles"
    SIGNALS = "signals"
    ORDERS = "orders"
    COMMANDS = "commands"
    REPORTS = "reports"
    EXECUTIONS = "executions"
    CONTROLS = "controls"
    HEARTBEATS = "heartbeats"


class StreamSpec(msgspec.Struct, frozen=True):
    """One row of the stream table.

    Attributes:
        rank: order among streams for events of one event time, in every reader; lower first.
            Controls come before everything, whatever their time.
        digest: whether the run's digest covers it.
    """

    name: Stream
    scope: Scope
    rank: int
    digest: bool = False


class ReaderSpec(msgspec.Struct, frozen=True):
    """One row of the reader table. A unit is a reader on one partition or on the account.

    Attributes:
        name: the reader's name; also the writer's name of the streams in `writes`.
        service: the process that it lives in.
        scope: `partition`: one unit per partition; `account`: one unit.
        held: inputs that are taken one event time at a time, and only while nothing else waits for the
            readers of the service. So the venue does not pass a bar before the order manager has
            answered the one before it, however far behind both are.
    """

    name: str
    service: str
    scope: Literal["partition", "account"]
    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    held: tuple[Stream, ...] = ()


STREAMS: tuple[StreamSpec, ...] = (
    StreamSpec(Stream.CONTROLS, "global", 0),
    StreamSpec(Stream.REPORTS, "account", 1, digest=True),
    StreamSpec(Stream.EXECUTIONS, "account", 2, digest=True),
    StreamSpec(Stream.COMMANDS, "account", 3, digest=True),
    StreamSpec(Stream.ORDERS, "account", 4, digest=True),
    StreamSpec(Stream.MARKS, "partition", 5),
    StreamSpec(Stream.CANDLES, "partition", 6),
    StreamSpec(Stream.SIGNALS, "partition", 7, digest=True),
    StreamSpec(Stream.HEARTBEATS, "global", 8),
)

READERS: tuple[ReaderSpec, ...] = (
    ReaderSpec(
        "venue",
        "execution",
        "account",
        (Stream.COMMANDS, Stream.MARKS),
        (Stream.REPORTS,),
        held=(Stream.MARKS,),
    ),
    ReaderSpec(
        "manager",
        "execution",
        "account",
        (Stream.CONTROLS, Stream.REPORTS, Stream.ORDERS),
        (Stream.COMMANDS, Stream.EXECUTIONS),
    ),
    ReaderSpec(
        "risk",
        "risk",
        "account",
        (Stream.CONTROLS, Stream.EXECUTIONS, Stream.MARKS, Stream.SIGNALS),
        (Stream.ORDERS,),
    ),
    ReaderSpec("strategy", "strategy", "partition", (Stream.CANDLES,), (Stream.SIGNALS,)),
    ReaderSpec("market_data", "market_data", "partition", (), (Stream.MARKS, Stream.CANDLES)),
)
"""In turn order of lockstep: the first with something to read runs. The venue comes before the order
manager and both before risk, so a fill is known before the mark that made it is judged."""

SERVICES = ("market_data", "strategy", "risk", "execution", "health")

STREAM_SPECS: dict[Stream, StreamSpec] = {s.name: s for s in STREAMS}
READER_SPECS: dict[str, ReaderSpec] = {r.name: r for r in READERS}


class Place(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """One concrete stream: the logical name and where, such as `candles` in `p3`."""

    stream: Stream
    part: str

    def __str__(self) -> str:
        return f"{self.stream}.{self.part}"


class Unit(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """A reader on one partition or on the account: the thing that has one owner and one lease."""

    reader: str
    part: str

    def __str__(self) -> str:
        return f"{self.reader}.{self.part}"


class Topology(msgspec.Struct, frozen=True, dict=True):
    """The topology of one namespace.

    Attributes:
        partitions: how many partitions the symbols are spread over; fixed at creation.
        account: name of the account; upper case.
        lockstep: one reader at a time, by turns.
    """

    partitions: int = 8
    account: str = "MAIN"
    lockstep: bool = False
    streams: tuple[StreamSpec, ...] = STREAMS
    readers: tuple[ReaderSpec, ...] = READERS

    def partition(self, symbol: str) -> str:
        """The partition that a symbol lives in, `p0` to `p<n-1>`; stable over releases."""
        digest = hashlib.blake2b(symbol.encode(), digest_size=4).digest()
        return f"p{int.from_bytes(digest, 'big') % self.partitions}"

    def parts(self, scope: Scope) -> tuple[str, ...]:
        if scope == "partition":
            return tuple(f"p{n}" for n in range(self.partitions))
        return (self.account,) if scope == "account" else ("all",)

    def places(self, stream: Stream) -> tuple[Place, ...]:
        """Every concrete stream of a logical one."""
        return tuple(Place(stream, part) for part in self.parts(STREAM_SPECS[stream].scope))

    def units(self, reader: str) -> tuple[Unit, ...]:
        return tuple(Unit(reader, part) for part in self.parts(READER_SPECS[reader].scope))

    def inputs(self, unit: Unit) -> tuple[Place, ...]:
        """What a unit reads: its own partition's, or every partition's for an account's unit."""
        spec = READER_SPECS[unit.reader]
        return tuple(
            place
            for stream in spec.reads
            for place in self.places(stream)
            if spec.scope == "account" or place.part == unit.part
        )

    def outputs(self, unit: Unit) -> tuple[Place, ...]:
        return tuple(Place(stream, unit.part) for stream in READER_SPECS[unit.reader].writes)

    @cached_property
    def turn_order(self) -> tuple[Unit, ...]:
        """Every unit that reads something, in turn order."""
        return tuple(unit for reader in self.readers if reader.reads for unit in self.units(reader.name))
