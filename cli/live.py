"""`run.py live`: the services against a real venue, behind the gates.

It runs until it is told to stop, and touches nothing at the venue when it does: stops keep resting there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.errors import (
    EXIT_ACCOUNT_TAKEN,
    EXIT_KEEPS_DYING,
    EXIT_NO_CONSENT,
    ConfigurationError,
    Disconnected,
    GateClosed,
    Unreachable,
)
from bus_schemas.events import Heartbeat
from bus_schemas.settings import Settings, VenueSettings
from bus_schemas.settings.purpose import live_namespace
from bus_schemas.topology import SERVICES
from bus_schemas.venues.consent import missing_consent
from cli import beats, gatekeeper, gates
from cli.account_lease import AccountLease, account_key
from cli.findings import Gate, show
from cli.fingerprint import LIVE
from cli.lifecycle import LOOK_S, POLL_S, Interrupted, ServiceRun, connect, refuse_company
from cli.live_settings import key_variables, with_terms, without_secrets
from cli.live_watch import Countdown, Said, Watch
from cli.log_files import LogFiles
from cli.server_folder import ServerFolder
from cli.supervisor import KeepsDying

SERVER_FOLDER = Path("var/bus")
LEAVE_S = 2 * beats.SILENT_S


class LiveRun(ServiceRun):
    """One live run with a process for each service.

    Args:
        settings: from `live_settings`.
        console: where sentences and logs go.
        force: accept the paper record as it is.
        health: start health, which serves HTTP.
    """

    def __init__(self, settings: Settings, console: Console, force: bool, health: bool) -> None:
        self._venue = settings.venue
        self._said = Said(console)
        self._force = force
        services = [service for service in SERVICES if health or service != "health"]
        super().__init__(without_secrets(settings), self._said, services, keep=False)
        self._keys = key_variables(settings)
        self._with_keys = settings
        self._home: ServerFolder | None = None
        self._lease: AccountLease | None = None
        self._bus: RedisBus | None = None
        self._consent: dict[str, str] = {}
        self._logs = LogFiles(self.folder.logs, self._said.say, everything=not console.is_terminal)

    def run(self) -> None:
        """Ask the gates, start everything, keep it alive until SIGTERM or Ctrl-C.

        Raises:
            GateClosed: a gate is closed; nothing was started. Or another worker took the account.
            CausewayError: with what else went wrong, in words.
        """
        with self._signals():
            try:
                self._serve()
                self._pass_gates()
                self._bus = self._enter()
                self._launch(
                    self._bus, private={"execution": self._keys | self._consent}, patient=("health",)
                )
                self._attend(self._bus)
                self._said.say(f"stopped by {self._stopped}; orders and stops stay at {self._venue.name}")
            except KeepsDying as error:
                self.folder.keep |= error.exit_code == EXIT_KEEPS_DYING  # a person needs the logs
                raise
            finally:
                self._stop()

    def _serve(self) -> None:
        """The bus: the one that is told, or an embedded server whose data stay."""
        if "url" in self._settings.bus.model_fields_set:
            return
        self._home = ServerFolder(SERVER_FOLDER)
        self._point_to(self._home.url)
        self.server = self._home.take()
        if self.server is not None:
            self.server.start()
            self._said.say(f"the bus is an embedded server in {self._home.path}")
            return
        timeout_s, account = self._settings.bus.timeout_s, account_key(self._venue)
        with AccountLease(self._home.url, timeout_s, account) as lease, contextlib.suppress(Disconnected):
            if refusal := gates.closed([gates.account(self._venue, lease.holder())]):
                raise refusal
        raise ConfigurationError(
            f"the embedded server in {self._home.path} belongs to another run of yours; "
            "start in another folder, or give --redis URL"
        )

    def _point_to(self, url: str) -> None:
        for name in ("_settings", "_with_keys"):
            settings: Settings = getattr(self, name)
            bus = settings.bus.model_copy(update={"url": SecretStr(url)})
            setattr(self, name, settings.model_copy(update={"bus": bus}))

    def _pass_gates(self) -> None:
        told = gatekeeper.ask_venue(self._with_keys)
        looks = list(gatekeeper.looks(self._with_keys, told, self._force))
        self._not_stopped()
        if not gates.keys(self._venue).code:
            looks.append(self._take_account(only_look=gates.closed(looks) is not None))
        show((look for look in looks if look.level != "wrong"), self._said.console)
        if refusal := gates.closed(looks):
            raise refusal
        if told is not None:
            self._settings = with_terms(self._settings, told.terms)
        if missing_consent(self._venue, os.environ):
            with _interruptible():
                self._consent = gatekeeper.ask_person(self._venue)
            if not self._consent:
                raise GateClosed("no live orders: you did not agree", EXIT_NO_CONSENT)
        self._not_stopped()

    def _not_stopped(self) -> None:
        if self._stopped:
            raise Interrupted(f"stopped by {self._stopped} before anything was started")

    def _take_account(self, only_look: bool) -> Gate:
        bus = self._settings.bus
        self._lease = AccountLease(bus.url.get_secret_value(), bus.timeout_s, account_key(self._venue))
        try:
            holder = self._lease.holder() if only_look else self._lease.take()
        except (Disconnected, Unreachable) as error:
            return Gate("note", f"whether another worker has the account is not known: {error}")
        return gates.account(self._venue, holder)

    def _enter(self) -> RedisBus:
        """The bus, with the namespace declared and held by this kind of run.

        Raises:
            ConfigurationError: somebody works there, or it holds a run of another kind.
        """
        own, mine = self._settings.bus, claim_of(self._venue)
        _, bus = connect(self._settings)
        try:
            bus.declare()
            others = self._alone(bus)
            held = mine if others else bus.claim(mine)
        except Disconnected as error:
            raise Unreachable(f"the server cannot be used: {error}") from None
        refuse_company(others, own.namespace)
        if held != mine:
            what = f"the run {held!r}" if held.startswith(LIVE) else "a run over files"
            raise ConfigurationError(
                f"the namespace {own.namespace!r} holds {what}, and this is {mine!r}; "
                "choose another with --namespace"
            )
        return bus

    def _alone(self, bus: RedisBus) -> list[Heartbeat]:
        """Who works in the namespace, once those of a run that was killed have had time to end."""
        deadline = time.monotonic() + LEAVE_S
        while (others := beats.alive(bus)) and time.monotonic() < deadline and not self._stopped:
            time.sleep(0.1)
        return others

    def _attend(self, bus: RedisBus) -> None:
        self._said.say(f"trading {self._venue.name} in the namespace {self._settings.bus.namespace!r}")
        watch, read = Watch(bus, self._said, self._services), 0.0
        countdown = Countdown(self._venue, self._said.say)
        while not self._stopped:
            if self.supervisor:
                self.supervisor.check()
            if self._lease and (holder := self._lease.lost):
                raise GateClosed(
                    f"another worker has taken this account: {holder}; this one stops", EXIT_ACCOUNT_TAKEN
                )
            watch.look()
            countdown.look()
            if time.monotonic() - read > LOOK_S:
                self._logs.follow()
                read = time.monotonic()
            self._revive()
            time.sleep(POLL_S)

    def _let_go(self) -> None:
        self._logs.follow()
        if self._bus is not None:
            self._bus.close()
        if self._lease is not None:
            self._lease.close()

    def _stop(self) -> None:
        super()._stop()
        if self._home is not None:
            self._home.free()


def claim_of(venue: VenueSettings) -> str:
    """The word by which a live run holds its namespace: another venue or network is another run."""
    return f"{LIVE}{live_namespace(venue).removeprefix('live-')}"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """While a person is asked, a signal ends the question instead of being noted for later."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_live(settings: Settings, force: bool, health: bool) -> None:
    """Run it on this process's standard error.

    Raises:
        CausewayError: see `LiveRun.run`.
    """
    LiveRun(settings, Console(file=sys.stderr, soft_wrap=True), force, health).run()
