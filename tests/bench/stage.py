"""A server of the benchmark's own, and the real services on it under the real supervisor."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.settings import Settings, child_environment, dump, load
from cli.supervisor import Supervisor

POLL_S = 0.02
"""As in `run.py paper`."""


@contextlib.contextmanager
def server(fsync: str) -> Iterator[EmbeddedServer]:
    """An embedded server: `always`, `everysec`, or `off` for no append-only file at all."""
    with EmbeddedServer(fsync="no" if fsync == "off" else fsync) as embedded:
        if fsync == "off":
            with redis.Redis.from_url(embedded.url, protocol=2) as client:
                client.execute_command("CONFIG", "SET", "appendonly", "no")
        yield embedded


def settings_for(url: str, namespace: str, **sections: dict[str, Any]) -> Settings:
    """Settings on this server; each keyword is a section's values over the defaults."""
    bus = {"url": url, "namespace": namespace} | sections.pop("bus", {})
    runtime = {"log_level": "WARNING"} | sections.pop("runtime", {})
    return load(None, {"bus": bus, "runtime": runtime, **sections})


def connect(settings: Settings) -> RedisBus:
    """A bus of the benchmark's own in the namespace."""
    own = settings.bus
    link = Link(own.url.get_secret_value(), own.timeout_s)
    bus = RedisBus(link, own.namespace, settings.topology, own.lease_ms)
    bus.declare()
    return bus


class Stage:
    """Services of one namespace, running.

    Args:
        settings: of everything.
        services: which to start.
        spare: keep a warm process ready, as `run.py paper` does.
    """

    def __init__(self, settings: Settings, services: Sequence[str], spare: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="causeway-bench-"))
        ledger = {"database": f"sqlite:///{self.folder / 'ledger.db'}", "port": 0}
        config = self.folder / "settings.json"
        plain = dump(settings)
        plain["health"] |= ledger
        config.write_bytes(msgspec.json.encode(plain))
        config.chmod(0o600)
        self.bus = connect(settings)
        self.said: list[str] = []
        environment = child_environment(os.environ) | {"CAUSEWAY_CONFIG": str(config)}
        self.supervisor = Supervisor(
            services, environment, self.folder, self.bus, self.said.append, spare=spare
        )
        self._shutdown_s = settings.runtime.shutdown_s

    def __enter__(self) -> Stage:
        self.supervisor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.supervisor.stop(self._shutdown_s)
        self.bus.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def until(self, done: Callable[[], bool], budget_s: float, what: str) -> None:
        """Keep the services alive until something is so.

        Raises:
            TimeoutError: it did not come in time.
        """
        deadline = time.monotonic() + budget_s
        while not done():
            self.supervisor.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {budget_s:g} s; {'; '.join(self.said)}")
            time.sleep(POLL_S)

    def pid(self, service: str) -> int:
        """Process id of a service's first replica."""
        slot = next(slot for slot in self.supervisor.slots if slot.service == service)
        if slot.process is None:
            raise RuntimeError(f"{service} is not running")
        return slot.process.pid
