"""Binance's words as the adapter reads them: total, and never more certain than the venue."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.events import OrderKind, VenueRefusal
from bus_schemas.instruments import DEFAULT_INSTRUMENTS
from bus_schemas.venues.markets import Market
from execution.live import binance_modes as modes
from execution.live import binance_parse as parse
from execution.live.binance_words import ALGO_ORDERS, ORDERS, REFUSALS, meaning
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.port import Hint, Standing
from execution.live.transport import Reply, by_status

D = Decimal
BTC = Market(DEFAULT_INSTRUMENTS["BTCUSDT"], "BTC/USDT:USDT", "BTCUSDT", D("0.0002"), D("0.0005"))
LIVE, FILLED, CANCELLED, REJECTED = Standing.LIVE, Standing.FILLED, Standing.CANCELLED, Standing.REJECTED

# Every status of the venue's documentation: "Common Definition", and "Event: Algo Order Update".
DOCUMENTED = {
    "NEW": LIVE,
    "PARTIALLY_FILLED": LIVE,
    "FILLED": FILLED,
    "CANCELED": CANCELLED,
    "REJECTED": REJECTED,
    "EXPIRED": CANCELLED,
    "EXPIRED_IN_MATCH": CANCELLED,
    "NEW_INSURANCE": LIVE,
    "NEW_ADL": LIVE,
}
ALGO_DOCUMENTED = {
    "NEW": LIVE,
    "CANCELED": CANCELLED,
    "TRIGGERING": LIVE,
    "TRIGGERED": LIVE,
    "FINISHED": FILLED,
    "REJECTED": REJECTED,
    "EXPIRED": CANCELLED,
}


def _raw(**changes: Any) -> dict[str, Any]:
    given = {"orderId": 1, "clientOrderId": "c", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
    numbers = {"price": "59000.10", "origQty": "0.010", "executedQty": "0", "stopPrice": "0"}
    return {**given, **numbers, "status": "NEW", "reduceOnly": False, "updateTime": 5, **changes}


def _algo(**changes: Any) -> dict[str, Any]:
    given = {"algoId": 2, "clientAlgoId": "s", "orderType": "STOP_MARKET", "side": "SELL", "price": "0"}
    more = {"quantity": "0.010", "triggerPrice": "58000", "actualOrderId": "", "createTime": 7}
    return {**given, **more, "algoStatus": "NEW", "reduceOnly": True, **changes}


def test_every_documented_status_has_a_meaning() -> None:
    assert dict(ORDERS) == DOCUMENTED
    assert dict(ALGO_ORDERS) == ALGO_DOCUMENTED
    for status, standing in DOCUMENTED.items():
        assert parse.order(_raw(status=status), "BTCUSDT").standing is standing
    for status, standing in ALGO_DOCUMENTED.items():
        assert parse.algo_order(_algo(algoStatus=status), "BTCUSDT").standing is standing


def test_a_trailing_order_of_another_hand_may_have_no_trigger() -> None:
    raw = _algo(orderType="TRAILING_STOP_MARKET")
    del raw["triggerPrice"]
    assert parse.algo_order(raw, "BTCUSDT").trigger == 0


def test_the_matching_engine_holds_no_stops() -> None:
    """What a stop became may say that it was one; it is not to be looked up as one."""
    raw = _raw(type="STOP_MARKET", stopPrice="58000", origType="STOP_MARKET")
    assert (parse.order(raw, "BTCUSDT").kind, parse.order(raw, "BTCUSDT").trigger) == (OrderKind.MARKET, None)
    del raw["stopPrice"]
    assert parse.order(raw, "BTCUSDT").kind is OrderKind.MARKET


def test_an_unlisted_status_is_neither_alive_nor_dead() -> None:
    order = parse.order(_raw(status="PENDING_NEW"), "BTCUSDT")
    assert (order.standing, order.status) == (Standing.UNLISTED, "PENDING_NEW")
    assert parse.algo_order(_algo(algoStatus="PAUSED"), "BTCUSDT").standing is Standing.UNLISTED
    became = parse.order(_raw(status="ODD", executedQty="0.004"), "BTCUSDT")
    both = parse.triggered(parse.algo_order(_algo(algoStatus="TRIGGERED"), "BTCUSDT"), became)
    assert (both.standing, both.status, both.filled) == (Standing.UNLISTED, "TRIGGERED/ODD", D("0.004"))


def test_numbers_are_taken_as_text() -> None:
    order = parse.order(_raw(price="59000.10", origQty="0.010"), "BTCUSDT")
    assert (str(order.price), str(order.quantity), order.trigger) == ("59000.10", "0.010", None)
    stop = parse.algo_order(_algo(closePosition=True, reduceOnly=False), "BTCUSDT")
    assert (stop.kind, str(stop.trigger), stop.reduce_only) == (OrderKind.STOP, "58000", True)
    with pytest.raises(Unclear):
        parse.order(_raw(origQty="many"), "BTCUSDT")


@pytest.mark.parametrize(("filled", "standing"), [("0.010", FILLED), ("0.004", CANCELLED), ("0", CANCELLED)])
def test_a_finished_stop_without_its_successor_is_told_by_its_fills(filled: str, standing: Standing) -> None:
    algo = parse.algo_order(_algo(algoStatus="FINISHED", actualOrderId="9"), "BTCUSDT")
    assert parse.finished(algo, D(filled)).standing is standing
    waiting = parse.algo_order(_algo(algoStatus="TRIGGERED", actualOrderId="9"), "BTCUSDT")
    assert parse.finished(waiting, D(filled)).standing is LIVE


def _reply(status: int, body: object, **headers: str) -> Reply:
    reply = Reply(0.0)
    reply.take(status, headers, body if isinstance(body, str) else json.dumps(body), 1.0)
    return reply


def _meaning(status: int, code: int, words: str = "Words.") -> VenueFault | None:
    return meaning(_reply(status, {"code": code, "msg": words}))


CODES: dict[int, type[VenueFault]] = {
    **dict.fromkeys((-1000, -1001, -1006, -1007), Unclear),
    **dict.fromkeys((-1003, -1015, -1008, -1016, -1021, -5028), NotSent),
    **dict.fromkeys((-1002, -1022, -2014, -2015, -2017, -4109), Denied),
    **dict.fromkeys((-2011, -2013, -4117), NotHeld),
    **dict.fromkeys(REFUSALS, Refused),
    **dict.fromkeys((-1013, -1100, -1102, -2010, -4016, -4131, -4061, -9999), Refused),
}


@pytest.mark.parametrize("code", CODES)
def test_what_a_code_proves(code: int) -> None:
    assert type(_meaning(400, code)) is CODES[code]


def test_refusals_by_code_and_by_the_filter_that_the_words_name() -> None:
    for code, reason in REFUSALS.items():
        refused = _meaning(400, code)
        assert isinstance(refused, Refused)
        assert refused.reason is reason
    for words, reason in (
        ("Filter failure: PRICE_FILTER", VenueRefusal.BAD_TICK),
        ("Filter failure: LOT_SIZE", VenueRefusal.BAD_STEP),
        ("Filter failure: MIN_NOTIONAL", VenueRefusal.BELOW_MINIMUM),
        ("Invalid message.", VenueRefusal.OTHER),
    ):
        refused = _meaning(400, -1013, words)
        assert isinstance(refused, Refused)
        assert refused.reason is reason


def test_503_is_a_failure_only_by_the_venues_own_word() -> None:
    unknown = "Unknown error, please check your request or try again later."
    throttled = "Request throttled by system-level protection. Please try again."
    assert isinstance(_meaning(503, 0, "Service Unavailable."), NotSent)
    assert isinstance(_meaning(503, -1008, throttled), NotSent)
    assert isinstance(_meaning(503, 0, unknown), Unclear)
    html = _reply(503, "<html><h1>503 Service Unavailable</h1></html>")
    assert meaning(html) is None  # a host before the venue; its status alone is no evidence
    assert isinstance(by_status(html), Unclear)


def test_a_rate_limit_hands_on_how_long_to_wait() -> None:
    body = {"code": -1003, "msg": "Too many requests."}
    for status in (418, 429):
        limited = meaning(_reply(status, body, **{"Retry-After": "12"}))
        assert isinstance(limited, NotSent)
        assert (limited.limited, limited.retry_s) == (True, 12.0)


@pytest.mark.parametrize(
    ("status", "body", "least"),
    [
        (418, {"code": -1003, "msg": "Way too many requests; IP banned until 1700000300000. Please"}, 300),
        (429, {"code": -1003, "msg": "Too many requests; current limit is 2400"}, 40),
        (418, {"code": -1003, "msg": "Banned."}, 120),
        (418, "<html>teapot</html>", 120),
        (429, "<html>slow down</html>", 40),
        (429, {"code": -1015, "msg": "Too many new orders; current limit is 300 orders per TEN_SECONDS."}, 1),
    ],
)
def test_a_rate_limit_without_a_header_is_waited_out(status: int, body: object, least: float) -> None:
    limited = meaning(_reply(status, body), 1_700_000_000_000)
    assert isinstance(limited, NotSent)
    assert limited.banned
    assert least <= limited.retry_s <= least + 1
    quick = meaning(_reply(status, body), 1_700_000_000_000, rate=60)
    assert isinstance(quick, NotSent)
    assert quick.retry_s == pytest.approx(limited.retry_s / 60, abs=1)


def test_a_server_error_with_a_refusals_code_proves_nothing() -> None:
    assert isinstance(_meaning(500, -2019), Unclear)
    assert isinstance(_meaning(408, -1007), Unclear)


TRADE = {"id": 3, "orderId": 1, "side": "SELL", "price": "60000", "qty": "0.01", "time": 9, "maker": True}


def test_a_fee_in_another_currency_is_told_by_our_rate() -> None:
    told = parse.fill(TRADE | {"commission": "0.1", "commissionAsset": "USDT"}, BTC)
    assert told.fee == D("0.1")
    for maker, fee in ((True, D("0.12")), (False, D("0.3"))):
        paid = parse.fill(TRADE | {"commission": "0.0002", "commissionAsset": "BNB", "maker": maker}, BTC)
        assert paid.fee == fee


def test_positions_of_hedge_mode_are_not_ours_to_read() -> None:
    row = {"symbol": "BTCUSDT", "positionAmt": "0.01", "entryPrice": "1", "markPrice": "2"}
    assert parse.position(row | {"positionSide": "BOTH"}, "BTCUSDT") is not None
    assert parse.position(row | {"positionAmt": "0.000", "positionSide": "LONG"}, "BTCUSDT") is None
    with pytest.raises(Denied, match="one-way"):
        parse.position(row | {"positionSide": "LONG"}, "BTCUSDT")


def test_an_account_is_told_in_its_settle_currency() -> None:
    raw = {"assets": [{"asset": "BNB", "walletBalance": "9", "marginBalance": "9"}]}
    assert parse.account(raw, "USDT").cash == 0
    raw["assets"].append({"asset": "USDT", "walletBalance": "5.5", "marginBalance": "6"})
    assert (parse.account(raw, "USDT").cash, parse.account(raw, "USDT").equity) == (D("5.5"), D("6"))


def test_a_balance_in_credits_is_not_taken_for_none() -> None:
    credits = {"asset": "BNFCR", "walletBalance": "100", "marginBalance": "100"}
    assert "BNFCR" in modes.in_credits({"assets": [credits]}, "USDT")
    assert parse.account({"assets": [credits]}, "USDT").cash == 0, "what is open is compared all the same"
    assert not modes.in_credits({"assets": [credits | {"walletBalance": "0"}]}, "USDT")
    settle = {"asset": "USDT", "walletBalance": "5", "marginBalance": "5"}
    assert not modes.in_credits({"assets": [credits, settle]}, "USDT")
    assert parse.account({"assets": [credits, settle]}, "USDT").cash == 5


def test_funding_has_the_rate_of_its_time_or_none() -> None:
    hour = 3_600_000
    incomes = [{"income": "-0.06", "time": 9 * hour}, {"income": "0.02", "time": 8 * hour + 5}]
    rates = [{"fundingTime": 8 * hour, "fundingRate": "-0.0001"}]
    early, late = parse.funding(incomes, rates, "BTCUSDT")
    assert (early.amount, early.rate) == (D("-0.02"), D("-0.0001"))
    assert (late.amount, late.rate) == (D("0.06"), D(0))


def test_hints_of_the_user_stream() -> None:
    order = {"e": "ORDER_TRADE_UPDATE", "o": {"s": "BTCUSDT", "c": "mine"}}
    algo = {"e": "ALGO_UPDATE", "o": {"s": "BTCUSDT", "caid": "guard"}}
    account = {"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER", "B": [], "P": [{"s": "ETHUSDT"}]}}
    deposit = {"e": "ACCOUNT_UPDATE", "a": {"m": "DEPOSIT", "B": [], "P": []}}
    for message, hints in (
        (order, [Hint(symbol="BTCUSDT", client_id="mine")]),
        (algo, [Hint(symbol="BTCUSDT", client_id="guard")]),
        (account, [Hint(symbol="ETHUSDT")]),
        (deposit, [Hint(symbol="*")]),
        (
            {"e": "TRADE_LITE", "s": "ETHUSDT", "c": "mine", "i": 4},
            [Hint(symbol="ETHUSDT", client_id="mine")],
        ),
        ({"e": "MARGIN_CALL"}, [Hint(symbol="*")]),
        ({"result": None, "id": 1}, []),
    ):
        assert parse.hints(message, str) == hints
