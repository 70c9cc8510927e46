"""Everything that a run has left on its bus, and what is wrong with it beside another run's."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bus_schemas.bus.port import Observer
from bus_schemas.codec import Fields, decode
from bus_schemas.journal import flattened
from bus_schemas.topology import READERS, Place, Stream, Unit

PAGE = 2000
COMPARED = tuple(stream for stream in Stream if stream is not Stream.HEARTBEATS)
Numbered = list[tuple[int, Fields]]


class Picture(msgspec.Struct, frozen=True):
    """A run's bus. `sent`, the server's clock, is left out.

    Attributes:
        streams: number and fields of every entry, by stream.
        journals: inputs in the order in which they were taken, by unit that reads several streams.
        states: stored state by unit.
        unread: entries that nobody has read, by unit.
        dead: dead letters in all.
    """

    streams: dict[Place, Numbered]
    journals: dict[Unit, list[tuple[Place, int]]]
    states: dict[Unit, dict[str, bytes]]
    unread: dict[Unit, int]
    dead: int


class Difference(msgspec.Struct):
    """What a disturbed run has that it should not, and the other way round.

    Attributes:
        missing: events that the undisturbed run has and this one has not, or has otherwise.
        surplus: events that only this one has.
        faults: everything that is wrong, in words.
    """

    missing: int = 0
    surplus: int = 0
    faults: list[str] = []


def take(observer: Observer) -> Picture:
    """Read the whole namespace, every event of it through the codec.

    Raises:
        CodecError: an entry cannot be decoded.
    """
    topology = observer.topology
    places = [place for stream in COMPARED for place in topology.places(stream)]
    units = [unit for reader in READERS for unit in topology.units(reader.name)]
    several = [unit for unit in units if len(topology.inputs(unit)) > 1]
    return Picture(
        streams={place: list(_entries(observer, place)) for place in places},
        journals={unit: list(flattened(_journal(observer, unit))) for unit in several},
        states={unit: observer.state(unit) for unit in units},
        unread={unit: observer.unread(unit) for unit in topology.turn_order},
        dead=sum(observer.dead_count(unit) for unit in units),
    )


def _entries(observer: Observer, place: Place) -> Iterator[tuple[int, Fields]]:
    at = 0
    while page := observer.range(place, at, PAGE):
        for entry in page:
            decode(*entry)
            yield entry.seq, {name: value for name, value in entry.fields.items() if name != b"sent"}
        at = page[-1].seq


def _journal(observer: Observer, unit: Unit) -> Iterator[str]:
    at = 0
    while page := observer.journal(unit, at, PAGE):
        yield from (text for _, text in page)
        at = page[-1][0]


def compare(found: Picture, expected: Picture) -> Difference:
    """What is wrong with the first beside the second."""
    told = Difference()
    for place, wanted in expected.streams.items():
        _stream(told, place, found.streams[place], wanted)
    for unit, order in expected.journals.items():
        _journals(told, unit, found, order)
    for unit, state in expected.states.items():
        if found.states[unit] != state:
            keys = sorted(
                k for k in {*found.states[unit], *state} if found.states[unit].get(k) != state.get(k)
            )
            told.faults.append(f"{unit}: another state under {', '.join(keys)}")
    told.faults += [f"{unit}: {n} events unread" for unit, n in found.unread.items() if n]
    if found.dead:
        told.faults.append(f"{found.dead} dead letters")
    return told


def _stream(told: Difference, place: Place, found: Numbered, wanted: Numbered) -> None:
    numbers = [seq for seq, _ in found]
    if numbers != list(range(1, len(numbers) + 1)):
        told.faults.append(f"{place}: its numbers are not 1 to {len(numbers)}")
    there, other = dict(found), dict(wanted)
    lost = [seq for seq, fields in wanted if there.get(seq) != fields]
    told.missing += len(lost)
    told.surplus += sum(seq not in other for seq in there)
    if lost:
        told.faults.append(
            f"{place}.{lost[0]} is {there.get(lost[0])}, not {other[lost[0]]}; {len(lost)} in all"
        )
    if len(found) > len(wanted):
        told.faults.append(f"{place}: {len(found)} events, not {len(wanted)}")


def _journals(told: Difference, unit: Unit, found: Picture, wanted: list[tuple[Place, int]]) -> None:
    """Every number of every input exactly once and in order, and all in the other run's order."""
    taken = found.journals[unit]
    next_of: dict[Place, int] = {}
    for place, seq in taken:
        if seq != next_of.get(place, 1):
            told.faults.append(f"{unit}: the journal has {place}.{seq} where {next_of.get(place, 1)} is due")
            return
        next_of[place] = seq + 1
    for place in {place for place, _ in wanted}:
        if next_of.get(place, 1) != len(found.streams[place]) + 1:
            told.faults.append(f"{unit}: the journal ends at {place}.{next_of.get(place, 1) - 1}")
    if taken != wanted:
        told.faults.append(f"{unit}: the journal has another order")
