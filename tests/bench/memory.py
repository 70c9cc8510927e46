"""Resident memory of each service after a lockstep run, beside a Python that has only the libraries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bus_schemas.topology import SERVICES
from cli.paper import finished
from tests.bench.figures import Figure
from tests.bench.lockstep import trading
from tests.bench.stage import Stage, server

LIBRARIES = "redis, hiredis, msgspec, pydantic_settings, structlog, prometheus_client"


def run(quick: bool, _fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark."""
    bars = 50 if quick else 300
    bare = _bare()
    with server("everysec") as embedded, Stage(trading(embedded.url, "memory", bars), SERVICES) as stage:
        stage.until(lambda: finished(stage.bus), 240, "the end of the files")
        found = {service: resident_mb(stage.pid(service)) for service in SERVICES}
        found["server"] = resident_mb(embedded.pid or 0)
    return [
        Figure(
            bench="memory",
            what=f"{name}, resident, after {3 * bars} bars",
            value=value,
            unit="MB",
            peer="" if name == "server" else "Python with the libraries only",
            peer_value=None if name == "server" else bare,
            share=None if name == "server" else value / bare,
        )
        for name, value in found.items()
    ]


def resident_mb(pid: int | str) -> float:
    """Resident set of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _bare() -> float:
    code = f"import {LIBRARIES}; print(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return int(told.split()[1]) / 1024
