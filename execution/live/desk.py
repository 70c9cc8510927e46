"""Where the edge's reports are committed: the bus, the lease, the register, in one step each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus_schemas.bus.port import Bus, DeadLetter, Entry, Lease, Write
from bus_schemas.codec import key_of
from bus_schemas.envelope import Output, trace_of
from bus_schemas.errors import BusError, SequenceGap
from bus_schemas.events import Body, SymbolHalted
from bus_schemas.runtime.batch import arrange
from bus_schemas.runtime.sensors import Counters
from bus_schemas.runtime.unit import Writer
from bus_schemas.topology import Place, Stream, Unit
from execution.live.records import Command, Pending
from execution.live.register import Register

READ_LIMIT = 200
"""Most commands in one commit."""
SKIP_LIMIT = 1000
"""Most entries of one stream that are moved past in one commit."""


class Desk:
    """Not thread-safe: only the edge's loop uses it.

    Args:
        bus: of the edge's thread.
        unit: the venue's reader of the account.
        counters: of the process.
    """

    def __init__(self, bus: Bus, unit: Unit, counters: Counters) -> None:
        self.register = Register()
        self._bus = bus
        self._writer = Writer(bus, unit)
        self._counters = counters
        self._account = unit.part

    def load(self, lease: Lease) -> None:
        """Take over what is stored.

        Raises:
            Reload: the lease is gone already.
        """
        self.register.load(self._writer.load(lease))

    def after(self, stream: Stream) -> Mapping[Place, int]:
        """After which entries of an input to read on."""
        return {place: seq for place, seq in self._writer.positions.items() if place.stream is stream}

    def skip(self, stream: Stream) -> None:
        """Move past an input that an edge has no use for: the venue has its own prices.

        Raises:
            Reload: load again.
        """
        entries = self._bus.read(self.after(stream), SKIP_LIMIT, 0)
        if entries:
            self.take(entries)

    def fence(self) -> None:
        """Make sure that the account is still ours, right before the venue is asked to act.

        Raises:
            Reload: it is not, or nobody can tell.
        """
        if self._writer.lease is None:
            raise BusError(f"{self._writer.unit} has no lease")
        self._bus.renew(self._writer.lease)

    def take(self, entries: Sequence[Entry]) -> list[int]:
        """Commit what was read: from then on every command is remembered. Returns their numbers.

        Raises:
            Reload: load again.
        """
        fresh: list[int] = []
        dead: list[DeadLetter] = []
        writes: list[Write] = []
        at = dict(self._writer.positions)
        items = arrange(entries, SKIP_LIMIT)
        for item in items:
            place, seq, fields = item.entry
            if seq != at[place] + 1:
                raise SequenceGap(f"{place}.{seq} does not follow {at[place]}")
            at[place] = seq
            if place.stream is not Stream.COMMANDS:
                continue
            event = item.event
            if event is not None and isinstance(event.body, Command):
                self.register.intake(seq, event.body, event.id, event.trace or trace_of(event.id))
                fresh.append(seq)
                continue
            error = item.error or f"{event.type if event else '?'} is no command"
            dead.append(DeadLetter(place, seq, error, 1, fields))
            key, time, origin = key_of(fields), event.body.time if event else 0, f"{place}.{seq}"
            symbol = "*" if key == self._account else key
            halted = SymbolHalted(time=time, symbol=symbol, origin=origin, detail=error)
            writes += self._writer.written(self._outputs((halted,)), origin, trace_of(origin))
        self._writer.commit(writes, self.register.drain(), items, dead, len(dead))
        self._count(len(items), len(writes), len(dead))
        return fresh

    def answer(self, seq: int, pending: Pending, bodies: Sequence[Body]) -> None:
        """Commit the answer to a command.

        Raises:
            Reload: load again.
        """
        self.register.done(seq)
        writes = self._writer.written(self._outputs(bodies), pending.cause, pending.trace)
        self._writer.commit(writes, self.register.drain())
        self._count(0, len(writes), 0)

    def tell(self, bodies: Sequence[Body]) -> None:
        """Commit what the venue said by itself. Nothing to say and nothing to remember is no commit.

        Raises:
            Reload: load again.
        """
        state = self.register.drain()
        if bodies or state:
            self._writer.commit(self._writer.roots(self._outputs(bodies)), state)
            self._count(0, len(bodies), 0)

    def _outputs(self, bodies: Sequence[Body]) -> list[Output]:
        outputs = []
        for body in bodies:
            symbol = getattr(body, "symbol", "*")
            outputs.append(Output(Stream.REPORTS, self._account if symbol == "*" else symbol, body))
        return outputs

    def _count(self, events: int, outputs: int, dead: int) -> None:
        counters = self._counters
        counters.events += events
        counters.outputs += outputs
        counters.dead_letters += dead
        counters.commits += 1
