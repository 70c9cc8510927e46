"""Controls from people and watchdogs, and heartbeats."""

from __future__ import annotations

from bus_schemas.events.base import Body


class KillSwitch(Body, frozen=True, kw_only=True):
    """Latch the kill switch: no entries, resting entries and targets cancelled, stops left alone.

    Controls are idempotent and carry the wall clock of whoever gave them: they come from outside.

    Attributes:
        reason: why, in the operator's words.
        by: who.
        flatten: also close positions by reduce-only market orders.
    """

    reason: str
    by: str
    flatten: bool = False


class Acknowledge(Body, frozen=True, kw_only=True):
    """A person has looked: releases the kill switch and every halt that waits for a person."""

    by: str
    symbol: str = "*"


class ReduceOnly(Body, frozen=True, kw_only=True):
    """Switch reduce-only trading on or off: positions may shrink, none may open."""

    on: bool
    by: str


class Heartbeat(Body, frozen=True, kw_only=True):
    """A sign of life. `time` is the wall clock: heartbeats take no part in decisions.

    Attributes:
        service: `market_data`, `strategy`, `risk`, `execution` or `health`.
        slot: name of the replica, stable over restarts.
        status: `starting`, `ready`, `waiting` (no server), `stopping`.
        units: partitions owned, for example `p3` or the account.
        lag: unread events by unit.
        counters: totals since the process started: events, commits, reloads, dead_letters.
        gauges: values now, such as memory in bytes.
        http: `host:port` of the service's own endpoint, empty where it has none.
    """

    service: str
    slot: str
    host: str
    pid: int
    status: str
    units: tuple[str, ...] = ()
    lag: dict[str, int] = {}
    counters: dict[str, int] = {}
    gauges: dict[str, float] = {}
    http: str = ""
