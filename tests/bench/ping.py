"""Bare hops: processes that pass one message on by XREAD BLOCK and XADD, through redis-py as it comes.

`python -m tests.bench.ping URL FROM TO [STAMPS]` is one hop, for ever. It dies with its parent.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import redis

from bus_schemas.children import spawn

BODY = b"x" * 250
"""About a candle."""
ROOT = Path(__file__).resolve().parent.parent.parent


def client(url: str) -> redis.Redis:
    """A client that leaves replies as they are."""
    found = redis.Redis.from_url(url, protocol=2)
    found.response_callbacks.clear()
    return found


def hop(url: str, source: str, target: str, stamps: str = "") -> None:
    """Pass on whatever comes; tell in `stamps` when, by the server's clock, it was passed on."""
    reading, writing = client(url), client(url)
    last = b"0"
    while True:
        rows = reading.execute_command("XREAD", "BLOCK", 1000, "STREAMS", source, last)
        for _, entries in rows or ():
            for id_, fields in entries:
                last = id_
                if stamps:
                    passed = _stamped(writing, target, fields)
                    writing.execute_command("XADD", stamps, "*", "at", passed)
                else:
                    writing.execute_command("XADD", target, "*", *fields)


class Chain:
    """Three processes behind this one: four that pass a message on, over four streams.

    Args:
        stamped: tell when the last one has passed it on.
    """

    def __init__(self, url: str, stamped: bool) -> None:
        name = secrets.token_hex(4)
        self._streams = [f"ping:{name}:{n}" for n in range(5)]
        first, second, third, fourth, stamps = self._streams
        pairs: list[Sequence[str]] = [(first, second), (second, third), (third, fourth)]
        pairs[-1] = (third, fourth, stamps) if stamped else (third, fourth)
        self._processes: list[subprocess.Popen[bytes]] = [
            spawn([sys.executable, "-m", "tests.bench.ping", url, *pair], subprocess.DEVNULL, folder=ROOT)
            for pair in pairs
        ]
        self._end = stamps if stamped else fourth
        self._reading, self._client = client(url), client(url)
        self._last = b"0"
        self._fields = (b"n", b"1", b"body", BODY)
        for _ in range(20):
            self.lap()

    def lap(self) -> list[bytes]:
        """One message through all; the fields of what came out at the end."""
        self._client.execute_command("XADD", self._streams[0], "*", *self._fields)
        return self._arrival()

    def stamped(self) -> float:
        """Milliseconds from the first XADD to the fourth, by the server's clock."""
        began = _stamped(self._client, self._streams[0], self._fields)
        return (int(self._arrival()[1]) - began) / 1000

    def _arrival(self) -> list[bytes]:
        rows = self._reading.execute_command("XREAD", "BLOCK", 10_000, "STREAMS", self._end, self._last)
        if not rows:
            raise TimeoutError("a bare hop got stuck")
        self._last, fields = rows[0][1][-1]
        arrived: list[bytes] = fields
        return arrived

    def close(self) -> None:
        """End the processes and forget the streams."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._client.execute_command("DEL", *self._streams)
        self._client.close()
        self._reading.close()

    def __enter__(self) -> Chain:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def hops_per_second(url: str, seconds: float) -> float:
    """How fast one message goes round four processes, this one among them, when nothing else waits."""
    with Chain(url, stamped=False) as chain:
        count = 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            chain.lap()
            count += 4
        return count / (time.perf_counter() - began)


def _stamped(writing: redis.Redis, target: str, fields: Sequence[bytes]) -> int:
    """Add, and return the server's clock in microseconds as it is right behind, in the same write."""
    pipe = writing.pipeline(transaction=False)
    pipe.execute_command("XADD", target, "*", *fields)
    pipe.execute_command("TIME")
    seconds, micros = pipe.execute()[1]
    return int(seconds) * 1_000_000 + int(micros)


if __name__ == "__main__":
    hop(*sys.argv[1:])
