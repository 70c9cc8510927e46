"""The simulated Binance is honest: its official SDK and ccxt trade there as at the venue."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from bus_schemas.settings import VenueSettings
from bus_schemas.venues.client import make_client
from bus_schemas.venues.clock import VenueClock
from tests.support.venue import RunningVenue, simulated_here

NAME = "binanceusdm"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningVenue]:
    with simulated_here() as venue:
        yield venue


@pytest.fixture
def venue(server: RunningVenue) -> RunningVenue:
    server.control.reset()
    server.control.price("BTCUSDT", 60_000)
    return server


def _sdk(venue: RunningVenue, **other: str) -> Any:
    key, secret = venue.keys(NAME)
    keys: dict[str, Any] = {"api_key": key, "api_secret": secret} | other
    rest = ConfigurationRestAPI(**keys, base_path=venue.rest_url, retries=0, timeout=5000)
    streams = ConfigurationWebSocketStreams(stream_url=venue.ws_url)
    return DerivativesTradingUsdsFutures(config_rest_api=rest, config_ws_streams=streams)


@pytest.fixture
def sdk(venue: RunningVenue) -> Any:
    return _sdk(venue).rest_api


LIMIT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "time_in_force": "GTC",
    "quantity": 0.01,
    "price": 59_000.0,
}
MARKET: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 0.01}
STOP: dict[str, Any] = {
    "algo_type": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": 0.01,
    "trigger_price": 59_000.0,
    "working_type": "MARK_PRICE",
    "reduce_only": "true",
}


# The official SDK -----------------------------------------------------------------------------------


def test_sdk_places_queries_amends_and_cancels(sdk: Any) -> None:
    placed = sdk.new_order(**LIMIT, new_client_order_id="one").data()
    assert (placed.status, placed.orig_qty, placed.client_order_id) == ("NEW", "0.01", "one")
    asked = sdk.query_order(symbol="BTCUSDT", orig_client_order_id="one").data()
    assert (asked.order_id, asked.price) == (placed.order_id, "59000")
    amended = sdk.modify_order(
        symbol="BTCUSDT", side="BUY", quantity=0.02, price=59_000.0, order_id=placed.order_id
    ).data()
    assert (amended.order_id, amended.orig_qty) == (placed.order_id, "0.02")
    assert [order.orig_qty for order in sdk.current_all_open_orders().data()] == ["0.02"]
    assert sdk.cancel_order(symbol="BTCUSDT", order_id=placed.order_id).data().status == "CANCELED"
    assert sdk.current_all_open_orders().data() == []
    assert sdk.query_order(symbol="BTCUSDT", order_id=placed.order_id).data().status == "CANCELED"


def test_sdk_sees_a_fill_everywhere(sdk: Any, venue: RunningVenue) -> None:
    placed = sdk.new_order(**LIMIT).data()
    venue.control.price("BTCUSDT", 58_990)
    order = sdk.query_order(symbol="BTCUSDT", order_id=placed.order_id).data()
    assert (order.status, order.executed_qty, order.avg_price) == ("FILLED", "0.01", "59000")
    trades = [t for t in sdk.account_trade_list(symbol="BTCUSDT").data() if t.order_id == placed.order_id]
    assert [(t.price, t.qty, t.commission, t.maker) for t in trades] == [("59000", "0.01", "0.118", True)]
    position = sdk.position_information_v3(symbol="BTCUSDT").data()[0]
    assert (position.position_amt, position.entry_price) == ("0.01", "59000")
    account = sdk.account_information_v3().data()
    assert account.assets[0].wallet_balance == "9999.882"
    assert account.assets[0].margin_balance == "9999.782"
    fees = sdk.get_income_history(symbol="BTCUSDT", income_type="COMMISSION").data()
    assert fees[-1].income == "-0.118"


def test_sdk_stop_becomes_an_order_with_another_id(sdk: Any, venue: RunningVenue) -> None:
    sdk.new_order(**MARKET)
    stop = sdk.new_algo_order(**STOP, client_algo_id="guard").data()
    assert (stop.algo_status, stop.trigger_price) == ("NEW", "59000")
    assert [order.algo_id for order in sdk.current_all_algo_open_orders().data()] == [stop.algo_id]
    assert sdk.current_all_open_orders().data() == []
    venue.control.price("BTCUSDT", 59_500, mark=59_000)
    with pytest.raises(BadRequestError, match="Order does not exist"):
        sdk.query_algo_order(client_algo_id="guard")
    [ended] = [o for o in sdk.query_all_algo_orders(symbol="BTCUSDT").data() if o.algo_id == stop.algo_id]
    assert ended.algo_status == "FINISHED"
    became = sdk.query_order(symbol="BTCUSDT", order_id=int(ended.actual_order_id)).data()
    assert became.order_id != stop.algo_id
    assert (became.type, became.orig_type, became.status) == ("MARKET", "STOP_MARKET", "FILLED")
    assert sdk.position_information_v3().data() == []
    with pytest.raises(BadRequestError) as refused:
        sdk.cancel_algo_order(client_algo_id="guard")
    assert refused.value.status_code == -2011


REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "price off the tick": ({"price": 59_000.05}, -4014),
    "price with too many digits": ({"price": 59_000.123}, -1111),
    "quantity with too many digits": ({"quantity": 0.0105}, -1111),
    "no quantity": ({"quantity": 0.0}, -4003),
    "too small": ({"quantity": 0.001}, -4164),
    "too large": ({"quantity": 100.0}, -2019),
    "larger than any limit order": ({"quantity": 1000.001}, -4005),
    "beyond the price band": ({"price": 70_000.0}, -4016),
    "nothing to reduce": ({"side": "SELL", "price": 61_000.0, "reduce_only": "true"}, -2022),
    "unknown symbol": ({"symbol": "NOPEUSDT"}, -1121),
    "unknown side": ({"side": "UP"}, -1117),
    "a stop at the wrong endpoint": ({"type": "STOP_MARKET"}, -4120),
    "client id with a space": ({"new_client_order_id": "a b"}, -1100),
    "client id too long": ({"new_client_order_id": "a" * 37}, -4015),
    "post-only that would take": ({"time_in_force": "GTX", "price": 60_100.0}, -5022),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_orders_are_refused_in_the_venues_words(sdk: Any, case: str) -> None:
    change, code = REFUSALS[case]
    with pytest.raises(BadRequestError) as refused:
        sdk.new_order(**LIMIT | change)
    assert refused.value.status_code == code
    assert sdk.current_all_open_orders().data() == []


@pytest.mark.parametrize("quantity", [120.001, 1000.0])
def test_stops_and_market_orders_have_a_largest_quantity_of_their_own(sdk: Any, quantity: float) -> None:
    whole = {"quantity": quantity}
    for place in (lambda: sdk.new_order(**MARKET | whole), lambda: sdk.new_algo_order(**STOP | whole)):
        with pytest.raises(BadRequestError, match=r"Quantity greater than max quantity\.") as refused:
            place()
        assert refused.value.status_code == -4005


def test_a_change_below_the_least_notional_says_that_it_reduces(sdk: Any) -> None:
    sdk.new_order(**MARKET)
    target = LIMIT | {"side": "SELL", "price": 61_000.0}
    placed = sdk.new_order(**target, reduce_only="true").data()
    change = {"symbol": "BTCUSDT", "side": "SELL", "price": 61_000.0, "quantity": 0.001}
    with pytest.raises(BadRequestError) as refused:
        sdk.modify_order(**change, order_id=placed.order_id)
    assert refused.value.status_code == -5029
    assert sdk.modify_order(**change, order_id=placed.order_id, reduce_only="true").data().orig_qty == "0.001"
    other = sdk.new_order(**target).data()
    with pytest.raises(BadRequestError) as refused:
        sdk.modify_order(**change, order_id=other.order_id, reduce_only="true")
    assert refused.value.status_code == -5047


def test_client_id_is_unique_among_open_orders_only(sdk: Any) -> None:
    first = sdk.new_order(**LIMIT, new_client_order_id="twice").data()
    with pytest.raises(BadRequestError) as refused:
        sdk.new_order(**LIMIT, new_client_order_id="twice")
    assert refused.value.status_code == -4116
    sdk.cancel_order(symbol="BTCUSDT", orig_client_order_id="twice")
    second = sdk.new_order(**LIMIT, new_client_order_id="twice").data()
    assert second.order_id != first.order_id


def test_a_stop_beyond_the_price_would_trigger(sdk: Any) -> None:
    sdk.new_order(**MARKET)
    with pytest.raises(BadRequestError) as refused:
        sdk.new_algo_order(**STOP | {"trigger_price": 60_500.0})
    assert refused.value.status_code == -2021


def test_what_is_not_there_is_not_found(sdk: Any) -> None:
    calls: list[tuple[Any, int]] = [
        (lambda: sdk.query_order(symbol="BTCUSDT", orig_client_order_id="none"), -2013),
        (lambda: sdk.cancel_order(symbol="BTCUSDT", orig_client_order_id="none"), -2011),
        (lambda: sdk.query_algo_order(client_algo_id="none"), -2013),
        (lambda: sdk.cancel_algo_order(client_algo_id="none"), -2011),
    ]
    for call, code in calls:
        with pytest.raises(BadRequestError) as refused:
            call()
        assert refused.value.status_code == code


def test_wrong_secret_wrong_key_and_wrong_time(venue: RunningVenue, sdk: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        _sdk(venue, api_secret="wrong").rest_api.account_information_v3()
    assert refused.value.status_code == -1022
    with pytest.raises(UnauthorizedError) as unknown:
        _sdk(venue, api_key="wrong").rest_api.account_information_v3()
    assert unknown.value.status_code == -2015
    for skew in (10_000, -5_000):
        venue.control.clock(skew_ms=skew)
        with pytest.raises(BadRequestError) as late:
            sdk.new_order(**LIMIT)
        assert late.value.status_code == -1021
    venue.control.clock(skew_ms=0)
    assert sdk.current_all_open_orders().data() == []


def test_sdk_hears_of_orders_and_candles_by_websocket(venue: RunningVenue, sdk: Any) -> None:
    client = _sdk(venue)

    async def listen() -> list[dict[str, Any]]:
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        key = (await asyncio.to_thread(sdk.start_user_data_stream)).data().listen_key
        streams = await client.websocket_streams.create_connection()
        user = await streams.user_data(key)
        user.on("message", lambda said: heard.put_nowait(said.actual_instance.to_dict()))
        candles = await streams.kline_candlestick_streams(symbol="btcusdt", interval="1m")
        candles.on("message", lambda said: heard.put_nowait(said.to_dict()))
        try:
            await asyncio.to_thread(lambda: sdk.new_order(**MARKET, new_client_order_id="heard"))
            await asyncio.to_thread(venue.control.price, "BTCUSDT", 60_100)
            said: list[dict[str, Any]] = []
            async with asyncio.timeout(10):
                while not said or said[-1].get("k", {}).get("c") != "60100":  # a minute may have ended before
                    said.append(await heard.get())
            return said
        finally:
            await streams.close_connection()

    said = asyncio.run(listen())
    orders = [message["o"] for message in said if "o" in message]
    assert [(o["c"], o["x"], o["X"]) for o in orders] == [
        ("heard", "NEW", "NEW"),
        ("heard", "TRADE", "FILLED"),
    ]
    assert [message["a"]["P"][0]["pa"] for message in said if "a" in message] == ["0.01"]
    assert (said[-1]["k"]["c"], said[-1]["k"]["x"]) == ("60100", False)


# ccxt -----------------------------------------------------------------------------------------------


def _with_ccxt(venue: RunningVenue, use: Any) -> Any:
    key, secret = venue.keys(NAME)
    settings = VenueSettings(name=NAME, rest_url=venue.rest_url, api_key=key, api_secret=secret)

    async def go() -> Any:
        client = make_client(settings, VenueClock(), keys=True)
        try:
            await client.load_markets()
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(_bounded(go()))


async def _bounded(work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(15):
        return await work


SYMBOL = "BTC/USDT:USDT"


def test_ccxt_trades(venue: RunningVenue) -> None:
    async def use(client: Any) -> None:
        resting = await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, {"clientOrderId": "c-1"})
        assert resting["status"] == "open"
        asked = await client.fetch_order(None, SYMBOL, {"clientOrderId": "c-1"})
        assert asked["id"] == resting["id"]
        await client.create_order(SYMBOL, "market", "buy", 0.01)
        stop = await client.create_order(
            SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": 59_500, "reduceOnly": True}
        )
        assert [o["id"] for o in await client.fetch_open_orders(SYMBOL)] == [resting["id"]]
        stops = await client.fetch_open_orders(SYMBOL, params={"trigger": True})
        assert [(o["id"], o["triggerPrice"]) for o in stops] == [(stop["id"], 59_500)]
        position = (await client.fetch_positions([SYMBOL]))[0]
        assert (position["side"], position["contracts"]) == ("long", 0.01)
        assert (await client.fetch_balance())["total"]["USDT"] == 9_999.63997  # with open profit
        await client.cancel_order(stop["id"], SYMBOL, {"trigger": True})
        cancelled = await client.cancel_order(resting["id"], SYMBOL)
        assert cancelled["status"] == "canceled"
        trades = await client.fetch_my_trades(SYMBOL)
        assert [(t["side"], t["amount"], t["takerOrMaker"]) for t in trades] == [("buy", 0.01, "taker")]
        assert (await client.fetch_ohlcv(SYMBOL, "1m"))[-1][4] == 60_000
        assert (await client.fetch_ticker(SYMBOL))["last"] == 60_000
        assert (await client.set_leverage(5, SYMBOL))["leverage"] == 5

    _with_ccxt(venue, use)


def test_ccxt_listens(venue: RunningVenue) -> None:
    async def use(client: Any) -> None:
        url = client.get_private_ws_url  # it asks for no events, upon which the venue says nothing
        client.get_private_ws_url = lambda *args: f"{url(*args)}&events=ORDER_TRADE_UPDATE"
        orders = asyncio.create_task(client.watch_orders(SYMBOL))
        candles = asyncio.create_task(client.watch_ohlcv(SYMBOL, "1m"))
        while not orders.done():
            await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
            await asyncio.wait([orders], timeout=0.1)
        assert orders.result()[-1]["status"] == "open"
        price = 60_000
        while not candles.done():
            price += 10
            await asyncio.to_thread(venue.control.price, "BTCUSDT", price)
            await asyncio.wait([candles], timeout=0.1)
        assert candles.result()[-1][4] > 60_000

    _with_ccxt(venue, use)
