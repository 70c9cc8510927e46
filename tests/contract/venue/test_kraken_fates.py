"""The Kraken Futures adapter against the simulated venue: fates of orders, fills, funding, and faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from bus_schemas.events import VenueRefusal
from bus_schemas.settings import VenueSettings
from execution.live import kraken_words as words
from execution.live.faults import Denied, NotSent, Refused, Unclear, VenueFault
from execution.live.kraken import KrakenFutures
from execution.live.port import Standing
from tests.contract.venue.kraken_stage import (
    NAME,
    SYMBOL,
    D,
    Stage,
    long_ago,
    market,
    order,
    ref,
    staged,
    stop,
)

# Fates --------------------------------------------------------------------------------------------


def test_issue_6_long_ended_orders_are_still_found(stage: Stage) -> None:
    cancelled, filled, part = order(), market(), order(quantity="0.02", price="59000")
    fired, taken_out = stop(), stop("40000")
    for wanted in (cancelled, filled, taken_out):
        stage.place(wanted)
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    stage.place(part)
    stage.control.faults()
    stage.control.price("BTCUSDT", 58_900)
    for wanted in (cancelled, part, taken_out):
        stage.run(stage.adapter.cancel(ref(wanted)))
    stage.place(fired)
    stage.control.price("BTCUSDT", 54_000)
    long_ago(stage)
    expected = {
        cancelled: (Standing.CANCELLED, "0"),
        filled: (Standing.FILLED, "0.01"),
        part: (Standing.CANCELLED, "0.01"),
        taken_out: (Standing.CANCELLED, "0"),
        fired: (Standing.FILLED, "0.01"),
    }
    for wanted, (standing, done) in expected.items():
        venue_id = stage.control.orders(NAME)[wanted.client_id][0]["order_id"]
        for told in (stage.look_up(wanted), stage.look_up(wanted, venue_id)):
            assert told is not None
            assert (told.standing, told.filled, told.venue_id) == (standing, D(done), venue_id)


def test_an_order_that_never_was_is_none(stage: Stage) -> None:
    stage.place(order())
    long_ago(stage)
    assert stage.look_up(order()) is None
    assert stage.look_up(order(), "00000000-0000-0000-0000-000000000000") is None
    assert stage.look_up(stop()) is None


def test_history_is_read_to_its_end(stage: Stage) -> None:
    first = order()
    stage.place(first)
    for number in range(160):
        stage.control.order(
            NAME,
            symbol=SYMBOL,
            side="long",
            kind="market",
            quantity="0.0001",
            client_id=f"x-{first.client_id}-{number}",
        )
    stage.run(stage.adapter.cancel(ref(first)))
    long_ago(stage)
    told = stage.look_up(first)
    assert told is not None
    assert told.standing is Standing.CANCELLED
    fills = stage.run(stage.adapter.fills(SYMBOL, 0))
    assert len({fill.fill_id for fill in fills}) == 160
    assert fills == sorted(fills, key=lambda fill: fill.time)
    later = fills[-1].time
    assert all(fill.time >= later for fill in stage.run(stage.adapter.fills(SYMBOL, later)))


def test_funding_is_told_with_its_sign(stage: Stage) -> None:
    stage.place(market())
    stage.control.funding("BTCUSDT", "0.0001")
    (fee,) = stage.run(stage.adapter.funding(SYMBOL, 0))
    (truth,) = stage.control.account(NAME)["funding"]
    assert (fee.symbol, fee.amount, fee.rate) == (SYMBOL, D(str(truth["amount"])), D("0.0001"))
    assert fee.amount > 0
    assert stage.run(stage.adapter.funding(SYMBOL, fee.time + 1)) == []


def test_the_rate_of_an_old_settlement_is_not_guessed(stage: Stage) -> None:
    """The log tells the rate per contract and no price beside it."""
    stage.place(market())
    stage.control.funding("BTCUSDT", "0.0001")
    (log,) = stage.run(_settled(stage))
    assert (log["mark_price"], log["funding_rate"]) == (None, 6)
    stage.control.clock(advance_ms=601_000)
    (fee,) = stage.run(stage.adapter.funding(SYMBOL, 0))
    (truth,) = stage.control.account(NAME)["funding"]
    assert (fee.amount, fee.rate) == (D(str(truth["amount"])), 0)


def test_a_rate_is_taken_at_the_mark_of_its_row(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.place(market())
    stage.control.funding("BTCUSDT", "0.0001")
    stage.control.clock(advance_ms=601_000)
    ask = stage.adapter._client.historyGetAccountLog

    async def with_mark(params: dict[str, Any]) -> Any:
        answer = await ask(params)
        answer["logs"] = [row | {"mark_price": 50_000} for row in answer["logs"]]
        return answer

    monkeypatch.setattr(stage.adapter._client, "historyGetAccountLog", with_mark)
    (fee,) = stage.run(stage.adapter.funding(SYMBOL, 0))
    assert fee.rate == D("0.00012")


def test_a_settlement_is_told_though_nobody_tells_its_rate(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.place(market())
    stage.control.funding("BTCUSDT", "0.0001")

    async def delisted(_: str) -> Any:
        raise Unclear("the venue does not answer")

    monkeypatch.setattr(stage.adapter, "_ticker", delisted)
    (fee,) = stage.run(stage.adapter.funding(SYMBOL, 0))
    assert fee.amount > 0
    assert fee.rate == 0


async def _settled(stage: Stage) -> list[Any]:
    answer = await stage.adapter._client.historyGetAccountLog({"info": "funding rate change"})
    return list(answer["logs"])


# Faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "held"),
    [
        ({"kind": "lost_reply"}, Unclear, True),
        ({"kind": "lost_request"}, Unclear, False),
        ({"kind": "status", "status": 500, "executed": True}, Unclear, True),
        ({"kind": "status", "status": 502}, Unclear, False),
        ({"kind": "status", "status": 504, "executed": True}, Unclear, True),
        ({"kind": "maintenance"}, Unclear, False),
        ({"kind": "rate_limit"}, NotSent, False),
        ({"kind": "rate_limit", "retry_after_s": 7}, NotSent, False),
    ],
)
def test_issue_1_a_fault_says_what_the_venue_may_have_done(
    stage: Stage, fault: dict[str, Any], kind: type[VenueFault], held: bool
) -> None:
    wanted = order()
    stage.control.faults({**fault, "operation": "place", "times": 1})
    failed = stage.fails(stage.adapter.place(wanted, 5000))
    assert type(failed) is kind
    assert (wanted.client_id in stage.control.orders(NAME)) is held
    assert (stage.look_up(wanted) is not None) is held
    if isinstance(failed, NotSent):
        assert (failed.limited, failed.retry_s) == (True, fault.get("retry_after_s", 0))


@pytest.mark.parametrize("operation", ["cancel", "amend"])
def test_a_lost_reply_of_a_change_is_unclear(stage: Stage, operation: str) -> None:
    wanted = order()
    stage.place(wanted)
    stage.control.faults({"kind": "lost_reply", "operation": operation, "times": 1})
    change = (
        stage.adapter.cancel(ref(wanted))
        if operation == "cancel"
        else stage.adapter.amend(ref(wanted), D("0.02"))
    )
    assert type(stage.fails(change)) is Unclear


@pytest.mark.parametrize("operation", ["look_up", "orders", "fills"])
def test_issue_3_a_look_up_that_fails_never_says_not_found(stage: Stage, operation: str) -> None:
    stage.control.faults({"kind": "status", "status": 503, "operation": operation, "times": 1})
    assert type(stage.fails(stage.adapter.look_up(ref(order())))) is Unclear


def test_issue_4_a_fresh_order_may_be_unknown_for_a_moment(stage: Stage) -> None:
    wanted = order()
    stage.control.faults({"kind": "not_found", "for_ms": 3000, "times": 1})
    stage.place(wanted)
    assert stage.look_up(wanted) is None
    stage.control.clock(advance_ms=3000)
    assert stage.look_up(wanted) is not None


def test_nobody_at_home_is_not_sent() -> None:
    nowhere = VenueSettings(
        name=NAME, rest_url="http://127.0.0.1:1", api_key=SecretStr("k"), api_secret=SecretStr("c2VjcmV0")
    )

    async def ask() -> None:
        adapter = KrakenFutures(nowhere, [SYMBOL])
        with pytest.raises(NotSent):
            await adapter.open()
        await adapter.close()

    asyncio.run(ask())


def test_a_null_in_the_status_is_no_number_and_the_history_decides(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(quantity="0.02", price="59000")
    stage.control.faults({"kind": "partial_fills", "pieces": 2})
    stage.place(wanted)
    stage.control.price("BTCUSDT", 58_900)
    stage.run(stage.adapter.cancel(ref(wanted)))
    client = stage.adapter._client
    ask = client.privateGetOrdersStatus

    async def without(params: dict[str, Any]) -> Any:
        answer = await ask(params)
        answer["orders"][0]["order"]["filled"] = None
        return answer

    monkeypatch.setattr(client, "privateGetOrdersStatus", without)
    told = stage.look_up(wanted)
    assert told is not None
    assert (told.standing, told.filled) == (Standing.CANCELLED, D("0.01"))


@pytest.mark.parametrize("answer", [{}, {"accounts": {}}, {"accounts": {"flex": {"balanceValue": "much"}}}])
def test_an_answer_that_is_not_as_documented_is_unclear(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    async def answered() -> dict[str, Any]:
        return answer

    monkeypatch.setattr(stage.adapter._client, "privateGetAccounts", answered)
    assert type(stage.fails(stage.adapter.account())) is Unclear


@pytest.mark.parametrize("moments", [[0, 1, 1, 2], [0, 0, 0], [0, 1, 2, 3, 4, 5], [0], []])
def test_no_fill_is_lost_between_two_pages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, moments: list[int]
) -> None:
    """Three to a page, newest first, several of one moment."""
    time = stage.adapter.now()
    rows = [_fill_row(number, time + moment) for number, moment in enumerate(moments)][::-1]

    async def page(params: dict[str, str]) -> dict[str, Any]:
        before = words.millis(params["lastFillTime"]) if params else time + 100
        return {"fills": [row for row in rows if words.millis(row["fillTime"]) < before][:3]}

    monkeypatch.setattr(stage.adapter._client, "privateGetFills", page)
    found = stage.run(stage.adapter.fills(SYMBOL, time - 10))
    assert [fill.time - time for fill in found] == moments


def _fill_row(number: int, time: int) -> dict[str, Any]:
    row = {
        "fill_id": f"f{number}",
        "order_id": "o",
        "symbol": "PF_XBTUSD",
        "side": "buy",
        "fillType": "maker",
    }
    return row | {"size": 0.01, "price": 60_000, "fillTime": words.iso(time)}


def test_a_venue_that_repeats_the_key_does_not_put_it_into_errors(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = stage.venue.keys(NAME)
    for failed in (Refused(VenueRefusal.OTHER, f"{key} {secret}"), Denied(f"for {key}")):
        monkeypatch.setattr(stage.adapter, "word", lambda _, failed=failed: failed)
        found = stage.fails(stage.adapter.place(order(quantity="0.01", price="1"), -1000))
        assert isinstance(found, NotSent)  # the answer was a success of HTTP, so nobody was asked
        stage.control.faults({"kind": "status", "status": 500, "times": 1})
        found = stage.fails(stage.adapter.place(order(), 5000))
        assert found is failed
        assert key not in repr(found) + str(vars(found))
        assert secret not in repr(found) + str(vars(found))


def test_an_account_at_sixty_times_the_speed() -> None:
    """What a request may take counts in our time; the five seconds of a status in the venue's."""
    with staged(rate=60.0) as fast:
        resting, bought = order(), market()
        fast.place(resting)
        fast.place(bought)
        fast.run(fast.adapter.cancel(ref(resting)))
        long_ago(fast)
        for wanted, standing in ((resting, Standing.CANCELLED), (bought, Standing.FILLED)):
            told = fast.look_up(wanted)
            assert told is not None
            assert told.standing is standing
        before = fast.adapter.now()
        fast.run(asyncio.sleep(0.05))
        assert fast.adapter.now() - before >= 2000
