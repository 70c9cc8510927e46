"""Binance's answers as ours. Pure; every number is taken as the text that the venue sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.events import Liquidity, OrderKind, PositionState, Side
from bus_schemas.venues.markets import Market
from execution.live.adapter import number
from execution.live.binance_words import ALGO_ORDERS, FINISHED, ORDERS
from execution.live.faults import Denied, Unclear
from execution.live.port import FundingFee, Hint, OrderRef, Standing, VenueAccount, VenueFill, VenueOrder

Raw = Mapping[str, Any]
ZERO = Decimal(0)
_KINDS = {"LIMIT": OrderKind.LIMIT, "MARKET": OrderKind.MARKET, "STOP_MARKET": OrderKind.STOP}
_FUNDING_SLACK_MS = 60_000


def side(word: object) -> Side:
    """Of `BUY` or `SELL`."""
    if word not in ("BUY", "SELL"):
        raise Unclear(f"the venue sent {word!r} where a side belongs")
    return Side.LONG if word == "BUY" else Side.SHORT


def truth(value: object) -> bool:
    """Some endpoints send booleans as text."""
    return value is True or value == "true"


def order(raw: Raw, symbol: str) -> VenueOrder:
    """An order of the matching engine. It is never a stop: those live in the Algo service, and what one
    became is an order like any other."""
    status = str(raw["status"])
    kind = OrderKind.LIMIT if raw.get("type") == "LIMIT" else OrderKind.MARKET
    return VenueOrder(
        client_id=str(raw.get("clientOrderId", "")),
        venue_id=str(raw["orderId"]),
        symbol=symbol,
        side=side(raw["side"]),
        kind=kind,
        standing=ORDERS.get(status, Standing.UNLISTED),
        status=status,
        quantity=number(raw["origQty"]),
        filled=number(raw.get("executedQty", 0)),
        price=number(raw["price"]) if kind is OrderKind.LIMIT else None,
        reduce_only=truth(raw.get("reduceOnly")) or truth(raw.get("closePosition")),
        time=int(raw.get("time") or raw.get("updateTime") or 0),
    )


def algo_order(raw: Raw, symbol: str) -> VenueOrder:
    """A conditional order by itself; what its successor did is not in it."""
    status = str(raw["algoStatus"])
    kind = _KINDS.get(str(raw.get("orderType", "")), OrderKind.STOP)
    successor = str(raw.get("actualOrderId") or "")
    return VenueOrder(
        client_id=str(raw.get("clientAlgoId", "")),
        venue_id=str(raw["algoId"]),
        symbol=symbol,
        side=side(raw["side"]),
        kind=kind,
        standing=ALGO_ORDERS.get(status, Standing.UNLISTED),
        status=status,
        quantity=number(raw.get("quantity") or 0),
        filled=ZERO,
        price=number(raw.get("price") or 0) if kind is OrderKind.LIMIT else None,
        trigger=number(raw.get("triggerPrice") or 0),  # a trailing one of another hand may have none
        reduce_only=truth(raw.get("reduceOnly")) or truth(raw.get("closePosition")),
        successor="" if successor == "0" else successor,
        time=int(raw.get("createTime") or raw.get("updateTime") or 0),
    )


def only_became(ref: OrderRef, became: VenueOrder) -> VenueOrder:
    """A conditional order of which the venue shows nothing any more but the order that it became."""
    return VenueOrder(
        client_id=ref.client_id,
        venue_id=ref.venue_id,
        symbol=ref.symbol,
        side=ref.side,
        kind=ref.kind,
        standing=became.standing,
        status=f"{FINISHED}/{became.status}",
        quantity=ref.quantity,
        filled=became.filled,
        trigger=ref.trigger,
        reduce_only=ref.reduce_only,
        successor=became.venue_id,
        time=became.time,
    )


def triggered(algo: VenueOrder, became: VenueOrder) -> VenueOrder:
    """A conditional order together with the order that it became."""
    return msgspec.structs.replace(
        algo, standing=became.standing, status=f"{algo.status}/{became.status}", filled=became.filled
    )


def finished(algo: VenueOrder, filled: Decimal) -> VenueOrder:
    """A triggered conditional order of whose successor the venue shows only the fills. While the Algo
    service does not say that it is over, it counts as live."""
    if algo.status != FINISHED:
        return msgspec.structs.replace(algo, filled=filled)
    whole = filled >= algo.quantity > ZERO
    standing = Standing.FILLED if whole else Standing.CANCELLED
    return msgspec.structs.replace(algo, filled=filled, standing=standing)


def fill(raw: Raw, market: Market) -> VenueFill:
    """A trade of ours.

    A fee in another currency than the position's, such as BNB, is told as our fee rate of the notional:
    an upper bound, because who pays in BNB pays less.
    """
    instrument = market.instrument
    price, quantity = number(raw["price"]), number(raw["qty"])
    liquidity = Liquidity.MAKER if truth(raw.get("maker")) else Liquidity.TAKER
    if raw.get("commissionAsset") == instrument.settle:
        fee = number(raw["commission"])
    else:
        rate = market.maker if liquidity is Liquidity.MAKER else market.taker
        fee = instrument.notional(quantity, price) * rate
    return VenueFill(
        fill_id=str(raw["id"]),
        venue_id=str(raw["orderId"]),
        client_id="",
        symbol=instrument.symbol,
        side=side(raw["side"]),
        price=price,
        quantity=quantity,
        fee=fee,
        liquidity=liquidity,
        time=int(raw["time"]),
    )


def position(raw: Raw, symbol: str) -> PositionState | None:
    """None where nothing is open.

    Raises:
        Denied: the account holds both sides apart, which we cannot trade.
    """
    quantity = number(raw["positionAmt"])
    if not quantity:
        return None
    if raw.get("positionSide", "BOTH") != "BOTH":
        raise Denied(f"the account is in hedge mode and holds {symbol}; set one-way mode")
    return PositionState(
        symbol=symbol,
        quantity=quantity,
        entry_price=number(raw["entryPrice"]),
        mark=number(raw["markPrice"]),
    )


def account(raw: Raw, settle: str) -> VenueAccount:
    """The balance of one currency; an account without any of it has nothing."""
    for asset in raw["assets"]:
        if asset["asset"] == settle:
            return VenueAccount(cash=number(asset["walletBalance"]), equity=number(asset["marginBalance"]))
    return VenueAccount(cash=ZERO, equity=ZERO)


def funding(incomes: Iterable[Raw], rates: Iterable[Raw], symbol: str) -> list[FundingFee]:
    """Settled funding in order of time. The venue tells the rate in another list; 0 where that lacks it."""
    known = [(int(rate["fundingTime"]), number(rate["fundingRate"])) for rate in rates]
    found = []
    for income in incomes:
        time = int(income["time"])
        distance, rate = min(((abs(at - time), rate) for at, rate in known), default=(0, ZERO))
        near = rate if distance <= _FUNDING_SLACK_MS else ZERO
        found.append(FundingFee(symbol=symbol, amount=-number(income["income"]), rate=near, time=time))
    return sorted(found, key=lambda fee: fee.time)


def hints(message: Raw, canonical: Callable[[str], str]) -> list[Hint]:
    """What a message of the user stream is about. Of unknown ones: something of the account."""
    body = message.get("o")
    if isinstance(body, Mapping) and "s" in body:
        client = str(body.get("caid") or body.get("c") or "")
        return [Hint(symbol=canonical(str(body["s"])), client_id=client)]
    if message.get("e") == "TRADE_LITE":
        return [Hint(symbol=canonical(str(message["s"])), client_id=str(message.get("c") or ""))]
    update = message.get("a")
    if isinstance(update, Mapping):
        symbols = {str(held["s"]) for held in update.get("P", ()) if "s" in held}
        return [Hint(symbol=canonical(name)) for name in sorted(symbols)] or [Hint(symbol="*")]
    return [Hint(symbol="*")] if "e" in message else []
