"""Binance's websockets: streams of market data, and the user stream under a listen key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis
from execution.simulator.binance_events import DayView, UserEvents, market_messages, user_topic
from execution.simulator.binance_public import Access, Endpoint
from execution.simulator.binance_sign import Params
from execution.simulator.binance_words import Trouble
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import CandleChanged, SimEvent, SimRefusal, Ticked
from execution.simulator.protocol import Operation, Socket, SocketRoute

KEY_LIFE_MS = 3_600_000
_NO_KEY = Trouble(-1125, "This listenKey does not exist.")
_CATEGORIES = ("", "/market", "/public", "/private")


class Connection:
    """One client's socket and what it subscribed to.

    Args:
        combined: messages name their stream.

    Attributes:
        streams: what was subscribed to; of a listen key the events that are wanted, None for all.
        private: only there the user stream says anything.
    """

    def __init__(self, socket: Socket, combined: bool) -> None:
        self.socket = socket
        self.combined = combined
        self.streams: dict[str, frozenset[str] | None] = {}
        self.private = socket.request.path.startswith("/private/")

    def push(self, stream: str, message: Any, topic: str) -> None:
        """Send a message of a stream, if it is wanted."""
        if stream not in self.streams:
            return
        events = self.streams[stream]
        if events is None or message["e"] in events:
            self.socket.push({"stream": stream, "data": message} if self.combined else message, topic)


class Streams:
    """All websocket connections to the venue, and the listen key of its account.

    Args:
        day: the last 24 hours of a contract.
    """

    def __init__(self, exchange: Exchange, clock: SimClock, day: DayView) -> None:
        self._exchange = exchange
        self._clock = clock
        self._day = day
        self._user = UserEvents(exchange, clock)
        self._connections: set[Connection] = set()
        self._candles: Counter[tuple[str, str]] = Counter()
        self._unwatch: dict[tuple[str, str], Callable[[], None]] = {}
        self._marked: dict[str, Millis] = {}
        self._key = ""
        self._made = 0
        self._expiry: asyncio.TimerHandle | None = None
        self._stop = exchange.subscribe(self._hear)

    def endpoints(self) -> list[Endpoint]:
        """The listen key's."""
        path, kind, key = "/fapi/v1/listenKey", Operation.LISTEN_KEY, Access.KEY
        return [
            Endpoint("POST", path, self._start, kind, 1, key),
            Endpoint("PUT", path, self._keep, kind, 1, key),
            Endpoint("DELETE", path, self._end, kind, 1, key),
        ]

    def sockets(self) -> Sequence[SocketRoute]:
        """By category, single and combined; ccxt appends a number of its own to market data."""
        routes = []
        for category in _CATEGORIES:
            routes.append(SocketRoute(f"{category}/ws", self._single))
            routes.append(SocketRoute(f"{category}/ws/{{streams:.*}}", self._single))
            routes.append(SocketRoute(f"{category}/stream", self._combined))
        return routes

    def close(self) -> None:
        """End timers and subscriptions."""
        self._stop()
        if self._expiry is not None:
            self._expiry.cancel()
        for unwatch in self._unwatch.values():
            unwatch()
        self._unwatch.clear()

    # Listen key ----------------------------------------------------------------------------------

    def _start(self, _: Params) -> object:
        if not self._key:
            self._made += 1
            self._key = f"sim{self._made:03d}" + "k" * 58
        self._renew()
        return {"listenKey": self._key}

    def _keep(self, _: Params) -> object:
        if not self._key:
            raise _NO_KEY
        self._renew()
        return {"listenKey": self._key}

    def _end(self, _: Params) -> object:
        self._expire()
        return {}

    def _renew(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        seconds = self._clock.seconds_until(self._clock.true() + KEY_LIFE_MS)
        self._expiry = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        key, self._key = self._key, ""
        if self._expiry is not None:
            self._expiry.cancel()
        if key:
            told = {"e": "listenKeyExpired", "E": self._clock.now(), "listenKey": key}
            for connection in tuple(self._connections):
                connection.push(key, told, "")

    # Connections ---------------------------------------------------------------------------------

    async def _single(self, socket: Socket) -> None:
        request = socket.request
        names = [name for name in request.match_info.get("streams", "").split("/") if name]
        await self._serve(Connection(socket, False), names)

    async def _combined(self, socket: Socket) -> None:
        names = socket.request.query.get("streams", "").split("/")
        await self._serve(Connection(socket, True), names)

    async def _serve(self, connection: Connection, names: Sequence[str]) -> None:
        self._connections.add(connection)
        try:
            # A number is ccxt's way of opening several connections; it names no stream.
            self._subscribe(connection, [name for name in names if name and not name.isdecimal()])
            for key, events in _listen_keys(connection.socket):
                self._subscribe(connection, [key], events)
            async for text in connection.socket:
                connection.socket.push(self._answer(connection, text))
        except Trouble as trouble:
            connection.socket.push({"error": {"code": trouble.code, "msg": trouble.words}})
        finally:
            self._connections.discard(connection)
            self._unsubscribe(connection, list(connection.streams))

    def _answer(self, connection: Connection, text: str) -> dict[str, Any]:
        number: Any = None
        try:
            asked = msgspec.json.decode(text, type=dict[str, Any])
            number = asked.get("id")
            names = [str(name) for name in asked.get("params") or ()]
            if asked.get("method") == "SUBSCRIBE":
                self._subscribe(connection, names)
            elif asked.get("method") == "UNSUBSCRIBE":
                self._unsubscribe(connection, names)
            elif asked.get("method") == "LIST_SUBSCRIPTIONS":
                return {"result": list(connection.streams), "id": number}
            else:
                raise Trouble(2, "Invalid request: unknown method")
        except msgspec.MsgspecError:
            return {"error": {"code": 3, "msg": "Invalid JSON"}, "id": number}
        except Trouble as trouble:
            return {"error": {"code": trouble.code, "msg": trouble.words}, "id": number}
        return {"result": None, "id": number}

    def _subscribe(
        self, connection: Connection, names: Sequence[str], events: frozenset[str] | None = None
    ) -> None:
        for name in names:
            if name in connection.streams:
                continue
            if "@" not in name and not name.startswith("!") and name != self._key:
                raise _NO_KEY
            candles = self._candles_of(name)
            if candles is not None:
                self._candles[candles] += 1
                if candles not in self._unwatch:
                    self._unwatch[candles] = self._exchange.watch_candles(*candles)
            if name == self._key:
                connection.streams[name] = events if connection.private else frozenset()
            else:
                connection.streams[name] = None

    def _unsubscribe(self, connection: Connection, names: Sequence[str]) -> None:
        for name in names:
            if name not in connection.streams:
                continue
            del connection.streams[name]
            candles = self._candles_of(name)
            if candles is None:
                continue
            self._candles[candles] -= 1
            if not self._candles[candles]:
                del self._candles[candles]
                self._unwatch.pop(candles)()

    def _candles_of(self, name: str) -> tuple[str, str] | None:
        """Symbol and timeframe of a candle stream.

        Raises:
            Trouble: there is no such contract or interval.
        """
        contract, _, kind = name.partition("@")
        if not kind.startswith("kline_"):
            return None
        timeframe = kind.removeprefix("kline_")
        try:
            symbol = self._exchange.named(contract).symbol
            self._exchange.candles(symbol, timeframe, limit=1)
        except (SimRefusal, ConfigurationError):
            raise Trouble(2, f"Invalid request: no stream {name}") from None
        return symbol, timeframe

    # News ----------------------------------------------------------------------------------------

    def _hear(self, event: SimEvent) -> None:
        """Push to whoever subscribed; nothing is made while nobody listens."""
        if not self._connections:
            return
        if isinstance(event, CandleChanged | Ticked):
            wanted = {name for connection in self._connections for name in connection.streams}
            for stream, message, topic in market_messages(
                self._exchange, self._clock, event, wanted, self._day, self._marked
            ):
                self._push(stream, message, topic)
            return
        if not any(self._key in connection.streams for connection in self._connections):
            return
        for message in self._user.messages(event):
            self._push(self._key, message, user_topic(message))

    def _push(self, stream: str, message: Any, topic: str) -> None:
        for connection in tuple(self._connections):
            connection.push(stream, message, topic)


def _listen_keys(socket: Socket) -> list[tuple[str, frozenset[str]]]:
    """Each listen key of the query string with the events that were asked for: none, where none are named."""
    query = socket.request.query
    keys, events = query.getall("listenKey", []), query.getall("events", [])
    pairs = zip_longest(keys, events, fillvalue="")
    return [(key, frozenset(names.split("/"))) for key, names in pairs if key]
