"""A decider that does what the key of an event says, on a bus in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.port import Entry, Owner
from bus_schemas.codec import decode, encode_body
from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.events import SymbolHalted
from bus_schemas.runtime.sensors import Counters
from bus_schemas.runtime.unit import UnitRunner
from bus_schemas.settings import RuntimeSettings
from bus_schemas.topology import READER_SPECS, Place, Stream, Topology, Unit

TOPOLOGY = Topology(partitions=1)
STRATEGY, RISK = Unit("strategy", "p0"), Unit("risk", "MAIN")
CANDLES, MARKS, SIGNALS = (Place(s, "p0") for s in (Stream.CANDLES, Stream.MARKS, Stream.SIGNALS))
ORDERS, EXECUTIONS = Place(Stream.ORDERS, "MAIN"), Place(Stream.EXECUTIONS, "MAIN")
GARBAGE = {b"type": b"Candle", b"v": b"1", b"body": b"{"}


class Toy(Decider):
    """Counts events by key and echoes them; `FAIL` never works, `FAILn` works at its n+1st attempt.

    Attributes:
        seen: every event that was handled, in all attempts.
        loads: how often state was loaded.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._counts: dict[str, int] = {}
        self._changed: set[str] = set()
        self._failed: dict[str, int] = {}
        self.seen: list[str] = []
        self.loads = 0

    def load(self, state: Mapping[str, bytes]) -> None:
        self._counts = {key: int(value) for key, value in state.items()}
        self._changed.clear()
        self.loads += 1

    def handle(self, event: Event) -> Sequence[Output]:
        key = event.key
        self.seen.append(key)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._changed.add(key)
        if key.startswith("FAIL"):
            failed = self._failed[key] = self._failed.get(key, 0) + 1
            if failed <= int(key[4:] or 99):
                raise ValueError(f"cannot take {key}\nnor anything like it \udc80")
        if key == "QUIET":
            return ()
        return (self._said(key, "echo"),)

    def changes(self) -> Mapping[str, bytes | None]:
        changed = {key: str(self._counts[key]).encode() for key in sorted(self._changed)}
        self._changed.clear()
        return changed

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return (self._said(symbol, f"{origin} {detail}"),)

    def _said(self, symbol: str, detail: str) -> Output:
        return Output(self._stream, symbol, SymbolHalted(time=1, symbol=symbol, origin="toy", detail=detail))


def put(memory: Memory, place: Place, *keys: str, time: int = 1) -> None:
    """Entries that decode, by their keys."""
    for key in keys:
        body = encode_body(SymbolHalted(time=time, symbol=key, origin="", detail=""))
        append(memory, place, {b"type": b"SymbolHalted", b"v": b"1", b"key": key.encode(), b"body": body})


def append(memory: Memory, place: Place, fields: dict[bytes, bytes], skip: int = 0) -> None:
    """An entry with the next number, or the one after so many others."""
    stream = memory.stream(place)
    stream.append(Entry(place, (stream[-1].seq if stream else 0) + 1 + skip, fields))


class Bench:
    """A unit's runner over a bus in memory.

    Args:
        unit: strategy reads one stream, risk several.
        settings: attempts and limits.
    """

    def __init__(
        self,
        unit: Unit = STRATEGY,
        decider: Decider | None = None,
        memory: Memory | None = None,
        **settings: float,
    ) -> None:
        self.memory = memory or Memory()
        self.bus = MemoryBus(TOPOLOGY, self.memory)
        self.bus.declare()
        self.unit = unit
        self.toy = Toy(READER_SPECS[unit.reader].writes[0])
        self.counters = Counters()
        self.runner = UnitRunner(
            self.bus, unit, decider or self.toy, RuntimeSettings.model_validate(settings), self.counters
        )
        self.reload()

    def reload(self) -> None:
        lease = self.bus.acquire(self.unit, Owner("h", "0", "n"))
        assert lease is not None
        self.runner.load(lease)

    def put(self, place: Place, *keys: str, time: int = 1) -> None:
        put(self.memory, place, *keys, time=time)

    def raw(self, place: Place, fields: dict[bytes, bytes]) -> None:
        append(self.memory, place, fields)

    def work(self, limit: int = 100) -> int:
        """One batch; returns how many entries it took."""
        entries = self.bus.read(self.runner.positions, limit, 0)
        return self.runner.process(entries, limit) if entries else 0

    def wrote(self, place: Place = SIGNALS) -> list[tuple[str, str]]:
        """Key and detail of what was written."""
        events = [decode(*entry) for entry in self.bus.range(place, 0, 1000)]
        return [(event.key, getattr(event.body, "detail", "")) for event in events]
