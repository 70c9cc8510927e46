"""Starts the services, restarts one that dies, gives up on one that keeps dying, leaves none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from bus_schemas.bus.port import Bus
from bus_schemas.children import spawn
from bus_schemas.errors import EXIT_KEEPS_DYING, FINAL_EXIT_CODES, BusError, CausewayError
from bus_schemas.topology import READERS
from cli.spare import Orders

ROOT = Path(__file__).resolve().parent.parent
"""Where the services' packages are."""

HEALTHY_S = 2.0
"""A process that was killed after so long has not failed in a row."""
WORKING_S = 30.0
"""A process that left by itself must have worked for longer: that it did is a fault of its own."""
BACKOFF_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits before the first, second, ... restart in a row. After the last one the supervisor gives up."""


class KeepsDying(CausewayError):
    """A service dies again and again, or with a code that a restart does not mend. A person looks."""

    def __init__(self, message: str, exit_code: int = EXIT_KEEPS_DYING) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Slot(msgspec.Struct, kw_only=True):
    """A place for one process: a service and the name of its replica.

    Attributes:
        service: module to run.
        name: replica's name, stable over restarts.
        process: the process that fills it now.
        started: monotonic time of its start.
        said: length of the log then.
        failures: deaths in a row.
        due: monotonic time of the next start; None while it runs.
        restarts: in all.
    """

    service: str
    name: str
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    said: int = 0
    failures: int = 0
    due: float | None = 0.0
    restarts: int = 0

    def __str__(self) -> str:
        return self.service if self.name == "0" else f"{self.service}/{self.name}"


class Supervisor:
    """Keeps every slot filled.

    Args:
        services: module names; one that is named n times gets n replicas.
        environment: for the children; tells them where their settings are.
        logs: folder for what they print.
        bus: to free the leases of a process that was reaped; None where there is no server of ours.
        say: gets a sentence when something happens.
        spare: keep a warm process ready to take a dead one's place.
        mend: asked, with a service and its last words, when it left with a code that a restart does not
            mend; whether it does now.
        private: by service, variables that only its processes may see, such as keys.
        patient: services that are started again for ever: the run goes on without them.
    """

    def __init__(
        self,
        services: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        bus: Bus | None,
        say: Callable[[str], None],
        spare: bool = True,
        mend: Callable[[str, str], bool] = lambda _service, _words: False,
        private: Mapping[str, Mapping[str, str]] | None = None,
        patient: Collection[str] = (),
    ) -> None:
        self._mend = mend
        self._private = private or {}
        self._patient = patient
        self._environment = dict(environment)
        self._logs = logs
        self._bus = bus
        self._say = say
        self._with_spare = spare
        self._spare: subprocess.Popen[bytes] | None = None
        self.slots: list[Slot] = []
        for service in services:
            name = str(sum(slot.service == service for slot in self.slots))
            log = logs / f"{service}-{name}.log"
            self.slots.append(Slot(service=service, name=name, log=log))

    def start(self) -> None:
        """Start every service, then the spare."""
        for slot in self.slots:
            self._launch(slot)
        self._refill()

    def check(self) -> None:
        """Reap the dead and start what is due. Call it many times a second.

        Raises:
            KeepsDying: one cannot be kept alive.
        """
        now = time.monotonic()
        for slot in self.slots:
            if slot.process is not None and slot.process.poll() is not None:
                self._bury(slot, now)
            if slot.process is None and slot.due is not None and now >= slot.due:
                self._launch(slot)
                self._refill()

    def _launch(self, slot: Slot) -> None:
        own = {"CAUSEWAY_RUNTIME__SLOT": slot.name, **self._private.get(slot.service, {})}
        with slot.log.open("ab") as out:
            slot.said = out.tell()
            slot.process = self._hand_over(slot, own) if slot.restarts else None
            slot.process = slot.process or self._python(slot.service, out, own)
        slot.started, slot.due = time.monotonic(), None

    def _python(
        self, module: str, out: IO[bytes], own: dict[str, str], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        return spawn([sys.executable, "-m", module], out, self._environment | own, ROOT, stdin)

    def _hand_over(self, slot: Slot, own: dict[str, str]) -> subprocess.Popen[bytes] | None:
        """Let the spare become the service, if there is one that is alive."""
        spare, self._spare = self._spare, None
        if spare is None or spare.poll() is not None or spare.stdin is None:
            return None
        orders = Orders(slot.service, own, str(slot.log))
        try:
            spare.stdin.write(msgspec.json.encode(orders) + b"\n")
            spare.stdin.close()
        except OSError:
            return None
        return spare

    def _refill(self) -> None:
        if self._with_spare and (self._spare is None or self._spare.poll() is not None):
            with (self._logs / "spare.log").open("ab") as out:
                self._spare = self._python("cli.spare", out, {}, subprocess.PIPE)

    def _bury(self, slot: Slot, now: float) -> None:
        code = slot.process.returncode if slot.process else 0
        slot.process = None
        patient = slot.service in self._patient
        if code in FINAL_EXIT_CODES and not patient and not self._mend(slot.service, self.last_words(slot)):
            raise KeepsDying(f"{slot} stopped: {self.last_words(slot)}", code)
        enough = HEALTHY_S if code < 0 else WORKING_S
        slot.failures = slot.failures + 1 if now - slot.started < enough else 1
        if patient:
            slot.failures = min(slot.failures, len(BACKOFF_S))
        if slot.failures > len(BACKOFF_S):
            raise KeepsDying(
                f"{slot} died {slot.failures} times in a row ({_how(code)}). Its last words: "
                f"{self.last_words(slot)}\nAll of them are in {slot.log}"
            )
        wait = BACKOFF_S[slot.failures - 1]
        slot.due = now + wait
        slot.restarts += 1
        self._say(f"{slot} died ({_how(code)}); restart {'now' if not wait else f'in {wait:g} s'}")
        self._free(slot)

    def _free(self, slot: Slot) -> None:
        """Free the leases of a process that we have reaped: nobody needs to wait for their expiry."""
        if self._bus is None:
            return
        try:
            self._bus.release_slot(slot.service, socket.gethostname(), slot.name)
        except BusError:
            self._bus.reset()

    def last_words(self, slot: Slot) -> str:
        """What a service said at its end: its error, or the last line that it printed, in plain words."""
        try:
            lines = slot.log.read_bytes()[slot.said :].decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        errors = [n for n, line in enumerate(lines) if line.startswith("error: ")]
        if errors:
            return "\n".join(lines[errors[-1] :]).removeprefix("error: ")
        return _plain(lines[-1]) if lines else "none"

    def stop(self, budget_s: float) -> None:
        """SIGTERM, wait within the budget, SIGKILL to whoever is left.

        First to whoever writes events, then to whoever only looks: the ledger must see the last ones.
        """
        if self._spare is not None:
            self._spare.kill()
            self._spare.wait()
        deadline = time.monotonic() + budget_s
        writers = {spec.service for spec in READERS}
        _end([slot for slot in self.slots if slot.service in writers], deadline)
        _end([slot for slot in self.slots if slot.service not in writers], deadline)


def _end(slots: Sequence[Slot], deadline: float) -> None:
    alive = [slot.process for slot in slots if slot.process and slot.process.poll() is None]
    for slot in slots:
        slot.due = None
    for process in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.terminate()
    for process in alive:
        try:
            process.wait(max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _plain(line: str) -> str:
    """A line of a JSON log as words; any other line as it is."""
    try:
        said = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.MsgspecError:
        return line
    return ": ".join(str(said[name]) for name in ("message", "reason") if name in said)


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
