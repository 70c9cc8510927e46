"""Corrupted entries in every stream of one run over processes: the rest goes on to the end."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.codec import decode
from bus_schemas.errors import CodecError
from bus_schemas.events import (
    Assessment,
    HaltReason,
    OrderApproved,
    OrderRefused,
    PositionChanged,
    Refusal,
)
from bus_schemas.names import Names
from bus_schemas.topology import Place, Stream, Topology
from tests.support.shell import TRADED, Running, World, config, eventually, invoke, short_data
from tests.support.spoil import BROKEN, LOOSE, dead, decisions, halts, place_for

ODD = {
    "CANUSDT": (Stream.CANDLES, "no JSON"),
    "MARUSDT": (Stream.MARKS, "unknown version"),
    "SIGUSDT": (Stream.SIGNALS, "unknown type"),
    "ORDUSDT": (Stream.ORDERS, "no UTF-8"),
    "COMUSDT": (Stream.COMMANDS, "foreign fields"),
    "REPUSDT": (Stream.REPORTS, "wrong JSON"),
    "EXEUSDT": (Stream.EXECUTIONS, "no JSON"),
}
"""What is broken before anybody starts, by the symbol that it concerns."""
MID = "MIDUSDT"
"""The symbol whose signals are broken in the middle, while strategy is stopped."""
GOOD = ("ETHUSDT", "SOLUSDT")
TERMS = {"base": "X", "tick": "0.01", "step": "0.01", "min_quantity": "0.01", "min_notional": "5"}


class Stage:
    """One run over a server of the test's, with something broken in every stream."""

    def __init__(self, world: World, server: EmbeddedServer) -> None:
        topology = Topology(lockstep=True)
        self.names = Names("spoiled")
        self.raw = redis.Redis.from_url(server.url)
        self.observer = RedisObserver(Link(server.url, 5), "spoiled", topology)
        for symbol, (stream, kind) in ODD.items():
            self.append(place_for(topology, stream, symbol), BROKEN[kind] | {b"key": symbol.encode()})
        names = dict.fromkeys((*ODD, MID), "SOLUSDT") | {name: name for name in GOOD}
        data = short_data(world.path / "data", names)
        settings = config(
            world.path / "run.json",
            risk=LOOSE,
            instruments=dict.fromkeys((*ODD, MID), TERMS),
            runtime={"dead_in_row": 9},  # eight of them concern the account
        )
        self.run: Running = world.start(
            *("paper", "--config", settings, "--data", data, "--trade-from", TRADED, "--to", "2024-09-12"),
            *("--redis", server.url, "--namespace", "spoiled", "--json"),
        )
        self.before_mid = 0
        self.spoil_in_the_middle(world)
        self.code = self.run.wait(90)

    def append(self, place: Place, fields: dict[bytes, bytes]) -> None:
        """The next number of the stream, as nobody's lease allows."""
        key = self.names.stream(place)
        last = self.raw.xinfo_stream(key)["last-generated-id"] if self.raw.exists(key) else b"0-0"
        self.raw.xadd(key, fields, id=f"{int(last.split(b'-')[0]) + 1}-0")

    def others_are_quiet(self) -> bool:
        units = [unit for unit in self.observer.topology.turn_order if unit.reader != "strategy"]
        return not any(self.observer.unread(unit) for unit in units)

    def spoil_in_the_middle(self, world: World) -> None:
        place = place_for(self.observer.topology, Stream.SIGNALS, MID)
        eventually(lambda: self.observer.tip(place) > 20 or self.run.process.poll() is not None, 60)
        pid = next(pid for pid, title in world.processes().items() if title.endswith("-m strategy"))
        os.kill(pid, signal.SIGSTOP)
        eventually(self.others_are_quiet)
        self.append(place, BROKEN["wrong JSON"] | {b"key": MID.encode()})
        self.before_mid = len(decisions(self.observer))
        os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    yield own
    own.close()


@pytest.fixture(scope="module")
def stage(world: World) -> Iterator[Stage]:
    server = EmbeddedServer(world.path / "server", fsync="everysec").start()
    yield Stage(world, server)
    server.stop()


def test_the_run_comes_to_its_end(stage: Stage) -> None:
    assert stage.code == 0, stage.run.said
    assert "Traceback" not in stage.run.said
    assert " died " not in stage.run.said
    found = msgspec.json.decode(stage.run.stdout.splitlines()[-1])
    symbols = len(ODD) + 1 + len(GOOD)
    assert (found["candles"], found["assessments"]) == (symbols * 192, symbols * 96)
    assert found["duplicates"] == 0


def test_each_broken_entry_lies_in_the_dead_letters_of_each_reader(stage: Stage) -> None:
    topology = stage.observer.topology
    strategy = f"strategy.{topology.partition('CANUSDT')}"
    assert dead(stage.observer) == {strategy: 1, "risk.MAIN": 4, "venue.MAIN": 2, "manager.MAIN": 2}


def test_each_symbol_is_halted_and_no_other(stage: Stage) -> None:
    dead_letters = {symbol for symbol, reason in halts(stage.observer) if reason is HaltReason.DEAD_LETTER}
    assert dead_letters == {*ODD, MID}


def test_signals_of_a_halted_symbol_are_refused_and_the_others_trade(stage: Stage) -> None:
    said = decisions(stage.observer)
    approved = Counter(body.symbol for body in said if isinstance(body, OrderApproved))
    later = Counter(b.symbol for b in said[stage.before_mid :] if isinstance(b, OrderApproved))
    refused = {b.symbol for b in said if isinstance(b, OrderRefused) and b.reason is Refusal.SYMBOL_HALTED}
    assert refused >= set(ODD)
    assert not approved.keys() & ODD.keys()
    assert approved.keys() >= set(GOOD)
    assert later.keys() >= set(GOOD)
    assert later[MID] == 0
    traded = {
        decode(*entry).body.symbol  # type: ignore[attr-defined]
        for entry in stage.observer.range(Place(Stream.EXECUTIONS, "MAIN"), 1, 100_000)
        if isinstance(decode(*entry).body, PositionChanged)
    }
    assert traded >= set(GOOD)


def test_nothing_of_the_other_symbols_is_lost(stage: Stage) -> None:
    judged: Counter[str] = Counter()
    for place in stage.observer.topology.places(Stream.SIGNALS):
        for entry in stage.observer.range(place, 0, 100_000):
            try:
                body = decode(*entry).body
            except CodecError:
                continue
            judged[body.symbol] += isinstance(body, Assessment)  # type: ignore[attr-defined]
    assert judged == dict.fromkeys((*ODD, MID, *GOOD), 96)


def test_status_tells_of_it(stage: Stage) -> None:
    code, out, _ = invoke("status", "--redis", _url(stage), "--namespace", "spoiled", "--json")
    assert code == 0
    shown = msgspec.json.decode(out)
    assert sum(shown["dead_letters"].values()) == 9
    assert {text.split(":")[0] for text in shown["halts"]} == {*ODD, MID}
    code, out, _ = invoke("doctor", "--redis", _url(stage), "--namespace", "spoiled")
    assert code == 1
    assert "9 dead letters" in out


def _url(stage: Stage) -> str:
    return f"unix://{stage.raw.connection_pool.connection_kwargs['path']}"
