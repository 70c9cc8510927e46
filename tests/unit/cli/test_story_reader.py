"""What is read from the bus and told: from the first look on, once, in bounds, whatever the server does."""

from __future__ import annotations

import msgspec
import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Entry
from bus_schemas.errors import Disconnected
from bus_schemas.events import AccountSnapshot, AlertCode, ClockTick, Leg, OrderState
from bus_schemas.topology import Place, Stream, Topology
from cli import story_reader
from cli.story_reader import LINES, StoryReader
from tests.unit.cli.test_live_story import NOW, SYMBOL, D, alert, approved, fill, funded, order, position


class FlakyBus(MemoryBus):
    """A bus whose server can be away."""

    away: Stream | None = None

    def range(self, place: Place, after: int, limit: int) -> list[Entry]:
        if place.stream is self.away:
            raise Disconnected("away")
        return super().range(place, after, limit)


@pytest.fixture
def bus() -> FlakyBus:
    return FlakyBus(Topology())


def test_only_what_happens_after_the_first_look_is_told_and_once(bus: FlakyBus) -> None:
    said: list[str] = []
    bus.post(Stream.EXECUTIONS, SYMBOL, fill(Leg.ENTRY, "0.05"))
    reader = StoryReader(bus, said.append)
    reader.look()
    reader.look()
    assert said == []
    bus.post(Stream.EXECUTIONS, SYMBOL, order(Leg.ENTRY, OrderState.ACCEPTED))
    bus.post(Stream.ORDERS, SYMBOL, approved())
    reader.look()
    reader.look()
    assert [told.split(":")[2][3:] for told in said] == ["BTCUSDT signal taken", "BTCUSDT entry acknowledged"]


def test_a_server_that_goes_between_two_streams_loses_no_line(bus: FlakyBus) -> None:
    said: list[str] = []
    reader = StoryReader(bus, said.append)
    reader.look()
    bus.post(Stream.ORDERS, SYMBOL, approved())
    bus.away = Stream.EXECUTIONS
    for _ in range(2):
        with pytest.raises(Disconnected):
            reader.look()
    bus.away = None
    reader.look()
    assert len(said) == 1


def test_a_burst_is_cut_to_its_newest_lines(bus: FlakyBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_reader, "PAGE", LINES + 5)
    said: list[str] = []
    reader = StoryReader(bus, said.append)
    reader.look()
    for n in range(LINES + 6):
        bus.post(Stream.EXECUTIONS, SYMBOL, funded(str(n + 1)))
    reader.look()
    assert said[0] == "5 more lines came before these; run.py status shows what holds now"
    assert (said[1][-5:], said[-1][-6:], len(said)) == (" 6.00", " 25.00", LINES + 1)
    reader.look()
    assert said[-1].endswith(" 26.00"), "what one look leaves waits for the next"


def test_entries_that_are_gone_broken_or_of_another_release_do_no_harm(bus: FlakyBus) -> None:
    said: list[str] = []
    reader = StoryReader(bus, said.append)
    for n in range(9):
        bus.post(Stream.EXECUTIONS, SYMBOL, funded(str(n + 1)))
    reader.look()
    (place,) = bus.topology.places(Stream.EXECUTIONS)
    stream = bus.memory.stream(place)
    del stream[4:]  # the server lost its last moments
    reader.look()
    bus.post(Stream.EXECUTIONS, SYMBOL, funded("100"))
    stream.append(Entry(place, 6, {b"type": b"Tomorrow", b"v": b"1", b"key": b"X", b"body": b"{}"}))
    stream.append(Entry(place, 7, {b"rubbish": b""}))
    for n in range(200, 204):
        bus.post(Stream.EXECUTIONS, SYMBOL, funded(str(n)))
    bus.trim(place, 10)
    reader.look()
    assert [told.rsplit(" ", 1)[1] for told in said] == ["202.00", "203.00"]


def test_it_is_told_when_the_venue_answers_again(bus: FlakyBus, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    reader = StoryReader(bus, said.append)
    reader.look()
    reader.seen(1e12)
    bus.post(Stream.EXECUTIONS, "MAIN", alert(AlertCode.UNREACHABLE, "no answer"))
    bus.post(Stream.REPORTS, "MAIN", ClockTick(time=NOW + 60_000))
    monkeypatch.setattr("cli.story_reader.time.time", lambda: 1000.0)
    reader.look()
    for moment in (None, 999.0, 1000.5, 1001.5):
        reader.seen(moment)
    assert said == [
        "04:46:45 venue unreachable: no answer",
        "04:47:45 venue answers again: the account was seen",
    ]


def test_what_the_manager_has_stored_is_held(bus: FlakyBus) -> None:
    reader = StoryReader(bus, lambda _: None)
    reader.look()
    assert (reader.held(), reader.compared) == ("no positions", False)
    (unit,) = bus.topology.units("manager")
    stored = msgspec.json.encode(position(SYMBOL, "0.5", stop="59400"))
    bus.memory.unit(unit).state = {f"position:{SYMBOL}": stored, "clock:": b"{}"}
    bus.post(Stream.EXECUTIONS, "MAIN", AccountSnapshot(time=NOW, cash=D(1), equity=D(1)))
    reader.look()
    assert (reader.held(), reader.compared) == ("held: BTCUSDT long 0.5, stop at 59400", True)
