"""When funding was settled, out of what venues tell of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.settings import VenueSettings
from bus_schemas.timeframes import HOUR, MINUTE, iso
from bus_schemas.venues.clock import VenueClock
from execution.simulator.clock import SimClock
from market_data.live.venue import VenueSource
from market_data.rows import Settlement
from tests.support.venue import simulated_here

D = Decimal
H = 1_700_000_000_000 // HOUR * HOUR


def settled(name: str, symbol: str, method: str, answer: Any, now: int, since: int) -> list[Settlement]:
    """What a venue's own rows mean at this time."""

    async def run(url: str) -> list[Settlement]:
        source = VenueSource(VenueSettings(name=name, rest_url=url), VenueClock(), "perpetual", {})
        try:
            await source.open()

            async def told(_: Any) -> Any:
                return answer

            setattr(source.perp, method, told)
            return await source.settlements(symbol, since)
        finally:
            await source.close()

    with simulated_here(clock=SimClock(now)) as venue:
        return asyncio.run(run(venue.rest_url))


def kraken(now: int, since: int) -> list[Settlement]:
    """The rows of four hours, of which the last is that of H + 2 h to H + 3 h."""
    answer = {
        "rates": [
            {
                "timestamp": iso(H + at * HOUR).replace("Z", ".000Z"),
                "fundingRate": "0.6",
                "relativeFundingRate": f"0.0000{at + 2}",
            }
            for at in range(-1, 3)
        ]
    }
    return settled("krakenfutures", "BTCUSD", "publicGetHistoricalfundingrates", answer, now, since)


def test_kraken_dates_a_rate_by_the_start_of_its_hour_and_settles_it_at_the_end() -> None:
    assert kraken(H + 2 * HOUR + 30 * MINUTE, H + 1) == [
        Settlement(H + HOUR, D("0.00002")),
        Settlement(H + 2 * HOUR, D("0.00003")),
    ], "the rate of the hour that runs is not settled yet"
    assert kraken(H + 3 * HOUR, H + 2 * HOUR + 1) == [Settlement(H + 3 * HOUR, D("0.00004"))]


@pytest.mark.parametrize("since", [0, H])
def test_the_first_is_the_one_that_was_settled_at_the_moment_asked_for(since: int) -> None:
    assert kraken(H + MINUTE, since) == [Settlement(H, D("0.00001"))]


def test_binance_dates_it_by_the_settlement() -> None:
    rows = [
        {"symbol": "BTCUSDT", "fundingTime": H + at * 8 * HOUR, "fundingRate": "0.0001", "markPrice": "6"}
        for at in range(2)
    ]
    assert settled("binanceusdm", "BTCUSDT", "fapiPublicGetFundingRate", rows, H + 9 * HOUR, H + 1) == [
        Settlement(H + 8 * HOUR, D("0.0001"))
    ]
