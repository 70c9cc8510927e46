"""The faults around every REST handler and every websocket message."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import WSMsgType, web

from execution.simulator.faults import FaultKind, Rule
from execution.simulator.faults_at_work import Faults
from execution.simulator.orders import TREATMENT, UNTREATED, Treatment
from execution.simulator.protocol import Handler, Route, SocketHandler, VenueProtocol

BACKLOG = 10_000
"""Messages that may wait for a client that does not read; it is cut off beyond."""

_BROKEN = 503
_REORDER_S = 1.0
"""How long a message waits for the one that is to come before it."""


class RestGate:
    """Puts the faults around a protocol's handlers."""

    def __init__(self, protocol: VenueProtocol, faults: Faults) -> None:
        self._protocol = protocol
        self._faults = faults

    def around(self, route: Route) -> Handler:
        """The handler as the server mounts it."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            fired = self._faults.request(self._protocol.name, request.method, request.path, route.operation)
            return await self._answer(request, route, fired) if fired else await route.handler(request)

        return guarded

    async def _answer(self, request: web.Request, route: Route, fired: list[Rule]) -> web.StreamResponse:
        await request.read()  # a fault happens to a request that has arrived whole
        for rule in fired:
            if rule.kind is FaultKind.SLOW and not rule.executed:
                await asyncio.sleep(rule.delay_s)
        for rule in fired:
            if (early := self._instead(request, route, rule)) is not None:
                return early
        token = TREATMENT.set(_treatment(fired))
        try:
            response = await route.handler(request)
        finally:
            TREATMENT.reset(token)
        for rule in fired:
            if rule.kind is FaultKind.FILL_BEFORE_ACK or (rule.kind is FaultKind.SLOW and rule.executed):
                await asyncio.sleep(rule.delay_s)
        for rule in fired:
            if rule.kind is FaultKind.LOST_REPLY:
                return _cut(request)
            if rule.kind is FaultKind.STATUS:
                return self._protocol.unavailable(route.operation, rule.status or _BROKEN, False)
        return response

    def _instead(self, request: web.Request, route: Route, rule: Rule) -> web.StreamResponse | None:
        """The answer of a fault that keeps the request from being executed."""
        if rule.kind is FaultKind.LOST_REQUEST:
            return _cut(request)
        if rule.kind is FaultKind.STATUS and not rule.executed:
            return self._protocol.unavailable(route.operation, rule.status or _BROKEN, False)
        if rule.kind is FaultKind.MAINTENANCE:
            return self._protocol.unavailable(route.operation, rule.status or _BROKEN, True)
        if rule.kind is FaultKind.RATE_LIMIT:
            answer = self._protocol.limited(route.operation, rule.retry_after_s)
            if rule.status is not None:
                answer.set_status(rule.status)
            return answer
        return None


def _treatment(fired: list[Rule]) -> Treatment:
    treatment = UNTREATED
    for rule in fired:
        if rule.kind is FaultKind.NOT_FOUND:
            treatment = treatment._replace(hide_ms=rule.for_ms)
        elif rule.kind is FaultKind.PARTIAL_FILLS:
            treatment = treatment._replace(pieces=rule.pieces)
        elif rule.kind is FaultKind.REFUSE:
            treatment = treatment._replace(refuse=rule.code)
        elif rule.kind is FaultKind.FILL_BEFORE_ACK:
            treatment = treatment._replace(fill_now=True)
    return treatment


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class GatedSocket:
    """A websocket connection whose outgoing messages pass the faults; see `protocol.Socket`.

    Args:
        ws: prepared; it answers pings by itself.
        monotonic: seconds of a clock that never jumps.
    """

    def __init__(
        self,
        protocol: str,
        faults: Faults,
        request: web.Request,
        ws: web.WebSocketResponse,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = protocol
        self._faults = faults
        self._request = request
        self._ws = ws
        self._monotonic = monotonic
        self._waiting: deque[str] = deque()
        self._ready = asyncio.Event()
        self._held: str | None = None
        self._silent_until = 0.0
        self._closing = False

    @property
    def request(self) -> web.Request:
        return self._request

    def push(self, message: object, topic: str = "") -> None:
        if self._closing:
            return
        text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
        copies = 1
        for rule in self._faults.message(self._name, topic):
            if rule.kind is FaultKind.WS_CUT:
                self.abort()
                return
            if rule.kind is FaultKind.SILENT_SOCKET:
                self._silent_until = float("inf") if rule.for_s is None else self._monotonic() + rule.for_s
            elif rule.kind is FaultKind.WS_DROP:
                copies = 0
            elif rule.kind is FaultKind.WS_DUPLICATE:
                copies += 1
            elif rule.kind is FaultKind.WS_REORDER and self._held is None:
                self._held = text
                asyncio.get_running_loop().call_later(_REORDER_S, self._let_go)
                return
        for _ in range(copies):
            self._queue(text)
        if copies:
            self._let_go()

    def close(self) -> None:
        self._closing = True
        self._ready.set()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._closing = True
        self._waiting.clear()
        if self._request.transport is not None:
            self._request.transport.abort()
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self._ws:
            if message.type is WSMsgType.TEXT:
                yield message.data

    async def write(self) -> None:
        """Send what was pushed, in order, until the connection ends."""
        while not self._ws.closed:
            while self._waiting:
                await self._ws.send_str(self._waiting.popleft())
            if self._closing:
                await self._ws.close()
                return
            self._ready.clear()
            await self._ready.wait()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._queue(held)

    def _queue(self, text: str) -> None:
        if self._monotonic() < self._silent_until:
            return
        if len(self._waiting) >= BACKLOG:
            self.abort()
            return
        self._waiting.append(text)
        self._ready.set()


class SocketGate:
    """Opens websockets for a protocol.

    Attributes:
        open: the connections that there are.
    """

    def __init__(self, protocol: VenueProtocol, faults: Faults, monotonic: Callable[[], float]) -> None:
        self._protocol = protocol
        self._faults = faults
        self._monotonic = monotonic
        self.open: set[GatedSocket] = set()

    def around(self, handler: SocketHandler) -> Handler:
        """The handler as the server mounts it."""

        async def opened(request: web.Request) -> web.StreamResponse:
            ws = web.WebSocketResponse()
            await ws.prepare(request)
            socket = GatedSocket(self._protocol.name, self._faults, request, ws, self._monotonic)
            self.open.add(socket)
            writer = asyncio.create_task(_quietly(socket))
            try:
                await handler(socket)
            finally:
                self.open.discard(socket)
                socket.close()
                await writer
            return ws

        return opened


async def _quietly(socket: GatedSocket) -> None:
    try:
        await socket.write()
    except ConnectionError:
        socket.close()  # the client is gone; reading ends too
