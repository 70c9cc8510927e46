"""What a protocol gives to the server, and what the server gives to a protocol.

A protocol turns a venue's requests into calls of `Exchange` and its answers and events into the venue's
words. It knows nothing of faults but how the venue words them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import StrEnum
from typing import ClassVar, NamedTuple
from typing import Protocol as Duck

from aiohttp import web

from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.rules import Listing, Rules


class Operation(StrEnum):
    """What a request asks for, in one vocabulary for all protocols; fault plans name these."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    LOOK_UP = "look_up"
    OPEN_ORDERS = "open_orders"
    ORDERS = "orders"
    FILLS = "fills"
    POSITIONS = "positions"
    ACCOUNT = "account"
    FUNDING = "funding"
    LEVERAGE = "leverage"
    KEYS = "keys"
    TIME = "time"
    INSTRUMENTS = "instruments"
    TICKERS = "tickers"
    CANDLES = "candles"
    LISTEN_KEY = "listen_key"
    OTHER = "other"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """One REST endpoint; the server puts the faults around it.

    Attributes:
        method: `GET`, `POST`, `PUT` or `DELETE`.
        path: as aiohttp takes it, from the root: venue paths have no prefix.
    """

    method: str
    path: str
    handler: Handler
    operation: Operation


class Socket(Duck):
    """One websocket connection of a client; made by the server, faults included.

    `async for text in socket` gives the client's text messages until it leaves. Pings are answered by the
    server. A client that does not read is cut off.
    """

    @property
    def request(self) -> web.Request:
        """The request that opened it: path, query."""

    def push(self, message: object, topic: str = "") -> None:
        """Send this as JSON, after what was pushed before. Does not wait and does not raise.

        Args:
            message: what `msgspec.json` encodes, with Decimal as text; or a str that is sent as it is.
            topic: what it is about, for fault plans: `order`, `fill`, `balance`, `ticker`, `candle`,
                `trade`; empty for the protocol's own talk, which faults leave alone unless they cut or
                silence the socket.
        """

    def close(self) -> None:
        """End the connection, after what was pushed."""

    def __aiter__(self) -> AsyncIterator[str]: ...


SocketHandler = Callable[[Socket], Awaitable[None]]


class SocketRoute(NamedTuple):
    """One websocket endpoint. The connection ends when the handler returns."""

    path: str
    handler: SocketHandler


class Credentials(NamedTuple):
    """The demo account's key. Fixed, well known and worthless: they open nothing but this simulator."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, secret=***)"


class VenueProtocol(ABC):
    """One venue's protocol over one exchange.

    Args:
        exchange: its account; `exchange.listings`, `exchange.candles(…)`, `exchange.subscribe(…)`.
        clock: `now()` is the venue's time, `rate` its seconds in one of ours: signature windows count
            the venue's milliseconds at rate 1, so a window of `w` ms allows `w * clock.rate`.

    Attributes:
        name: ccxt's id.
        rules: of the exchange that it is given.
        demo: key and secret that it accepts.
        rest_path, ws_path: what clients append to the server's URL, where they want a full one.
    """

    name: ClassVar[str]
    rules: ClassVar[Rules]
    demo: ClassVar[Credentials]
    rest_path: ClassVar[str] = ""
    ws_path: ClassVar[str] = ""

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        self.exchange = exchange
        self.clock = clock

    @classmethod
    @abstractmethod
    def listings(cls, sources: Sequence[str]) -> tuple[Listing, ...]:
        """What the venue lists, given whose candles there are."""

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """REST endpoints."""

    def sockets(self) -> Sequence[SocketRoute]:
        """Websocket endpoints."""
        return ()

    @abstractmethod
    def limited(self, operation: Operation, retry_after_s: float | None) -> web.Response:
        """The venue's answer to too many requests; the header `Retry-After` only where it is not None."""

    @abstractmethod
    def unavailable(self, operation: Operation, status: int, maintenance: bool) -> web.Response:
        """The venue's answer when it is broken, or in maintenance."""

    @abstractmethod
    async def close(self) -> None:
        """Called when the server stops; ends what the protocol started."""
