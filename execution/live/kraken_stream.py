"""Kraken Futures' private feeds: one websocket, opened with a signed challenge.

Not ccxt's: it keeps one connection for ever and hands out what is new since the last question, so that a
message between two questions, or a socket that fell silent, would go unheard.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import aiohttp

from execution.live.faults import Unclear
from execution.live.port import Hint

_PING_S = 20.0
_FEEDS = ("open_orders", "fills")
_EVERYTHING = [Hint(symbol="*")]


class KrakenStream:
    """Waits for messages; `watch` is the watcher of a hint stream.

    Args:
        url: of the websocket.
        key, secret: sign the challenge; the key is sent, the secret is not.
        canonical: our name of a venue's symbol.
    """

    def __init__(self, url: str, key: str, secret: str, canonical: Callable[[str], str]) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._canonical = canonical
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._names: dict[str, str] = {}

    async def watch(self) -> Sequence[Hint]:
        """The next message's hints; the first call connects. A subscription begins with a hint at
        everything, as what happened before it is not told.

        Raises:
            Unclear: the connection is gone, or the venue does not let us listen.
        """
        try:
            if self._socket is None:
                self._session = aiohttp.ClientSession()
                self._socket = await self._session.ws_connect(self._url, heartbeat=_PING_S)
                await self._socket.send_json({"event": "challenge", "api_key": self._key})
                return ()
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise Unclear("the websocket was closed")
            return await self._read(json.loads(message.data))
        except BaseException:
            await self._close()
            raise

    async def _read(self, message: dict[str, Any]) -> Sequence[Hint]:
        event, feed = message.get("event"), str(message.get("feed", ""))
        if event == "challenge" and "message" in message:
            await self._subscribe(str(message["message"]))
        elif event in ("alert", "error") or str(event).endswith("_failed"):
            raise Unclear(f"the venue does not let us listen: {message.get('message') or event}")
        elif event is not None:
            pass
        elif feed.endswith("_snapshot"):
            self._remember(message.get("orders") or ())
            return _EVERYTHING
        elif feed == "fills":
            return [self._hint(row) for row in message.get("fills") or ()]
        elif feed == "open_orders":
            order = message.get("order") or {}
            if message.get("is_cancel"):  # one that was filled is told in full, another by its id
                self._names.pop(str(order.get("order_id")), None)
            else:
                self._remember([order])
            return [self._hint(order or message)]
        return ()

    async def _subscribe(self, challenge: str) -> None:
        assert self._socket is not None
        signed = signed_challenge(self._secret, challenge)
        for feed in _FEEDS:
            await self._socket.send_json(
                {
                    "event": "subscribe",
                    "feed": feed,
                    "api_key": self._key,
                    "original_challenge": challenge,
                    "signed_challenge": signed,
                }
            )

    def _remember(self, rows: Iterable[dict[str, Any]]) -> None:
        """A removal names the order and not its instrument."""
        self._names |= {str(row["order_id"]): self._canonical(str(row["instrument"])) for row in rows if row}

    def _hint(self, row: dict[str, Any]) -> Hint:
        name, order_id = row.get("instrument"), str(row.get("order_id", ""))
        symbol = self._names.pop(order_id, "*") if name is None else self._canonical(str(name))
        return Hint(symbol=symbol, client_id=str(row.get("cli_ord_id") or ""))

    async def _close(self) -> None:
        session, self._session, self._socket = self._session, None, None
        if session is not None:
            await session.close()


def signed_challenge(secret: str, challenge: str) -> str:
    """HMAC-SHA512, under the decoded secret, of the challenge's SHA-256."""
    digest = hashlib.sha256(challenge.encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), digest, hashlib.sha512).digest()).decode()
