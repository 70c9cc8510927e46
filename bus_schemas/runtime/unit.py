"""One unit at work: load, decide, commit. The only caller of `Bus.commit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus_schemas import journal
from bus_schemas.bus.port import Bus, Commit, DeadLetter, Entry, Lease, Write
from bus_schemas.codec import encode_body, head, key_of
from bus_schemas.decider import Decider
from bus_schemas.envelope import Output, trace_of
from bus_schemas.errors import BusError, Poisoned, SequenceGap
from bus_schemas.runtime.batch import Item, arrange, first_time
from bus_schemas.runtime.poison import DeadLetterLimit
from bus_schemas.runtime.sensors import Counters
from bus_schemas.settings.bus import RuntimeSettings
from bus_schemas.topology import Place, Unit

MOST_DETAIL = 500
"""Characters of an error that are kept."""


class Writer:
    """An owner that appends: keeps counter and tips in step with what is stored.

    The whole of an edge that only publishes, and the half of a unit that also reads.

    Args:
        bus: where to commit.
        unit: whose lease is held.
    """

    def __init__(self, bus: Bus, unit: Unit) -> None:
        self.unit = unit
        self._bus = bus
        self._multi = len(bus.topology.inputs(unit)) > 1
        self._places = {place.stream: place for place in bus.topology.outputs(unit)}
        self.lease: Lease | None = None
        self.counter = 0
        self.positions: dict[Place, int] = {}
        self.tips: dict[Place, int] = {}
        self.dead_in_row = 0

    def load(self, lease: Lease) -> Mapping[str, bytes]:
        """Take over what is stored, and return the state.

        Raises:
            Reload: the lease is gone already.
        """
        snapshot = self._bus.load(lease)
        self.lease = lease
        self.counter = snapshot.counter
        read = snapshot.positions
        self.positions = {place: read.get(place, 0) for place in self._bus.topology.inputs(self.unit)}
        self.tips = snapshot.tips
        self.dead_in_row = snapshot.dead_in_row
        return snapshot.state

    def written(self, outputs: Sequence[Output], cause: str, trace: str) -> list[Write]:
        """The outputs encoded. An output with no cause is the root of a chain: its trace is its own."""
        writes = []
        for output in outputs:
            type_, version = head(output.body)
            place = self._places[output.stream]
            writes.append(Write(place, type_, version, output.key, cause, trace, encode_body(output.body)))
        return writes

    def roots(self, outputs: Sequence[Output]) -> list[Write]:
        """Outputs without a cause, encoded; each starts a trace that is a function of its id."""
        tips = dict(self.tips)
        writes = []
        for output in outputs:
            place = self._places[output.stream]
            tips[place] += 1
            trace = trace_of(f"{place}.{tips[place]}")
            writes += self.written((output,), "", trace)
        return writes

    def commit(
        self,
        writes: Sequence[Write],
        state: Mapping[str, bytes | None],
        items: Sequence[Item] = (),
        dead: Sequence[DeadLetter] = (),
        dead_in_row: int = 0,
    ) -> None:
        """Store a batch and move on.

        Raises:
            Reload: it may or may not be stored; load again.
        """
        if self.lease is None:
            raise BusError(f"{self.unit} has no lease")
        counts: dict[Place, int] = {}
        for write in writes:
            counts[write.place] = counts.get(write.place, 0) + 1
        last = items if self._multi else items[-1:]
        positions: dict[Place, int] = {item.entry.place: item.entry.seq for item in last}
        self._bus.commit(
            self.lease,
            Commit(
                counter=self.counter + 1,
                writes=writes,
                first={place: self.tips[place] + 1 for place in counts},
                positions=positions,
                state=state,
                journal=journal.written((i.entry.place, i.entry.seq) for i in items) if self._multi else "",
                dead=dead,
                dead_in_row=dead_in_row,
            ),
        )
        self.counter += 1
        self.positions.update(positions)
        self.dead_in_row = dead_in_row
        for place, count in counts.items():
            self.tips[place] += count


class UnitRunner(Writer):
    """A decider with its lease.

    Args:
        bus, unit: as for `Writer`.
        decider: its judgement.
        settings: attempts and limits of dead letters.
        counters: of the process.
    """

    def __init__(
        self, bus: Bus, unit: Unit, decider: Decider, settings: RuntimeSettings, counters: Counters
    ) -> None:
        super().__init__(bus, unit)
        self._decider = decider
        self._attempts = settings.attempts
        self._limit = DeadLetterLimit(settings)
        self._counters = counters

    def load(self, lease: Lease) -> Mapping[str, bytes]:
        state = super().load(lease)
        self._decider.load(state)
        return state

    def follows(self, entries: Sequence[Entry]) -> bool:
        """Whether these entries are the next ones: a hint may be old."""
        at = dict(self.positions)
        place, last = None, 0
        for where, seq, _ in entries:
            if where is not place:
                if place is not None:
                    at[place] = last
                place, last = where, at.get(where, -1)
            last += 1
            if seq != last:
                return False
        return True

    def process(self, entries: Sequence[Entry], limit: int, one_time: bool = False) -> int:
        """Decide on a batch and commit it. Returns how many entries were taken.

        Args:
            limit: the cap that the entries were read with.
            one_time: take only those of the first event time.

        Raises:
            Reload: drop this unit and load again.
            Poisoned: too many dead letters; nothing was committed.
        """
        if not self.follows(entries):
            raise SequenceGap(f"{self.unit}: entries do not follow {self.positions}")
        items = arrange(entries, limit)
        if one_time:
            items = first_time(items)
        writes, dead = self._decide(items)
        outcomes = [False] * len(items)
        if dead:
            corpses = {(letter.place, letter.seq) for letter in dead}
            outcomes = [(item.entry.place, item.entry.seq) in corpses for item in items]
        try:
            in_row = self._limit.check(self.dead_in_row, outcomes)
        except Poisoned as limit_passed:
            last = dead[-1]
            raise Poisoned(
                f"{self.unit}: {limit_passed}, the last {last.place}.{last.seq}: {last.error}. None of this "
                "batch was moved past: mend what is wrong and start again."
            ) from None
        self.commit(writes, self._decider.changes(), items, dead, in_row)
        counters = self._counters
        counters.events += len(items)
        counters.outputs += len(writes)
        counters.commits += 1
        counters.dead_letters += len(dead)
        return len(items)

    def _decide(self, items: Sequence[Item]) -> tuple[list[Write], list[DeadLetter]]:
        """Run the batch; on a failure drop the memory and repeat it, at last without the event at fault."""
        failures: dict[int, int] = {}
        given_up: dict[int, str] = {}
        while True:
            writes: list[Write] = []
            dead: list[DeadLetter] = []
            index = 0
            try:
                for index, item in enumerate(items):
                    event = item.event
                    if event is None or index in given_up:
                        error = given_up.get(index) or _one_line(item.error)
                        writes += self._bury(item, error, dead, failures.get(index, 1))
                        continue
                    outputs = self._decider.handle(event)
                    if outputs:
                        writes += self.written(outputs, event.id, event.trace or trace_of(event.id))
            except BusError:
                raise
            except Exception as error:
                if items[index].event is None or index in given_up:
                    raise Poisoned(f"{self.unit} cannot even say that an event is dead: {error!r}") from error
                failures[index] = failures.get(index, 0) + 1
                self._counters.retries += 1
                if failures[index] >= self._attempts:
                    given_up[index] = _one_line(f"{type(error).__name__}: {error}")
                self._forget()
            else:
                return writes, dead

    def _forget(self) -> None:
        if self.lease is None:
            raise BusError(f"{self.unit} has no lease")
        self._decider.load(self._bus.load(self.lease).state)

    def _bury(self, item: Item, error: str, dead: list[DeadLetter], attempts: int) -> list[Write]:
        place, seq, fields = item.entry
        dead.append(DeadLetter(place, seq, error, attempts, fields))
        origin = f"{place}.{seq}"
        key = key_of(fields)
        outputs = self._decider.poisoned("*" if key == self.unit.part else key, origin, error)
        return self.written(outputs, origin, trace_of(origin))


def _one_line(text: str) -> str:
    """An error as a dead letter tells it: a decider's may be long, and hold what is no text."""
    return " ".join(text.encode(errors="backslashreplace").decode().split())[:MOST_DETAIL]
