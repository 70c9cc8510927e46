"""The test's side of the zygote: begin a life, know when it ends, begin the next as a supervisor would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bus_schemas.settings import child_environment
from tests.chaos_live.zygote import News, Request

_ROOT = Path(__file__).resolve().parents[2]
MOST_LIVES = 6
"""Lives of one case. A service that dies so often has a fault of its own."""


class Zygote:
    """The process that forks lives. Use it as a context manager, through `zygote()`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._count = 0
        self._pids: dict[int, asyncio.Future[int]] = {}
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._listener = asyncio.create_task(self._listen())

    async def begin(self, request: Request) -> Life:
        """Fork. Returns once the process exists."""
        self._count += 1
        number = self._count
        loop = asyncio.get_running_loop()
        self._pids[number], self._ends[number] = loop.create_future(), loop.create_future()
        line = msgspec.json.encode(msgspec.structs.replace(request, number=number))
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        return Life(await self._pids[number], self._ends[number])

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            news = msgspec.json.decode(line, type=News)
            if news.pid is not None:
                self._pids.pop(news.number).set_result(news.pid)
            if news.status is not None:
                self._ends.pop(news.number).set_result(news.status)
        for waiting in (*self._pids.values(), *self._ends.values()):
            if not waiting.done():
                waiting.set_exception(RuntimeError("the zygote has ended"))
                waiting.exception()  # somebody may have stopped waiting

    async def close(self) -> None:
        """End it; every life that is left ends with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._listener


@contextlib.asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    """A zygote for as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.chaos_live.zygote"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=child_environment(os.environ),
        cwd=_ROOT,
    )
    mother = Zygote(process)
    try:
        yield mother
    finally:
        await mother.close()


class Life:
    """One process of the execution service."""

    def __init__(self, pid: int, end: asyncio.Future[int]) -> None:
        self.pid = pid
        self._end = end

    async def wait(self) -> int:
        """Its exit code as of `subprocess`: below zero where a signal ended it."""
        return os.waitstatus_to_exitcode(await asyncio.shield(self._end))

    def send(self, number: int) -> None:
        """Send a signal, where it still lives."""
        if not self._end.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Supervised:
    """The service under a supervisor: the first life may die, and each death is followed by a new life.

    Args:
        mother: forks.
        request: of the first life; later ones have no target.

    Attributes:
        deaths: exit codes of the lives that ended before they were told to.
        died: moments of `time.monotonic()` of those.
    """

    def __init__(self, mother: Zygote, request: Request) -> None:
        self._mother = mother
        self._request = request
        self._life: Life | None = None
        self._stopping = False
        self.deaths: list[int] = []
        self.died: list[float] = []
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> int:
        request = self._request
        while True:
            self._life = await self._mother.begin(request)
            code = await self._life.wait()
            if self._stopping:
                return code
            self.deaths.append(code)
            self.died.append(time.monotonic())
            if len(self.deaths) >= MOST_LIVES:
                return code
            request = msgspec.structs.replace(request, target=None)

    def check(self) -> None:
        """See that it still lives.

        Raises:
            RuntimeError: it dies again and again.
        """
        if self._task.done():
            raise RuntimeError(f"the service ended {len(self.deaths)} times: {self.deaths}")

    async def kill(self) -> None:
        """Let it die now; returns when it has, and the next life is about to begin."""
        assert self._life is not None
        self._life.send(signal.SIGKILL)
        await self._life.wait()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it for good; its exit code."""
        self._stopping = True
        if self._life is not None:
            self._life.send(number)
        return await self._task
