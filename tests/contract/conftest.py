"""The stages of the bus's conformance suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus_schemas.topology import Topology
from tests.support.worlds import MemoryWorld, RedisWorld, World


def _world(request: pytest.FixtureRequest, kind: str, lockstep: bool) -> World:
    topology = Topology(partitions=2, lockstep=lockstep)
    if kind == "memory":
        return MemoryWorld(topology)
    url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("namespace")
    return RedisWorld(topology, url, namespace)


@pytest.fixture(params=["memory", "redis", "memory-lockstep", "redis-lockstep"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A store for any implementation, free-running and in lockstep."""
    kind, _, lockstep = request.param.partition("-")
    stage = _world(request, kind, bool(lockstep))
    yield stage
    stage.close()


@pytest.fixture(params=["memory", "redis"])
def lockstep(request: pytest.FixtureRequest) -> Iterator[World]:
    """A store in lockstep."""
    stage = _world(request, request.param, True)
    yield stage
    stage.close()


@pytest.fixture
def redis_lockstep(request: pytest.FixtureRequest) -> Iterator[RedisWorld]:
    """A server in lockstep."""
    stage = _world(request, "redis", True)
    assert isinstance(stage, RedisWorld)
    yield stage
    stage.close()


@pytest.fixture
def redis_world(request: pytest.FixtureRequest) -> Iterator[RedisWorld]:
    """A server, free-running."""
    stage = _world(request, "redis", False)
    assert isinstance(stage, RedisWorld)
    yield stage
    stage.close()
