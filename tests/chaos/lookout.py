"""Looks at a run from outside, many times a second, through kills of its server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bus_schemas.bus.redis_link import Link, translated
from bus_schemas.bus.redis_observer import flat
from bus_schemas.errors import BusError
from bus_schemas.names import Names
from bus_schemas.settings import Settings
from bus_schemas.topology import READERS, Place, Stream, Unit


class Sight(msgspec.Struct, frozen=True):
    """One look.

    Attributes:
        candles: how many were published.
        done: whether the feed is at the end of its files.
        counters: commits of each unit at work.
        slots: replica that holds each unit's lease; empty where nobody does.
    """

    candles: int
    done: bool
    counters: dict[Unit, int]
    slots: dict[Unit, str]


class Lookout:
    """One connection of its own, without any of the runtime's care.

    Args:
        settings: of the run, with its server's URL.
        symbols: whose partitions are at work.
        done: name of the feed's mark for the end.
    """

    def __init__(self, settings: Settings, symbols: Sequence[str], done: str) -> None:
        self._link = Link(settings.bus.url.get_secret_value(), 2.0)
        self._client = self._link.client()
        self._names = Names(settings.bus.namespace)
        topology = settings.topology
        parts = sorted({topology.partition(symbol) for symbol in symbols})
        self.units = tuple(
            unit
            for reader in READERS
            for unit in topology.units(reader.name)
            if reader.scope == "account" or unit.part in parts
        )
        self._candles = [self._names.stream(Place(Stream.CANDLES, part)) for part in parts]
        self._feed = self._names.state(topology.units("market_data")[0])
        self._done = done

    def look(self) -> Sight | None:
        """What is there now; None while the server is away."""
        try:
            with translated():
                return self._look()
        except BusError:
            self._link.reset()
            return None

    def _look(self) -> Sight:
        pipe = self._client.pipeline(transaction=False)
        for key in self._candles:
            pipe.execute_command("XINFO", "STREAM", key)
        for unit in self.units:
            pipe.execute_command("HGET", self._names.meta(unit), "counter")
            pipe.execute_command("HGET", self._names.lease(unit), "slot")
        pipe.execute_command("HEXISTS", self._feed, self._done)
        answers: list[Any] = pipe.execute(raise_on_error=False)
        n = len(self._candles)
        done = answers.pop()
        for answer in (*answers[n:], done):
            if isinstance(answer, Exception):
                raise answer
        return Sight(
            candles=sum(0 if isinstance(info, Exception) else _tip(info) for info in answers[:n]),
            done=bool(done),
            counters={unit: int(v or 0) for unit, v in zip(self.units, answers[n::2], strict=True)},
            slots={u: (v or b"").decode() for u, v in zip(self.units, answers[n + 1 :: 2], strict=True)},
        )

    def close(self) -> None:
        self._link.close()


def _tip(info: list[Any]) -> int:
    return int(flat(info)[b"last-generated-id"].split(b"-")[0])
