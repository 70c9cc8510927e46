"""The one order of a batch, whatever the batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.bus.port import Entry
from bus_schemas.codec import encode_body
from bus_schemas.events import SymbolHalted
from bus_schemas.runtime.batch import Item, arrange
from bus_schemas.topology import Place, Stream, Topology, Unit

PLACES = Topology(partitions=2).inputs(Unit("risk", "MAIN"))
CONTROLS, EXECUTIONS, MARKS_0, MARKS_1, SIGNALS_0, SIGNALS_1 = PLACES
BROKEN = None

Streams = Mapping[Place, Sequence[int | None]]
"""By stream: the event times of its entries; None for one that does not decode."""


def entry(place: Place, seq: int, time: int | None) -> Entry:
    if time is BROKEN:
        return Entry(place, seq, {b"type": b"Nonsense", b"v": b"1", b"key": b"X", b"body": b"{"})
    body = encode_body(SymbolHalted(time=time, symbol="X", origin="", detail=""))
    return Entry(place, seq, {b"type": b"SymbolHalted", b"v": b"1", b"key": b"X", b"body": body})


def read(streams: Streams, after: Mapping[Place, int], limit: int) -> list[Entry]:
    """As the bus reads: grouped by stream, at most `limit` of each."""
    return [
        entry(place, seq, time)
        for place, times in streams.items()
        for seq, time in list(enumerate(times, 1))[after[place] :][:limit]
    ]


def names(items: Sequence[Item]) -> list[str]:
    return [f"{item.entry.place}.{item.entry.seq}" for item in items]


def whole(streams: Streams) -> list[str]:
    return names(arrange(read(streams, dict.fromkeys(streams, 0), 10_000), 10_000))


def in_pieces(streams: Streams, limits: Sequence[int]) -> list[str]:
    after = dict.fromkeys(streams, 0)
    taken: list[str] = []
    for turn in range(10_000):
        limit = limits[turn % len(limits)]
        entries = read(streams, after, limit)
        if not entries:
            return taken
        items = arrange(entries, limit)
        assert items, "a batch that takes nothing never ends"
        after |= {item.entry.place: item.entry.seq for item in items}
        taken += names(items)
    raise AssertionError("it does not come to an end")


def test_event_time_comes_first_then_rank_then_part_then_number() -> None:
    streams = {SIGNALS_0: [10, 10], MARKS_1: [10], MARKS_0: [10, 20], EXECUTIONS: [10, 30], CONTROLS: [99]}
    assert whole(streams) == [
        "controls.all.1",
        "executions.MAIN.1",
        "marks.p0.1",
        "marks.p1.1",
        "signals.p0.1",
        "signals.p0.2",
        "marks.p0.2",
        "executions.MAIN.2",
    ]


def test_a_time_that_goes_back_counts_as_its_predecessors() -> None:
    assert whole({MARKS_0: [10, 5], MARKS_1: [7]}) == ["marks.p1.1", "marks.p0.1", "marks.p0.2"]


def test_an_entry_that_does_not_decode_keeps_its_place_and_says_why() -> None:
    entries = read({MARKS_0: [10, BROKEN, 30], MARKS_1: [20]}, {MARKS_0: 0, MARKS_1: 0}, 100)
    items = arrange(entries, 100)
    assert names(items) == ["marks.p0.1", "marks.p0.2", "marks.p1.1", "marks.p0.3"]
    assert [item.event is None for item in items] == [False, True, False, False]
    assert "unknown event type Nonsense" in items[1].error
    assert not items[0].error


def test_nothing_beyond_the_end_of_a_stream_that_was_cut_off() -> None:
    streams = {MARKS_0: [10, 20, 30], MARKS_1: [15, 25, 99]}
    items = arrange(read(streams, {MARKS_0: 0, MARKS_1: 0}, 2), 2)
    assert names(items) == ["marks.p0.1", "marks.p1.1", "marks.p0.2"]


def test_a_single_stream_needs_no_horizon() -> None:
    assert names(arrange(read({MARKS_0: [3, 1, 2]}, {MARKS_0: 0}, 3), 3)) == [
        "marks.p0.1",
        "marks.p0.2",
        "marks.p0.3",
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_crowd_at_one_moment_is_cut_without_a_change(limit: int) -> None:
    streams = {EXECUTIONS: [5] * 4, MARKS_0: [5] * 3, MARKS_1: [5] * 5, SIGNALS_1: [5, 5]}
    assert in_pieces(streams, [limit]) == whole(streams)


times = st.lists(st.one_of(st.none(), st.integers(1, 12)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    streams=st.fixed_dictionaries(dict.fromkeys(PLACES, times)),
    limits=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_any_split_into_batches_gives_one_order(streams: Streams, limits: list[int]) -> None:
    assert in_pieces(streams, limits) == whole(streams)


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(PLACES, times)))
def test_each_stream_stays_in_its_own_order_and_nothing_is_lost(streams: Streams) -> None:
    taken = whole(streams)
    assert len(taken) == sum(map(len, streams.values()))
    for place, stream in streams.items():
        mine = [name for name in taken if name.startswith(f"{place}.")]
        assert mine == [f"{place}.{seq}" for seq in range(1, len(stream) + 1)]


def test_the_streams_of_the_order_are_those_of_risk() -> None:
    """If risk reads something else one day, these tests must follow."""
    assert {place.stream for place in PLACES} == {
        Stream.CONTROLS,
        Stream.EXECUTIONS,
        Stream.MARKS,
        Stream.SIGNALS,
    }
