"""All services in one process: quiet after every step, and one digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bus_schemas.bus.port import Entry
from bus_schemas.events import NoSignal
from bus_schemas.settings import Settings, load
from bus_schemas.topology import READER_SPECS, Place, Stream
from cli.inline import InlineRun
from cli.report import Follower, Report, digest
from market_data.feed import Step
from tests.support.shell import QUICK, TRADED, short_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_data(tmp_path_factory.mktemp("data"))


def settings_for(data: Path, **more: Any) -> Settings:
    return load(None, QUICK | {"market_data": {"data": data, "trade_from": TRADED}} | more)


def report(run: InlineRun) -> Report:
    return Follower(run.bus).catch_up().report(0, digest(run.bus))


def test_a_run_trades_and_is_quiet_after_every_step(data: Path) -> None:
    run = InlineRun(settings_for(data))
    assert run.quiet()
    loud: list[Step] = []
    run.run(lambda step: None if run.quiet() else loud.append(step))
    assert loud == []
    found = report(run)
    assert (found.candles, found.gaps, found.duplicates) == (864, 0, 0)
    assert found.signals > 20
    assert found.trades > 5
    assert found.assessments == 2 * 3 * 96
    assert sum(found.refusals.values()) + found.orders == found.signals
    assert sum(found.no_signal.values()) + found.signals == found.assessments
    counts = list(found.no_signal.values())
    assert counts == sorted(counts, reverse=True)
    assert set(found.no_signal) <= {reason.value for reason in NoSignal}


def test_two_runs_have_one_digest_whatever_the_batches(data: Path) -> None:
    digests = set()
    for bus in ({}, {"batch": 1}, {"partitions": 8}):
        run = InlineRun(settings_for(data, bus=bus))
        run.run()
        digests.add(report(run).digest)
    assert len(digests) == 1


def test_another_setting_has_another_digest(data: Path) -> None:
    digests = set()
    for risk in ({}, {"risk_per_trade_pct": "0.4"}):
        run = InlineRun(settings_for(data, risk=risk))
        run.run()
        digests.add(report(run).digest)
    assert len(digests) == 2


def test_what_is_waiting_is_not_quiet(data: Path) -> None:
    run = InlineRun(settings_for(data))
    signals = Place(Stream.SIGNALS, "p0")
    run.bus.memory.stream(signals).append(Entry(signals, 1, {}))
    assert not run.quiet()


def test_every_reader_runs_in_turn_order(data: Path) -> None:
    run = InlineRun(settings_for(data))
    order = [runner.unit for runner in run._runners]
    assert tuple(order) == run.topology.turn_order
    assert {READER_SPECS[unit.reader].service for unit in order} == {"strategy", "risk", "execution"}
    assert all(place.stream is not Stream.HEARTBEATS for runner in run._runners for place in runner.positions)
