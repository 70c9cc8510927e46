"""A service that begins in an account whose mode was changed while it was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bus_schemas.events import OrderRejected, TradeClosed
from execution.live.binance import BinanceFutures
from tests.support.trading import Trading

Make = Callable[..., Trading]


def change(world: Trading, method: str, request: dict[str, str]) -> None:
    """As the user would on the venue's pages."""

    async def changed() -> None:
        venue = BinanceFutures(world.settings.venue, [world.symbol])
        try:
            await venue.open()
            await getattr(venue._client, method)(request)
        finally:
            await venue.close()

    asyncio.run(changed())


@pytest.mark.parametrize("protocol", ["binanceusdm"])
@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("fapiPrivatePostMultiAssetsMargin", {"multiAssetsMargin": "true"}),
        ("fapiPrivatePostMarginType", {"symbol": "BTCUSDT", "marginType": "ISOLATED"}),
    ],
)
def test_an_entry_that_filled_meanwhile_gets_its_stop_and_no_other_is_opened(
    make: Make, method: str, request_: dict[str, str]
) -> None:
    world = make()
    world.approve()
    world.until(lambda: world.rest("e1"), "the entry rests")
    world.stop()
    change(world, method, request_)
    world.price("59890")  # the entry fills
    world.start()
    world.until(lambda: world.rest("s1", "t11", "t21") and world.protected(), "stop and targets")
    world.price("58990")
    world.until(lambda: world.all(TradeClosed), "the stop has closed it")
    world.approve("58900", signal="s2", stop="58000", targets="59600:0.006 60200:0.006")
    world.until(lambda: world.all(OrderRejected), "the next entry is refused")
    assert "no new positions" in world.all(OrderRejected)[-1].detail
    assert world.alive() == []
