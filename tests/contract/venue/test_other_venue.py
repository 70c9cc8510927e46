"""The adapter for unproven venues, tried at the simulated Binance through ccxt's unified methods."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from execution.live import other_parse as parse
from execution.live.faults import NotHeld, Refused, Unclear
from execution.live.other import OtherVenue
from execution.live.port import Standing
from tests.contract.venue.binance_stage import BTC, NAME, market, order, ref, stop
from tests.support.venue import RunningVenue, simulated_here

D = Decimal


@pytest.fixture(scope="module")
def server() -> Iterator[RunningVenue]:
    with simulated_here() as server:
        yield server


def _with_adapter(server: RunningVenue, use: Any) -> None:
    key, secret = server.keys(NAME)
    settings = VenueSettings(name=NAME, rest_url=server.rest_url, api_key=key, api_secret=secret)

    async def go() -> None:
        adapter = OtherVenue(settings, [BTC])
        try:
            async with asyncio.timeout(15):
                await adapter.open()
                await use(adapter)
        finally:
            await adapter.close()

    asyncio.run(go())


def test_orders_are_placed_found_and_cancelled(server: RunningVenue) -> None:
    async def use(adapter: OtherVenue) -> None:
        placed = await adapter.place(order("rests"), 5000)
        await adapter.place(market("in"), 5000)
        guard = await adapter.place(stop("guard"), 5000)
        found = {each.client_id: each for each in await adapter.open_orders()}
        assert {name: each.venue_id for name, each in found.items()} == {
            "rests": placed.venue_id,
            "guard": guard.venue_id,
        }
        assert (found["guard"].trigger, found["guard"].reduce_only) == (D(59_000), True)
        filled = await adapter.look_up(ref(market("in")))
        assert filled is not None
        assert (filled.standing, filled.filled) == (Standing.FILLED, D("0.01"))
        await adapter.cancel(ref(stop("guard")))
        await adapter.cancel(ref(order("rests"), venue_id=placed.venue_id))
        for each in (order("rests"), stop("guard")):
            ended = await adapter.look_up(ref(each))
            assert ended is not None
            assert ended.standing is Standing.CANCELLED
            with pytest.raises(NotHeld):
                await adapter.cancel(ref(each))
        assert await adapter.look_up(ref(order("never"))) is None
        with pytest.raises(Refused):
            await adapter.place(order("off-tick", quantity=D("0.0001")), 5000)
        with pytest.raises(Refused):
            await adapter.amend(ref(order("rests")), D("0.02"))

    server.control.reset()
    _with_adapter(server, use)


def test_the_account_is_read(server: RunningVenue) -> None:
    async def use(adapter: OtherVenue) -> None:
        await adapter.place(market("in"), 5000)
        [state] = await adapter.positions()
        assert (state.symbol, state.quantity, state.entry_price) == (BTC, D("0.01"), D("60006"))
        [fill] = await adapter.fills(BTC, 0)
        assert (fill.price, fill.fee) == (D("60006"), D("0.30003"))
        assert (await adapter.account()).cash > 9_990
        rights = await adapter.rights()
        assert (rights.trade, rights.withdraw) == (None, None)
        await asyncio.to_thread(server.control.funding, BTC, "0.0001")
        [fee] = await adapter.funding(BTC, 0)
        assert fee.amount == D("0.06")

    server.control.reset()
    _with_adapter(server, use)


def test_a_venue_without_what_safety_needs_is_refused() -> None:
    async def attempt() -> None:
        adapter = OtherVenue(VenueSettings(name=NAME), [BTC])
        adapter._client.has |= {"fetchMyTrades": False, "createStopLossOrder": False}
        adapter._client.has |= dict.fromkeys(
            ("createTriggerOrder", "createStopMarketOrder", "createStopOrder"), False
        )
        try:
            await adapter.open()
        finally:
            await adapter.close()

    with pytest.raises(ConfigurationError, match="fetchMyTrades, stop orders"):
        asyncio.run(attempt())


@pytest.mark.parametrize(
    ("status", "filled", "standing"),
    [
        ("open", 0.0, Standing.LIVE),
        ("canceling", 0.0, Standing.LIVE),
        ("canceled", 0.004, Standing.CANCELLED),
        ("expired", 0.0, Standing.CANCELLED),
        ("rejected", 0.0, Standing.REJECTED),
        ("closed", 0.01, Standing.FILLED),
        ("closed", 0.0, Standing.UNLISTED),  # a triggered stop at venues with two id spaces
        (None, 0.0, Standing.UNLISTED),
        ("odd", 0.0, Standing.UNLISTED),
    ],
)
def test_what_ccxts_statuses_mean(status: str | None, filled: float, standing: Standing) -> None:
    raw = {"id": "1", "side": "buy", "amount": 0.01, "filled": filled, "status": status, "price": 5.0}
    assert parse.order(raw, BTC).standing is standing
    with pytest.raises(Unclear):
        parse.order(raw | {"side": None}, BTC)
