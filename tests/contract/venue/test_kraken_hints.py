"""The Kraken Futures adapter against the simulated venue: its clock and its hints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from pydantic import SecretStr

from execution.live.faults import Unclear
from execution.live.kraken import KrakenFutures
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


async def _hear(hints: AsyncIterator[Hint], wanted: Callable[[Hint], bool]) -> Hint:
    async for hint in hints:
        if wanted(hint):
            return hint
    raise AssertionError("the hints ended")
