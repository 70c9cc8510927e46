"""The account, failures and hints through the Binance adapter at the simulated venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Side
from execution.live import binance_pages
from execution.live.faults import Denied, NotSent, Refused, Unclear
from execution.live.port import Hint
from tests.contract.venue.binance_stage import BTC, NAME, D, Stage, binance_stage, market, order, ref, stop


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    with binance_stage() as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.reset()
    return running


def test_every_page_of_fills_is_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_pages, "PAGE", 3)
    placed = [stage.place(market(f"fill-{n}", quantity=D("0.002"))).venue_id for n in range(8)]
    month = 30 * 24 * 3_600_000
    for since in (0, stage.adapter.now() - month):
        fills = stage.run(stage.adapter.fills(BTC, since))
        assert [fill.venue_id for fill in fills] == placed
        assert len({fill.fill_id for fill in fills}) == 8
    assert stage.run(stage.adapter.fills(BTC, stage.adapter.now() + 60_000)) == []
    with pytest.raises(Refused):
        stage.run(stage.adapter.fills("NOPEUSDT", 0))


def test_positions_and_account(stage: Stage) -> None:
    assert stage.run(stage.adapter.positions()) == []
    stage.place(market("in", side=Side.SHORT))
    stage.control.price(BTC, 59_000)
    [state] = stage.run(stage.adapter.positions())
    assert (state.symbol, state.quantity, state.entry_price) == (BTC, D("-0.01"), D("59994"))
    assert state.mark == 59_000
    account = stage.run(stage.adapter.account())
    assert account.cash == D("9999.70003")
    assert account.equity == account.cash + D("9.94")


def test_funding_is_told_with_its_rate(stage: Stage) -> None:
    stage.place(market("in"))
    stage.control.funding(BTC, "0.0001")
    [fee] = stage.run(stage.adapter.funding(BTC, 0))
    assert (fee.symbol, fee.amount, fee.rate) == (BTC, D("0.06"), D("0.0001"))
    assert stage.run(stage.adapter.funding(BTC, fee.time + 1)) == []


def test_special_funding_is_told_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.place(market("in"))
    stage.control.funding(BTC, "0.0001")
    ask = stage.adapter._client.fapiPrivateGetIncome

    async def income(request: dict[str, Any]) -> list[dict[str, Any]]:
        if request["incomeType"] != "SPECIAL_FUNDING_FEE":
            return list(await ask(request))
        [paid] = await ask(request | {"incomeType": "FUNDING_FEE"})
        return [
            paid | {"incomeType": "SPECIAL_FUNDING_FEE", "tranId": int(paid["tranId"]) + 1, "income": "-1"}
        ]

    monkeypatch.setattr(stage.adapter._client, "fapiPrivateGetIncome", income)
    fees = stage.run(stage.adapter.funding(BTC, 0))
    assert sorted(fee.amount for fee in fees) == [D("0.06"), D(1)]


def test_the_key_may_trade_and_not_withdraw(stage: Stage) -> None:
    rights = stage.run(stage.adapter.rights())
    assert (rights.trade, rights.withdraw) == (True, False)


def test_instruments_carry_the_venues_terms(stage: Stage) -> None:
    btc = stage.adapter.instruments()[BTC]
    assert (btc.tick, btc.step, btc.min_notional, btc.settle) == (D("0.1"), D("0.001"), D(100), "USDT")
    assert btc.max_quantity == 120, "of market orders, which stops and closes are; limit orders may have 1000"


def test_hedge_mode_is_refused_in_words(stage: Stage) -> None:
    adapter = stage.another()

    async def attempt() -> None:
        await adapter.open()
        await adapter._client.fapiPrivatePostPositionSideDual({"dualSidePosition": "true"})
        try:
            with pytest.raises(Denied, match="hedge mode"):
                await adapter.open()
        finally:
            await adapter._client.fapiPrivatePostPositionSideDual({"dualSidePosition": "false"})
            await adapter.close()

    stage.run(attempt())


def test_the_sandbox_is_demo_trading(stage: Stage) -> None:
    adapter = stage.another(rest_url="", sandbox=True)
    urls = adapter._client.urls["api"]
    assert urls["fapiPrivate"] == "https://demo-fapi.binance.com/fapi/v1"
    assert "demo-fapi" in adapter._client.sign("order", ["fapiPrivate"], "POST", {})["url"]


def test_rights_are_unknown_where_the_host_does_not_serve_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stage.adapter._client.urls["api"], "sapi", f"{stage.server.rest_url}/nowhere")
    rights = stage.run(stage.adapter.rights())
    assert (rights.trade, rights.withdraw) == (None, None)


def test_a_wrong_secret_is_denied_and_not_repeated(stage: Stage) -> None:
    adapter = stage.another(api_secret="very-wrong-secret")

    async def attempt() -> None:
        try:
            await adapter.open()
        finally:
            await adapter.close()

    with pytest.raises(Denied) as denied:
        stage.run(attempt())
    shown = repr(denied.value) + str(denied.value.__cause__) + str(denied.value.__context__)
    assert "very-wrong-secret" not in shown
    assert "signature=" not in shown


def test_symbols_of_two_currencies_are_refused(stage: Stage) -> None:
    adapter = stage.another((BTC, "ETHUSDC"))

    async def attempt() -> None:
        await adapter.ask(adapter._client.load_markets)
        eth = adapter._client.markets["ETH/USDT:USDT"]
        other = eth | {"symbol": "ETH/USDC:USDC", "id": "ETHUSDC", "quote": "USDC", "settle": "USDC"}
        adapter._client.markets["ETH/USDC:USDC"] = other
        try:
            await adapter.open()
        finally:
            await adapter.close()

    with pytest.raises(ConfigurationError, match="USDC, USDT"):
        stage.run(attempt())


# Faults ---------------------------------------------------------------------------------------------


def test_a_lost_reply_is_unclear_and_the_order_is_there(stage: Stage) -> None:
    stage.control.faults({"kind": "lost_reply", "operation": "place", "protocol": NAME, "nth": 1})
    with pytest.raises(Unclear):
        stage.place(order("lost"))
    assert stage.look_up(order("lost")) is not None
    assert len(stage.orders("lost")) == 1


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({"kind": "lost_request"}, Unclear),
        ({"kind": "status", "status": 500}, Unclear),
        ({"kind": "status", "status": 502}, Unclear),
        ({"kind": "status", "status": 503}, Unclear),
        ({"kind": "status", "status": 504}, Unclear),
        ({"kind": "maintenance"}, NotSent),
        ({"kind": "rate_limit"}, NotSent),
    ],
)
def test_failures_say_no_more_than_is_known(stage: Stage, rule: dict[str, Any], fault: type) -> None:
    stage.control.faults({"operation": "place", "protocol": NAME, **rule})
    with pytest.raises(fault):
        stage.place(order("fails"))
    stage.control.faults()
    assert stage.look_up(order("fails")) is None


@pytest.mark.parametrize("answer", [{}, {"orderId": 1}, [], [{}], {"orderId": 1, "status": None}])
def test_an_answer_that_cannot_be_read_is_unclear(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    async def odd(_: object) -> object:
        return answer

    adapter, client = stage.adapter, stage.adapter._client
    for method, ask in (
        ("fapiPrivatePostOrder", lambda: adapter.place(order("odd"), 5000)),
        ("fapiPrivatePostAlgoOrder", lambda: adapter.place(stop("odd"), 5000)),
        ("fapiPrivateGetOrder", lambda: adapter.look_up(ref(order("odd")))),
        ("fapiPrivateGetAlgoOrder", lambda: adapter.look_up(ref(stop("odd")))),
        ("fapiPrivateV3GetAccount", adapter.account),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(client, method, odd)
            with pytest.raises(Unclear):
                stage.run(ask())


def test_retry_after_is_handed_on(stage: Stage) -> None:
    stage.control.faults({"kind": "rate_limit", "operation": "place", "protocol": NAME, "retry_after_s": 7})
    with pytest.raises(NotSent) as limited:
        stage.place(order("fails"))
    assert (limited.value.limited, limited.value.retry_s) == (True, 7.0)


def test_a_ban_that_ends_in_words_is_waited_out_and_no_stream_is_asked_for(stage: Stage) -> None:
    stage.control.faults({"kind": "rate_limit", "operation": "place", "protocol": NAME})
    adapter = stage.another()

    async def attempt() -> None:
        await adapter.open()
        try:
            with pytest.raises(NotSent) as banned:
                await adapter.place(order("fails"), 5000)
            assert banned.value.banned
            assert 0.5 < banned.value.retry_s < 2
            await asyncio.to_thread(stage.control.faults, {"kind": "slow", "operation": "listen_key"})
            with pytest.raises(NotSent, match="are left"):
                await anext(adapter.hints())
            assert await asyncio.to_thread(stage.control.fired) == [0]
        finally:
            await adapter.close()

    stage.run(attempt())


def test_a_request_that_travelled_too_long_was_not_taken(stage: Stage) -> None:
    stage.control.faults({"kind": "slow", "operation": "place", "protocol": NAME, "delay_s": 0.2})
    with pytest.raises(NotSent, match="-1021"):
        stage.place(order("late"), valid_ms=100)
    assert stage.orders("late") == []


def test_no_connection_is_not_sent(stage: Stage) -> None:
    adapter = stage.another(rest_url="http://127.0.0.1:1")

    async def attempt() -> None:
        try:
            await adapter.open()
        finally:
            await adapter.close()

    with pytest.raises(NotSent):
        stage.run(attempt())


def test_the_clock_follows_the_venues(stage: Stage) -> None:
    """With an adapter of its own, because a clock that went ahead does not go back."""
    adapter = stage.another()

    async def attempt() -> int:
        await adapter.open()
        await asyncio.to_thread(stage.control.clock, 20_000)
        try:
            with pytest.raises(NotSent, match="-1021"):
                await adapter.place(order("early"), 5000)
            offset = await adapter.sync_clock()
            await adapter.place(order("early"), 5000)
        finally:
            await adapter.close()
        return offset

    assert stage.run(attempt()) == pytest.approx(20_000, abs=2_000)


# Hints ----------------------------------------------------------------------------------------------


TO_HEAR: dict[str, Any] = {
    "symbol": BTC,
    "side": "long",
    "kind": "market",
    "quantity": "0.01",
    "client_id": "heard",
}


async def _exhausted(hints: AsyncIterator[Hint]) -> None:
    async for _ in hints:
        pass


def test_hints_name_the_order_and_end_with_the_connection(stage: Stage) -> None:
    async def listen() -> list[tuple[str, str]]:
        hints = stage.adapter.hints()
        heard = [await anext(hints)]
        assert heard[0].symbol == "*"  # connected: what happened before is not told
        await stage.adapter.place(market("in"), 5000)
        await stage.adapter.place(stop("guard"), 5000)
        while heard[-1].client_id != "guard":
            heard.append(await anext(hints))
        await asyncio.to_thread(stage.control.cut)
        with pytest.raises(Unclear):
            await _exhausted(hints)
        return [(hint.symbol, hint.client_id) for hint in heard]

    heard = stage.run(listen())
    assert (BTC, "in") in heard
    assert (BTC, "") in heard  # balance and position
    assert heard[-1] == (BTC, "guard")


def test_the_patience_for_answers_does_not_end_a_quiet_stream(stage: Stage) -> None:
    adapter = stage.another(timeout_s=0.3)

    async def listen() -> Hint:
        await adapter.open()
        hints: Any = adapter.hints()
        try:
            await anext(hints)
            await asyncio.sleep(0.6)  # nothing may happen in this time, which no event can tell
            await asyncio.to_thread(stage.control.order, NAME, **TO_HEAR)
            heard: Hint = await anext(hints)
            return heard
        finally:
            await hints.aclose()
            await adapter.close()

    assert stage.run(listen()).client_id == "heard"


def test_an_expired_listen_key_ends_the_stream(stage: Stage) -> None:
    async def listen() -> None:
        hints = stage.adapter.hints()
        await anext(hints)
        await stage.adapter._client.fapiPrivateDeleteListenKey({})
        with pytest.raises(Unclear):
            await anext(hints)

    stage.run(listen())
