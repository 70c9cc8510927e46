"""The page in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from bus_schemas.bus.memory_bus import Memory, MemoryBus
from bus_schemas.events import AlertCode, OrderState, PositionState, ReduceOnly, Refusal, Side
from bus_schemas.topology import READER_SPECS, Stream, Topology
from tests.support.health import SERVICES, Running, settings_for, until
from tests.unit.health import writer as w

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def a_lively_day(writer: w.Writer, topology: Topology) -> None:
    """What a page should be able to show at once."""
    w.a_day(writer, 40)
    for n, reason in enumerate((Refusal.BASIS, Refusal.MAX_POSITIONS, Refusal.STALE_DATA), 41):
        writer.write(Stream.ORDERS, "ETHUSDT", w.refused(n, "ETHUSDT", reason))
    marks = [
        PositionState(symbol="BTCUSDT", quantity=w.D("0.031"), entry_price=w.D("64000.5"), mark=w.D("64310")),
        PositionState(symbol="ETHUSDT", quantity=w.D("-2.4"), entry_price=w.D("2750.1"), mark=w.D("2771.35")),
    ]
    short = {"side": Side.SHORT, "entry_price": w.D("2750.1")}
    late = w.fill(43, "ETHUSDT", traded=w.START + 43 * w.BAR - 1400)
    writer.write(Stream.EXECUTIONS, "ETHUSDT", late, w.position(43, "ETHUSDT", "-2.4", **short))
    writer.write(Stream.EXECUTIONS, "BTCUSDT", w.order(44, OrderState.UNKNOWN), w.alert(44, AlertCode.CLOCK))
    writer.write(Stream.EXECUTIONS, "BTCUSDT", w.position(44))
    writer.write(Stream.EXECUTIONS, "ETHUSDT", w.position(44, "ETHUSDT", "-2.4", None, **short))
    writer.write(Stream.EXECUTIONS, topology.account, w.snapshot(44, "10166.4", *marks))
    writer.write(Stream.ORDERS, "SOLUSDT", w.halted(44, "SOLUSDT", until=w.START + 60 * w.BAR))
    writer.bus.post(Stream.CONTROLS, "MAIN", ReduceOnly(time=w.START + 44 * w.BAR, on=True, by="ann"))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium")
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "lively"])
def test_the_page_in_a_real_browser(tmp_path: Path, empty: bool) -> None:
    settings = settings_for(tmp_path, health={"unprotected_s": 0, "silent_after_s": 600})
    memory = Memory()
    bus = MemoryBus(settings.topology, memory)
    if not empty:
        a_lively_day(w.Writer(bus), settings.topology)
        for service in SERVICES:
            units = tuple(str(u) for s in READER_SPECS.values() if s.service == service
                          for u in settings.topology.units(s.name))  # fmt: skip
            gauges = {"memory_bytes": 61e6}
            if service == "market_data":
                gauges |= {"symbols": 3.0, "silent_symbols": 1.0, "mark_age_s": 312.0}
            more = {"units": units, "gauges": gauges, "counters": {"events": 18_432, "reloads": 1}}
            bus.post(Stream.HEARTBEATS, service, w.beat(service, time.time_ns() // 1_000_000, **more))
    running = Running(settings, lambda: MemoryBus(settings.topology, memory))
    try:
        until(lambda: httpx.get(running.url + "/api/metrics").json()["ledger"]["positions"])
        until(lambda: empty or httpx.get(running.url + "/api/metrics").json()["account"])
        dom = _browse(running.url, tmp_path, "--dump-dom")
    finally:
        running.end()
    assert 'data-loaded="yes"' in dom
    if empty:
        assert "No account snapshot yet" in dom
        assert "No open position" in dom
        assert "Nothing has been decided yet" in dom
        assert "The venue gave no cause for an alert" in dom
        assert re.search(r"no data yet, up \d+ s<", dom)
        assert "oldest price" not in _seen(dom), "nothing is known of prices"
    else:
        for shown in ("BTCUSDT", "10,166.40", "<polyline", "max positions", "no break", "reduce only"):
            assert shown in dom
        assert "position unprotected" in dom
        assert re.search(r">data up to 2024-08-25 11:00 UTC, nothing newer for \d+ s<", dom)
        assert "oldest price 5 min ago, no fresh data of 1 of 3 symbols" in dom
        for shown in ("entry order c-44", ">clock<", "the venue asks for patience", "Unknown orders"):
            assert shown in dom
        assert ">2.4</td>" in dom
        assert ">-2.4<" not in dom, "the side says that it is short"
        _is_stepped(dom)


def _seen(dom: str) -> str:
    """Without the script."""
    return re.sub(r"<script>.*</script>", "", dom, flags=re.DOTALL)


def _is_stepped(dom: str) -> None:
    """Between two snapshots equity stays what it was: no slope may suggest a slow change."""
    line = re.search(r'<polyline points="([^"]*)"', dom)
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line[1].split()]
    assert len(points) > 2
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))


def _browse(url: str, profile: Path, *what: str) -> str:
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={profile}/chromium", "--virtual-time-budget=2500", *what, url],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout
