"""python-kraken-sdk against the simulated venue: a client that knows nothing of ours.

What it accepts is Kraken's protocol and not our reading of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import kraken.futures.websocket
import pytest
from kraken.exceptions import (
    KrakenAuthenticationError,
    KrakenInsufficientAvailableFundsError,
    KrakenNotFoundError,
)
from kraken.futures import FuturesWSClient, Market, Trade, User

from tests.contract.venue.kraken_sdk import NAME, SYMBOL, buy, fresh
from tests.support.venue import RunningVenue

# python-kraken-sdk --------------------------------------------------------------------------------


def test_sdk_places_queries_and_cancels(trade: Trade, user: User, venue: RunningVenue) -> None:
    client_id = fresh()
    sent = buy(trade, cliOrdId=client_id)
    assert sent["status"] == "placed"
    assert sent["orderEvents"][0]["order"]["cliOrdId"] == client_id

    (row,) = user.get_open_orders()["openOrders"]
    assert (row["order_id"], row["cliOrdId"], row["symbol"]) == (sent["order_id"], client_id, SYMBOL)
    assert (row["status"], row["unfilledSize"], row["limitPrice"]) == ("untouched", 0.01, 50_000)

    (told,) = trade.get_orders_status(cliOrdIds=[client_id])["orders"]
    assert (told["status"], told["order"]["orderId"]) == ("ENTERED_BOOK", sent["order_id"])

    assert trade.cancel_order(order_id=sent["order_id"])["cancelStatus"]["status"] == "cancelled"
    assert trade.cancel_order(order_id=sent["order_id"])["cancelStatus"]["status"] == "notFound"
    assert user.get_open_orders()["openOrders"] == []
    assert [order["client_id"] for order in venue.control.account(NAME)["orders"]] == [client_id]


def test_sdk_trades_at_market(trade: Trade, user: User) -> None:
    sent = buy(trade, orderType="mkt", limitPrice=None, cliOrdId=fresh())
    (event,) = sent["orderEvents"]
    assert (event["type"], event["amount"]) == ("EXECUTION", 0.01)

    (fill,) = trade.get_fills()["fills"]
    assert (fill["order_id"], fill["fill_id"]) == (sent["order_id"], event["executionId"])
    assert (fill["size"], fill["price"], fill["fillType"]) == (0.01, event["price"], "taker")

    (position,) = user.get_open_positions()["openPositions"]
    assert (position["side"], position["size"], position["price"]) == ("long", 0.01, event["price"])
    flex = user.get_wallets()["accounts"]["flex"]
    assert flex["balanceValue"] == pytest.approx(10_000 - 0.01 * event["price"] * 0.0005)
    assert flex["portfolioValue"] < flex["balanceValue"]


def test_sdk_a_limit_order_fills_as_maker(trade: Trade, venue: RunningVenue) -> None:
    sent = buy(trade, cliOrdId=fresh(), limitPrice=59_000)
    venue.control.price("BTCUSDT", 58_900)
    (fill,) = trade.get_fills()["fills"]
    assert (fill["order_id"], fill["price"], fill["fillType"]) == (sent["order_id"], 59_000, "maker")
    assert trade.cancel_order(order_id=sent["order_id"])["cancelStatus"]["status"] == "filled"


def test_sdk_a_stop_triggers_on_mark_and_keeps_its_id(trade: Trade, user: User, venue: RunningVenue) -> None:
    buy(trade, orderType="mkt", limitPrice=None)
    stop = buy(
        trade,
        orderType="stp",
        side="sell",
        limitPrice=None,
        stopPrice=55_000,
        triggerSignal="mark",
        reduceOnly=True,
        cliOrdId=fresh("stop"),
    )
    trigger = stop["orderEvents"][0]["orderTrigger"]
    assert (trigger["triggerSignal"], trigger["triggerSide"]) == ("mark_price", "trigger_below")
    venue.control.price("BTCUSDT", 54_900, mark=55_100)
    assert len(user.get_open_orders()["openOrders"]) == 1
    venue.control.price("BTCUSDT", 54_900, mark=54_990)
    assert user.get_open_orders()["openOrders"] == []
    assert user.get_open_positions()["openPositions"] == []
    assert trade.get_fills()["fills"][0]["order_id"] == stop["order_id"]


def test_sdk_edits(trade: Trade, user: User) -> None:
    sent = buy(trade, cliOrdId=fresh())
    edited = trade.edit_order(orderId=sent["order_id"], size=0.02, limitPrice=50_001)["editStatus"]
    assert edited["status"] == "edited"
    assert edited["orderEvents"][0]["old"]["quantity"] == 0.01
    (row,) = user.get_open_orders()["openOrders"]
    assert (row["unfilledSize"], row["limitPrice"]) == (0.02, 50_001)
    nobody = trade.edit_order(orderId="0" * 36, size=0.02)["editStatus"]
    assert nobody["status"] == "orderForEditNotFound"


def test_sdk_sends_a_batch_and_cancels_everything(trade: Trade, user: User) -> None:
    known = buy(trade)
    rows = trade.create_batch_order(
        [
            {
                "order": "send",
                "order_tag": "1",
                "orderType": "lmt",
                "symbol": SYMBOL,
                "side": "buy",
                "size": 0.01,
                "limitPrice": 50_000,
            },
            {"order": "cancel", "order_id": known["order_id"]},
        ]
    )["batchStatus"]
    assert [row["status"] for row in rows] == ["placed", "cancelled"]
    with pytest.raises(KrakenNotFoundError):
        trade.create_batch_order([{"order": "cancel", "cliOrdId": "nobody"}])
    gone = trade.cancel_all_orders(symbol=SYMBOL)["cancelStatus"]
    assert [row["order_id"] for row in gone["cancelledOrders"]] == [rows[0]["order_id"]]
    assert trade.cancel_all_orders()["cancelStatus"]["status"] == "noOrdersToCancel"
    assert user.get_open_orders()["openOrders"] == []


def test_sdk_dead_mans_switch(trade: Trade, user: User) -> None:
    buy(trade)
    assert trade.dead_mans_switch(timeout=1)["status"]["triggerTime"] != "0"
    assert len(user.get_open_orders()["openOrders"]) == 1
    deadline = time.monotonic() + 10
    while user.get_open_orders()["openOrders"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert trade.dead_mans_switch(timeout=0)["status"]["triggerTime"] == "0"


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"limitPrice": 50_000.5}, "invalidPrice"),
        ({"size": 0.00015}, "invalidSize"),
        ({"size": 0.00001}, "invalidSize"),
        ({"size": 1000.0001}, "maxPositionViolation"),
        ({"side": "sell", "limitPrice": 70_000, "reduceOnly": True}, "wouldNotReducePosition"),
        ({"limitPrice": 80_000}, "outsidePriceCollar"),
        ({"orderType": "post", "limitPrice": 60_100}, "postWouldExecute"),
        ({"orderType": "ioc", "limitPrice": 59_000}, "iocWouldNotExecute"),
        ({"orderType": "trailing_stop"}, "invalidOrderType"),
        ({"cliOrdId": "x" * 101}, "clientOrderIdTooLong"),
        ({"processBefore": "2020-01-01T00:00:00.000Z"}, "wouldProcessAfterSpecifiedTime"),
    ],
)
def test_sdk_is_refused_in_kraken_s_words(
    trade: Trade, user: User, order: dict[str, Any], status: str
) -> None:
    assert buy(trade, **order)["status"] == status
    assert user.get_open_orders()["openOrders"] == []


def test_sdk_has_not_the_margin(trade: Trade) -> None:
    with pytest.raises(KrakenInsufficientAvailableFundsError):
        buy(trade, size=100, limitPrice=59_000)


def test_sdk_a_client_order_id_is_taken_once_for_ever(trade: Trade) -> None:
    client_id = fresh()
    sent = buy(trade, cliOrdId=client_id)
    assert buy(trade, cliOrdId=client_id)["status"] == "clientOrderIdAlreadyExist"
    trade.cancel_order(order_id=sent["order_id"])
    assert buy(trade, cliOrdId=client_id)["status"] == "clientOrderIdAlreadyExist"


def test_sdk_a_wrong_secret_is_refused(venue: RunningVenue) -> None:
    key, _ = venue.keys(NAME)
    wrong = Trade(key=key, secret="d3Jvbmc=", url=venue.url)
    with pytest.raises(KrakenAuthenticationError):
        buy(wrong)
    with pytest.raises(KrakenAuthenticationError):
        Trade(key="wrong", secret=venue.keys(NAME)[1], url=venue.url).get_fills()
    assert venue.control.account(NAME)["orders"] == []


def test_sdk_a_nonce_counts_once(trade: Trade) -> None:
    with patch.object(Trade, "get_nonce", lambda _: "160000000000000000"):
        trade.get_fills()
        told = Trade.request(trade, "GET", "/derivatives/api/v3/fills", return_raw=True)
    assert told.json()["error"] == "nonceDuplicate"  # type: ignore[union-attr]


def test_sdk_reads_history(trade: Trade, user: User) -> None:
    sent, market = buy(trade, cliOrdId=fresh()), buy(trade, orderType="mkt", limitPrice=None)
    trade.cancel_order(order_id=sent["order_id"])
    events = user.get_order_events(tradeable=SYMBOL)["elements"]
    names = [next(iter(row["event"])) for row in events if _uid(row) == sent["order_id"]]
    assert names == ["OrderCancelled", "OrderPlaced"]
    (execution,) = user.get_execution_events()["elements"]
    assert execution["event"]["Execution"]["execution"]["takerOrder"]["uid"] == market["order_id"]
    assert user.get_trigger_events()["elements"] == []
    (log,) = user.get_account_log()["logs"]
    assert (log["info"], log["new_balance"]) == ("futures trade", 0.01)


def _uid(row: dict[str, Any]) -> str:
    body = next(iter(row["event"].values()))
    return str((body.get("order") or body.get("newOrder"))["uid"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sdk_reads_the_market(venue: RunningVenue) -> None:
    market = Market(url=venue.url)
    instruments = {row["symbol"]: row for row in market.get_instruments()["instruments"]}
    assert instruments[SYMBOL]["tickSize"] == 1
    assert instruments[SYMBOL]["contractValueTradePrecision"] == 4
    tickers = {row["symbol"]: row for row in market.get_tickers()["tickers"]}
    assert tickers[SYMBOL]["markPrice"] == 60_000
    assert market.get_orderbook(symbol=SYMBOL)["orderBook"]["bids"][0][0] == 59_999
    assert market.get_fee_schedules()["feeSchedules"]
    assert market.get_tick_types() == ["trade", "mark", "spot"]
    assert SYMBOL in market.get_tradeable_products(tick_type="trade")
    assert "1m" in market.get_resolutions(tick_type="trade", tradeable=SYMBOL)
    candles = market.get_ohlc(tick_type="trade", symbol=SYMBOL, resolution="1m")["candles"]
    assert Decimal(candles[-1]["close"]) == 60_000
    assert candles[-1]["time"] % 60_000 == 0


def test_sdk_sets_leverage(venue: RunningVenue) -> None:
    key, secret = venue.keys(NAME)
    market = Market(key=key, secret=secret, url=venue.url)
    market.set_leverage_preference(symbol=SYMBOL, maxLeverage=5)
    rows = {row["symbol"]: row for row in market.get_leverage_preference()["leveragePreferences"]}
    assert rows[SYMBOL]["maxLeverage"] == 5


def test_sdk_hears_its_orders_and_fills_by_websocket(trade: Trade, venue: RunningVenue) -> None:
    key, secret = venue.keys(NAME)
    heard: list[dict[str, Any]] = []

    async def hear(message: dict[str, Any]) -> None:
        heard.append(message)

    async def until(look: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        async with asyncio.timeout(15):
            while True:
                for message in heard:
                    if look(message):
                        return message
                await asyncio.sleep(0.01)

    async def listen() -> None:
        client = FuturesWSClient(
            key=key, secret=secret, url=venue.ws_url.removeprefix("ws://") + "/ws/v1", callback=hear
        )
        await client.start()
        try:
            for feed in ("open_orders", "fills", "balances", "open_positions"):
                await client.subscribe(feed=feed)
            await client.subscribe(feed="ticker", products=[SYMBOL])
            await client.subscribe(feed="trade", products=[SYMBOL])
            await client.subscribe(feed="heartbeat")
            for feed in ("open_orders_snapshot", "fills_snapshot", "balances_snapshot", "open_positions"):
                await until(lambda message, feed=feed: message.get("feed") == feed)  # type: ignore[misc]
            client_id = fresh()
            sent = await asyncio.to_thread(buy, trade, cliOrdId=client_id, limitPrice=59_000)
            await asyncio.to_thread(venue.control.price, "BTCUSDT", 58_900)
            update = await until(lambda m: m.get("feed") == "open_orders" and "order" in m)
            assert update["order"]["order_id"] == sent["order_id"]
            fills = await until(lambda m: m.get("feed") == "fills" and "fills" in m)
            assert fills["fills"][0]["cli_ord_id"] == client_id
            ended = await until(lambda m: m.get("feed") == "open_orders" and m.get("is_cancel") is True)
            assert (ended["order"]["order_id"], ended["reason"]) == (sent["order_id"], "full_fill")
            assert (ended["order"]["qty"], ended["order"]["filled"]) == (0, 0.01)
            await until(lambda m: m.get("feed") == "ticker" and m.get("markPrice") == 58_900)
            await until(lambda m: m.get("feed") == "open_positions" and m.get("positions"))
            await until(lambda m: m.get("feed") == "heartbeat" and "time" in m)
        finally:
            await client.close()

    # the SDK knows no websocket without TLS; nothing else of it is changed
    real = vars(kraken.futures.websocket)["connect"]
    plain = patch.object(
        kraken.futures.websocket,
        "connect",
        lambda url, **options: real(url.replace("wss://", "ws://"), **options),
    )
    with plain, patch.object(kraken.futures.websocket, "random", lambda: 0.0):
        asyncio.run(listen())
