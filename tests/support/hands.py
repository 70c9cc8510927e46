"""Owners at work, as the runtime would be one: lease, counter, positions and tips in step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bus_schemas import journal
from bus_schemas.bus.port import Bus, Commit, DeadLetter, Entry, Lease, Owner, Snapshot, Write
from bus_schemas.topology import Place, Stream, Unit

FEED = Unit("market_data", "p0")
STRATEGY = Unit("strategy", "p0")
RISK = Unit("risk", "MAIN")
VENUE = Unit("venue", "MAIN")
MANAGER = Unit("manager", "MAIN")
MARKS, CANDLES, SIGNALS = (Place(s, "p0") for s in (Stream.MARKS, Stream.CANDLES, Stream.SIGNALS))
ORDERS, REPORTS, COMMANDS, EXECUTIONS = (
    Place(s, "MAIN") for s in (Stream.ORDERS, Stream.REPORTS, Stream.COMMANDS, Stream.EXECUTIONS)
)
CONTROLS = Place(Stream.CONTROLS, "all")


def owner(slot: str = "0", nonce: str = "n0", host: str = "h") -> Owner:
    return Owner(host, slot, nonce)


def write(place: Place, text: str, key: str = "BTC") -> Write:
    return Write(place, b"Mark", b"1", key, "cause", "trace", text.encode())


def bodies(entries: Sequence[Entry]) -> list[str]:
    return [entry.fields[b"body"].decode() for entry in entries]


class Hand:
    """One owner of one unit.

    Args:
        bus: its own.
        unit: to own; raises AssertionError where the lease is somebody else's.
        me: who asks.
    """

    def __init__(self, bus: Bus, unit: Unit, me: Owner | None = None) -> None:
        self.bus, self.unit, self.me = bus, unit, me or owner()
        self.lease: Lease
        self.snapshot: Snapshot
        self.reload()

    def reload(self) -> Snapshot:
        """What the runtime does after any `Reload`."""
        self.bus.reset()
        lease = self.bus.acquire(self.unit, self.me)
        assert lease is not None, f"{self.unit} belongs to somebody else"
        self.lease = lease
        self.snapshot = self.bus.load(lease)
        return self.snapshot

    def position(self, place: Place) -> int:
        return self.snapshot.positions.get(place, 0)

    def unread(self, place: Place, limit: int = 1000) -> list[Entry]:
        return self.bus.read({place: self.position(place)}, limit, 0)

    def plan(
        self,
        writes: Sequence[Write] = (),
        took: Sequence[Entry] = (),
        state: Mapping[str, bytes | None] | None = None,
        dead: Sequence[DeadLetter] = (),
    ) -> Commit:
        """The next commit, by what this owner remembers."""
        counts = Counter(item.place for item in writes)
        return Commit(
            counter=self.snapshot.counter + 1,
            writes=writes,
            first={place: self.snapshot.tips[place] + 1 for place in counts},
            positions={entry.place: entry.seq for entry in took},
            state=state or {},
            journal=journal.written((entry.place, entry.seq) for entry in took),
            dead=dead,
            dead_in_row=len(dead),
        )

    def send(self, commit: Commit) -> None:
        """Commit, and remember it as done."""
        self.bus.commit(self.lease, commit)
        self.snapshot.counter = commit.counter
        self.snapshot.positions |= commit.positions
        for item in commit.writes:
            self.snapshot.tips[item.place] += 1

    def put(self, *writes: Write) -> None:
        """Append outputs and nothing else."""
        self.send(self.plan(writes))


def feed(bus: Bus, *texts: str, place: Place = CANDLES) -> None:
    """Append entries to a stream as whoever writes it, and give the lease back."""
    writers = {SIGNALS: STRATEGY, ORDERS: RISK, REPORTS: VENUE, COMMANDS: MANAGER, EXECUTIONS: MANAGER}
    hand = Hand(bus, writers.get(place, Unit("market_data", place.part)), owner("feed"))
    hand.put(*(write(place, text) for text in texts))
    bus.release(hand.lease)
