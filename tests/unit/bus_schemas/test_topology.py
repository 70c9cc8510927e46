"""The declared tables agree with themselves, and keys stay in one cluster slot."""

from __future__ import annotations

import re
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus_schemas.errors import ConfigurationError
from bus_schemas.names import Names
from bus_schemas.topology import (
    READER_SPECS,
    READERS,
    SERVICES,
    STREAM_SPECS,
    STREAMS,
    Place,
    Stream,
    Topology,
    Unit,
)

OUTSIDE_WRITERS = {Stream.CONTROLS: "operator and watchdog", Stream.HEARTBEATS: "every process"}
OBSERVED_ONLY = {Stream.HEARTBEATS: "health, which takes no part in lockstep"}
TOPOLOGY = Topology(partitions=4, account="MAIN", lockstep=True)
UNITS = [unit for reader in READERS for unit in TOPOLOGY.units(reader.name)]


def test_every_stream_is_declared_once_with_a_rank_of_its_own() -> None:
    assert sorted(spec.name for spec in STREAMS) == sorted(Stream)
    assert len({spec.rank for spec in STREAMS}) == len(STREAMS)
    assert STREAM_SPECS[Stream.CONTROLS].rank == 0


@pytest.mark.parametrize("stream", list(Stream))
def test_every_stream_has_one_writer(stream: Stream) -> None:
    writers = [reader.name for reader in READERS if stream in reader.writes]
    assert len(writers) == (0 if stream in OUTSIDE_WRITERS else 1)


@pytest.mark.parametrize("stream", list(Stream))
def test_every_stream_is_read(stream: Stream) -> None:
    readers = [reader.name for reader in READERS if stream in reader.reads]
    assert bool(readers) != (stream in OBSERVED_ONLY)


def test_no_place_has_two_writing_units() -> None:
    written = [place for unit in UNITS for place in TOPOLOGY.outputs(unit)]
    assert len(written) == len(set(written))
    everywhere = {place for stream in Stream for place in TOPOLOGY.places(stream)}
    outside = {place for stream in OUTSIDE_WRITERS for place in TOPOLOGY.places(stream)}
    assert set(written) == everywhere - outside


def test_every_place_is_read_by_somebody() -> None:
    read = {place for unit in UNITS for place in TOPOLOGY.inputs(unit)}
    everywhere = {place for stream in Stream for place in TOPOLOGY.places(stream)}
    assert read == everywhere - {place for stream in OBSERVED_ONLY for place in TOPOLOGY.places(stream)}


def test_no_unit_reads_what_it_writes() -> None:
    for unit in UNITS:
        assert not set(TOPOLOGY.inputs(unit)) & set(TOPOLOGY.outputs(unit))


def test_outputs_lie_in_the_writers_own_part() -> None:
    for reader in READERS:
        for stream in reader.writes:
            assert STREAM_SPECS[stream].scope == reader.scope


def test_readers_belong_to_services() -> None:
    assert len(READER_SPECS) == len(READERS)
    assert {reader.service for reader in READERS} == set(SERVICES) - {"health"}


def test_the_digest_covers_every_decision() -> None:
    covered = {spec.name for spec in STREAMS if spec.digest}
    assert covered == {Stream.SIGNALS, Stream.ORDERS, Stream.COMMANDS, Stream.REPORTS, Stream.EXECUTIONS}


def test_units_and_inputs() -> None:
    assert TOPOLOGY.units("strategy") == tuple(Unit("strategy", f"p{n}") for n in range(4))
    assert TOPOLOGY.units("risk") == (Unit("risk", "MAIN"),)
    assert TOPOLOGY.inputs(Unit("strategy", "p2")) == (Place(Stream.CANDLES, "p2"),)
    assert TOPOLOGY.outputs(Unit("market_data", "p1")) == (
        Place(Stream.MARKS, "p1"),
        Place(Stream.CANDLES, "p1"),
    )
    inputs = TOPOLOGY.inputs(Unit("risk", "MAIN"))
    assert inputs[:2] == (Place(Stream.CONTROLS, "all"), Place(Stream.EXECUTIONS, "MAIN"))
    assert len(inputs) == 2 + 4 + 4
    assert TOPOLOGY.inputs(Unit("market_data", "p0")) == ()


def test_turn_order() -> None:
    names = [unit.reader for unit in TOPOLOGY.turn_order]
    assert names == ["venue", "manager", "risk", *["strategy"] * 4]


FIXED = {
    1: {"BTCUSDT": "p0", "ETHUSDT": "p0", "SOLUSDT": "p0"},
    8: {"BTCUSDT": "p6", "ETHUSDT": "p5", "SOLUSDT": "p4"},
    64: {"BTCUSDT": "p54", "ETHUSDT": "p29", "SOLUSDT": "p60"},
}
"""By another tool: `printf BTCUSDT | b2sum -l 32`, modulo the count."""


@pytest.mark.parametrize("partitions", sorted(FIXED))
def test_partitions_are_the_same_in_every_release(partitions: int) -> None:
    topology = Topology(partitions)
    assert {symbol: topology.partition(symbol) for symbol in FIXED[partitions]} == FIXED[partitions]


@given(st.text(max_size=20), st.integers(1, 1024))
def test_every_symbol_has_a_partition(symbol: str, partitions: int) -> None:
    topology = Topology(partitions)
    assert topology.partition(symbol) in topology.parts("partition")


def test_symbols_spread() -> None:
    letters = "ABCDEF"
    symbols = ["".join(p) + "USDT" for p in permutations(letters, 3)]
    counts = [sum(TOPOLOGY.partition(s) == part for s in symbols) for part in TOPOLOGY.parts("partition")]
    assert min(counts) > len(symbols) / 8


def test_the_topology_is_json_and_comes_back() -> None:
    encoded = msgspec.json.encode(TOPOLOGY)
    assert msgspec.json.decode(encoded, type=Topology) == TOPOLOGY


NAMES = Names("paper")
KEYS_OF_A_UNIT = ("state", "positions", "meta", "lease", "journal", "dead")


def tag(key: str) -> str:
    """The part of a key that a cluster hashes: inside the first braces, else all of it."""
    match = re.search(r"\{([^}]+)\}", key)
    return match[1] if match else key


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_all_keys_that_a_unit_writes_share_one_slot(unit: Unit) -> None:
    keys = [getattr(NAMES, name)(unit) for name in KEYS_OF_A_UNIT]
    keys += [NAMES.stream(place) for place in TOPOLOGY.outputs(unit)]
    assert {tag(key) for key in keys} == {unit.part}


def test_no_two_things_share_a_key() -> None:
    keys = [getattr(NAMES, name)(unit) for unit in UNITS for name in KEYS_OF_A_UNIT]
    keys += [NAMES.stream(place) for stream in Stream for place in TOPOLOGY.places(stream)]
    keys += [make(reader.name) for reader in READERS for make in (NAMES.members, NAMES.turn)]
    keys.append(NAMES.topology)
    assert len(keys) == len(set(keys))
    assert all(key.startswith("cw:paper:") for key in keys)
    assert not set(keys) & {key.replace("paper", "live") for key in keys}


def test_names_read_as_in_the_design() -> None:
    assert NAMES.stream(Place(Stream.CANDLES, "p3")) == "cw:paper:{p3}:candles"
    assert NAMES.stream(Place(Stream.ORDERS, "MAIN")) == "cw:paper:{MAIN}:orders"
    assert NAMES.stream(Place(Stream.CONTROLS, "all")) == "cw:paper:controls"
    assert NAMES.state(Unit("risk", "MAIN")) == "cw:paper:{MAIN}:state:risk"


@pytest.mark.parametrize("namespace", ["", "a:b", "{a}", "a b", "é", "a" * 65, "a\n"])
def test_a_namespace_cannot_move_the_hash_tag(namespace: str) -> None:
    with pytest.raises(ConfigurationError):
        Names(namespace)
