"""Inside a life: counts the moments at which a process can die, and dies at one of them.

The moments are every suspension of the coroutine that carries a command out, and both sides of every
commit of the edge and of the order manager. The hooks are put in from outside; the code under test is the
code that ships.
"""

from __future__ import annotations

import os
import signal
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from pathlib import Path
from typing import Any

from bus_schemas.events import Body
from bus_schemas.runtime.batch import arrange
from bus_schemas.runtime.unit import UnitRunner
from execution.live.desk import READ_LIMIT, Desk
from execution.live.edge import Edge
from execution.live.records import Command
from tests.chaos_live.words import command_name, event_name

_EDGE = f"execution{os.sep}live{os.sep}"
_PORT = "guarded.py"


class Probe:
    """Told of every moment.

    Args:
        target: where to die; None for nowhere.
        notes: file that gets a line for each moment that is new, and one for the death.
    """

    def __init__(self, target: str | None, notes: Path) -> None:
        self._target = target
        self._seen: set[str] = set()
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def at(self, label: str) -> None:
        """This moment is now. Does not return where it is the one to die at."""
        if label in self._seen:
            return
        self._seen.add(label)
        os.write(self._notes, f"{label}\n".encode())
        if label == self._target:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, names: Sequence[str], what: str, act: Callable[[], Any]) -> Any:
        """Do it, with a moment before and one after for each name."""
        for name in names:
            self.at(f"{name}: before {what}")
        done = act()
        for name in names:
            self.at(f"{name}: after {what}")
        return done


class Watched:
    """A coroutine that is driven as ever, and each of whose real suspensions is a moment.

    Args:
        inner: the coroutine.
        name: of the command.
        probe: told.
    """

    def __init__(self, inner: Coroutine[Any, Any, None], name: str, probe: Probe) -> None:
        self._inner = inner
        self._name = name
        self._probe = probe
        self._counts: Counter[str] = Counter()

    def __await__(self) -> Generator[Any, Any, None]:
        send: Callable[[], Any] = lambda: self._inner.send(None)  # noqa: E731
        while True:
            try:
                waiting_for = send()
            except StopIteration:
                return
            self._suspended()
            try:
                value = yield waiting_for
            except BaseException as error:
                thrown = error
                send = lambda: self._inner.throw(thrown)  # noqa: B023, E731
            else:
                send = lambda: self._inner.send(value)  # noqa: B023, E731

    def _suspended(self) -> None:
        where = place_of(self._inner)
        self._counts[where] += 1
        self._probe.at(f"{self._name}: await {self._counts[where]} in {where}")


def place_of(coroutine: Any) -> str:
    """Where a suspended coroutine stands: the venue's method that it called, else our innermost function."""
    port = innermost = ""
    while isinstance(coroutine, types.CoroutineType):
        code = coroutine.cr_code
        if _EDGE in code.co_filename:
            innermost = code.co_name
            if code.co_filename.endswith(_PORT) and not code.co_name.startswith("_"):
                port = code.co_name
        coroutine = coroutine.cr_await
    return port or innermost


def install(probe: Probe) -> None:
    """Put the hooks in."""
    _watch_lanes(probe)
    _watch_desk(probe)
    _watch_manager(probe)


def put(owner: type, name: str, function: Callable[..., Any]) -> None:
    """Put another method in the place of one that is there."""
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more"
    setattr(owner, name, function)


def _watch_lanes(probe: Probe) -> None:
    lane = Edge._lane

    async def watched(edge: Edge, seq: int, pending: Any, sent: bool) -> None:
        await Watched(lane(edge, seq, pending, sent), command_name(pending.command()), probe)

    put(Edge, "_lane", watched)


def _watch_desk(probe: Probe) -> None:
    take, answer, tell = Desk.take, Desk.answer, Desk.tell

    def watched_take(desk: Desk, entries: Any) -> list[int]:
        bodies = [item.event.body for item in arrange(entries, READ_LIMIT) if item.event]
        names = [command_name(body) for body in bodies if isinstance(body, Command)]
        taken: list[int] = probe.around(names, "intake", lambda: take(desk, entries))
        return taken

    def watched_answer(desk: Desk, seq: int, pending: Any, bodies: Any) -> None:
        name = command_name(pending.command())
        probe.around([name], "answer", lambda: answer(desk, seq, pending, bodies))

    def watched_tell(desk: Desk, bodies: Sequence[Body]) -> None:
        names = [f"edge tells {event_name(body)}" for body in bodies]
        probe.around(names, "commit", lambda: tell(desk, bodies))

    put(Desk, "take", watched_take)
    put(Desk, "answer", watched_answer)
    put(Desk, "tell", watched_tell)


def _watch_manager(probe: Probe) -> None:
    commit = UnitRunner.commit

    def watched(runner: UnitRunner, writes: Any, state: Any, items: Any = (), *more: Any) -> None:
        bodies = [item.event.body for item in items if item.event]
        names = [f"manager takes {event_name(body)}" for body in bodies]
        probe.around(names, "commit", lambda: commit(runner, writes, state, items, *more))

    put(UnitRunner, "commit", watched)
