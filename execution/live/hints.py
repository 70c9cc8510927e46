"""A stream of hints out of one or more subscriptions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from execution.live.faults import Unclear, VenueFault
from execution.live.port import Hint

Watcher = Callable[[], Awaitable[Sequence[Hint]]]


class HintStream(AsyncIterator[Hint]):
    """Runs each watcher again and again from now on; raises as soon as one fails.

    It ends for good when whoever waits for the next hint is cancelled: nobody listens any more.

    Args:
        watchers: each waits for the next messages of one subscription.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._found: asyncio.Queue[Hint | VenueFault] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._run(watch)) for watch in watchers]

    def __aiter__(self) -> HintStream:
        return self

    async def __anext__(self) -> Hint:
        if not self._tasks:
            raise StopAsyncIteration
        try:
            found = await self._found.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if isinstance(found, VenueFault):
            await self.aclose()
            raise found
        return found

    async def aclose(self) -> None:
        """Stop listening."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self, watch: Watcher) -> None:
        try:
            while True:
                for hint in await watch():
                    self._found.put_nowait(hint)
        except VenueFault as fault:
            self._found.put_nowait(fault)
        except Exception as error:  # its text may hold a listen key
            self._found.put_nowait(Unclear(f"the websocket failed: {type(error).__name__}"))
