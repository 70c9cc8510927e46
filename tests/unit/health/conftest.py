from __future__ import annotations

import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.topology import Topology
from tests.unit.health.writer import Writer


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(Topology(partitions=2))


@pytest.fixture
def writer(bus: MemoryBus) -> Writer:
    return Writer(bus)
