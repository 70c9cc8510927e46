"""Who owns which unit: every unit once, whoever comes and goes, and few moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.bus.port import Owner
from bus_schemas.runtime.ownership import Ownership, preferred
from bus_schemas.topology import Topology, Unit

TOPOLOGY = Topology(partitions=16)
UNITS = TOPOLOGY.units("strategy")

names = st.from_regex(r"[a-z]{1,4}/[0-9]", fullmatch=True)
crowds = st.lists(names, min_size=1, max_size=8, unique=True)


class Fleet:
    """Replicas over one store, with a clock that the test moves."""

    def __init__(self, everything: bool = False) -> None:
        self.now = 0.0
        self.memory = Memory()
        self.replicas: dict[str, Ownership] = {}
        self._everything = everything
        self._nonce = 0

    def start(self, slot: str) -> Ownership:
        self._nonce += 1
        bus = MemoryBus(TOPOLOGY, self.memory, 5000, lambda: self.now)
        owner = Owner("h", slot, str(self._nonce))
        self.replicas[slot] = Ownership(bus, ["strategy"], owner, self._everything)
        return self.replicas[slot]

    def settle(self, rounds: int = 3) -> None:
        for _ in range(rounds):
            self.now += 1
            for replica in self.replicas.values():
                replica.tick()

    def owned(self) -> Counter[Unit]:
        return Counter(unit for replica in self.replicas.values() for unit in replica.leases)

    def once_each(self) -> bool:
        return self.owned() == Counter(UNITS)


@given(crowds, names)
@settings(max_examples=60, deadline=None)
def test_whoever_joins_or_leaves_moves_only_what_it_gains_or_had(crowd: list[str], one: str) -> None:
    without, with_one = sorted(set(crowd) - {one}), sorted({*crowd, one})
    if not without:
        return
    for unit in UNITS:
        before, after = preferred(unit, without), preferred(unit, with_one)
        assert after in (before, one)


@given(st.permutations(["a/0", "b/0", "c/1", "d/2"]))
@settings(max_examples=20, deadline=None)
def test_the_choice_does_not_depend_on_the_order_of_members(members: Sequence[str]) -> None:
    assert [preferred(unit, members) for unit in UNITS] == [
        preferred(unit, sorted(members)) for unit in UNITS
    ]


def test_the_load_is_spread() -> None:
    shares = Counter(preferred(Unit("strategy", f"p{n}"), ["h/0", "h/1", "h/2"]) for n in range(600))
    assert all(150 < share < 250 for share in shares.values())


@given(st.lists(st.tuples(st.sampled_from("01234"), st.sampled_from(["start", "stop", "crash"])), max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_unit_is_owned_once_over_any_comings_and_goings(story: list[tuple[str, str]]) -> None:
    fleet = Fleet()
    fleet.start("always")
    for slot, what in story:
        if what == "start":
            fleet.start(slot)
        elif slot in fleet.replicas:
            gone = fleet.replicas.pop(slot)
            if what == "stop":
                gone.release()
        fleet.settle()
        assert max(fleet.owned().values()) == 1
    fleet.settle(8)  # a crashed one's leases run out
    assert fleet.once_each()


def test_a_replica_that_stops_leaves_its_units_to_the_others_at_once() -> None:
    fleet = Fleet()
    fleet.start("0"), fleet.start("1")
    fleet.settle()
    kept = set(fleet.replicas["0"].leases)
    assert 0 < len(kept) < len(UNITS)
    fleet.replicas.pop("1").release()
    won, lost = fleet.replicas["0"].tick()
    assert {lease.unit for lease in won} == set(UNITS) - kept
    assert lost == []
    assert fleet.replicas["0"].complete


def test_a_crashed_replicas_units_are_taken_when_its_leases_have_run_out() -> None:
    fleet = Fleet()
    fleet.start("0"), fleet.start("1")
    fleet.settle()
    del fleet.replicas["1"]
    fleet.settle(3)
    assert not fleet.once_each()
    fleet.settle(4)
    assert fleet.once_each()


def test_the_same_slot_takes_over_at_once_and_the_frozen_one_is_told() -> None:
    fleet = Fleet()
    old = fleet.start("0")
    old.tick()
    new = fleet.start("0")
    assert {lease.unit for lease in new.tick()[0]} == set(UNITS)
    won, lost = old.tick()
    assert set(lost) == set(UNITS)
    assert won == []


def test_what_is_wanted_by_another_is_given_back_and_said() -> None:
    fleet = Fleet()
    first = fleet.start("0")
    assert len(first.tick()[0]) == len(UNITS)
    second = fleet.start("1")
    assert second.tick()[0] == []
    lost = first.tick()[1]
    assert {lease.unit for lease in second.tick()[0]} == set(lost)
    assert fleet.once_each()


@given(crowds)
@settings(max_examples=40, deadline=None)
def test_an_edge_that_needs_everything_gets_everything_or_nothing(crowd: list[str]) -> None:
    fleet = Fleet(everything=True)
    for name in crowd:
        fleet.start(name.replace("/", "-"))
    fleet.settle()
    assert sorted(len(replica.leases) for replica in fleet.replicas.values())[-1] == len(UNITS)
    assert fleet.once_each()
    assert sum(replica.complete for replica in fleet.replicas.values()) == 1


def test_a_forgotten_lease_is_taken_again() -> None:
    fleet = Fleet()
    replica = fleet.start("0")
    replica.tick()
    replica.drop(UNITS[3])
    assert not replica.complete
    assert [lease.unit for lease in replica.tick()[0]] == [UNITS[3]]
    replica.forget()
    assert len(replica.tick()[0]) == len(UNITS)
