"""ccxt's own way with Kraken Futures against the simulated venue, signatures included."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.pro
import pytest
from kraken.futures import Trade

from bus_schemas.venues.client import redirected
from tests.contract.venue.kraken_sdk import NAME, SYMBOL, buy, fresh
from tests.support.venue import RunningVenue


def sync_client(venue: RunningVenue) -> Any:
    key, secret = venue.keys(NAME)
    client = ccxt.krakenfutures({"apiKey": key, "secret": secret, "enableRateLimit": False})
    client.urls["api"] = redirected(client.urls["api"], venue.url)
    return client


def test_ccxt_places_queries_and_cancels(venue: RunningVenue) -> None:
    client = sync_client(venue)
    symbol = "BTC/USD:USD"
    client_id = fresh()
    placed = client.create_order(symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": client_id})
    assert placed["status"] == "open"
    (row,) = client.fetch_open_orders(symbol)
    assert (row["id"], row["clientOrderId"], row["amount"]) == (placed["id"], client_id, 0.01)
    assert client.fetch_order(placed["id"], symbol)["status"] == "open"
    (same,) = client.fetch_orders(params={"cliOrdIds": client_id})
    assert same["id"] == placed["id"]
    with pytest.raises(ccxt.DuplicateOrderId):
        client.create_order(symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": client_id})
    assert client.edit_order(placed["id"], symbol, "limit", "buy", 0.02, 50_001)["amount"] == 0.02
    client.cancel_order(placed["id"], symbol)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(placed["id"], symbol)
    assert [order["id"] for order in client.fetch_canceled_orders(symbol)] != []
    venue.control.clock(advance_ms=6000)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(placed["id"], symbol)


def test_ccxt_trades_with_a_stop(venue: RunningVenue) -> None:
    client = sync_client(venue)
    symbol = "BTC/USD:USD"
    client.set_leverage(5, symbol)
    assert client.fetch_leverage(symbol)["longLeverage"] == 5
    bought = client.create_order(symbol, "market", "buy", 0.01, None, {"clientOrderId": fresh()})
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    stop = client.create_order(
        symbol, "market", "sell", 0.01, None, {"stopLossPrice": 55_000, "triggerSignal": "mark"}
    )
    (position,) = client.fetch_positions([symbol])
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    venue.control.price("BTCUSDT", 54_000)
    assert client.fetch_positions([symbol]) == []
    trades = client.fetch_my_trades(symbol)
    assert [row["side"] for row in trades] == ["buy", "sell"]
    assert trades[1]["order"] == stop["id"]
    assert {row["id"] for row in client.fetch_closed_orders(symbol)} >= {bought["id"]}
    lost = (Decimal(str(trades[1]["price"])) - Decimal(str(trades[0]["price"]))) * Decimal("0.01")
    balance = client.fetch_balance({"type": "flex"})
    assert balance["total"]["USD"] == pytest.approx(10_000 + float(lost) - 0.0005 * 0.01 * 114_000, abs=0.02)


def test_ccxt_reads_the_market(venue: RunningVenue) -> None:
    client = sync_client(venue)
    market = client.load_markets()["BTC/USD:USD"]
    assert (market["id"], market["swap"], market["linear"]) == (SYMBOL, True, True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (1, 0.0001)
    ticker = client.fetch_ticker("BTC/USD:USD")
    assert (ticker["last"], ticker["markPrice"]) == (60_000, 60_000)
    assert client.fetch_tickers(["BTC/USD:USD"])["BTC/USD:USD"]["bid"] == 59_999
    assert client.fetch_ohlcv("BTC/USD:USD", "1m")[-1][4] == 60_000
    assert client.fetch_funding_rate("BTC/USD:USD")["markPrice"] == 60_000
    assert isinstance(client.fetch_funding_rate_history("BTC/USD:USD"), list)


def test_ccxt_a_wrong_secret_is_refused(venue: RunningVenue) -> None:
    client = sync_client(venue)
    client.secret = "d3Jvbmc="
    with pytest.raises(ccxt.AuthenticationError):
        client.fetch_balance()


def test_ccxt_watches_orders_trades_and_prices(venue: RunningVenue, trade: Trade) -> None:
    async def watch() -> None:
        key, secret = venue.keys(NAME)
        client = ccxt.pro.krakenfutures({"apiKey": key, "secret": secret, "enableRateLimit": False})
        client.urls["api"] = redirected(client.urls["api"], venue.url)
        try:
            async with asyncio.timeout(15):
                await client.load_markets()
                ticker = await client.watch_ticker("BTC/USD:USD")
                assert ticker["last"] == 60_000
                orders = asyncio.create_task(client.watch_orders())
                assert await client.watch_my_trades() == []  # the snapshot
                client_id = fresh()
                sent = await asyncio.to_thread(buy, trade, cliOrdId=client_id, limitPrice=59_000)
                assert (await orders)[0]["id"] == sent["order_id"]
                fills = asyncio.create_task(client.watch_my_trades())  # hears only what comes from here on
                await asyncio.sleep(0)
                await asyncio.to_thread(venue.control.price, "BTCUSDT", 58_000)
                (fill,) = await fills
                assert (fill["info"]["cli_ord_id"], fill["price"]) == (client_id, 59_000)
        finally:
            await client.close()

    asyncio.run(watch())
