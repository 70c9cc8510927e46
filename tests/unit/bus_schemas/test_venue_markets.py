"""A venue's contract terms as ccxt makes them of what the venue answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from bus_schemas.instruments import Instrument
from bus_schemas.venues.markets import perpetuals

D = Decimal


def binance_row(**more: Any) -> dict[str, Any]:
    """A symbol of `GET /fapi/v1/exchangeInfo`, the parts that are read."""
    lots = {"LOT_SIZE": "1000", "MARKET_LOT_SIZE": "120"} | more
    return {
        "symbol": "BTCUSDT",
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "261", "maxPrice": "809484", "tickSize": "0.10"},
            *(
                {"filterType": kind, "minQty": "0.001", "maxQty": most, "stepSize": "0.001"}
                for kind, most in lots.items()
                if most
            ),
            {"filterType": "MIN_NOTIONAL", "notional": "100"},
        ],
    }


def kraken_row(**more: Any) -> dict[str, Any]:
    """An instrument of `GET /derivatives/api/v3/instruments`, the parts that are read."""
    return {
        "symbol": "PF_ETHUSD",
        "type": "flexible_futures",
        "tickSize": 0.1,
        "contractSize": 1,
        "tradeable": True,
        "impactMidSize": 1.5,
        "maxPositionSize": 16000.0,
        "contractValueTradePrecision": 3,
        "base": "ETH",
        "quote": "USD",
        "pair": "ETH:USD",
    } | more


def binance(**more: Any) -> dict[str, Instrument]:
    row = ccxt.binanceusdm().parse_market(binance_row(**more))
    return {symbol: market.instrument for symbol, market in perpetuals({row["symbol"]: row}).items()}


def kraken(**more: Any) -> dict[str, Instrument]:
    exchange = ccxt.krakenfutures()
    exchange.publicGetInstruments = lambda _: {"instruments": [kraken_row(**more)]}
    rows = {row["symbol"]: row for row in exchange.fetch_markets()}
    return {symbol: market.instrument for symbol, market in perpetuals(rows).items()}


def test_binance_s_terms() -> None:
    assert binance()["BTCUSDT"] == Instrument(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick=D("0.1"),
        step=D("0.001"),
        min_quantity=D("0.001"),
        min_notional=D(100),
        max_quantity=D(120),
    )


def test_kraken_s_terms() -> None:
    assert kraken()["ETHUSD"] == Instrument(
        symbol="ETHUSD",
        base="ETH",
        quote="USD",
        settle="USD",
        tick=D("0.1"),
        step=D("0.001"),
        min_quantity=D("0.001"),
        min_notional=D(0),
        max_quantity=D(16_000),
    )


@pytest.mark.parametrize(
    ("limit", "market", "most"),
    [
        ("1000", "120", "120"),
        ("100", "120", "100"),
        ("1000", "", "1000"),
        ("", "120", "120"),
        ("1000", "0", "1000"),
        ("0", "0", None),
        ("", "", None),
    ],
)
def test_binance_takes_less_at_the_market_than_at_a_limit(limit: str, market: str, most: str | None) -> None:
    found = binance(LOT_SIZE=limit, MARKET_LOT_SIZE=market)["BTCUSDT"].max_quantity
    assert found == (None if most is None else D(most))


@pytest.mark.parametrize(("told", "most"), [(1e12, "1e12"), (12.5, "12.5"), (0.0, None), (None, None)])
def test_kraken_bounds_the_position(told: float | None, most: str | None) -> None:
    assert kraken(maxPositionSize=told)["ETHUSD"].max_quantity == (None if most is None else D(most))


def test_no_market_is_given_up_for_its_largest_order() -> None:
    assert binance(MARKET_LOT_SIZE="0.0001")["BTCUSDT"].largest == 0
    for told in (-1, "", "NaN", "null", "Infinity"):
        assert kraken(maxPositionSize=told)["ETHUSD"].max_quantity is None


def test_a_venue_that_tells_no_limits_has_its_markets() -> None:
    row = ccxt.binanceusdm().parse_market(binance_row()) | {"info": ["a", "row"], "limits": None}
    assert perpetuals({"BTC/USDT:USDT": row})["BTCUSDT"].instrument.max_quantity is None
