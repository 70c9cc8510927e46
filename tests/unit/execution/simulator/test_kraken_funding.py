"""Historical funding rates as Kraken Futures tells them: by the start of the hour, with the one that runs."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from bus_schemas.timeframes import HOUR, MINUTE, iso
from execution.simulator.market import FUNDING_EVERY
from execution.simulator.orders import SimBar
from execution.simulator.tape import Feed
from tests.support.venue import RunningVenue, simulated_here

SETTLED = 1_700_000_000_000 // FUNDING_EVERY * FUNDING_EVERY
PRICE = Decimal(60_000)


@pytest.fixture
def venue() -> Iterator[RunningVenue]:
    bars = [SimBar(SETTLED + at * HOUR, PRICE, PRICE, PRICE, PRICE, Decimal(1)) for at in range(-24, 24)]
    feed = Feed(timeframe="1h", bars=bars, funding=[(SETTLED - HOUR, Decimal("0.0002"))])
    with simulated_here(feeds={"BTCUSDT": feed}, start=SETTLED - 90 * MINUTE) as running:
        yield running


def rates(venue: RunningVenue) -> dict[str, float]:
    url = f"{venue.url}/derivatives/api/v4/historicalfundingrates?symbol=PF_XBTUSD"
    with urllib.request.urlopen(url, timeout=10) as answer:
        rows = msgspec.json.decode(answer.read())["rates"]
    assert all(float(row["fundingRate"]) == float(row["relativeFundingRate"]) * 60_000 for row in rows)
    return {row["timestamp"]: float(row["relativeFundingRate"]) for row in rows}


def test_a_row_is_dated_by_the_start_of_its_hour_and_is_there_from_that_moment(venue: RunningVenue) -> None:
    venue.control.price("BTCUSDT", PRICE)
    hour = iso(SETTLED - HOUR).replace("Z", ".000Z")
    assert rates(venue) == {}
    venue.control.clock(advance_ms=40 * MINUTE)
    assert rates(venue) == {hour: 0.0002}, "the hour runs: not settled yet"
    venue.control.clock(advance_ms=HOUR)
    assert rates(venue) == {hour: 0.0002}
    venue.control.price("BTCUSDT", PRICE)
    assert rates(venue) == {hour: 0.0002}
    venue.control.clock(advance_ms=FUNDING_EVERY - HOUR)
    assert list(rates(venue)) == [hour, iso(SETTLED + FUNDING_EVERY - HOUR).replace("Z", ".000Z")]
