"""`status`, `kill` and `acknowledge`: a person's look at a run, and a person's word to it."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import ConfigurationError, Disconnected, Unreachable
from bus_schemas.events import Acknowledge, Body, KillSwitch
from bus_schemas.settings import load
from bus_schemas.settings.sources import CONFIG_VARIABLE, PLATFORM_VARIABLE, PREFIX
from bus_schemas.topology import Stream, Topology, Unit
from cli import beats
from cli.folder import only_run, running
from cli.report import Follower, holding

CONFIRM_S = 10.0
VENUE_S = 15.0
"""A live venue's account that was not seen for so long is one that does not answer."""
EXECUTION, RISK = "manager", "risk"
"""Readers of controls."""


def find(redis: str | None, namespace: str | None, pid: int | None, config: Path | None) -> RedisObserver:
    """The namespace that a command means: by URL, by the configuration, or the run that goes on here.

    Raises:
        ConfigurationError: it is not clear which one is meant.
        Unreachable: there is no such namespace, or no server.
    """
    if pid is not None:
        note = next((note for note in running() if note.pid == pid), None)
        if note is None:
            raise ConfigurationError(f"process {pid} is no run of yours on this machine")
        return _observer(note.url, namespace or note.namespace)
    if redis or config or told_where():
        settings = load(config, {"bus": {"url": redis}} if redis else {})
        return _observer(settings.bus.url.get_secret_value(), namespace or settings.bus.namespace)
    if not running() and os.environ.get(PLATFORM_VARIABLE):
        settings = load()
        return _observer(settings.bus.url.get_secret_value(), namespace or settings.bus.namespace)
    note = only_run()
    return _observer(note.url, namespace or note.namespace)


def told_where() -> bool:
    """Whether the environment says where the bus is, as in a container of ours."""
    return any(os.environ.get(name) for name in (CONFIG_VARIABLE, f"{PREFIX}BUS__URL"))


def _observer(url: str, namespace: str) -> RedisObserver:
    link = Link(url, 5.0)
    probe = RedisObserver(link, namespace, Topology())
    try:
        declared = probe.declared()
    except Disconnected as error:
        raise Unreachable(f"the server does not answer: {error}") from None
    if declared is None:
        raise Unreachable(f"there is no namespace {namespace!r} on this server")
    return RedisObserver(link, namespace, declared)


class ServiceStatus(msgspec.Struct):
    """One replica, by its last heartbeat."""

    service: str
    slot: str
    status: str
    pid: int
    silent_s: float
    units: list[str]
    memory_mb: float


class Status(msgspec.Struct):
    """What `status` shows."""

    namespace: str
    services: list[ServiceStatus]
    lag: dict[str, int]
    dead_letters: dict[str, int]
    halts: list[str]
    equity: str
    positions: list[dict[str, str | bool | None]]
    signals: int
    health: str
    venue_silent_s: float | None = None


def status(observer: RedisObserver, json: bool) -> None:
    """Print the state of a namespace."""
    state = _collect(observer)
    if json:
        print(msgspec.json.encode(state).decode())
        return
    console = Console(soft_wrap=True)
    console.print(f"namespace [bold]{state.namespace}[/] · equity {state.equity} · {state.signals} signals")
    services = Table("service", "slot", "status", "pid", "last seen", "owns", "memory")
    for row in state.services:
        seen = f"{row.silent_s:.1f} s ago"
        owns = ", ".join(row.units) if len(row.units) <= 3 else f"{len(row.units)} partitions"
        cells = (row.service, row.slot, row.status, str(row.pid), seen, owns, f"{row.memory_mb:.0f} MB")
        services.add_row(*map(escape, cells))
    console.print(services)
    behind = {unit: lag for unit, lag in state.lag.items() if lag}
    console.print("lag: " + (", ".join(f"{unit} {lag}" for unit, lag in behind.items()) or "none"))
    dead = ", ".join(f"{unit} {count}" for unit, count in state.dead_letters.items())
    console.print("dead letters: " + (dead or "none"))
    console.print("halts: " + ("; ".join(state.halts) or "none"), markup=False)
    if state.venue_silent_s is not None:
        late = state.venue_silent_s > VENUE_S
        words = f"venue: the account was seen {state.venue_silent_s:.0f} s ago"
        console.print(f"[red]{words}: it does not answer[/]" if late else words)
    positions = Table("symbol", "side", "quantity", "entry", "stop", "protected", title="positions")
    for position in state.positions:
        positions.add_row(*(escape(str(value)) for value in position.values()))
    console.print(positions if state.positions else "positions: none")
    if state.health:
        console.print(f"health: http://{state.health}/")


def _collect(observer: RedisObserver) -> Status:
    topology = observer.topology
    tally = Follower(observer).catch_up()
    services = [
        ServiceStatus(
            beat.service,
            beat.slot,
            beat.status if beats.silence_s(beat) < beats.SILENT_S else "silent",
            beat.pid,
            round(beats.silence_s(beat), 1),
            list(beat.units),
            round(beat.gauges.get("memory_bytes", 0) / 1e6, 1),
        )
        for beat in beats.newest(observer)
    ]
    units = [*topology.turn_order, *topology.units("market_data")]
    return Status(
        namespace=observer.names.namespace,
        services=services,
        lag={str(unit): observer.unread(unit) for unit in topology.turn_order},
        dead_letters={str(unit): count for unit in units if (count := observer.dead_count(unit))},
        halts=[f"{h.symbol}: {h.reason.value} ({h.detail})" for h in holding(observer)],
        equity=f"{tally.equity:.2f}",
        positions=[
            {
                "symbol": position.symbol,
                "side": position.side.value,
                "quantity": str(position.quantity),
                "entry": f"{position.entry_price:.4f}",
                "stop": None if position.stop is None else str(position.stop),
                "protected": position.protected,
            }
            for position in tally.positions
        ],
        signals=tally.signals,
        health=beats.health_address(observer),
        venue_silent_s=beats.venue_silent_s(observer),
    )


def kill(observer: RedisObserver, reason: str, flatten: bool) -> None:
    """Latch the kill switch. It is told as latched once execution has taken it, which needs nobody else:
    entries and targets are cancelled, and no entry is placed any more.

    Raises:
        Unreachable: it is on the bus, but execution has not taken it yet.
    """
    control = KillSwitch(time=_now(), reason=reason, by=getpass.getuser(), flatten=flatten)
    number, deadline = _post(observer, control), time.monotonic() + CONFIRM_S
    _require(_missing(observer, number, deadline, (EXECUTION,)))
    then = "positions are being closed at market" if flatten else "stops stay at the venue"
    print(f"the kill switch is latched; {then}. Release it with: run.py acknowledge", flush=True)
    silent = beats.venue_silent_s(observer)
    if silent is not None and silent > VENUE_S:
        print(
            f"warning: the venue has not answered for {silent:.0f} s: what is to be cancelled or closed "
            "there is tried until it does",
            file=sys.stderr,
        )
    if _missing(observer, number, deadline, (RISK,)):
        print(
            "warning: risk has not taken it; is the service running? It will when it starts", file=sys.stderr
        )


def acknowledge(observer: RedisObserver, symbol: str) -> None:
    """Release halts, and wait until risk and execution have taken it.

    Raises:
        Unreachable: a service has not taken it yet.
    """
    number = _post(observer, Acknowledge(time=_now(), by=getpass.getuser(), symbol=symbol))
    _require(_missing(observer, number, time.monotonic() + CONFIRM_S, (EXECUTION, RISK)))
    print(f"acknowledged for {'everything' if symbol == '*' else symbol}")


def _post(observer: RedisObserver, control: Body) -> int:
    return observer.post(Stream.CONTROLS, observer.topology.account, control)


def _missing(observer: RedisObserver, number: int, deadline: float, readers: Sequence[str]) -> list[Unit]:
    """Of these readers, those that have not taken the control by the deadline."""
    place = observer.topology.places(Stream.CONTROLS)[0]
    units = [unit for reader in readers for unit in observer.topology.units(reader)]
    while waiting := [unit for unit in units if observer.positions(unit).get(place, 0) < number]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return waiting


def _require(waiting: Sequence[Unit]) -> None:
    if waiting:
        names = " and ".join(str(unit) for unit in waiting)
        raise Unreachable(
            f"written to the bus, where it stays, but {names} did not take it within {CONFIRM_S:g} s: "
            "is the service running?"
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
