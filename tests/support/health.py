"""Health in a thread, as its process runs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bus_schemas.bus.port import Observer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.settings import Settings
from health.monitor import groups_for
from health.service import run

NS = "test"
SERVICES = ("market_data", "strategy", "risk", "execution")


def until(true: Callable[[], Any], within_s: float = 20) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.03)
    return found


def settings_for(tmp_path: Path, **more: Any) -> Settings:
    health = {"database": f"sqlite:///{tmp_path}/ledger.db", "port": 0, "sample_s": 0.05, "poll_s": 0.02}
    bus = {"namespace": NS, "partitions": 2} | more.pop("bus", {})
    return Settings(bus=bus, health=health | more.pop("health", {}), **more)


class Running:
    """`run` in a thread, as the process does it."""

    def __init__(self, settings: Settings, make: Callable[[], Observer], groups: bool = False) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._served: list[str] = []
        maker = (lambda: groups_for(settings)) if groups else None

        def work() -> None:
            try:
                run(settings, make, self.stop.is_set, maker, self._served.append)
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=work)
        self._thread.start()

    @property
    def url(self) -> str:
        until(lambda: self._served or self.error)
        assert self.error is None
        return self._served[0]

    def end(self) -> float:
        began = time.monotonic()
        self.stop.set()
        self._thread.join(15)
        assert not self._thread.is_alive()
        return time.monotonic() - began


def maker(settings: Settings) -> Callable[[], Observer]:
    bus = settings.bus
    return lambda: RedisObserver(
        Link(bus.url.get_secret_value(), bus.timeout_s), bus.namespace, settings.topology
    )


def redis_bus(settings: Settings) -> RedisBus:
    bus = settings.bus
    return RedisBus(Link(bus.url.get_secret_value(), 5), bus.namespace, settings.topology, 60_000)
