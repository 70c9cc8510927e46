"""Under which ids a stop trades: it is never renamed, and its fill is never somebody else's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from bus_schemas.events import (
    AlertCode,
    Body,
    Leg,
    Liquidity,
    OrderFilled,
    OrderKind,
    PlaceOrder,
    Side,
    VenueAlert,
)
from bus_schemas.settings import VenueSettings
from execution.ids import client_id
from execution.live.delivery import Delivery
from execution.live.faults import NotSent
from execution.live.port import OrderRef, Standing, Venue, VenueFill, VenueOrder
from execution.live.register import Register

D = Decimal
NOW = 1_700_000_000_000
BTC = "BTCUSDT"
STOP = client_id("s", Leg.STOP, 1)
RESTING = VenueOrder(
    client_id=STOP, venue_id="algo-1", symbol=BTC, side=Side.SHORT, kind=OrderKind.STOP,
    standing=Standing.LIVE, status="NEW", quantity=D(2), filled=D(0), trigger=D(90), reduce_only=True,
)  # fmt: skip
CHILD = replace(RESTING, venue_id="order-9", kind=OrderKind.MARKET, trigger=None, status="PARTIALLY_FILLED")
FILL = VenueFill(
    fill_id="1", venue_id="order-9", client_id="", symbol=BTC, side=Side.SHORT, price=D(90), quantity=D(1),
    fee=D(0), liquidity=Liquidity.TAKER, time=NOW,
)  # fmt: skip


class _Venue(Venue):
    name = "binanceusdm"

    def __init__(self) -> None:
        self.time = NOW + 50
        self.stop: VenueOrder | None = RESTING
        self.closed = False

    def now(self) -> int:
        return self.time

    async def fills(self, symbol: str, since: int) -> list[VenueFill]:
        return [FILL]

    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        if self.closed:
            raise NotSent("history is closed", apart=True)
        return self.stop


_Venue.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def _register(known: bool = True) -> Register:
    register = Register()
    register.intake(
        1,
        PlaceOrder(
            time=NOW, client_id=STOP, signal_id="s", symbol=BTC, side=Side.SHORT, leg=Leg.STOP,
            kind=OrderKind.STOP, quantity=D(2), trigger=D(90), reduce_only=True,
        ),
        "",
        "",
    )  # fmt: skip
    register.sending(STOP, NOW)
    if known:
        register.learn(STOP, RESTING, NOW)
    return register


def _ref(register: Register) -> OrderRef:
    held = register.find(STOP)
    assert held is not None
    return held.ref


@pytest.mark.parametrize("known", [True, False])
def test_what_a_stop_became_does_not_rename_it(known: bool) -> None:
    register = _register(known)
    register.look([CHILD], [], NOW + 1)
    ref = _ref(register)
    assert (ref.venue_id, ref.successor) == ("algo-1" if known else "", "order-9")
    assert not register.ownerless([FILL])
    register.learn(STOP, replace(RESTING, successor="order-9", status="TRIGGERED"), NOW + 2)
    assert (_ref(register).venue_id, _ref(register).successor) == ("algo-1", "order-9")


def test_a_stop_that_keeps_its_id_when_it_triggers_has_no_successor() -> None:
    register = _register()
    register.look([replace(CHILD, venue_id="algo-1")], [], NOW + 1)
    assert (_ref(register).venue_id, _ref(register).successor) == ("algo-1", "")


def _read(delivery: Delivery, register: Register, venue: _Venue) -> list[Body]:
    delivery.waiting.clear()
    return register.traded(asyncio.run(delivery.fills(BTC, 0)), venue.now())


def _told(bodies: list[Body]) -> list[Any]:
    return [
        body.code if isinstance(body, VenueAlert) else body.client_id
        for body in bodies
        if isinstance(body, VenueAlert | OrderFilled)
    ]


def _delivery(register: Register, venue: _Venue) -> Delivery:
    return Delivery(
        venue, register, VenueSettings(lag_ms=2000), lambda: None, lambda _: None, lambda *_: None
    )


def test_a_fill_that_comes_before_the_trigger_is_told_waits_for_it() -> None:
    register, venue = _register(), _Venue()  # type: ignore[abstract]
    delivery = _delivery(register, venue)
    assert _told(_read(delivery, register, venue)) == []
    assert delivery.waiting == {BTC}
    venue.stop = replace(RESTING, successor="order-9", status="TRIGGERED")
    assert _told(_read(delivery, register, venue)) == [STOP]
    assert delivery.waiting == set()


@pytest.mark.parametrize("side", [Side.SHORT, Side.LONG])
def test_a_fill_of_somebody_else_is_told_while_a_stop_rests(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, venue = _register(), _Venue()  # type: ignore[abstract]
    delivery = _delivery(register, venue)
    monkeypatch.setattr(__name__ + ".FILL", replace(FILL, side=side))
    if side is Side.SHORT:  # as the stop's
        assert _told(_read(delivery, register, venue)) == []
        venue.time += 2000
    assert _told(_read(delivery, register, venue)) == [AlertCode.FOREIGN_FILL]
    assert delivery.waiting == set()


def test_a_fill_waits_for_a_name_that_a_closed_history_keeps_and_nothing_else_does() -> None:
    register, venue = _register(), _Venue()  # type: ignore[abstract]
    delivery = _delivery(register, venue)
    venue.closed, venue.time = True, NOW + 60_000
    assert _told(_read(delivery, register, venue)) == []
    assert delivery.waiting == {BTC}
    venue.closed = False
    assert _told(_read(delivery, register, venue)) == [AlertCode.FOREIGN_FILL]
