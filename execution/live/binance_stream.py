"""Binance's user stream: one websocket under a listen key that must be kept alive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from execution.live.binance_parse import hints
from execution.live.faults import Unclear
from execution.live.port import Hint

_PING_S = 20.0
_EXPIRED = "listenKeyExpired"
EVENTS = (
    "ORDER_TRADE_UPDATE",
    "ACCOUNT_UPDATE",
    "ALGO_UPDATE",
    "MARGIN_CALL",
    "ACCOUNT_CONFIG_UPDATE",
    _EXPIRED,
)
"""What the stream is asked for: one that names no events stays silent."""


class UserStream:
    """Waits for messages; `watch` and `keep` are the watchers of a hint stream.

    Args:
        url: makes a listen key and gives the address of its stream.
        renew: asks the venue to keep the listen key.
        renew_s: how often.
        timeout_s: longest wait for a connection.
        canonical: our name of a venue's symbol.
    """

    def __init__(
        self,
        url: Callable[[], Awaitable[str]],
        renew: Callable[[], Awaitable[object]],
        renew_s: float,
        timeout_s: float,
        canonical: Callable[[str], str],
    ) -> None:
        self._url = url
        self._renew = renew
        self._renew_s = renew_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._canonical = canonical
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def watch(self) -> Sequence[Hint]:
        """The next message's hints. The first call connects, and hints at everything: what happened
        before is not told."""
        try:
            if self._socket is None:
                address = await self._url()
                self._session = aiohttp.ClientSession(timeout=self._timeout)
                self._socket = await self._session.ws_connect(address, heartbeat=_PING_S)
                return [Hint(symbol="*")]
            return self._read(await self._socket.receive())
        except BaseException:
            await self._close()
            raise

    async def keep(self) -> Sequence[Hint]:
        """Keep the listen key for another while."""
        await asyncio.sleep(self._renew_s)
        if self._socket is not None:
            await self._renew()
        return ()

    def _read(self, message: aiohttp.WSMessage) -> Sequence[Hint]:
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Unclear("the venue closed the stream")
        try:
            said = json.loads(message.data)
        except ValueError:
            return ()
        if not isinstance(said, dict):
            return ()
        if said.get("e") == _EXPIRED:
            raise Unclear("the listen key expired")
        return hints(said, self._canonical)

    async def _close(self) -> None:
        session, self._session, self._socket = self._session, None, None
        if session is not None:
            await session.close()
