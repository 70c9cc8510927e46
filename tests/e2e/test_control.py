"""`status`, `kill`, `acknowledge` beside a paced run, and Ctrl-C. The tests tell one story, in order."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.codec import decode
from bus_schemas.events import (
    Body,
    CancelOrder,
    HaltReason,
    Leg,
    OrderApproved,
    OrderRefused,
    PlaceOrder,
    PositionChanged,
    Refusal,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.topology import Place, Stream, Topology
from cli import folder
from tests.support.shell import TRADED, Running, World, config, eventually, invoke, short_data

ORDERS, COMMANDS, EXECUTIONS = (
    Place(stream, "MAIN") for stream in (Stream.ORDERS, Stream.COMMANDS, Stream.EXECUTIONS)
)
REASON = "drill: see [/x] of the [bold]exchange"


class Story:
    """A paced run, looked at from outside.

    Attributes:
        killed: last numbers of orders, commands and executions before the kill switch.
        latched: last number of the commands once it was taken: until then entries are allowed.
    """

    def __init__(self, world: World) -> None:
        data = short_data(world.path / "data")
        settings = config(
            world.path / "run.json",
            # at this pace a moment of ours is an hour of theirs
            risk={
                "data_age_s": 1_000_000,
                "unprotected_s": 1_000_000,
                "daily_loss_pct": 40,
                "drawdown_pct": 60,
                "loss_streak": 100,
            },
            bus={"lease_ms": 60_000},  # so that a dead risk is back only because its lease was freed
        )
        self.world = world
        self.run: Running = world.start(
            *(
                "paper",
                "--config",
                settings,
                "--data",
                data,
                "--trade-from",
                TRADED,
                "--pace",
                "x5000",
                "--keep",
            )
        )
        eventually(world.notes, what="the note")
        (note,) = folder.running()
        self.note = note
        self.observer = RedisObserver(Link(note.url, 5), note.namespace, Topology())
        self.killed: dict[Place, int] = {}
        self.latched = 0

    def bodies(self, place: Place, kind: type[Body], after: int = 0) -> list[Any]:
        events = (decode(*entry) for entry in self.observer.range(place, after, 100_000))
        return [event.body for event in events if isinstance(event.body, kind)]

    def status(self) -> dict[str, Any]:
        code, out, err = invoke("status", "--json")
        assert (code, err) == (0, "")
        shown: dict[str, Any] = msgspec.json.decode(out)
        return shown

    def pid(self, service: str) -> int:
        titles = self.world.processes().items()
        return next(pid for pid, title in titles if title.endswith(f"-m {service}"))

    def until(self, so: Callable[[], Any], what: str) -> Any:
        def look() -> Any:
            assert self.run.process.poll() is None, f"the run is over: {self.run.said}"
            return so()

        return eventually(look, 30, what)

    def protected(self) -> bool:
        return any(position["protected"] for position in self.status()["positions"])

    def refusals(self) -> list[OrderRefused]:
        return self.bodies(ORDERS, OrderRefused, self.killed[ORDERS])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    patch = pytest.MonkeyPatch()
    notes = own.path / f"causeway-runs-{os.getuid()}"
    patch.setattr(folder, "notes_folder", lambda: notes)  # commands in this process look where the run is
    yield own
    patch.undo()
    own.close()


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    return Story(world)


def test_status_tells_what_goes_on(story: Story) -> None:
    def five() -> dict[str, Any] | None:
        shown = story.status()
        return shown if len(shown["services"]) == 5 and shown["health"] else None

    shown = story.until(five, "five services")
    assert [row["service"] for row in shown["services"]] == sorted(
        ("market_data", "strategy", "risk", "execution", "health")
    )
    assert {row["status"] for row in shown["services"]} <= {"starting", "ready"}
    assert all(row["pid"] in story.world.processes() for row in shown["services"])
    assert (shown["namespace"], shown["halts"], shown["dead_letters"]) == ("paper", [], {})
    assert set(shown["lag"]) == {str(unit) for unit in story.observer.topology.turn_order}


def test_status_for_people(story: Story) -> None:
    story.until(lambda: story.status()["positions"], "an open position")
    found = story.world.run("status")
    assert (found.returncode, found.stderr) == (0, "")
    for text in ("namespace paper · equity ", "market_data", "lag: ", "dead letters: none", "halts: none"):
        assert text in found.stdout
    assert f"health: http://{story.status()['health']}/" in found.stdout


def test_a_namespace_in_use_is_refused(story: Story) -> None:
    found = story.world.run("paper", "--redis", story.note.url, "--pace", "x5000")
    assert found.returncode == 2
    assert "error: the namespace 'paper' is in use by execution (process " in found.stderr
    assert "choose another with --namespace" in found.stderr


def test_kill_latches_and_no_entry_follows(story: Story) -> None:
    story.until(story.protected, "an open position with its stop")
    story.killed = {place: story.observer.tip(place) for place in (ORDERS, COMMANDS, EXECUTIONS)}
    code, out, err = invoke("kill", "--reason", REASON)  # at once: a new process takes two hours of theirs
    assert code == 0, err
    assert out.startswith("the kill switch is latched; stops stay at the venue.")
    (halted,) = story.bodies(ORDERS, TradingHalted, story.killed[ORDERS])
    assert (halted.symbol, halted.reason) == ("*", HaltReason.OPERATOR)
    assert REASON in halted.detail
    assert halted.until is None
    (shown,) = story.status()["halts"]
    assert shown.startswith(f"*: operator ({REASON} (by ")
    assert f"halts: *: operator ({REASON} (by " in story.world.run("status").stdout
    story.killed[ORDERS], story.latched = story.observer.tip(ORDERS), story.observer.tip(COMMANDS)
    story.until(lambda: len(story.refusals()) >= 2, "signals refused")
    assert {body.reason for body in story.refusals()} == {Refusal.KILL_SWITCH}


def test_the_kill_switch_outlives_the_process_that_holds_it(story: Story) -> None:
    pid = story.pid("risk")
    os.kill(pid, signal.SIGKILL)
    story.until(lambda: "risk died (by SIGKILL); restart now" in story.run.said, "the restart")
    before = len(story.refusals())
    story.until(lambda: len(story.refusals()) >= before + 2, "signals refused again")
    assert {body.reason for body in story.refusals()} == {Refusal.KILL_SWITCH}
    assert story.pid("risk") != pid
    assert len(story.status()["halts"]) == 1
    assert story.bodies(ORDERS, OrderApproved, story.killed[ORDERS]) == []
    placed = story.bodies(COMMANDS, PlaceOrder, story.latched)
    assert [order for order in placed if order.leg is Leg.ENTRY] == []


def test_stops_were_left_alone(story: Story) -> None:
    # a stop is placed before its forerunner is cancelled, and cancelled with its position: read in this order
    cancelled = story.bodies(COMMANDS, CancelOrder, story.killed[COMMANDS])
    ended = {body.client_id for body in story.bodies(COMMANDS, CancelOrder)}
    orders = {order.client_id: order for order in story.bodies(COMMANDS, PlaceOrder)}
    entries = [(entry.seq, decode(*entry).body) for entry in story.observer.range(EXECUTIONS, 0, 100_000)]
    changes = [(seq, body) for seq, body in entries if isinstance(body, PositionChanged)]
    killed = story.killed[EXECUTIONS]
    before = {change.signal_id: change for seq, change in changes if seq <= killed}
    later = [change for seq, change in changes if seq > killed]
    safe = {signal_id: change for signal_id, change in before.items() if change.quantity and change.protected}
    assert safe, "or all this says nothing"
    for change in later:
        known = safe.get(change.signal_id)
        if known is not None and 0 < abs(change.quantity) <= abs(known.quantity):
            assert change.protected, change

    stops = {order.client_id: order.signal_id for order in orders.values() if order.leg is Leg.STOP}
    left = {signal_id for client_id, signal_id in stops.items() if client_id not in ended}
    closed = {change.signal_id for change in later if not change.quantity}
    bared = {stops[body.client_id] for body in cancelled if body.client_id in stops} - left - closed
    assert not bared & safe.keys()


def test_acknowledge_releases(story: Story) -> None:
    found = story.world.run("acknowledge")
    assert (found.returncode, found.stdout) == (0, "acknowledged for everything\n")
    (resumed,) = story.bodies(ORDERS, TradingResumed, story.killed[ORDERS])
    assert resumed.symbol == "*"
    assert story.status()["halts"] == []
    story.until(lambda: story.bodies(ORDERS, OrderApproved, story.killed[ORDERS]), "an order")


def test_ctrl_c_leaves_no_process_and_what_was_asked_for(story: Story) -> None:
    assert story.run.end(signal.SIGINT) == 130
    assert "stopped by SIGINT; every process was shut down in order" in story.run.stderr
    assert "error:" not in story.run.said
    assert "Traceback" not in story.run.said
    eventually(lambda: not story.world.processes(), 5, "the end of every process")
    assert story.world.notes() == []
    (kept,) = story.world.folders()
    assert f"kept in {kept}: " in story.run.said
    assert _halts(kept / "ledger.db") == [("*", "operator")]
    code, _, err = invoke("status")
    assert (code, err) == (2, "error: no run of yours is going on here; name its server with --redis URL\n")


def _halts(path: Path) -> list[tuple[str, str]]:
    ledger = sqlite3.connect(path)
    try:
        rows = ledger.execute("SELECT symbol, reason FROM halts WHERE reason = 'operator'").fetchall()
    finally:
        ledger.close()
    return [(symbol, reason) for symbol, reason in rows]
