"""The Kraken Futures adapter against the simulated venue: its clock and its hints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from execution.live.faults import Unclear
from execution.live.kraken import KrakenFutures
from execution.live.kraken_stream import KrakenStream
from execution.live.port import Hint
from tests.contract.venue.kraken_stage import (
    SYMBOL,
    Stage,
    order,
    ref,
    settings,
)


def test_the_clock_follows_the_venue(stage: Stage) -> None:
    before = stage.adapter.now()
    stage.control.clock(advance_ms=500_000)
    stage.run(stage.adapter.open_orders())  # any answer tells the time
    assert stage.adapter.now() - before == pytest.approx(500_000, abs=10_000)
    stage.control.clock(advance_ms=100_000)
    assert stage.run(stage.adapter.sync_clock()) == pytest.approx(600_000, abs=10_000)
    assert abs(stage.adapter.now() - stage.control.clock()) < 2000


def test_hints_tell_of_orders_and_fills_and_end_with_the_connection(stage: Stage) -> None:
    wanted = order(price="59000")

    async def listen() -> None:
        hints = stage.adapter.hints()
        await _hear(hints, lambda hint: hint.symbol == "*")
        await _hear(hints, lambda hint: hint.symbol == "*")  # both subscriptions stand
        resting = order(price="40000")
        await stage.adapter.place(resting, 5000)
        await _hear(hints, lambda hint: hint == Hint(symbol=SYMBOL, client_id=resting.client_id))
        await stage.adapter.cancel(ref(resting))
        await _hear(hints, lambda hint: hint == Hint(symbol=SYMBOL, client_id=resting.client_id))
        await stage.adapter.place(wanted, 5000)
        await _hear(hints, lambda hint: hint.client_id == wanted.client_id)
        await asyncio.to_thread(stage.control.price, "BTCUSDT", 58_000)
        await _hear(hints, lambda hint: hint.client_id == wanted.client_id)
        await asyncio.to_thread(stage.control.cut)
        with pytest.raises(Unclear):
            await _hear(hints, lambda _: False)

    stage.run(listen())


def test_issue_18_a_silent_socket_is_left_for_a_new_one(stage: Stage) -> None:
    async def listen() -> None:
        silent = stage.adapter.hints()
        await _hear(silent, lambda hint: hint.symbol == "*")
        await _hear(silent, lambda hint: hint.symbol == "*")
        await asyncio.to_thread(stage.control.faults, {"kind": "silent_socket", "times": 1})
        ear = asyncio.create_task(_hear(silent, lambda _: True))
        await stage.adapter.place(order(price="40000"), 5000)
        await asyncio.wait([ear], timeout=0.3)
        assert not ear.done()
        ear.cancel()
        again = stage.adapter.hints()
        await _hear(again, lambda hint: hint.symbol == "*")
        wanted = order(price="40000")
        await stage.adapter.place(wanted, 5000)
        await _hear(again, lambda hint: hint.client_id == wanted.client_id)
        with pytest.raises(StopAsyncIteration):
            await anext(silent)

    stage.run(listen())


def test_hints_with_a_wrong_secret_fail_without_a_word_of_it(stage: Stage) -> None:
    async def listen() -> None:
        wrong = KrakenFutures(settings(stage.venue, api_secret=SecretStr("d3Jvbmc=")), [SYMBOL])
        await wrong.open()
        with pytest.raises(Unclear, match="let us listen") as failed:
            await _hear(wrong.hints(), lambda _: False)
        assert "d3Jvbmc" not in repr(failed.value)
        await wrong.close()

    stage.run(listen())


def stream() -> KrakenStream:
    return KrakenStream("ws://nowhere", "k", "c2VjcmV0", lambda name: name)


@pytest.mark.parametrize("event", ["subscribed_failed", "unsubscribed_failed", "alert", "error"])
def test_a_feed_that_is_refused_is_no_silence(event: str) -> None:
    with pytest.raises(Unclear, match="let us listen"):
        asyncio.run(stream()._read({"event": event, "feed": "open_orders"}))


@pytest.mark.parametrize("event", ["info", "subscribed", "unsubscribed", "pong"])
def test_other_events_are_no_news(event: str) -> None:
    assert asyncio.run(stream()._read({"event": event, "feed": "open_orders"})) == ()


@pytest.mark.parametrize("whole", [False, True])
def test_an_end_is_told_in_full_or_by_its_id(whole: bool) -> None:
    order = {"instrument": "PF_XBTUSD", "order_id": "u", "qty": 0.01, "filled": 0.0, "cli_ord_id": "c"}
    ear = stream()
    news: dict[str, Any] = {"feed": "open_orders", "order": order, "is_cancel": False, "reason": "x"}
    assert asyncio.run(ear._read(news)) == [Hint(symbol="PF_XBTUSD", client_id="c")]
    ended: dict[str, Any] = {"feed": "open_orders", "is_cancel": True, "reason": "full_fill"}
    ended |= {"order": order | {"qty": 0.0}} if whole else {"order_id": "u", "cli_ord_id": "c"}
    assert asyncio.run(ear._read(ended)) == [Hint(symbol="PF_XBTUSD", client_id="c")]
    assert ear._names == {}, "an order that has ended is forgotten"


async def _hear(hints: AsyncIterator[Hint], wanted: Callable[[Hint], bool]) -> Hint:
    async for hint in hints:
        if wanted(hint):
            return hint
    raise AssertionError("the hints ended")
