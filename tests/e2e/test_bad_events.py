"""A corrupted entry in any stream: to the dead letters, its symbol halted, and the rest goes on."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import Entry, Observer
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
    TradingHalted,
)
from bus_schemas.names import Names
from bus_schemas.settings import load
from bus_schemas.topology import Place, Stream, Topology
from cli.inline import InlineRun
from cli.report import Follower, Report
from market_data.feed import Step
from tests.support.shell import QUICK, TRADED, Running, World, config, eventually, invoke, short_data

STREAMS = (
    Stream.CANDLES,
    Stream.MARKS,
    Stream.SIGNALS,
    Stream.ORDERS,
    Stream.COMMANDS,
    Stream.REPORTS,
    Stream.EXECUTIONS,
)

BROKEN: dict[str, dict[bytes, bytes]] = {
    "no JSON": {b"type": b"Candle", b"v": b"1", b"body": b'{"time":1,'},
    "wrong JSON": {b"type": b"OrderApproved", b"v": b"1", b"body": b'{"time":"soon","symbol":3}'},
    "unknown type": {b"type": b"Horoscope", b"v": b"1", b"body": b"{}"},
    "unknown version": {b"type": b"Mark", b"v": b"99", b"body": b"{}"},
    "no UTF-8": {
        b"type": b"Fi\xffll",
        b"v": b"\xfe",
        b"body": b"\xff\xfe",
        b"cause": b"\xff",
        b"trace": b"\x80",
    },
    "foreign fields": {b"foo": b"bar", b"\xff": b"\xff"},
}

LOOSE = {
    "max_positions": 50,
    "risk_per_trade_pct": "0.05",
    "position_margin_pct": 5,
    "total_notional_pct": 400,
    "daily_loss_pct": 40,
    "drawdown_pct": 60,
    "loss_streak": 100,
}
"""Limits that leave every symbol to itself."""


def place_for(topology: Topology, stream: Stream, symbol: str) -> Place:
    part = topology.partition(symbol)
    return next(p for p in topology.places(stream) if p.part in (part, topology.account))


def decisions(observer: Observer) -> list[Any]:
    """Bodies of everything that risk said, in order; what does not decode is left out."""
    said = []
    for entry in observer.range(observer.topology.places(Stream.ORDERS)[0], 0, 100_000):
        try:
            said.append(decode(*entry).body)
        except CodecError:
            continue
    return said


def halts(observer: Observer) -> list[tuple[str, HaltReason]]:
    return [(body.symbol, body.reason) for body in decisions(observer) if isinstance(body, TradingHalted)]


def dead(observer: Observer) -> Counter[str]:
    """Dead letters by unit."""
    topology = observer.topology
    return Counter({str(unit): count for unit in topology.turn_order if (count := observer.dead_count(unit))})


def report(observer: Observer) -> Report:
    return Follower(observer).catch_up().report(0, "")


# --- on the memory bus: every kind in every stream


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_data(tmp_path_factory.mktemp("data"))


class Spoiled(InlineRun):
    """A run into whose stream broken entries are put once trading has begun, one after each bar.

    As on the real bus, whoever writes the stream finds its number taken, and loads again.
    """

    def __init__(self, data: Path, stream: Stream, entries: list[dict[bytes, bytes]], symbol: str) -> None:
        market = {"data": data, "trade_from": TRADED}
        super().__init__(
            load(None, QUICK | {"market_data": market, "risk": LOOSE, "runtime": {"dead_in_row": 9}})
        )
        self._place = place_for(self.topology, stream, symbol)
        self._left = list(entries)
        self.decided_before = 0

    def spoil(self, step: Step) -> None:
        if step.phase != "candle" or not self._left:
            return
        self.decided_before = self.decided_before or len(decisions(self.bus))
        place = self._place
        self.bus.memory.stream(place).append(Entry(place, self.bus.tip(place) + 1, self._left.pop()))
        for writer in (*self._runners, *self._writers.values()):
            if place in writer.tips and writer.lease:
                writer.load(writer.lease)
        self._settle(set(self._readers[place]))


@pytest.mark.parametrize("stream", STREAMS)
def test_every_kind_of_broken_entry_halts_its_symbol_alone(data: Path, stream: Stream) -> None:
    kinds = [fields | {b"key": b"ETHUSDT"} for fields in BROKEN.values()]
    run = Spoiled(data, stream, kinds, "ETHUSDT")
    run.run(run.spoil)
    readers = 2 if stream is Stream.MARKS else 1
    assert sum(dead(run.bus).values()) == readers * len(BROKEN)
    assert ("ETHUSDT", HaltReason.DEAD_LETTER) in halts(run.bus)
    assert {symbol for symbol, reason in halts(run.bus) if reason is HaltReason.DEAD_LETTER} == {"ETHUSDT"}
    later = decisions(run.bus)[run.decided_before :]
    assert not [b for b in later if isinstance(b, OrderApproved) and b.symbol == "ETHUSDT"]
    refused = {b.reason for b in later if isinstance(b, OrderRefused) and b.symbol == "ETHUSDT"}
    assert Refusal.SYMBOL_HALTED in refused
    assert {b.symbol for b in later if isinstance(b, OrderApproved)} == {"BTCUSDT", "SOLUSDT"}
    found = report(run.bus)
    assert (found.candles, found.assessments, found.duplicates) == (864, 576, 0)
    assert found.trades > 3
    assert run.quiet()


@pytest.mark.parametrize("key", [None, b"MAIN", b"\xff", b"a symbol with spaces"])
def test_where_the_symbol_cannot_be_told_everything_is_halted(data: Path, key: bytes | None) -> None:
    fields = BROKEN["no JSON"] | ({} if key is None else {b"key": key})
    run = Spoiled(data, Stream.REPORTS, [fields], "ETHUSDT")
    run.run(run.spoil)
    assert ("*", HaltReason.DEAD_LETTER) in halts(run.bus)
    later = decisions(run.bus)[run.decided_before :]
    assert not [body for body in later if isinstance(body, OrderApproved)]
    assert {b.reason for b in later if isinstance(b, OrderRefused)} == {Refusal.HALTED}
    assert report(run.bus).assessments == 576


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_lies_in_the_dead_letters_is_what_was_found(data: Path, name: str) -> None:
    fields = BROKEN[name] | {b"key": b"ETHUSDT"}
    run = Spoiled(data, Stream.COMMANDS, [fields], "ETHUSDT")
    for step in run._feed.steps({}):
        run.spoil(step)
        if step.phase == "candle":
            break
    (unit,) = (unit for unit in run.topology.turn_order if run.bus.dead_count(unit))
    (letter,) = run.bus.dead_letters(unit)
    assert letter.fields == fields
    assert str(letter.place) == "commands.MAIN"
    assert letter.error
    assert letter.error.isprintable()


# --- over processes

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
