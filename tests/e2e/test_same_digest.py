"""Same data, same digest: over processes again and again, with more replicas, with delays, and in memory."""

from __future__ import annotations

import msgspec
import pytest

from bus_schemas.settings import Settings
from bus_schemas.topology import SERVICES
from cli.report import Report
from tests.chaos.runs import chaos_settings, in_memory, over_processes

TRADE_FROM = "2024-09-22T12:00:00Z"
DELAY_MS = 3.0
DECIDING = tuple(service for service in SERVICES if service != "health")
"""Without health, which decides nothing: half of the runs go without it to spare the machine."""


@pytest.fixture(scope="module")
def settings() -> Settings:
    return chaos_settings(0, TRADE_FROM)


@pytest.fixture(scope="module")
def in_one_process(settings: Settings) -> Report:
    report = in_memory(settings).report
    assert report.signals >= 5
    assert report.trades >= 3
    assert report.refusals
    return report


def same(report: Report, other: Report) -> None:
    """The digest, and every figure that does not tell of the wall clock."""
    assert report.digest == other.digest
    clocks = {"elapsed_s": 0.0, "latency_ms": None}
    assert msgspec.structs.replace(report, **clocks) == msgspec.structs.replace(other, **clocks)
    assert report.duplicates == 0


def test_memory_and_five_processes(settings: Settings, in_one_process: Report) -> None:
    same(over_processes(settings), in_one_process)


def test_a_second_run(settings: Settings, in_one_process: Report) -> None:
    same(over_processes(settings, services=DECIDING), in_one_process)


def test_three_strategy_replicas(settings: Settings, in_one_process: Report) -> None:
    same(over_processes(settings, replicas=3, services=DECIDING), in_one_process)


def test_random_delays_in_every_service(in_one_process: Report) -> None:
    slow = chaos_settings(0, TRADE_FROM, delay_ms=DELAY_MS)
    assert slow.runtime.delay_ms == DELAY_MS
    same(over_processes(slow, services=DECIDING), in_one_process)


def test_other_data_has_another_digest(in_one_process: Report) -> None:
    """The digest tells runs apart: a bar more of trading is enough."""
    longer = chaos_settings(0, "2024-09-22T11:00:00Z")
    assert in_memory(longer).report.digest != in_one_process.digest
