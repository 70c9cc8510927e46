"""The bus port's contract: leases, fencing, membership. On every implementation."""

from __future__ import annotations

import pytest

from bus_schemas.bus.port import Bus, Lease
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.errors import Fenced
from bus_schemas.topology import Unit
from tests.support.hands import MANAGER, SIGNALS, STRATEGY, VENUE, Hand, bodies, owner, write
from tests.support.shell import eventually
from tests.support.worlds import LEASE_MS, RedisWorld, World

LEASE_S = LEASE_MS / 1000


def _won(bus: Bus, unit: Unit, slot: str, nonce: str = "n") -> Lease:
    lease = bus.acquire(unit, owner(slot, nonce))
    assert lease is not None
    return lease


def _assert_fenced(bus: Bus, lease: Lease) -> None:
    with pytest.raises(Fenced):
        bus.renew(lease)
    with pytest.raises(Fenced):
        bus.load(lease)


def test_a_free_lease_is_anybodys(world: World) -> None:
    bus = world.bus()
    lease = _won(bus, STRATEGY, "a")
    assert lease == Lease(STRATEGY, owner("a", "n"), 1)
    assert world.remaining(STRATEGY) == pytest.approx(LEASE_S, abs=5)
    bus.renew(lease)
    assert bus.load(lease).counter == 0


@pytest.mark.parametrize(("slot", "host"), [("b", "h"), ("a", "other"), ("b", "other")])
def test_a_held_lease_is_refused_to_others(world: World, slot: str, host: str) -> None:
    held = _won(world.bus(), STRATEGY, "a")
    assert world.bus().acquire(STRATEGY, owner(slot, "m", host)) is None
    world.bus().renew(held)


def test_one_unit_is_held_by_itself(world: World) -> None:
    bus = world.bus()
    _won(bus, STRATEGY, "a")
    _won(bus, MANAGER, "b")
    _won(bus, world.topology.units("strategy")[1], "c")


def test_the_same_slot_takes_over_at_once(world: World) -> None:
    bus = world.bus()
    old = _won(bus, STRATEGY, "a", "first")
    new = _won(world.bus(), STRATEGY, "a", "second")
    assert new.epoch == old.epoch + 1
    _assert_fenced(bus, old)
    bus.renew(new)


def test_a_process_that_reloads_takes_its_own_lease_again(world: World) -> None:
    bus = world.bus()
    old, new = (_won(bus, STRATEGY, "a", "same") for _ in range(2))
    _assert_fenced(bus, old)
    bus.renew(new)


def test_a_lease_that_ran_out_is_anybodys(world: World) -> None:
    bus = world.bus()
    old = _won(bus, STRATEGY, "a")
    world.hasten(STRATEGY, 0)
    _assert_fenced(bus, old)
    new = _won(bus, STRATEGY, "b")
    assert new.epoch > old.epoch
    _assert_fenced(bus, old)
    bus.release(old)
    bus.renew(new)


def test_leases_run_out_by_themselves(redis_world: RedisWorld) -> None:
    bus = RedisBus(redis_world.link(), redis_world.names.namespace, redis_world.topology, lease_ms=500)
    old = _won(bus, STRATEGY, "a")
    assert bus.acquire(STRATEGY, owner("b")) is None
    eventually(lambda: bus.acquire(STRATEGY, owner("b")), 5.0, "its end")
    _assert_fenced(bus, old)


def test_renewing_pushes_the_expiry(world: World) -> None:
    bus = world.bus()
    lease = _won(bus, STRATEGY, "a")
    world.hasten(STRATEGY, 20)
    bus.renew(lease)
    assert world.remaining(STRATEGY) > LEASE_S - 10


def test_every_commit_pushes_the_expiry(world: World) -> None:
    hand = Hand(world.bus(), STRATEGY)
    world.hasten(STRATEGY, 20)
    hand.put(write(SIGNALS, "a"))
    assert world.remaining(STRATEGY) > LEASE_S - 10


def test_a_released_lease_is_free(world: World) -> None:
    bus = world.bus()
    lease = _won(bus, STRATEGY, "a")
    bus.release(lease)
    _assert_fenced(bus, lease)
    other = _won(bus, STRATEGY, "b")
    assert other.epoch > lease.epoch
    bus.release(lease)
    bus.renew(other)


def test_what_one_owner_did_the_next_one_finds(world: World) -> None:
    first = Hand(world.bus(), STRATEGY, owner("a"))
    first.send(first.plan([write(SIGNALS, "one")], state={"k": b"1"}))
    first.bus.release(first.lease)
    second = Hand(world.bus(), STRATEGY, owner("b"))
    assert (second.snapshot.counter, second.snapshot.state) == (1, {"k": b"1"})
    second.put(write(SIGNALS, "two"))
    with pytest.raises(Fenced):
        first.put(write(SIGNALS, "late"))
    assert bodies(second.bus.range(SIGNALS, 0, 9)) == ["one", "two"]


def test_a_supervisor_frees_the_leases_of_the_dead(world: World) -> None:
    bus = world.bus()
    dead = [_won(bus, unit, "a") for unit in (MANAGER, VENUE)]
    mine, elsewhere = world.topology.units("strategy")
    strategy = _won(bus, mine, "a")
    alive = _won(bus, elsewhere, "b")
    for reader in ("manager", "venue", "strategy"):
        bus.join(reader, owner("a"))
    assert bus.release_slot("execution", "h", "a") == 2
    assert bus.release_slot("execution", "h", "a") == 0
    for lease in dead:
        _assert_fenced(bus, lease)
    for lease in (strategy, alive):
        bus.renew(lease)
    assert bus.join("manager", owner("z")) == ["h/z"]
    assert bus.join("strategy", owner("z")) == ["h/a", "h/z"]
    assert bus.release_slot("strategy", "elsewhere", "a") == 0
    assert bus.release_slot("strategy", "h", "a") == 1
    bus.renew(alive)


def test_members_come_and_go(world: World) -> None:
    bus = world.bus()
    assert bus.join("strategy", owner("b")) == ["h/b"]
    assert world.bus().join("strategy", owner("a")) == ["h/a", "h/b"]
    assert bus.join("strategy", owner("b", nonce="restarted")) == ["h/a", "h/b"]
    assert bus.join("risk", owner("c")) == ["h/c"]
    bus.leave("strategy", owner("a"))
    bus.leave("strategy", owner("never"))
    assert bus.join("strategy", owner("b")) == ["h/b"]


def test_a_member_seen_in_the_future_is_dropped(redis_world: RedisWorld) -> None:
    """The server's clock was set back: by its scores the dead would live until it catches up."""
    bus = redis_world.bus()
    for slot in ("a", "b"):
        bus.join("strategy", owner(slot))
        redis_world.silence("strategy", owner(slot), -3600)
    assert bus.join("strategy", owner("a")) == ["h/a"]
    assert bus.join("strategy", owner("b")) == ["h/a", "h/b"]


def test_a_silent_member_is_dropped(world: World) -> None:
    bus = world.bus()
    for slot in ("a", "b", "c"):
        bus.join("strategy", owner(slot))
    world.silence("strategy", owner("a"), LEASE_S + 1)
    world.silence("strategy", owner("b"), LEASE_S - 10)
    assert bus.join("strategy", owner("c")) == ["h/b", "h/c"]
