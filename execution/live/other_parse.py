"""What ccxt's unified structures say, as ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bus_schemas.events import Liquidity, OrderKind, Side
from bus_schemas.venues.markets import Market
from execution.live.adapter import number
from execution.live.faults import Unclear
from execution.live.port import Standing, VenueFill, VenueOrder

Raw = Mapping[str, Any]

_STANDINGS = {
    "open": Standing.LIVE,
    "canceling": Standing.LIVE,
    "canceled": Standing.CANCELLED,
    "expired": Standing.CANCELLED,
    "rejected": Standing.REJECTED,
}


def order(raw: Raw, symbol: str) -> VenueOrder:
    """An order. `closed` is filled only where the filled quantity says so; else it counts as alive."""
    quantity, filled = number(raw.get("amount") or 0), number(raw.get("filled") or 0)
    trigger = raw.get("triggerPrice") or raw.get("stopLossPrice")
    price = raw.get("price")
    kind = OrderKind.STOP if trigger else OrderKind.LIMIT if price else OrderKind.MARKET
    status = str(raw.get("status"))
    standing = _STANDINGS.get(status, Standing.UNLISTED)
    if status == "closed" and quantity and filled >= quantity:
        standing = Standing.FILLED
    return VenueOrder(
        client_id=str(raw.get("clientOrderId") or ""),
        venue_id=str(raw["id"]),
        symbol=symbol,
        side=side(raw.get("side")),
        kind=kind,
        standing=standing,
        status=status,
        quantity=quantity,
        filled=filled,
        price=number(price) if kind is OrderKind.LIMIT else None,
        trigger=number(trigger) if trigger else None,
        reduce_only=bool(raw.get("reduceOnly")),
        time=int(raw.get("timestamp") or 0),
    )


def fill(raw: Raw, market: Market) -> VenueFill:
    """A trade of ours; a fee in another currency is told as our fee rate of the notional."""
    price, quantity = number(raw["price"]), number(raw["amount"])
    liquidity = Liquidity.MAKER if raw.get("takerOrMaker") == "maker" else Liquidity.TAKER
    told = raw.get("fee") or {}
    if told.get("cost") is not None and told.get("currency") == market.instrument.settle:
        fee = number(told["cost"])
    else:
        rate = market.maker if liquidity is Liquidity.MAKER else market.taker
        fee = market.instrument.notional(quantity, price) * rate
    time, venue_id = int(raw["timestamp"]), str(raw.get("order") or "")
    return VenueFill(
        fill_id=str(raw.get("id") or f"{venue_id}:{time}:{price}:{quantity}"),
        venue_id=venue_id,
        client_id="",
        symbol=market.instrument.symbol,
        side=side(raw.get("side")),
        price=price,
        quantity=quantity,
        fee=fee,
        liquidity=liquidity,
        time=time,
    )


def side(word: object) -> Side:
    """Of `buy` or `sell`."""
    if word not in ("buy", "sell"):
        raise Unclear(f"the venue sent {word!r} where a side belongs")
    return Side.LONG if word == "buy" else Side.SHORT
