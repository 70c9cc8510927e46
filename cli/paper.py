"""`run.py paper`: a whole paper-trading run over candle files."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from pydantic import SecretStr

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import Bus
from bus_schemas.bus.redis_link import Link, translated
from bus_schemas.errors import EXIT_KEEPS_DYING, ConfigurationError, Disconnected, Unreachable
from bus_schemas.settings import Settings
from bus_schemas.topology import SERVICES
from cli import beats, doctor
from cli.fingerprint import LIVE, fingerprint
from cli.inline import InlineRun
from cli.lifecycle import (
    LOOK_S,
    POLL_S,
    Interrupted,
    ServiceRun,
    beside_each_other,
    connect,
    refuse_company,
)
from cli.progress import Progress, Shown
from cli.report import Follower, Report, digest, holding
from cli.supervisor import KeepsDying
from market_data.feed import FileFeed, Step
from market_data.plan import Plan
from market_data.progress import DONE
from risk.halts import Halt

HEALTH_S = 20.0
MOVES = 3
"""Times that health gets another port, where somebody takes the one that was free."""


def check_files(settings: Settings) -> Plan:
    """Read every row that the run will publish, and say what it will be.

    Raises:
        DataError: with file and line of every fault, up to twenty.
        ConfigurationError: the folder or the times are wrong.
    """
    feed = FileFeed(settings.market_data, settings.strategy.entry_timeframe)
    feed.check()
    return feed.plan()


def check_contracts(settings: Settings, plan: Plan, show: Progress) -> None:
    """Say which symbols have no contract terms: risk refuses every signal of theirs.

    Raises:
        ConfigurationError: none has any, so that nothing could be traded.
    """
    known = settings.instrument_table()
    missing = [symbol.symbol for symbol in plan.symbols if symbol.symbol not in known]
    if not missing:
        return
    tables = ", ".join(f"[instruments.{symbol}]" for symbol in missing)
    text = f"no contract terms of {', '.join(missing)}: give tick, step and minimums in {tables}"
    if len(missing) == len(plan.symbols):
        raise ConfigurationError(text)
    show.say(f"warning: {text}; until then every signal there is refused")


def run_inline(settings: Settings, show: Progress) -> tuple[Report, list[Halt]]:
    """The run in this process, over the memory bus: its report, and the halts that hold at its end."""
    plan = check_files(settings)
    check_contracts(settings, plan, show)
    show.begin(plan)
    began = time.monotonic()
    run = InlineRun(settings)
    follower = Follower(run.bus)
    looked = began

    def on_step(_step: Step) -> None:
        nonlocal looked
        if time.monotonic() - looked >= LOOK_S:
            looked = time.monotonic()
            show.update(Shown(follower.catch_up()))

    run.run(on_step)
    elapsed = time.monotonic() - began
    show.update(Shown(follower.catch_up()))
    return follower.tally.report(elapsed, digest(run.bus)), holding(run.bus)


class PaperRun(ServiceRun):
    """One run with a process for each service.

    Args:
        settings: of everything; the bus URL is replaced where there is no server yet.
        show: where progress goes.
        url: of a server that is there already; None for an embedded one.
        replicas: how many strategy processes.
        keep: leave the run's folder behind.
        services: which to start; observers may be left out.

    Attributes:
        halts: those that hold at the end.
    """

    def __init__(
        self,
        settings: Settings,
        show: Progress,
        url: str | None = None,
        replicas: int = 1,
        keep: bool = False,
        services: Sequence[str] = SERVICES,
    ) -> None:
        mentions = [s for s in services for _ in range(replicas if s == "strategy" else 1)]
        super().__init__(settings, show, mentions, keep)
        self._show = show
        self._moves = 0
        self.halts: list[Halt] = []
        try:
            self.server = None if url else EmbeddedServer(self.folder.path / "bus")
            self._settings = self._own(settings, url)
        except BaseException:
            self.folder.remove()  # Ctrl-C comes through here too: `run` and its handlers are not there yet
            raise

    def _own(self, settings: Settings, url: str | None) -> Settings:
        data = settings.market_data.data
        sections = {
            # the services work elsewhere than we do
            "market_data": settings.market_data.model_copy(update={"data": data and data.resolve()}),
            "runtime": beside_each_other(settings.runtime),
            "bus": settings.bus.model_copy(
                update={"url": SecretStr(url or (self.server.url if self.server else ""))}
            ),
            "health": settings.health.model_copy(
                update={
                    "database": settings.health.database or SecretStr(self.folder.ledger),
                    "port": free_port(settings.health.host, settings.health.port),
                }
            ),
        }
        return settings.model_copy(update=sections)

    def run(self) -> Report:
        """Start everything, wait until the files are at an end and all is quiet, report, stop.

        Raises:
            CausewayError: with what went wrong, in words.
        """
        with self._signals():
            try:
                plan = check_files(self._settings)
                check_contracts(self._settings, plan, self._show)
                if self._stopped:
                    raise Interrupted(f"stopped by {self._stopped} before anything was started")
                return self._run(plan)
            except KeepsDying as error:
                self.folder.keep |= error.exit_code == EXIT_KEEPS_DYING  # a person needs the logs
                raise
            finally:
                self._stop()

    def _run(self, plan: Plan) -> Report:
        began = time.monotonic()
        if self.server:
            self.server.start()
        bus = self._connect(plan)
        self._launch(bus)
        self._show.begin(plan)
        self._show.say(f"logs and data are in {self.folder.path}{'' if self.folder.keep else ' meanwhile'}")
        elapsed = self._watch(bus, began)
        tally = Follower(bus)
        tally.catch_up()
        self.halts = holding(bus)
        return tally.tally.report(elapsed, digest(bus))

    def _connect(self, plan: Plan) -> Bus:
        """The bus, with the namespace declared.

        Raises:
            Unreachable: the server does not answer.
            ConfigurationError: somebody works in the namespace already, or it holds another run.
        """
        own = self._settings.bus
        link, bus = connect(self._settings)
        held = mine = fingerprint(self._settings, plan)
        try:
            if self.server is None:
                self._know(link)
            bus.declare()
            others = beats.alive(bus)
            held = mine if others else bus.claim(mine)
            over = finished(bus)
        except Disconnected as error:
            raise Unreachable(f"the server cannot be used: {error}") from None
        refuse_company(others, own.namespace)
        if held != mine:
            what = "a live run" if held.startswith(LIVE) else "another run, of other candles or settings"
            raise ConfigurationError(
                f"the namespace {own.namespace!r} holds {what}; choose another with --namespace"
            )
        if over:
            self._show.say(
                f"the namespace {own.namespace!r} holds a run that is at its end; "
                "for a new one choose another with --namespace"
            )
        return bus

    def _know(self, link: Link) -> None:
        with translated():
            for finding in doctor.refuse_forgetful(link.client()):
                self._show.say(f"warning: {finding.what}; {finding.mend}")

    def _mend(self, service: str, words: str) -> bool:
        """Whether what ended a service for good is mended: another run may have taken our port."""
        health = self._settings.health
        if service != "health" or "cannot listen on" not in words or self._moves == MOVES:
            return False
        self._moves += 1
        update = {"health": health.model_copy(update={"port": free_port(health.host, 0)})}
        self._settings = self._settings.model_copy(update=update)
        self.folder.write_settings(self._settings)
        return True

    def _watch(self, bus: Bus, began: float) -> float:
        """Keep the services alive until the run is done; returns the seconds that it took."""
        follower = Follower(bus)
        looked = told = done = 0.0
        health = ""
        while True:
            if self._stopped:
                raise Interrupted(f"stopped by {self._stopped}; every process was shut down in order")
            if self.supervisor:
                self.supervisor.check()
            now = time.monotonic()
            if now - looked >= LOOK_S:
                looked = now
                try:
                    health = health or self._health(bus)
                    self._show.update(Shown(follower.catch_up(), health))
                    done = done or (now if finished(bus) else 0.0)
                    if done and (health or "health" not in self._services or now - done > HEALTH_S):
                        self._show.update(Shown(follower.catch_up(), health))
                        return done - began
                except Disconnected as error:
                    if now - told > 5:
                        told = now
                        self._show.say(f"waiting for the server: {error}")
                    bus.reset()
                    follower = Follower(bus)
            self._revive()
            time.sleep(POLL_S)


def finished(bus: Bus) -> bool:
    """Whether the files are at an end and every reader has read everything.

    One look at all readers: one after the other would miss an event on its way from a later to an earlier.
    """
    first = bus.topology.units("market_data")[0]
    return DONE in bus.state(first) and bus.ask_turn(1).unit is None


def free_port(host: str, port: int) -> int:
    """The port, or a free one where something listens on it: a run should not fail for that.

    One for the whole run, so that the page stays where it was when its server is started again.
    """
    for wanted in (port, 0):
        try:
            with socket.create_server((host, wanted)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    return 0
