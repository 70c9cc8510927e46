"""Websockets of the simulated Binance, read as they come over the wire."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.support.venue import RunningVenue, simulated_here

NAME = "binanceusdm"
MINUTE_MS = 60_000
EVENTS = "ORDER_TRADE_UPDATE/ACCOUNT_UPDATE/ALGO_UPDATE/listenKeyExpired"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningVenue]:
    with simulated_here() as venue:
        yield venue


@pytest.fixture
def venue(server: RunningVenue) -> RunningVenue:
    server.control.reset()
    server.control.price("BTCUSDT", 60_000)
    return server


class Wire:
    """One websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.passed = 0

    async def next(self) -> Any:
        self.passed += 1
        return await self._socket.receive_json()

    async def until(self, **fields: Any) -> Any:
        """The next message with these fields."""
        while True:
            said = await self.next()
            if all(said.get(name) == value for name, value in fields.items()):
                return said

    async def ask(self, method: str, *streams: str) -> Any:
        await self._socket.send_json({"method": method, "params": list(streams), "id": 7})
        return await self.until(id=7)

    async def closed(self) -> bool:
        return (await self._socket.receive()).type is not aiohttp.WSMsgType.TEXT


@asynccontextmanager
async def _wire(venue: RunningVenue, path: str) -> AsyncIterator[Wire]:
    async with (
        asyncio.timeout(15),
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws_url}{path}") as socket,
    ):
        yield Wire(socket)


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def _do(act: Any, *args: Any, **options: Any) -> Any:
    """One of the levers, which wait for their answer."""
    return await asyncio.to_thread(act, *args, **options)


def _listen_key(venue: RunningVenue, method: str = "POST") -> str:
    request = urllib.request.Request(
        f"{venue.rest_url}/fapi/v1/listenKey", method=method, headers={"X-MBX-APIKEY": venue.keys(NAME)[0]}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(msgspec.json.decode(answer.read()).get("listenKey", ""))


def _to_the_next_minute(venue: RunningVenue) -> None:
    """So that no candle ends by itself for a minute."""
    now = venue.control.clock()
    venue.control.clock(advance_ms=MINUTE_MS - now % MINUTE_MS)


def test_a_candle_says_when_it_is_closed(venue: RunningVenue) -> None:
    async def go() -> None:
        async with _wire(venue, "/market/stream?streams=btcusdt@kline_1m") as wire:
            await _do(_to_the_next_minute, venue)
            await _do(venue.control.price, "BTCUSDT", 60_050)
            forming = await wire.until(stream="btcusdt@kline_1m")
            while forming["data"]["k"]["c"] != "60050":
                forming = await wire.next()
            await _do(venue.control.clock, advance_ms=MINUTE_MS)
            await _do(venue.control.price, "BTCUSDT", 60_070)
            said = forming
            while not said["data"]["k"]["x"]:
                assert said["data"]["k"]["t"] == forming["data"]["k"]["t"]
                said = await wire.next()
            closed = said["data"]["k"]
            assert (closed["t"], closed["c"]) == (forming["data"]["k"]["t"], "60050")
            assert closed["T"] - closed["t"] == MINUTE_MS - 1
            later = (await wire.next())["data"]["k"]
            assert (later["t"] > closed["t"], later["x"]) == (True, False)

    _run(go())


def test_streams_are_subscribed_listed_and_left(venue: RunningVenue) -> None:
    async def go() -> None:
        async with _wire(venue, "/ws") as wire:
            assert await wire.ask("SUBSCRIBE", "btcusdt@bookTicker", "btcusdt@markPrice@1s") == {
                "result": None,
                "id": 7,
            }
            listed = await wire.ask("LIST_SUBSCRIPTIONS")
            assert listed["result"] == ["btcusdt@bookTicker", "btcusdt@markPrice@1s"]
            await _do(venue.control.price, "BTCUSDT", 60_100, mark=60_090)
            assert (await wire.until(e="markPriceUpdate"))["p"] == "60090"
            assert (await wire.until(e="bookTicker"))["a"] == "60100"
            await wire.ask("UNSUBSCRIBE", "btcusdt@bookTicker")
            assert (await wire.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@markPrice@1s"]
            assert (await wire.ask("SUBSCRIBE", "nope@kline_1m"))["error"]["code"] == 2
            assert (await wire.ask("SUBSCRIBE", "btcusdt@kline_7m"))["error"]["code"] == 2
            assert (await wire.ask("SING"))["error"]["code"] == 2

    _run(go())


def test_the_user_stream_tells_a_stops_whole_life(venue: RunningVenue) -> None:
    async def go() -> None:
        key = await _do(_listen_key, venue)
        async with _wire(venue, f"/private/ws?listenKey={key}&events={EVENTS}") as wire:
            order = {"symbol": "BTCUSDT", "quantity": "0.01"}
            await _do(venue.control.order, NAME, **order, side="long", kind="market", client_id="in")
            assert (await wire.until(e="ORDER_TRADE_UPDATE"))["o"]["x"] == "NEW"
            traded = await wire.until(e="ORDER_TRADE_UPDATE")
            assert (traded["o"]["x"], traded["o"]["X"], traded["o"]["n"]) == ("TRADE", "FILLED", "0.30003")
            moved = await wire.until(e="ACCOUNT_UPDATE")
            assert (moved["a"]["m"], moved["a"]["P"][0]["pa"]) == ("ORDER", "0.01")
            stop = order | {"side": "short", "kind": "stop", "trigger": "59000", "reduce_only": True}
            await _do(venue.control.order, NAME, **stop, client_id="guard")
            told = [await wire.until(e="ALGO_UPDATE")]
            await _do(venue.control.price, "BTCUSDT", 58_900)
            while told[-1]["o"].get("X") != "FINISHED":
                said = await wire.next()
                told += [said] if "o" in said else []
            states = [(said["e"][0], said["o"]["X"]) for said in told]
            became = [("O", "NEW"), ("O", "FILLED"), ("A", "TRIGGERED"), ("A", "FINISHED")]
            assert states == [("A", "NEW"), ("A", "TRIGGERING"), *became]
            life = [said for said in told if said["e"] == "ALGO_UPDATE"]
            assert {said["o"]["caid"] for said in life} == {"guard"}
            assert (life[-1]["o"]["aq"], life[-1]["o"]["ai"] != str(life[-1]["o"]["aid"])) == ("0.01", True)

    _run(go())


def test_a_user_stream_says_only_what_was_asked_for(venue: RunningVenue) -> None:
    async def go() -> None:
        key = await _do(_listen_key, venue)
        wanted = "&events=TRADE_LITE/ACCOUNT_UPDATE"
        async with (
            _wire(venue, f"/private/ws?listenKey={key}{wanted}") as some,
            _wire(venue, f"/private/ws?listenKey={key}") as none,
            _wire(venue, f"/ws/{key}") as elsewhere,
            _wire(venue, f"/private/ws/{key}") as every,
        ):
            order = {"symbol": "BTCUSDT", "quantity": "0.01", "side": "long", "kind": "market"}
            await _do(venue.control.order, NAME, **order, client_id="in")
            lite = await some.next()
            assert (lite["e"], lite["s"], lite["c"], lite["l"]) == ("TRADE_LITE", "BTCUSDT", "in", "0.01")
            assert (await some.next())["e"] == "ACCOUNT_UPDATE"
            told = [(await every.next())["e"] for _ in range(4)]
            assert told == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
            for silent in (none, elsewhere):
                assert (await silent.ask("LIST_SUBSCRIPTIONS"))["result"] == [key]
                assert silent.passed == 1

    _run(go())


def test_funding_is_told(venue: RunningVenue) -> None:
    async def go() -> None:
        key = await _do(_listen_key, venue)
        async with _wire(venue, f"/private/ws/{key}") as wire:
            order = {"symbol": "BTCUSDT", "quantity": "0.01", "side": "long", "kind": "market"}
            await _do(venue.control.order, NAME, **order)
            await _do(venue.control.funding, "BTCUSDT", "0.0001")
            said = await wire.until(e="ACCOUNT_UPDATE")
            while said["a"]["m"] != "FUNDING_FEE":
                said = await wire.until(e="ACCOUNT_UPDATE")
            assert said["a"]["B"][0]["bc"] == "-0.06"

    _run(go())


def test_a_listen_key_ends_and_an_unknown_one_is_refused(venue: RunningVenue) -> None:
    async def go() -> None:
        key = await _do(_listen_key, venue)
        assert await _do(_listen_key, venue) == key
        async with _wire(venue, f"/private/ws?listenKey={key}&events={EVENTS}") as wire:
            await _do(_listen_key, venue, "DELETE")
            assert (await wire.next())["e"] == "listenKeyExpired"
        async with _wire(venue, "/private/ws?listenKey=unknown") as wire:
            assert (await wire.next())["error"]["code"] == -1125
            assert await wire.closed()
        async with _wire(venue, "/private/stream") as wire:
            assert (await wire.ask("SUBSCRIBE", "unknown"))["error"]["code"] == -1125

    _run(go())
