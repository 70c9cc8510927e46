"""From a SIGKILL to the next commit of the successor, under the real supervisor with its warm spare.

In lockstep, where nothing else moves meanwhile: it is the whole system that stands still for so long.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from statistics import median

from bus_schemas.topology import READERS, Unit
from tests.bench.figures import Figure
from tests.bench.lockstep import trading
from tests.bench.stage import POLL_S, Stage, server

VICTIMS = ("market_data", "strategy", "risk", "execution")
LOOK_S = 0.001
AIM_S = 0.5
WARM_S = 2.5
"""Between two kills: the spare warms up, and a death is not one in a row."""


def run(quick: bool, _fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark."""
    kills = 1 if quick else 5
    found: dict[str, list[float]] = {service: [] for service in VICTIMS}
    with server("always") as embedded:
        settings = trading(embedded.url, "recovery", 5500)
        with Stage(settings, VICTIMS, spare=True) as stage:
            killing = Killing(stage)
            stage.until(lambda: killing.stands("execution") is not None, 60, "the first commits")
            for _ in range(kills):
                for service in VICTIMS:
                    killing.settle(WARM_S)
                    found[service].append(killing.kill(service))
    return [
        Figure(
            bench="recovery",
            what=f"SIGKILL of {service} to the next commit, {name} of {kills}",
            value=value,
            unit="s",
            aim=f"< {AIM_S:g} s" if name == "median" else "",
            met=value < AIM_S if name == "median" else None,
        )
        for service, times in found.items()
        for name, value in (("median", median(times)), ("max", max(times)))
    ]


class Killing:
    """Kills services of a stage and looks at who commits next."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next_check = 0.0

    def stands(self, service: str) -> dict[Unit, tuple[bytes, int]] | None:
        """Fence and commit counter of each unit of a service; None while it owns nothing."""
        bus = self._stage.bus
        units = [u for spec in READERS if spec.service == service for u in bus.topology.units(spec.name)]
        pipe = bus._client.pipeline(transaction=False)
        for unit in units:
            pipe.execute_command("HGET", bus.names.lease(unit), "fence")
            pipe.execute_command("HGET", bus.names.meta(unit), "counter")
        replies = iter(pipe.execute())
        pairs = {unit: (next(replies), int(next(replies) or 0)) for unit in units}
        return {u: (fence, count) for u, (fence, count) in pairs.items() if fence and count} or None

    def settle(self, seconds: float) -> None:
        """Let the services run."""
        until = time.monotonic() + seconds
        self._stage.until(lambda: time.monotonic() >= until, seconds + 1, "the time")

    def kill(self, service: str) -> float:
        """Seconds until a successor has committed."""
        victim = self._stage.pid(service)
        os.kill(victim, signal.SIGKILL)
        began = time.monotonic()
        before = self.stands(service) or {}
        while not self._succeeded(service, before):
            now = time.monotonic()
            if now >= self._next_check:
                self._stage.supervisor.check()
                self._next_check = now + POLL_S
            if now - began > 30:
                raise TimeoutError(f"{service} did not come back: {'; '.join(self._stage.said)}")
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def _succeeded(self, service: str, before: dict[Unit, tuple[bytes, int]]) -> bool:
        now = self.stands(service) or {}
        return any(
            fence != before.get(unit, (b"", 0))[0] and counter > before.get(unit, (b"", 0))[1]
            for unit, (fence, counter) in now.items()
        )
