"""The simulator over real sockets: faults around requests and messages, and the control API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from bus_schemas.errors import ConfigurationError
from execution.simulator import gate
from execution.simulator.faults import parse_plan
from execution.simulator.orders import SimStatus
from execution.simulator.server import Simulator
from tests.unit.execution.simulator.plain import SYMBOL, Plain

Test = Callable[["Client"], Awaitable[None]]


class Client:
    """A venue and somebody who talks to it."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.exchange = simulator.exchanges["plain"]

    def faults(self, *rules: dict[str, Any]) -> None:
        self.simulator.faults.load(parse_plan({"fault": list(rules)}))

    async def place(self, client_id: str, price: int = 59_000) -> int:
        async with self.session.post(f"/orders?id={client_id}&price={price}") as answer:
            return answer.status

    async def look_up(self, client_id: str) -> int:
        async with self.session.get(f"/orders/{client_id}") as answer:
            return answer.status

    async def control(self, method: str, name: str, body: Any = None) -> Any:
        async with self.session.request(method, f"/simulator/{name}", json=body) as answer:
            return answer.status, await answer.json()

    def held(self, client_id: str) -> bool:
        return self.exchange.store(False).by_client_id(client_id) is not None


@asynccontextmanager
async def client() -> AsyncIterator[Client]:
    async with Simulator(protocols=(Plain,)) as simulator, aiohttp.ClientSession(simulator.url) as session:
        yield Client(simulator, session)


def run(test: Test) -> None:
    async def whole() -> None:
        async with client() as here:
            await asyncio.wait_for(test(here), 20)

    asyncio.run(whole())


# Requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "held"), [("lost_reply", True), ("lost_request", False)])
def test_a_cut_connection(kind: str, held: bool) -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": kind, "operation": "place", "nth": 2})
        assert await here.place("first") == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.place("second")
        assert here.held("second") is held
        assert await here.place("third") == 200

    run(test)


@pytest.mark.parametrize(
    ("rule", "status", "held"),
    [
        ({"kind": "status"}, 503, False),
        ({"kind": "status", "status": 500, "executed": True}, 500, True),
        ({"kind": "maintenance"}, 503, False),
        ({"kind": "rate_limit"}, 429, False),
        ({"kind": "rate_limit", "status": 418}, 418, False),
    ],
)
def test_an_error_instead_of_the_answer(rule: dict[str, Any], status: int, held: bool) -> None:
    async def test(here: Client) -> None:
        here.faults(rule | {"operation": "place"})
        assert await here.place("one") == status
        assert here.held("one") is held

    run(test)


def test_a_rate_limit_with_and_without_its_header() -> None:
    async def test(here: Client) -> None:
        for rule, expected in (({}, None), ({"retry_after_s": 2.5}, "2.5")):
            here.faults({"kind": "rate_limit", **rule})
            async with here.session.get("/time") as answer:
                assert answer.headers.get("Retry-After") == expected

    run(test)


@pytest.mark.parametrize("executed", [False, True])
def test_a_slow_request(executed: bool) -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "slow", "delay_s": 0.3, "executed": executed})
        began = time.monotonic()
        answer = asyncio.create_task(here.place("one"))
        while not (here.held("one") if executed else here.simulator.faults.rules[0].fired):
            await asyncio.sleep(0)
        assert here.held("one") is executed
        assert not answer.done()
        assert await answer == 200
        assert time.monotonic() - began >= 0.3

    run(test)


def test_a_fresh_order_that_is_not_found_at_first() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "not_found", "for_ms": 60_000, "nth": 1})
        assert await here.place("one") == 200
        assert await here.look_up("one") == 404
        here.simulator.clock.advance(60_000)
        assert await here.look_up("one") == 200
        assert await here.place("two") == 200
        assert await here.look_up("two") == 200, "only the first was treated so"

    run(test)


def test_a_fill_that_is_told_before_the_acknowledgement() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "fill_before_ack", "delay_s": 5})
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            placing = asyncio.create_task(here.place("one"))
            assert await ws.receive_json(timeout=5) == {"fill": "one"}
            assert not placing.done()
            placing.cancel()

    run(test)


def test_an_order_that_is_refused_by_a_fault() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "refuse", "code": "would_trigger", "nth": 1})
        assert await here.place("one") == 400
        assert not here.held("one")
        assert await here.place("one") == 200

    run(test)


def test_partial_fills() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "partial_fills", "pieces": 2})
        await here.place("one")
        for expected in (Decimal("0.005"), Decimal("0.01")):
            here.simulator.market.set_price("BTCUSDT", Decimal(58_000))
            order = here.exchange.by_client_id("one")
            assert order is not None
            assert order.filled == expected
        assert order.status is SimStatus.FILLED

    run(test)


# Messages ---------------------------------------------------------------------------------------


async def _connected(here: Client) -> None:
    protocol = here.simulator.protocols["plain"]
    assert isinstance(protocol, Plain)
    await asyncio.wait_for(protocol.connected.wait(), 5)


async def _fills(here: Client, *ids: str) -> None:
    for client_id in ids:
        await here.place(client_id, 60_000)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "ws_drop", "nth": 2}, ["a", "c"]),
        ({"kind": "ws_duplicate", "nth": 2}, ["a", "b", "b", "c"]),
        ({"kind": "ws_reorder", "nth": 2}, ["a", "c", "b"]),
        ({"kind": "ws_drop", "topic": "order"}, ["a", "b", "c"]),
        ({"kind": "silent_socket", "nth": 2}, ["a"]),
    ],
)
def test_messages_that_are_lost_doubled_or_out_of_order(rule: dict[str, Any], expected: list[str]) -> None:
    async def test(here: Client) -> None:
        here.faults(rule)
        async with here.session.ws_connect("/ws", autoping=False) as ws:
            await _connected(here)
            await _fills(here, "a", "b", "c")
            assert [(await ws.receive_json(timeout=5))["fill"] for _ in expected] == expected
            here.faults()
            await ws.send_str("last")
            if rule["kind"] == "silent_socket":
                await ws.ping()
                assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.PONG, "and nothing else"
            else:
                assert await ws.receive_json(timeout=5) == {"echo": "last"}

    run(test)


def test_a_message_out_of_order_with_none_to_come_is_told_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_REORDER_S", 0.05)

    async def test(here: Client) -> None:
        here.faults({"kind": "ws_reorder"})
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            await _fills(here, "a")
            assert await ws.receive_json(timeout=5) == {"fill": "a"}

    run(test)


def test_a_silence_ends_after_its_time() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "silent_socket", "nth": 1, "for_s": 0.2})
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            await _fills(here, "a")
            await asyncio.sleep(0.25)
            await _fills(here, "b")
            assert await ws.receive_json(timeout=5) == {"fill": "b"}

    run(test)


def test_a_websocket_that_is_cut() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "ws_cut", "nth": 2})
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            await _fills(here, "a", "b")
            assert await ws.receive_json(timeout=5) == {"fill": "a"}
            assert (await ws.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            assert ws.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        async with here.session.ws_connect("/ws") as again:
            await again.send_str("hello")
            assert await again.receive_json(timeout=5) == {"echo": "hello"}

    run(test)


def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BACKLOG", 10)

    async def test(here: Client) -> None:
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            protocol = here.simulator.protocols["plain"]
            assert isinstance(protocol, Plain)
            for number in range(11):
                protocol.sockets_open[0].push({"n": number}, topic="ticker")
            told = [message.data async for message in ws]
        assert len(told) < 11
        assert here.simulator.gates[0].open == set()

    run(test)


# Control ----------------------------------------------------------------------------------------


def test_the_state_is_the_truth_hidden_orders_too() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "not_found", "for_ms": 60_000})
        await here.place("one", 60_000)
        status, state = await here.control("GET", "state")
        assert status == 200
        account = state["protocols"]["plain"]
        assert [(o["client_id"], o["status"]) for o in account["orders"]] == [("one", "filled")]
        assert account["fills"][0]["quantity"] == "0.01"
        assert account["positions"][0]["quantity"] == "0.01"
        assert state["faults"] == [{"kind": "not_found", "for_ms": 60_000, "matched": 1, "fired": 1}]

    run(test)


def test_prices_time_cash_and_funding_by_hand() -> None:
    async def test(here: Client) -> None:
        await here.control("POST", "price", {"symbol": "PF_XBTUSD", "last": "61000", "mark": "61500"})
        quote = here.exchange.quote_of(SYMBOL)
        assert (quote.last, quote.mark, quote.index) == (61_000, 61_500, 61_000)
        await here.place("one", 61_000)
        before = here.exchange.account().cash
        await here.control("POST", "funding", {"symbol": SYMBOL, "rate": "0.001"})
        assert here.exchange.account().cash == before - Decimal("0.615")
        await here.control("POST", "cash", {"protocol": "plain", "cash": "77"})
        assert here.exchange.account().cash == 77
        was = here.simulator.clock.now()
        _, answer = await here.control("POST", "clock", {"skew_ms": -5_000, "advance_ms": 3_600_000})
        assert 0 <= answer["time"] - was - 3_595_000 < 5_000

    run(test)


def test_another_hand_in_the_same_account() -> None:
    async def test(here: Client) -> None:
        order = {"symbol": SYMBOL, "side": "long", "kind": "limit", "quantity": "0.02", "price": "59000"}
        status, placed = await here.control("POST", "order", {"protocol": "plain", "order": order})
        assert (status, placed["status"]) == (200, "open")
        body = {"protocol": "plain", "order_id": placed["order_id"]}
        status, ended = await here.control("POST", "cancel", body)
        assert (status, ended["status"]) == (200, "cancelled")
        assert await here.control("POST", "cancel", body) == (
            400,
            {"error": "unknown_order: no such open order"},
        )

    run(test)


def test_faults_are_shown_replaced_and_cleared() -> None:
    async def test(here: Client) -> None:
        await here.control("POST", "faults", {"fault": [{"kind": "status", "nth": 1}]})
        assert await here.place("one") == 503
        assert await here.control("GET", "faults") == (
            200,
            [{"kind": "status", "nth": 1, "matched": 1, "fired": 1}],
        )
        assert await here.control("DELETE", "faults") == (200, [])
        status, answer = await here.control("POST", "faults", {"fault": [{"kind": "status", "pieces": 2}]})
        assert (status, "no pieces" in answer["error"]) == (400, True)

    run(test)


def test_a_reset_begins_again() -> None:
    async def test(here: Client) -> None:
        await here.place("one", 60_000)
        here.faults({"kind": "status"})
        await here.control("POST", "reset", {"cash": "500"})
        assert here.exchange.account().equity == 500
        assert await here.place("one") == 200

    run(test)


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("price", {"symbol": "XRPUSDT", "last": "1"}, "there is no symbol 'XRPUSDT'"),
        ("price", {"symbol": "BTCUSDT", "last": "0"}, "0 is not a price"),
        ("price", {"symbol": "BTCUSDT", "last": "1", "bid": "1"}, "unknown field `bid`"),
        ("cash", {"protocol": "kraken", "cash": "1"}, "there is no protocol 'kraken'; there are plain"),
        ("clock", {"advance_ms": -1}, "advance_ms must not be below 0"),
        ("order", {"protocol": "plain", "order": {}}, "missing required field `symbol`"),
    ],
)
def test_a_wrong_control_request_is_answered_in_words(name: str, body: Any, words: str) -> None:
    async def test(here: Client) -> None:
        status, answer = await here.control("POST", name, body)
        assert status == 400
        assert words in answer["error"]

    run(test)


def test_websockets_can_be_cut_by_hand() -> None:
    async def test(here: Client) -> None:
        async with here.session.ws_connect("/ws") as ws:
            await _connected(here)
            _, state = await here.control("GET", "state")
            assert state["sockets"] == 1
            await here.control("POST", "cut", {})
            assert (await ws.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    run(test)


def test_a_port_that_is_taken_is_a_sentence() -> None:
    async def test(here: Client) -> None:
        port = int(here.simulator.url.rpartition(":")[2])
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}"):
            await Simulator(protocols=(Plain,), port=port).open()

    run(test)


def test_a_skew_is_what_the_venue_tells() -> None:
    async def test(here: Client) -> None:
        here.faults({"kind": "clock_skew", "skew_ms": 3_600_000})
        async with here.session.get("/time") as answer:
            assert abs(await answer.json() - here.simulator.clock.true() - 3_600_000) < 5_000

    run(test)
