"""Kraken Futures' words: what its statuses and errors mean, and how its records read. Pure.

Facts are of docs.kraken.com (futures-api) and ccxt's source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bus_schemas.events import Liquidity, Millis, OrderKind, PlaceOrder, Side, VenueRefusal
from bus_schemas.instruments import Instrument
from bus_schemas.venues.markets import Market
from bus_schemas.venues.rate_limits import retry_after
from execution.live.adapter import number
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.port import Standing, VenueFill, VenueOrder
from execution.live.transport import Reply, by_status

_KINDS = {OrderKind.LIMIT: "lmt", OrderKind.MARKET: "mkt", OrderKind.STOP: "stp"}

STANDINGS: Mapping[str, Standing] = {
    # orders/status
    "ENTERED_BOOK": Standing.LIVE,
    "TRIGGER_PLACED": Standing.LIVE,
    "FULLY_EXECUTED": Standing.FILLED,
    "CANCELLED": Standing.CANCELLED,
    "REJECTED": Standing.REJECTED,
    "TRIGGER_ACTIVATION_FAILURE": Standing.CANCELLED,  # it was held, triggered, and could not be placed
    # openorders
    "untouched": Standing.LIVE,
    "partiallyFilled": Standing.LIVE,
    # order and trigger events of the history
    "OrderPlaced": Standing.LIVE,
    "OrderUpdated": Standing.LIVE,
    "OrderEditRejected": Standing.LIVE,
    "OrderCancelled": Standing.CANCELLED,
    "OrderRejected": Standing.REJECTED,
    "OrderTriggerPlaced": Standing.LIVE,
    "OrderTriggerUpdated": Standing.LIVE,
    "OrderTriggerEditRejected": Standing.LIVE,
    "OrderTriggerActivated": Standing.LIVE,
    "OrderTriggerCancelled": Standing.CANCELLED,
}
"""Total with `standing`: what is not here is `unlisted`, which counts as live."""

TAKEN = frozenset({"placed", "partiallyFilled", "filled", "cancelled", "edited"})
"""Statuses of sendorder that mean that the order existed."""

REFUSALS: Mapping[str, VenueRefusal] = {
    "invalidPrice": VenueRefusal.BAD_TICK,
    "invalidSize": VenueRefusal.BAD_STEP,
    "insufficientAvailableFunds": VenueRefusal.MARGIN,
    "wouldCauseLiquidation": VenueRefusal.MARGIN,
    "fixedLeverageTooHigh": VenueRefusal.MARGIN,
    "wouldNotReducePosition": VenueRefusal.REDUCE_ONLY,
    "clientOrderIdAlreadyExist": VenueRefusal.DUPLICATE_ID,
    "marketInactive": VenueRefusal.UNKNOWN_SYMBOL,
    "clientOrderIdInvalid": VenueRefusal.OTHER,
    "clientOrderIdTooBig": VenueRefusal.OTHER,
    "clientOrderIdTooLong": VenueRefusal.OTHER,
    "invalidOrderType": VenueRefusal.OTHER,
    "invalidSide": VenueRefusal.OTHER,
    "iocWouldNotExecute": VenueRefusal.NO_LIQUIDITY,
    "marketIsPostOnly": VenueRefusal.OTHER,
    "maxPositionViolation": VenueRefusal.OTHER,
    "orderForEditNotAStop": VenueRefusal.OTHER,
    "outsidePriceCollar": VenueRefusal.OTHER,
    "postWouldExecute": VenueRefusal.OTHER,
    "selfFill": VenueRefusal.OTHER,
    "tooManyOrders": VenueRefusal.OTHER,
    "tooManySmallOrders": VenueRefusal.OTHER,
    "wouldIncreasePriceDislocation": VenueRefusal.OTHER,
}

_LATE = "wouldProcessAfterSpecifiedTime"
_LATER = frozenset({_LATE, "marketSuspended"})
"""Certainly not done, and worth another try."""

_GONE = frozenset({"notFound", "filled", "orderForEditNotFound"})

_ERRORS: Mapping[str, VenueRefusal] = {
    "insufficientFunds": VenueRefusal.MARGIN,
    "INSUFFICIENT_MARGIN": VenueRefusal.MARGIN,
    "contractNotFound": VenueRefusal.UNKNOWN_SYMBOL,
    "requiredArgumentMissing": VenueRefusal.OTHER,
    "invalidArgument": VenueRefusal.OTHER,
    "invalidAmount": VenueRefusal.OTHER,
    "invalidUnit": VenueRefusal.OTHER,
    "Json Parse Error": VenueRefusal.OTHER,
    "Bad Request": VenueRefusal.OTHER,
    "notFound": VenueRefusal.OTHER,
}
_DENIALS = frozenset({"authenticationError", "accountInactive", "invalidAccount"})
_TOO_OLD = frozenset({"nonceBelowThreshold", "nonceDuplicate"})
_CLOSED = frozenset({"marketUnavailable"})
"""At present, says the venue: nothing was done, and no clock is wrong."""
_UNKNOWN = frozenset({"Server Error", "unknownError", "Unavailable", "unavailable"})

_STOPS = frozenset({"stp", "stop", "take_profit", "trailing_stop"})
_MARKETS = frozenset({"mkt", "market", "ioc", "fok"})


def standing(status: str) -> Standing:
    """Of a status in any of Kraken's vocabularies."""
    return STANDINGS.get(status, Standing.UNLISTED)


def error_word(reply: Reply) -> VenueFault | None:
    """The meaning of an error answer (`"result": "error"`), which comes with any status of HTTP."""
    word = _word(reply.body)
    key = word.partition(":")[0].strip()
    if not key:
        return None
    if key == "apiLimitExceeded":
        return NotSent(word, retry_after(reply.headers), limited=True)
    if key in _DENIALS:
        return Denied(word)
    if key in _TOO_OLD:
        return NotSent(word, stale=True)
    if key in _CLOSED:
        return NotSent(word)
    if key in _ERRORS:
        return Refused(_ERRORS[key], word)
    if key in _UNKNOWN:
        return Unclear(word)
    return by_status(reply)


def _word(body: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    errors = said.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if isinstance(first, dict):
        first = first.get("message")
    return str(said.get("error") or first or "")


def not_found(detail: str) -> bool:
    """Whether an error says that there is nothing of that name."""
    return detail.partition(":")[0].strip() == "notFound"


def send_order(order: PlaceOrder, market: Market) -> dict[str, str]:
    """The request that sends it."""
    request = {
        "orderType": _KINDS[order.kind],
        "symbol": market.id,
        "side": "buy" if order.side is Side.LONG else "sell",
        "size": plain(order.quantity),
        "cliOrdId": order.client_id,
    }
    if order.price is not None:
        request["limitPrice"] = plain(order.price)
    if order.trigger is not None:
        request |= {"stopPrice": plain(order.trigger), "triggerSignal": "mark"}
    if order.reduce_only:
        request["reduceOnly"] = "true"
    return request


def send_fault(status: str, order: PlaceOrder, instrument: Instrument) -> VenueFault | None:
    """What the status of a sent order means; None where the venue took it."""
    if status in TAKEN:
        return None
    if status == "invalidSize" and order.quantity < instrument.min_quantity:
        return Refused(VenueRefusal.BELOW_MINIMUM, status)
    return action_fault(status)


def action_fault(status: str) -> VenueFault:
    """What a status means that is not the wanted one, of sendorder, editorder or cancelorder."""
    if status in _GONE:
        return NotHeld(status)
    if status in _LATER:
        return NotSent(status, stale=status == _LATE)
    if status in REFUSALS:
        return Refused(REFUSALS[status], status)
    return Unclear(f"status {status!r}, which we do not know")


# Records ------------------------------------------------------------------------------------------


def exact(value: Any) -> Decimal:
    """A number as it is written; nothing is nought."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def positive(value: Any) -> Decimal | None:
    """Kraken writes an absent price as null, an empty string or 0."""
    return exact(value) or None


def plain(value: Decimal) -> str:
    """Without an exponent."""
    return format(value, "f")


def millis(text: Any) -> Millis:
    """Of an ISO date, or of milliseconds; 0 where there is none."""
    if text in (None, ""):
        return 0
    if isinstance(text, int | float) or str(text).isdigit():
        return int(text)
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def iso(time: Millis) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"


def side(word: Any) -> Side:
    """Of `buy`, `Buy`, `long` and their opposites."""
    return Side.LONG if str(word).lower() in ("buy", "long") else Side.SHORT


def open_order(row: Mapping[str, Any], symbol: str) -> VenueOrder:
    """A row of `openorders`."""
    kind = str(row.get("orderType", ""))
    trigger = positive(row.get("stopPrice"))
    filled = exact(row.get("filledSize"))
    status = str(row.get("status", ""))
    return VenueOrder(
        client_id=str(row.get("cliOrdId") or ""),
        venue_id=str(row["order_id"]),
        symbol=symbol,
        side=side(row["side"]),
        kind=_kind(kind, trigger),
        standing=standing(status),
        status=status,
        quantity=filled + exact(row.get("unfilledSize")),
        filled=filled,
        price=positive(row.get("limitPrice")),
        trigger=trigger,
        reduce_only=bool(row.get("reduceOnly")),
        time=millis(row.get("receivedTime")),
    )


def fill(row: Mapping[str, Any], symbol: str, market: Market) -> VenueFill:
    """A row of `fills`, which tells no fee: it is an estimate, by the rates of the lowest tier that the
    client library knows. What was charged tells the balance (and the account log, whose own rate limit is
    too narrow to read it for every fill).
    """
    price, quantity = number(row["price"]), number(row["size"])
    maker = row.get("fillType") == "maker"
    rate = market.maker if maker else market.taker
    return VenueFill(
        fill_id=str(row["fill_id"]),
        venue_id=str(row["order_id"]),
        client_id=str(row.get("cliOrdId") or row.get("cli_ord_id") or ""),
        symbol=symbol,
        side=side(row["side"]),
        price=price,
        quantity=quantity,
        fee=market.instrument.notional(quantity, price) * rate,
        liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
        time=millis(row["fillTime"]),
    )


def _kind(word: str, trigger: Decimal | None) -> OrderKind:
    if word in _STOPS or trigger is not None:
        return OrderKind.STOP
    return OrderKind.MARKET if word in _MARKETS else OrderKind.LIMIT
