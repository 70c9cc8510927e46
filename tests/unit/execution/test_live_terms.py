"""The largest order: told of where ours is another, and never exceeded by an entry."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from msgspec.structs import replace

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Leg, OrderKind, PlaceOrder, Side, VenueRefusal
from bus_schemas.instruments import DEFAULT_INSTRUMENTS, Instrument
from bus_schemas.settings import VenueSettings
from execution.live.faults import Refused
from execution.live.guarded import Guarded
from execution.live.port import Venue, VenueOrder
from execution.live.terms import check_steps, check_terms, oversized

D = Decimal
BTC, ETH = "BTCUSDT", "ETHUSDT"


def table(**most: str | None) -> dict[str, Instrument]:
    return {
        symbol: replace(DEFAULT_INSTRUMENTS[symbol], max_quantity=D(largest) if largest else None)
        for symbol, largest in most.items()
    }


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("120", "120", []),
        ("50", "120", []),
        (None, None, []),
        ("50", None, []),
        ("120.001", "120", ["BTCUSDT: max_quantity is 120.001, above the venue's 120"]),
        (None, "120", ["BTCUSDT: max_quantity is not set, the venue's is 120"]),
    ],
)
def test_ours_may_be_smaller_and_not_larger(ours: str | None, theirs: str | None, told: list[str]) -> None:
    mine, its = table(BTCUSDT=ours), table(BTCUSDT=theirs)
    assert oversized(mine, its, [BTC]) == told
    check_steps(mine, its, [BTC])
    if not told:
        check_terms(mine, its, [BTC])
        return
    with pytest.raises(ConfigurationError) as refused:
        check_terms(mine, its, [BTC])
    assert told[0] in str(refused.value)


def test_every_difference_is_told_at_once() -> None:
    mine = table(BTCUSDT="121", ETHUSDT=None)
    mine[ETH] = replace(mine[ETH], min_notional=D(1))
    with pytest.raises(ConfigurationError) as refused:
        check_terms(mine, table(BTCUSDT="120", ETHUSDT="2000"), [BTC, ETH, "SOLUSDT"])
    for part in ("max_quantity is 121", "max_quantity is not set", "min_notional is 1", "SOLUSDT: the venue"):
        assert part in str(refused.value)


class _Venue(Venue):
    """Takes every order, as Binance does a limit order between its two largest quantities."""

    name = "binanceusdm"

    def __init__(self) -> None:
        self.placed: list[Decimal] = []

    def instruments(self) -> dict[str, Instrument]:
        return table(BTCUSDT="120", ETHUSDT=None)

    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:  # type: ignore[return]
        self.placed.append(order.quantity)


_Venue.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def order(quantity: str, symbol: str = BTC, leg: Leg = Leg.ENTRY) -> PlaceOrder:
    return PlaceOrder(
        time=1,
        client_id="c",
        signal_id="s",
        symbol=symbol,
        side=Side.LONG,
        leg=leg,
        kind=OrderKind.MARKET if leg is not Leg.ENTRY else OrderKind.LIMIT,
        price=None if leg is not Leg.ENTRY else D(100),
        quantity=D(quantity),
        reduce_only=leg is not Leg.ENTRY,
    )


def test_no_entry_goes_out_that_no_stop_could_protect() -> None:
    venue = _Venue()  # type: ignore[abstract]
    guarded = Guarded(venue, VenueSettings())
    for fine in (order("120"), order("9000", ETH), order("120.001", leg=Leg.STOP), order("1", "NEWUSDT")):
        asyncio.run(guarded.place(fine, 100))
    assert venue.placed == [D(120), D(9000), D("120.001"), D(1)]
    with pytest.raises(Refused, match=r"120\.001 contracts are more than one stop or close") as refused:
        asyncio.run(guarded.place(order("120.001"), 100))
    assert refused.value.reason is VenueRefusal.OTHER
    assert len(venue.placed) == 4, "nothing was sent"
