"""Kraken Futures' protocol over the simulated exchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from aiohttp import web

from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_account import AccountDesk
from execution.simulator.kraken_history import HistoryDesk
from execution.simulator.kraken_http import Desk
from execution.simulator.kraken_orders import OrderDesk
from execution.simulator.kraken_public import PublicDesk
from execution.simulator.kraken_sign import Signatures
from execution.simulator.kraken_ws import Feeds
from execution.simulator.protocol import (
    Credentials,
    Operation,
    Route,
    SocketRoute,
    VenueProtocol,
)
from execution.simulator.rules import KRAKEN_FUTURES, Listing, Rules, kraken_listings


class KrakenFutures(VenueProtocol):
    """REST under `/derivatives/api/v3`, `/api/history`, `/api/charts`, `/api/auth`; websocket `/ws/v1`."""

    name: ClassVar[str] = "krakenfutures"
    rules: ClassVar[Rules] = KRAKEN_FUTURES
    demo: ClassVar[Credentials] = Credentials(
        "c2ltdWxhdGVkLWtyYWtlbi1mdXR1cmVzLWtleQ==", "c2ltdWxhdGVkLWtyYWtlbi1mdXR1cmVzLXNlY3JldA=="
    )
    ws_path: ClassVar[str] = "/ws/v1"

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        super().__init__(exchange, clock)
        signatures = Signatures(self.demo)
        self._desk = Desk(clock, signatures)
        self._public = PublicDesk(exchange, clock, self._desk)
        self._history = HistoryDesk(exchange, self._desk)
        self._orders = OrderDesk(exchange, clock, self._desk)
        self._account = AccountDesk(exchange, clock, self._desk, self.demo.key, self._cancel_all)
        self._feeds = Feeds(exchange, clock, signatures, self._public, self._account)

    @classmethod
    def listings(cls, sources: Sequence[str]) -> tuple[Listing, ...]:
        return kraken_listings(sources)

    def routes(self) -> Sequence[Route]:
        desks = (self._public, self._history, self._orders, self._account)
        return [route for desk in desks for route in desk.routes()]

    def sockets(self) -> Sequence[SocketRoute]:
        return self._feeds.routes()

    def limited(self, operation: Operation, retry_after_s: float | None) -> web.Response:  # noqa: ARG002
        answer = self._desk.error("apiLimitExceeded", 429)
        if retry_after_s is not None:
            answer.headers["Retry-After"] = f"{retry_after_s:g}"
        return answer

    def unavailable(
        self,
        operation: Operation,  # noqa: ARG002
        status: int,
        maintenance: bool,
    ) -> web.Response:
        if maintenance:
            return self._desk.error("Unavailable", 503)
        if status == 500:
            return self._desk.error("Server Error", 500)
        text = f"<html><head><title>{status}</title></head><body>cloudflare</body></html>"
        return web.Response(status=status, text=text, content_type="text/html")

    async def close(self) -> None:
        self._account.close()
        for desk in (self._public, self._history, self._account, self._feeds):
            desk.stop()

    def _cancel_all(self, reason: str) -> object:
        return self._orders.cancel_all("", reason)
