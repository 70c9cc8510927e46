"""One soak: a simulated venue with faults, a live run against it, a hand that kills, eyes that record."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import redis

from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import BusError, CausewayError
from bus_schemas.events import FundingCharged
from bus_schemas.topology import Stream, Topology
from cli import beats
from cli.control import acknowledge
from cli.folder import Note
from cli.report import holding
from market_data.files import SAMPLE
from market_data.pace import speed_of
from tests.soak.configuration import live_configuration
from tests.soak.plan import Rule, fault_rules, kill_times
from tests.soak.record import Kill, Record, Sample, drained, patiently
from tests.support.shell import ROOT, Running, World, eventually
from tests.support.venue import RunningVenue, venue_process

LOOK_S = 0.5
SAMPLE_S = 10.0
HALTED_S = 20.0
"""After so long a person has looked at a halt and releases it."""
FLAT_S = 180.0
FUNDING_S = 90.0
START_S = 90.0

Say = Callable[[str], None]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; see `--help`."""

    protocol: str
    minutes: float
    pace: str
    seed: int
    kills_per_hour: float
    data: Path | None = None
    keep: bool = False

    @property
    def length_s(self) -> float:
        return self.minutes * 60

    @property
    def rate(self) -> float:
        return speed_of(self.pace) or 1.0


class Truth(msgspec.Struct, kw_only=True):
    """What is left when all has stopped.

    Attributes:
        state: the venue's account of the protocol, raw.
        start_cash: before anything was traded.
        loaded: the venue's time when the fault plan was loaded; `Record.began` is ours.
        said: what the live run printed, logs of its services included.
        code: its exit code.
        flat: whether the positions were closed in time after the kill switch.
        dead: dead letters by unit.
        database: the SQL ledger's file.
    """

    state: dict[str, Any]
    start_cash: str
    loaded: int
    said: str
    code: int
    flat: bool
    dead: dict[str, int]
    namespace: str
    database: Path
    rules: list[dict[str, Any]]


class Soak:
    """See the module.

    Args:
        say: gets a line when something happens.

    Attributes:
        record: what was seen.
        world: where the processes live.
    """

    def __init__(self, options: Options, say: Say) -> None:
        self._options = options
        self._say = say
        self._chance = random.Random(f"victims/{options.seed}")
        self._rules: list[Rule] = fault_rules(options.length_s, options.seed)
        self._halted_since: dict[str, float] = {}
        self._sampled = 0.0
        self._ending = False
        self.record = Record()
        self.world = World()

    def run(self) -> Truth:
        """From the first process to the last.

        Raises:
            AssertionError: something did not come to pass that had to, such as a start.
            CausewayError: likewise.
        """
        options = self._options
        data = options.data or SAMPLE
        with venue_process("--pace", options.pace, "--cash", "10000", data=data) as venue:
            live = self._start(venue)
            try:
                return self._attend(venue, live)
            finally:
                if live.process.poll() is None:
                    live.end(signal.SIGTERM, 60)

    def _start(self, venue: RunningVenue) -> Running:
        options = self._options
        where = self.world.path / "desk"
        where.mkdir()
        self._port = _free_port()
        config = where / "live.json"
        config.write_bytes(msgspec.json.encode(live_configuration(options.rate, self._port)))
        symbols = ",".join(venue.greeting["protocols"][options.protocol]["symbols"])
        line = (
            f"cd {where} && exec {sys.executable} {ROOT / 'run.py'} live --force --with-health"
            f" --config {config} --symbols {symbols}"
        )
        migrated = {"DATABASE_URL": f"sqlite:///{where / 'causeway.db'}"}
        done = Running([sys.executable, str(ROOT / "migrate_schema.py")], self.world, migrated)
        assert done.wait() == 0, done.said
        return Running(["sh", "-c", line], self.world, venue.environment(options.protocol) | migrated)

    def _attend(self, venue: RunningVenue, live: Running) -> Truth:
        eventually(
            lambda: "ready: every service works" in live.stderr or live.process.poll() is not None,
            START_S,
            "a start of the live run",
        )
        assert live.process.poll() is None, live.said
        note = self._note(live)
        observer = _observer(note)
        self._say(f"trading on {self._options.protocol} in {self.world.path}")
        account = venue.control.account(self._options.protocol)
        venue.control.faults(*self._rules, seed=self._options.seed)
        self.record.began = time.time()
        loaded = venue.control.state()["clock"]["true"]
        for name in ("maintenance", "clock_skew"):
            self.record.windows(name, self._rules)
        self._trade(venue, live, observer)
        flat = self._flatten(venue, live, observer)
        dead = _dead(observer)
        code = live.end(signal.SIGTERM, 60)
        return Truth(
            state=venue.control.account(self._options.protocol),
            start_cash=account["account"]["cash"],
            loaded=loaded,
            said=live.said,
            code=code,
            flat=flat,
            dead=dead,
            namespace=note.namespace,
            database=self.world.path / "desk/causeway.db",
            rules=[dict(rule) for rule in self._rules],
        )

    # While it trades ----------------------------------------------------------------------------

    def _trade(self, venue: RunningVenue, live: Running, observer: RedisObserver) -> None:
        kills = kill_times(self._options.length_s, self._options.kills_per_hour, self._options.seed)
        end = self.record.began + self._options.length_s
        told = time.monotonic()
        while time.time() < end:
            assert live.process.poll() is None, f"the live run ended: {live.said[-4000:]}"
            self._look(venue, observer)
            if kills and time.time() - self.record.began >= kills[0]:
                kills.pop(0)
                self._kill(observer)
            if time.monotonic() - told > 60:
                told = time.monotonic()
                self._progress(end)
            time.sleep(LOOK_S)

    def _look(self, venue: RunningVenue, observer: RedisObserver) -> None:
        record = self.record
        with contextlib.suppress(OSError):  # it may be busy for some seconds; the next look has it all
            record.faults(venue.control.call("GET", "faults"))
        patiently(lambda: record.read(observer))
        patiently(lambda: self._see_processes(observer))
        if not self._ending:
            patiently(lambda: self._release(observer))
        record.health(self._health())
        if time.monotonic() - self._sampled > SAMPLE_S:
            self._sampled = time.monotonic()
            patiently(lambda: self._weigh(observer))

    def _health(self) -> list[dict[str, str]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=2) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        except (OSError, ValueError):
            return []  # it may be one of those that were killed
        found: list[dict[str, str]] = msgspec.json.decode(body)["reasons"]
        return found

    def _see_processes(self, observer: RedisObserver) -> None:
        for beat in beats.alive(observer):
            self.record.process(beat.service, beat.pid)

    def _kill(self, observer: RedisObserver) -> None:
        own = self.world.processes()
        victims = [beat for beat in beats.alive(observer) if beat.pid in own]
        if not victims:
            return
        victim = self._chance.choice(sorted(victims, key=lambda beat: beat.service))
        os.kill(victim.pid, signal.SIGKILL)
        self.record.kills.append(Kill(victim.service, victim.pid, time.time()))
        self._say(f"{self._clock()} killed {victim.service} (process {victim.pid})")

    def _release(self, observer: RedisObserver) -> None:
        """As a person would: look at a halt, and let trading go on."""
        halts = {halt.symbol: halt for halt in holding(observer) if halt.until is None}
        now = time.monotonic()
        self._halted_since = {symbol: self._halted_since.get(symbol, now) for symbol in halts}
        for symbol, since in self._halted_since.items():
            if since == now:
                self._say(f"{self._clock()} halted {symbol}: {halts[symbol].detail}")
            if now - since > HALTED_S:
                self._halted_since[symbol] = now
                self.record.halts_released += 1
                try:
                    acknowledge(observer, symbol)
                except CausewayError as error:
                    self._say(f"{self._clock()} {error}")

    def _weigh(self, observer: RedisObserver) -> None:
        now = time.time()
        for beat in beats.alive(observer):
            if (memory := _resident(beat.pid)) is not None:
                self.record.samples.append(Sample(beat.service, beat.pid, now, memory))
        with redis.Redis.from_url(self._url) as client:
            info = client.info("memory")
            pid = client.info("server")["process_id"]
        self.record.samples.append(Sample("bus (data)", pid, now, info["used_memory"]))
        if (memory := _resident(pid)) is not None:
            self.record.samples.append(Sample("bus", pid, now, memory))

    def _progress(self, end: float) -> None:
        counts = {stream.value: len(events) for stream, events in self.record.events.items()}
        fired = sum(firing.times for firing in self.record.firings)
        self._say(
            f"{self._clock()} {counts['commands']} commands, {counts['executions']} executions, "
            f"{fired} faults, {len(self.record.kills)} kills; {end - time.time():.0f} s to go"
        )

    def _clock(self) -> str:
        return f"[{time.time() - self.record.began:6.0f} s]"

    # The end ------------------------------------------------------------------------------------

    def _flatten(self, venue: RunningVenue, live: Running, observer: RedisObserver) -> bool:
        self._ending = True  # this halt stays
        done = self.world.run("kill", "--reason", "end of the soak", "--flatten", "--pid", live.process.pid)
        self._say(f"{self._clock()} kill --flatten: {done.stdout.strip() or done.stderr.strip()}")
        deadline = time.monotonic() + FLAT_S
        flat = False
        while not flat and time.monotonic() < deadline:
            self._look(venue, observer)
            account = venue.control.account(self._options.protocol)
            alive = [o for o in account["orders"] if o["status"] in ("open", "waiting")]
            flat = not account["positions"] and not alive
            time.sleep(LOOK_S)
        venue.control.faults()
        quiet = drained(self.record, observer, still_s=5.0, within_s=60)
        self._await_funding(venue, observer)
        return flat and quiet

    def _await_funding(self, venue: RunningVenue, observer: RedisObserver) -> None:
        """Funding is asked for now and then: let it come in, if it does."""
        deadline = time.monotonic() + FUNDING_S
        settled = venue.control.account(self._options.protocol)["funding"]
        paid = sum((Decimal(row["amount"]) for row in settled), Decimal(0))
        while time.monotonic() < deadline:
            self._look(venue, observer)
            told = self.record.said(FundingCharged, Stream.EXECUTIONS)
            if sum((body.amount for _, body in told), Decimal(0)) == paid:
                return
            time.sleep(LOOK_S)

    def _note(self, live: Running) -> Note:
        def find() -> Note | None:
            notes = [msgspec.json.decode(path.read_bytes(), type=Note) for path in self.world.notes()]
            return next((note for note in notes if note.pid == live.process.pid), None)

        note = eventually(find, 10, "a note of the run")
        assert note is not None
        self._url = note.url
        return note


def _observer(note: Note) -> RedisObserver:
    link = Link(note.url, 5.0)
    declared = RedisObserver(link, note.namespace, Topology()).declared()
    assert declared is not None
    return RedisObserver(link, note.namespace, declared)


def _dead(observer: RedisObserver) -> dict[str, int]:
    units = [*observer.topology.turn_order, *observer.topology.units("market_data")]
    try:
        return {str(unit): count for unit in units if (count := observer.dead_count(unit))}
    except BusError as error:
        return {f"unknown: {error}": 1}


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
