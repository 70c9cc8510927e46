"""The simulated venue as a server: every protocol on one port, and a control API for people and tests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis
from execution.simulator.clock import SimClock
from execution.simulator.control import Control
from execution.simulator.exchange import CASH, Exchange
from execution.simulator.faults import Plan
from execution.simulator.faults_at_work import Faults
from execution.simulator.gate import RestGate, SocketGate
from execution.simulator.market import Market
from execution.simulator.protocol import VenueProtocol
from execution.simulator.protocols import PROTOCOLS
from execution.simulator.tape import Feed

BY_HAND: Mapping[str, Decimal] = {
    "BTCUSDT": Decimal(60_000),
    "ETHUSDT": Decimal(2_500),
    "SOLUSDT": Decimal(150),
}
"""What is listed, and at which first prices, where there are no candles."""

_LAST_WORDS_S = 1.0


class Simulator:
    """One simulated venue.

        async with Simulator() as simulator:
            ... simulator.url ...

    Args:
        feeds: candles by source; None for prices and funding by hand; prices begin at `BY_HAND`.
        start: where playing begins, milliseconds UTC; needed with candles.
        rate: venue seconds in one of ours.
        loop: begin again at the end of the candles; else the last price stands.
        plan: faults from the beginning.
        cash: of every demo account, in settle currency.
        host, port: where to listen; port 0 takes a free one.
        protocols: what is spoken.
        clock: the venue's; default by `start` and `rate`.

    Attributes:
        url: such as `http://127.0.0.1:8900`; once it is open.
        exchanges: by protocol name: the truth, for tests in the same process.
        market, faults, clock: its parts.
    """

    def __init__(
        self,
        feeds: Mapping[str, Feed] | None = None,
        *,
        start: Millis = 0,
        rate: float = 1.0,
        loop: bool = False,
        plan: Plan | None = None,
        cash: Decimal = CASH,
        host: str = "127.0.0.1",
        port: int = 0,
        protocols: Sequence[type[VenueProtocol]] = PROTOCOLS,
        clock: SimClock | None = None,
    ) -> None:
        self.clock = clock or SimClock(None if feeds is None else start, rate)
        self.faults = Faults(plan)
        self.clock.fault = self.faults.skew
        self.market = Market(self.clock, feeds or {source: Feed() for source in BY_HAND}, start, loop)
        self.cash = cash
        self.url = ""
        self.exchanges: dict[str, Exchange] = {}
        self.protocols: dict[str, VenueProtocol] = {}
        self.gates: list[SocketGate] = []
        self._host, self._port = host, port
        for make in protocols:
            listings = make.listings(self.market.sources)
            exchange = Exchange(make.rules, listings, self.clock.now, cash)
            exchange.liquidity = partial(self.faults.liquidity, make.name)
            self.market.list_on(exchange)
            self.exchanges[make.name] = exchange
            self.protocols[make.name] = make(exchange, self.clock)
        if feeds is None:
            for source, price in BY_HAND.items():
                self.market.set_price(source, price)
        self._runner: web.AppRunner | None = None
        self._player: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen and play.

        Raises:
            ConfigurationError: the port cannot be had.
        """
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=_LAST_WORDS_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror or error}"
            ) from None
        self._runner = runner
        self.url = f"http://{self._host}:{runner.addresses[0][1]}"
        self.market.advance(self.clock.true())
        self._player = asyncio.create_task(self.market.run())

    async def close(self) -> None:
        """Cut every connection and stop."""
        for gate in self.gates:
            for socket in tuple(gate.open):
                socket.abort()
        if self._player is not None:
            self._player.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._player
        for protocol in self.protocols.values():
            await protocol.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def serve(self, until: asyncio.Event) -> None:
        """Go on until the event is set, or the player has failed.

        Raises:
            Exception: what the player failed with.
        """
        waiting = asyncio.create_task(until.wait())
        player = self._player
        assert player is not None, "open it first"
        await asyncio.wait({waiting, player}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if player.done() and not player.cancelled():
            player.result()

    def greeting(self) -> dict[str, Any]:
        """What a client needs: URLs, demo keys, the clock's rate, symbols."""
        ws = "ws" + self.url.removeprefix("http")
        return {
            "url": self.url,
            "protocols": {
                name: {
                    "rest_url": self.url,
                    "ws_url": ws,
                    "rest_path": protocol.rest_path,
                    "ws_path": protocol.ws_path,
                    "api_key": protocol.demo.key,
                    "api_secret": protocol.demo.secret,
                    "symbols": list(self.exchanges[name].listings),
                }
                for name, protocol in self.protocols.items()
            },
            "clock_rate": self.clock.rate,
            "time": self.clock.now(),
            "symbols": list(self.market.sources),
        }

    def _app(self) -> web.Application:
        app = web.Application()
        for protocol in self.protocols.values():
            rest = RestGate(protocol, self.faults)
            for route in protocol.routes():
                app.router.add_route(route.method, route.path, rest.around(route))
            gate = SocketGate(protocol, self.faults, time.monotonic)  # edge: silences end by themselves
            self.gates.append(gate)
            for socket in protocol.sockets():
                app.router.add_get(socket.path, gate.around(socket.handler))
        app.add_routes(Control(self).routes())
        return app
