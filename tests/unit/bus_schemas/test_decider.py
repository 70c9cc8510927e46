"""Keyed state, and the order in which a batch is taken."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus_schemas.decider import Keyed
from bus_schemas.envelope import Event, trace_of
from bus_schemas.events import ClockTick
from bus_schemas.topology import STREAM_SPECS, Place, Stream


class Count(msgspec.Struct):
    key: str
    value: int = 0


def keyed(prefix: str = "symbol") -> Keyed[Count]:
    return Keyed(prefix, Count, Count)


def stored(before: dict[str, bytes], changes: dict[str, bytes | None]) -> dict[str, bytes]:
    """The state hash after a commit."""
    return {key: value for key, value in (before | changes).items() if value is not None}


def test_only_what_was_edited_is_written() -> None:
    state = keyed()
    state.get("A")
    state.edit("C").value = 3
    state.edit("B").value = 2
    assert list(state.drain()) == ["symbol:B", "symbol:C"]
    assert state.drain() == {}
    state.edit("B").value += 1
    assert {key: json.loads(value or b"") for key, value in state.drain().items()} == {
        "symbol:B": {"key": "B", "value": 3}
    }


def test_a_key_that_was_only_looked_at_is_not_known() -> None:
    state = keyed()
    seen = state.get("A")
    assert state.get("A") is seen
    assert state.known() == ()
    assert state.edit("A") is seen
    assert state.known() == ("A",)


def test_put_and_drop() -> None:
    state = keyed()
    state.put("A", Count("A", 7))
    assert state.get("A").value == 7
    state.drain()
    state.drop("A")
    assert state.known() == ()
    assert state.get("A").value == 0
    assert state.drain() == {"symbol:A": None}
    state.get("B")
    state.put("B", Count("B", 1))
    assert state.get("B").value == 1


def test_an_edit_after_a_drop_starts_anew() -> None:
    state = keyed()
    state.edit("A").value = 5
    state.drop("A")
    state.edit("A").value += 1
    assert state.drain() == {"symbol:A": b'{"key":"A","value":1}'}


def test_load_takes_its_own_prefix_and_forgets_the_rest() -> None:
    state = keyed()
    state.edit("X").value = 9
    state.load({"symbol:A": b'{"key":"A","value":1}', "symbols:B": b"{}", "account": b"{}", "symbol": b"1"})
    assert state.known() == ("A",)
    assert state.drain() == {}


def test_a_maker_that_fails_leaves_nothing_behind() -> None:
    def make(key: str) -> Count:
        raise LookupError(key)

    state: Keyed[Count] = Keyed("symbol", Count, make)
    with pytest.raises(LookupError):
        state.edit("A")
    assert state.drain() == {}
    assert state.known() == ()


def test_a_prefix_cannot_hold_another() -> None:
    with pytest.raises(ValueError, match="colon"):
        keyed("a:b")


STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "edit", "drop", "put", "commit", "restart"]), st.sampled_from("ABC")),
    max_size=30,
)


@given(STEPS)
def test_a_restart_changes_no_future(steps: list[tuple[str, str]]) -> None:
    """Two memories take the same steps; one is restored from what was stored after every commit."""
    steady, restarted = keyed(), keyed()
    store: dict[str, bytes] = {}
    for step, key in steps:
        if step == "commit":
            changes = steady.drain()
            assert restarted.drain() == changes
            store = stored(store, changes)
            restarted = keyed()
            restarted.load(store)
        elif step in ("get", "edit", "drop", "put"):
            for state in (steady, restarted):
                if step == "edit":
                    state.edit(key).value += 1
                elif step == "put":
                    state.put(key, Count(key, 100))
                elif step == "drop":
                    state.drop(key)
                else:
                    state.get(key)
        assert steady.known() == restarted.known()
        assert [steady.get(key) for key in "ABC"] == [restarted.get(key) for key in "ABC"]


def event(stream: Stream, part: str, seq: int, time: int) -> Event:
    return Event(Place(stream, part), seq, "BTCUSDT", ClockTick(time=time))


def test_order_of_a_batch() -> None:
    expected = [
        event(Stream.CONTROLS, "all", 1, 900),
        event(Stream.CONTROLS, "all", 2, 5),
        event(Stream.MARKS, "p0", 9, 10),
        event(Stream.EXECUTIONS, "MAIN", 4, 20),
        event(Stream.MARKS, "p0", 10, 20),
        event(Stream.MARKS, "p1", 2, 20),
        event(Stream.MARKS, "p1", 3, 20),
        event(Stream.SIGNALS, "p0", 1, 20),
        event(Stream.EXECUTIONS, "MAIN", 5, 21),
    ]
    shuffled = list(expected)
    Random(7).shuffle(shuffled)
    assert shuffled != expected
    assert sorted(shuffled, key=lambda e: e.order) == expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Stream), st.sampled_from(["p0", "p1"]), st.integers(1, 9), st.integers(0, 3)
        ),
        unique_by=lambda t: t[:3],
    )
)
def test_the_order_is_total_and_keeps_time(rows: list[tuple[Stream, str, int, int]]) -> None:
    events = [event(*row) for row in rows]
    assert len({e.order for e in events}) == len(events)
    ordered = sorted(events, key=lambda e: e.order)
    times = [e.body.time for e in ordered if e.place.stream is not Stream.CONTROLS]
    assert times == sorted(times)
    first = [e.place.stream is Stream.CONTROLS for e in ordered]
    assert first == sorted(first, reverse=True)


def test_the_ranks_put_reports_before_marks_before_signals() -> None:
    ranks = {spec.name: spec.rank for spec in STREAM_SPECS.values()}
    assert ranks[Stream.REPORTS] < ranks[Stream.MARKS] < ranks[Stream.CANDLES] < ranks[Stream.SIGNALS]


def test_ids_and_traces() -> None:
    one = event(Stream.REPORTS, "MAIN", 7, 1)
    assert (one.id, one.type) == ("reports.MAIN.7", "ClockTick")
    assert trace_of("candles.p3.1") == trace_of("candles.p3.1") != trace_of("candles.p3.2")
    assert len(trace_of("x")) == 32
    assert int(trace_of("x"), 16) >= 0
