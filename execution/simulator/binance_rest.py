"""Binance USDⓈ-M futures' protocol: what is checked before an endpoint serves, and how failures read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from aiohttp import web

from execution.simulator.binance_account import AccountDesk
from execution.simulator.binance_algos import AlgoDesk
from execution.simulator.binance_desk import PositionMode
from execution.simulator.binance_orders import OrderDesk
from execution.simulator.binance_public import ORDER_LIMIT, WEIGHT_LIMIT, Access, Endpoint, PublicDesk
from execution.simulator.binance_sign import (
    Meter,
    check_key,
    check_signature,
    check_time,
    parameters,
)
from execution.simulator.binance_words import Trouble, banned, reply, too_many
from execution.simulator.binance_ws import Streams
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.protocol import (
    Credentials,
    Handler,
    Operation,
    Route,
    SocketRoute,
    VenueProtocol,
)
from execution.simulator.rules import BINANCE_USDM, Listing, Rules, binance_listings

_SHORT_BAN_MS = 1000
_TIMEOUT = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_UNKNOWN = "Unknown error, please check your request or try again later."


class BinanceUsdm(VenueProtocol):
    """The venue. Of order kinds it knows limit, market and stop-market (through the Algo service)."""

    name: ClassVar[str] = BINANCE_USDM.name
    rules: ClassVar[Rules] = BINANCE_USDM
    demo: ClassVar[Credentials] = Credentials("causeway-demo-binance-key", "causeway-demo-binance-secret")

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        super().__init__(exchange, clock)
        self.mode = PositionMode()
        self.meter = Meter(clock, WEIGHT_LIMIT, ORDER_LIMIT)
        self.account = AccountDesk(exchange, clock, self.mode)
        self._public = PublicDesk(exchange, clock)
        self._orders = OrderDesk(exchange, clock, self.mode)
        self._streams = Streams(exchange, clock, self._public.day_view)
        self._endpoints = [
            *self._public.endpoints(),
            *self._orders.endpoints(),
            *AlgoDesk(exchange, clock, self.mode).endpoints(),
            *self.account.endpoints(),
            *self._streams.endpoints(),
        ]

    @classmethod
    def listings(cls, sources: Sequence[str]) -> tuple[Listing, ...]:
        return binance_listings(sources)

    def routes(self) -> Sequence[Route]:
        return [Route(at.method, at.path, self._handler(at), at.operation) for at in self._endpoints]

    def sockets(self) -> Sequence[SocketRoute]:
        return self._streams.sockets()

    def limited(self, operation: Operation, retry_after_s: float | None) -> web.Response:  # noqa: ARG002
        """A wait that is not in the header stands in words, as in those of a ban."""
        if retry_after_s is None:
            return banned(self.clock.now() + _SHORT_BAN_MS).answer()
        answer = too_many(self.meter.limit).answer()
        answer.headers["Retry-After"] = str(math.ceil(retry_after_s))
        return answer

    def unavailable(
        self,
        operation: Operation,  # noqa: ARG002
        status: int,
        maintenance: bool,
    ) -> web.Response:
        """503 says in words whether the request was dropped; the others come from hosts before the venue."""
        if maintenance:
            return reply({"code": -1016, "msg": "Service Unavailable."}, status)
        if status == 503:
            return reply({"code": -1000, "msg": _UNKNOWN}, status)
        if status in (408, 504):
            return reply({"code": -1007, "msg": _TIMEOUT}, status)
        return web.Response(
            status=status, text=f"<html><body>{status}</body></html>", content_type="text/html"
        )

    async def close(self) -> None:
        self._orders.close()
        self._public.stop()
        self._streams.close()

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                answer = await self._serve(endpoint, request)
            except Trouble as trouble:
                answer = trouble.answer()
            answer.headers["X-MBX-USED-WEIGHT-1M"] = str(self.meter.used)
            if endpoint.orders:
                answer.headers["X-MBX-ORDER-COUNT-1M"] = str(self.meter.placed)
            return answer

        return handle

    async def _serve(self, endpoint: Endpoint, request: web.Request) -> web.Response:
        params, signed, signature = await parameters(request)
        weight = endpoint.weight if isinstance(endpoint.weight, int) else endpoint.weight(params)
        if not self.meter.spend(weight, endpoint.orders):
            raise banned(self.meter.banned_until) if self.meter.banned else too_many(self.meter.limit)
        if endpoint.orders and self.meter.crowded:
            raise Trouble(
                -1015, f"Too many new orders; current limit is {self.meter.orders} per minute.", 429
            )
        if endpoint.access is not Access.OPEN:
            check_key(request, self.demo)
        if endpoint.access is Access.SIGNED:
            check_signature(signed, signature, self.demo)
            check_time(params, self.clock)
        return reply(endpoint.serve(params))
