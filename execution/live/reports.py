"""How the edge words what it tells."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import AlertCode, Millis, OrderFilled, StrayOrder, VenueAlert
from execution.live.port import VenueFill
from execution.live.records import Held


def filled(client_id: str, fill: VenueFill, remaining: Decimal, time: Millis) -> OrderFilled:
    """A fill of the order, after which so much of it is left."""
    return OrderFilled(
        time=time,
        client_id=client_id,
        symbol=fill.symbol,
        side=fill.side,
        fill_id=fill.fill_id,
        price=fill.price,
        quantity=fill.quantity,
        remaining=remaining,
        fee=fill.fee,
        liquidity=fill.liquidity,
        traded=fill.time if fill.time < time else None,
    )


def stray(held: Held, time: Millis) -> StrayOrder:
    """An order that rests at the venue and may count for nobody."""
    return StrayOrder(
        time=time,
        client_id=held.client_id,
        symbol=held.symbol,
        side=held.side,
        quantity=held.quantity - held.filled,
        price=held.price,
        trigger=held.trigger,
        reduce_only=held.reduce_only,
    )


def alert(time: Millis, symbol: str, code: AlertCode, detail: str) -> VenueAlert:
    """A word for a person; the symbol is `*` for the account."""
    return VenueAlert(time=time, symbol=symbol, code=code, detail=detail)
