"""Has everything imported, and forks a life of the execution service whenever it is asked to.

A start costs a fork instead of two seconds of imports. Requests come as JSON lines, answers go the same
way: `pid` when a life has begun, `status` (as of `waitpid`) when it has ended.
"""

from __future__ import annotations

import ctypes
import gc
import os
import selectors
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import ccxt.pro  # noqa: F401  the heavy one: a life needs it at once
import msgspec

from bus_schemas import logs
from bus_schemas.errors import CausewayError
from bus_schemas.settings import load
from execution.live import binance, kraken, work  # noqa: F401  imported on demand otherwise
from execution.service import build
from tests.chaos_live import plants, probe

_PR_SET_PDEATHSIG = 1


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One life.

    Attributes:
        number: of the life; answers carry it.
        settings: file.
        log: file that gets everything that it says.
        notes: file of its moments.
        target: the moment to die at.
        plant: name of a fault that is planted into the code.
    """

    number: int
    settings: str
    log: str
    notes: str
    target: str | None = None
    plant: str | None = None


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of it."""

    number: int
    pid: int | None = None
    status: int | None = None


def main() -> int:
    gc.freeze()
    alive: dict[int, int] = {}
    wake_up, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)
    signal.signal(signal.SIGCHLD, _nothing)
    with selectors.DefaultSelector() as events:
        events.register(0, selectors.EVENT_READ)
        events.register(wake_up, selectors.EVENT_READ)
        rest = b""
        while True:
            for key, _ in events.select():
                if key.fd == wake_up:
                    os.read(wake_up, 4096)
                    _reap(alive)
                    continue
                said = os.read(0, 65536)
                if not said:
                    _end(alive)
                    return 0
                *lines, rest = (rest + said).split(b"\n")
                for line in lines:
                    request = msgspec.json.decode(line, type=Request)
                    alive[_fork(request, (wake_up, bell))] = request.number


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler must be there for the wake-up to be written."""


def _say(news: News) -> None:
    os.write(1, msgspec.json.encode(news) + b"\n")


def _reap(alive: dict[int, int]) -> None:
    for pid in list(alive):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _say(News(number=alive.pop(pid), status=status))


def _end(alive: dict[int, int]) -> None:
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _fork(request: Request, ours: tuple[int, int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        _say(News(number=request.number, pid=pid))
        return pid
    code = 70
    try:
        code = _live(request, parent, ours)
    finally:
        os._exit(code)


def _live(request: Request, parent: int, ours: tuple[int, int]) -> int:
    """The life itself: what `python -m execution` does, with hooks."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return 70
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for here, there in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(here, there)
    for descriptor in (*ours, log, nothing):
        os.close(descriptor)
    probe.install(probe.Probe(request.target, Path(request.notes)))
    if request.plant:
        plants.PLANTS[request.plant]()
    try:
        settings = load(Path(request.settings))
        logs.configure(settings.runtime, "execution")
        return build(settings)()
    except CausewayError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1


if __name__ == "__main__":
    sys.exit(main())
