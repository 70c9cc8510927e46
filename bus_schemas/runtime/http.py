"""A service's own endpoint: `/metrics`, `/healthz`, `/readyz`, each process on its own port.

The server is the standard library's in a daemon thread, and Prometheus' client is imported by the
first scrape: a process that was killed must be back within a fraction of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from bus_schemas.errors import ConfigurationError
from bus_schemas.runtime.pulse import Vitals, resident_bytes
from bus_schemas.settings.bus import RuntimeSettings

if TYPE_CHECKING:
    from prometheus_client.core import Metric

STOP_S = 0.1
"""Longest time from `stop` to the end of the server's loop."""
STUCK_S = 30.0
"""A main loop that has not come round for so long is not alive."""

HELP = {
    "events": "inputs handled",
    "outputs": "events written",
    "commits": "batches applied",
    "reloads": "times that memory was dropped and loaded again",
    "fenced": "commits refused because another owner holds the partition",
    "dead_letters": "events moved to the dead letters",
    "retries": "times that a handler failed and its batch was repeated",
    "busy_us": "microseconds spent in deciding and committing",
}


class Endpoint:
    """The HTTP server of one process.

    Args:
        settings: address and port; port 0 takes a free one.
        vitals: what to tell; gets the address that was taken.

    Raises:
        ConfigurationError: the port is taken or not ours to take.
    """

    def __init__(self, settings: RuntimeSettings, vitals: Vitals) -> None:
        handler = type("Handler", (_Handler,), {"vitals": vitals})
        try:
            self._server = ThreadingHTTPServer((settings.http_host, settings.http_port), handler)
        except OSError as error:
            raise ConfigurationError(
                f"runtime.http_port: cannot listen on {settings.http_host}:{settings.http_port}: "
                f"{error.strerror}"
            ) from None
        host, port = self._server.server_address[:2]
        vitals.http = f"{host!s}:{port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_S,), name="http", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    vitals: Vitals

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/metrics":
            self._answer(200, exposition(self.vitals), "text/plain; version=0.0.4; charset=utf-8")
        elif path == "/healthz":
            alive = self.vitals.silence_s < STUCK_S
            self._answer(200 if alive else 503, b"ok\n" if alive else b"the main loop is stuck\n")
        elif path == "/readyz":
            ready = self.vitals.status == "ready" and self.vitals.silence_s < STUCK_S
            self._answer(200 if ready else 503, f"{self.vitals.status}\n".encode())
        else:
            self._answer(404, b"here are /metrics, /healthz and /readyz\n")

    def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """No line for each scrape."""


def exposition(vitals: Vitals) -> bytes:
    """The process's metrics in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(vitals))
    return generate_latest(registry)


class _Collector:
    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        who = [self._vitals.service, self._vitals.owner.slot]
        for name, value in self._vitals.counters.as_dict().items():
            counter = CounterMetricFamily(f"causeway_{name}", HELP[name], labels=("service", "slot"))
            counter.add_metric(who, value)
            yield counter
        gauges = {
            "units_owned": ("partitions and accounts owned now", len(self._vitals.units)),
            "memory_bytes": ("resident memory", resident_bytes()),
            "loop_silence_seconds": ("seconds since the main loop came round", self._vitals.silence_s),
            "ready": ("1 while connected and working", int(self._vitals.status == "ready")),
        }
        for name, (text, number) in gauges.items():
            gauge = GaugeMetricFamily(f"causeway_{name}", text, labels=("service", "slot"))
            gauge.add_metric(who, number)
            yield gauge
