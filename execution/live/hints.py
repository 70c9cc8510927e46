"""A stream of hints out of several ccxt subscriptions that share a connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from execution.live.faults import Unclear, VenueFault
from execution.live.port import Hint

Watcher = Callable[[], Awaitable[Sequence[Hint]]]


class HintStream(AsyncIterator[Hint]):
    """Runs each watcher again and again from now on; raises as soon as one fails.

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
        found = await self._found.get()
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
        except Exception as error:
            name = type(error).__name__  # its text may hold a listen key
        self._found.put_nowait(Unclear(f"the websocket failed: {name}"))
