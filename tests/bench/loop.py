"""The service loop that reads, decides nothing and commits, beside what the same server calls cost bare."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hiredis
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import Commit, Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.events import Candle
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.unit import Writer
from bus_schemas.runtime.work import DeciderWork
from bus_schemas.topology import Place, Stream, Unit
from tests.bench.figures import Figure, beside, in_turn
from tests.bench.rawsocket import RawSocket
from tests.bench.stage import connect, server, settings_for

OWNER = Owner("bench", "0", "0")
UNIT = Unit("strategy", "p0")
BARE = Unit("bare", "p0")
CANDLES = Place(Stream.CANDLES, "p0")


class Silent(Decider):
    """Decides nothing and remembers nothing."""

    def load(self, state: Mapping[str, bytes]) -> None:
        pass

    def handle(self, event: Event) -> Sequence[Output]:
        return ()

    def changes(self) -> Mapping[str, bytes | None]:
        return {}

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return ()


def run(quick: bool, fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark, for each persistence."""
    figures = []
    for fsync in fsyncs:
        with server(fsync) as embedded:
            figures += _on(embedded, fsync, quick)
    return figures


def _on(embedded: EmbeddedServer, fsync: str, quick: bool) -> list[Figure]:
    figures = []
    rounds = 9 if quick else 25
    for batch, events in ((1, 300), (100, 6_000)):
        bench = Loop(embedded, f"loop{batch}", batch, events)
        ours, bare, floor, xadd = in_turn(rounds, bench.ours, bench.bare, bench.floor, bench.xadd)
        bench.close()
        what = f"service loop, batches of {batch}, {fsync}"
        adds = "XADD one at a time" if batch == 1 else "XADD pipelined ×100"
        figures.append(
            beside("loop", what, "ev/s", ours, "bare loop of the same calls, redis-py", bare, least=0.6)
        )
        figures.append(beside("loop", what, "ev/s", ours, "the same calls, raw socket", floor))
        figures.append(beside("loop", what, "ev/s", ours, f"{adds}, raw socket", xadd))
    return figures


class Loop:
    """One stream with events, and two readers of it: the real one and the bare one.

    Args:
        batch: most events that one commit takes.
        events: how many a round takes.
    """

    def __init__(self, embedded: EmbeddedServer, namespace: str, batch: int, events: int) -> None:
        self._batch, self._events = batch, events
        self._settings = settings_for(
            embedded.url, namespace, bus={"partitions": 1, "batch": batch, "lease_ms": 60_000}
        )
        self._bus = connect(self._settings)
        self._client = redis.Redis.from_url(embedded.url, protocol=2)
        self._client.response_callbacks.clear()
        self._plain = redis.Redis.from_url(embedded.url, protocol=2)
        self._raw = RawSocket(str(embedded.socket))
        self._fill()
        self._stream = self._bus.names.stream(CANDLES).encode()

    def _fill(self) -> None:
        writer = Writer(self._bus, Unit("market_data", "p0"))
        lease = self._bus.acquire(writer.unit, OWNER)
        assert lease is not None
        writer.load(lease)
        for first in range(0, self._events, 500):
            writer.commit(writer.roots([_candle(first + n) for n in range(500)]), {})
        self._bus.release(lease)

    def _rewind(self, unit: Unit) -> None:
        names = self._bus.names
        keys = (names.meta(unit), names.positions(unit), names.lease(unit), names.journal(unit))
        self._client.execute_command("DEL", *keys)

    def ours(self) -> float:
        """Events per second of the loop that a service process runs."""
        self._rewind(UNIT)
        vitals = Vitals("strategy", OWNER)
        work = DeciderWork(self._bus, "strategy", self._settings, lambda _unit: Silent(), OWNER, vitals)
        work.step()  # takes the lease
        done = vitals.counters.events
        began = time.perf_counter()
        while vitals.counters.events < self._events:
            work.step()
            vitals.beat(work.units)
        took = time.perf_counter() - began
        work.finish()
        return (self._events - done) / took

    def bare(self) -> float:
        """Events per second of the same two calls through redis-py as it comes.

        The commit's arguments are made before; no body is decoded, and nobody decides.
        """
        client, count = self._plain, self._batch

        def read(after: bytes) -> None:
            client.xread({self._stream: after}, count)

        return self._calling(read, client.evalsha)

    def floor(self) -> float:
        """The same without redis-py: what is left is the server and the socket."""
        raw, count, stream = self._raw, str(self._batch).encode(), self._stream

        def read(after: bytes) -> None:
            raw(b"XREAD", b"COUNT", count, b"STREAMS", stream, after)

        def commit(*arguments: bytes) -> Any:
            return raw(b"EVALSHA", *arguments)

        return self._calling(read, commit)

    def _calling(self, read: Callable[[bytes], None], commit: Callable[..., Any]) -> float:
        self._rewind(BARE)
        sha, calls = self._calls()
        began = time.perf_counter()
        for after, arguments in calls:
            read(after)
            if commit(sha, *arguments) != b"OK":
                raise RuntimeError("the bare loop's commit was refused")
        return self._events / (time.perf_counter() - began)

    def _calls(self) -> tuple[bytes, list[tuple[bytes, list[bytes]]]]:
        """What the real bus would send for each batch, recorded from it."""
        recorder = _Recorder(self._bus)
        lease = self._bus.acquire(BARE, OWNER)
        assert lease is not None
        calls = []
        for counter, after in enumerate(range(0, self._events, self._batch), 1):
            last = min(self._events, after + self._batch)
            self._bus.commit(lease, Commit(counter=counter, positions={CANDLES: last}))
            calls.append((b"%d-0" % after, recorder.taken))
        sha = recorder.restore(self._client)
        return sha, calls

    def xadd(self) -> float:
        """Events per second of `redis-benchmark`-style XADD of one such event, on a raw socket."""
        fields = self._client.execute_command("XRANGE", self._stream, "-", "+", "COUNT", 1)[0][1]
        command = (b"XADD", b"cw:bench:xadd", b"*", *fields)
        began = time.perf_counter()
        if self._batch == 1:
            for _ in range(self._events):
                self._raw(*command)
        else:
            packed = [hiredis.pack_command(command)] * self._batch
            for _ in range(self._events // self._batch):
                self._raw.pipelined(packed)
        took = time.perf_counter() - began
        self._raw(b"DEL", b"cw:bench:xadd")
        return self._events / took

    def close(self) -> None:
        self._raw.close()
        self._client.close()
        self._plain.close()
        self._bus.close()


class _Recorder:
    """Stands in for the commit script of a bus and notes what it is called with."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus
        self._script = bus._commit
        self.taken: list[bytes] = []
        bus._commit = self  # type: ignore[assignment]

    def __call__(self, _client: Any, keys: Sequence[str], args: Sequence[Any]) -> bytes:
        parts = (len(keys), *keys, *args)
        self.taken = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
        return b"OK"

    def restore(self, client: redis.Redis) -> bytes:
        """Give the bus its script back; returns the hash by which the server knows it."""
        self._bus._commit = self._script
        sha: bytes = client.execute_command("SCRIPT", "LOAD", self._script.source)
        return sha


def _candle(number: int) -> Output:
    time_ms = 1_700_000_100_000 + 900_000 * number
    body = Candle(
        time=time_ms,
        symbol="BTCUSDT",
        timeframe="15m",
        open_time=time_ms - 900_000,
        open=64_000.5 + number % 97,
        high=64_250.75 + number % 89,
        low=63_900.25 + number % 83,
        close=64_100.1 + number % 79,
        volume=123.456 + number % 73,
        hydration=False,
    )
    return Output(Stream.CANDLES, "BTCUSDT", body)
