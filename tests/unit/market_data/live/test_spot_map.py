"""Which spot market is analysed where a perpetual is traded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import Instrument
from bus_schemas.settings import VenueSettings
from bus_schemas.venues.clock import VenueClock
from bus_schemas.venues.markets import Market
from market_data.live.venue import VenueSource

D = Decimal
SPOTS = {
    f"{base}/{quote}": {"spot": True, "base": base, "quote": quote}
    for base, quote in (("BTC", "USDT"), ("BTC", "USDC"), ("PEPE", "USDT"))
}


def taken(base: str, **spot: str) -> str:
    """The market whose candles are taken for the perpetual of this base."""
    source: Any = VenueSource(VenueSettings(name="binanceusdm"), VenueClock(), "auto", spot)
    source.bars.markets = SPOTS
    symbol = f"{base}USDT"
    terms = Instrument(
        symbol=symbol,
        base=base,
        quote="USDT",
        settle="USDT",
        tick=D("0.1"),
        step=D("0.001"),
        min_quantity=D("0.001"),
        min_notional=D(5),
        contract_size=D(1),
    )
    market = Market(terms, f"{base}/USDT:USDT", symbol, D(0), D(0))
    return str(source._candles_of(symbol, market))


def test_the_spot_market_of_the_same_name_or_the_one_that_is_named() -> None:
    assert taken("BTC") == "BTC/USDT"
    assert taken("BTC", BTCUSDT="BTC/USDC") == "BTC/USDC"
    assert taken("1000PEPE") == ""


def test_a_spot_market_that_is_not_there_or_of_another_base_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="binance has no spot market BTC/EUR for BTCUSDT"):
        taken("BTC", BTCUSDT="BTC/EUR")
    with pytest.raises(ConfigurationError, match="PEPE/USDT is not a market of 1000PEPE"):
        taken("1000PEPE", **{"1000PEPEUSDT": "PEPE/USDT"})


@pytest.mark.parametrize(
    ("venue", "wanted", "origin"),
    [
        ("binanceusdm", "auto", "binance:spot"),
        ("krakenfutures", "auto", "krakenfutures:index"),
        ("krakenfutures", "spot", "kraken:spot"),
        ("binanceusdm", "perpetual", "binanceusdm:perpetual"),
    ],
)
def test_where_candles_come_from(venue: str, wanted: Any, origin: str) -> None:
    assert VenueSource(VenueSettings(name=venue), VenueClock(), wanted, {}).origin == origin
