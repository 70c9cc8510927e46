"""What every run of processes shares: a server, services that are kept alive, an orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import Bus, Observer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import EXIT_INTERRUPTED, CausewayError, ConfigurationError
from bus_schemas.events import Heartbeat
from bus_schemas.settings import RuntimeSettings, Settings, child_environment
from cli import beats
from cli.folder import Note, RunFolder
from cli.progress import Teller
from cli.supervisor import Supervisor

POLL_S = 0.02
LOOK_S = 0.5

Private = Mapping[str, Mapping[str, str]]
"""By service: variables that only its processes may see."""


class Interrupted(CausewayError):
    """Ctrl-C, SIGTERM, or the end of the terminal. Everything was stopped in order."""

    exit_code = EXIT_INTERRUPTED


class ServiceRun:
    """Services over a server, from the first process to an orderly end.

    Args:
        settings: of everything.
        show: where sentences go.
        services: which to start, one process for each mention.
        keep: leave the run's folder behind.

    Attributes:
        server: the embedded one, where there is one.
        supervisor: once services were started.
    """

    def __init__(self, settings: Settings, show: Teller, services: Sequence[str], keep: bool) -> None:
        self._settings = settings
        self._teller = show
        self._services = services
        self._stopped: str | None = None
        self.supervisor: Supervisor | None = None
        self.server: EmbeddedServer | None = None
        self.folder = RunFolder(keep)

    def _launch(self, bus: Bus, private: Private | None = None, patient: Sequence[str] = ()) -> None:
        """Start the services on the settings as they are now, and let other commands find the run."""
        own = self._settings.bus
        self.folder.publish(Note(pid=os.getpid(), url=own.url.get_secret_value(), namespace=own.namespace))
        config = self.folder.write_settings(self._settings)
        environment = child_environment(os.environ) | {"CAUSEWAY_CONFIG": str(config)}
        self.supervisor = Supervisor(
            self._services,
            environment,
            self.folder.logs,
            bus,
            self._teller.say,
            mend=self._mend,
            private=private or {},
            patient=patient,
        )
        self.supervisor.start()

    def _mend(self, service: str, words: str) -> bool:  # noqa: ARG002
        """Whether what ended a service for good, as its last words say, is mended."""
        return False

    def _let_go(self) -> None:
        """Give back what a run holds on the server. No service works any more."""

    def _revive(self) -> None:
        """An embedded server that died is started again on its data; the services wait for it."""
        if self.server and self.server.pid is None:
            self._teller.say("the embedded server died; restart now")
            self.server.start()

    def _health(self, bus: Observer) -> str:
        address = beats.health_address(bus)
        if address:
            self._teller.say(f"health is served on http://{address}/")
        return address

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def note(number: int, _frame: object) -> None:
            self._stopped = signal.Signals(number).name

        wanted = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means to outlive the terminal
            wanted.append(signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self) -> None:
        if self.supervisor:
            self.supervisor.stop(self._settings.runtime.shutdown_s)
        self._let_go()
        if self.server:
            self.server.stop()
        self.folder.remove()
        if self.folder.keep:
            self._teller.say(f"kept in {self.folder.path}: {', '.join(self.folder.contents())}")


def beside_each_other(runtime: RuntimeSettings) -> RuntimeSettings:
    """For several processes of one machine: an image sets a port that only one of them could have."""
    return runtime.model_copy(update={"http_port": 0})


def connect(settings: Settings) -> tuple[Link, RedisBus]:
    """The bus that the settings name. Nothing is sent yet.

    Raises:
        ConfigurationError: its URL is none.
    """
    own = settings.bus
    link = Link(own.url.get_secret_value(), own.timeout_s)
    return link, RedisBus(link, own.namespace, settings.topology, own.lease_ms)


def refuse_company(others: Sequence[Heartbeat], namespace: str) -> None:
    """See that nobody works in a namespace.

    Raises:
        ConfigurationError: somebody does.
    """
    if others:
        names = ", ".join(f"{beat.service} (process {beat.pid} on {beat.host})" for beat in others)
        raise ConfigurationError(
            f"the namespace {namespace!r} is in use by {names}; choose another with --namespace"
        )
