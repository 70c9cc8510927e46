"""The smallest protocol there can be: for tests of what the server does around any protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec
from aiohttp import web

from bus_schemas.events import OrderKind, Side
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import Filled, OrderRequest, SimEvent, SimOrder, SimRefusal
from execution.simulator.protocol import Credentials, Operation, Route, Socket, SocketRoute, VenueProtocol
from execution.simulator.rules import KRAKEN_FUTURES, Listing, Rules, kraken_listings

SYMBOL = "BTCUSD"


class Plain(VenueProtocol):
    name: ClassVar[str] = "plain"
    rules: ClassVar[Rules] = KRAKEN_FUTURES
    demo: ClassVar[Credentials] = Credentials("key", "secret")

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        super().__init__(exchange, clock)
        self.sockets_open: list[Socket] = []
        self.connected = asyncio.Event()
        exchange.subscribe(self._hear)

    @classmethod
    def listings(cls, sources: Sequence[str]) -> tuple[Listing, ...]:
        return kraken_listings(sources)

    def routes(self) -> Sequence[Route]:
        return [
            Route("POST", "/orders", self._place, Operation.PLACE),
            Route("GET", "/orders/{client_id}", self._look_up, Operation.LOOK_UP),
            Route("GET", "/time", self._time, Operation.TIME),
        ]

    def sockets(self) -> Sequence[SocketRoute]:
        return [SocketRoute("/ws", self._talk)]

    def limited(self, operation: Operation, retry_after_s: float | None) -> web.Response:
        headers = {} if retry_after_s is None else {"Retry-After": f"{retry_after_s:g}"}
        return web.Response(status=429, headers=headers)

    def unavailable(self, operation: Operation, status: int, maintenance: bool) -> web.Response:
        return web.Response(status=status, text="maintenance" if maintenance else "broken")

    async def close(self) -> None:
        pass

    async def _place(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        asked = OrderRequest(
            symbol=SYMBOL,
            side=Side.LONG,
            kind=OrderKind.LIMIT,
            quantity=Decimal("0.01"),
            price=Decimal(query["price"]),
            client_id=query["id"],
        )
        try:
            return _json(self.exchange.place(asked))
        except SimRefusal as refusal:
            return web.Response(status=400, text=str(refusal))

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        order = self.exchange.by_client_id(request.match_info["client_id"])
        return web.Response(status=404) if order is None else _json(order)

    async def _time(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self.clock.now())

    async def _talk(self, socket: Socket) -> None:
        self.sockets_open.append(socket)
        self.connected.set()
        async for text in socket:
            socket.push({"echo": text})

    def _hear(self, event: SimEvent) -> None:
        if isinstance(event, Filled):
            for socket in self.sockets_open:
                socket.push({"fill": event.fill.client_id}, topic="fill")


def _json(order: SimOrder) -> web.Response:
    return web.Response(body=msgspec.json.encode(order), content_type="application/json")
