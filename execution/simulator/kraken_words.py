"""Kraken Futures' words for what the simulated exchange knows. Pure; facts are of docs.kraken.com."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from bus_schemas.events import Liquidity, Millis, OrderKind, Side
from execution.simulator.orders import Code, SimFill, SimOrder, SimRefusal, SimStatus, TriggerBy

ACCOUNT = str(uuid5(NAMESPACE_OID, "krakenfutures-account"))
RECENT_MS = 5000
"""For how long `orders/status` tells of an order that has ended."""

Words = dict[str, Any]

encode = msgspec.json.Encoder(decimal_format="number").encode
"""Numbers leave as numbers, exactly."""

_STATUS: Mapping[Code, str] = {
    Code.BELOW_MINIMUM: "invalidSize",
    Code.BELOW_NOTIONAL: "invalidSize",
    Code.ABOVE_MAXIMUM: "invalidSize",
    Code.POSITION_LIMIT: "maxPositionViolation",
    Code.BAD_QUANTITY: "invalidSize",
    Code.BAD_STEP: "invalidSize",
    Code.BAD_TICK: "invalidPrice",
    Code.BAD_PRICE: "invalidPrice",
    Code.WOULD_TRIGGER: "invalidPrice",
    Code.PRICE_BAND: "outsidePriceCollar",
    Code.MARGIN: "insufficientAvailableFunds",
    Code.LEVERAGE: "fixedLeverageTooHigh",
    Code.REDUCE_ONLY: "wouldNotReducePosition",
    Code.WOULD_TAKE: "postWouldExecute",
    Code.DUPLICATE_ID: "clientOrderIdAlreadyExist",
    Code.BAD_CLIENT_ID: "clientOrderIdInvalid",
    Code.UNKNOWN_ORDER: "notFound",
    Code.NOT_AMENDABLE: "orderForEditNotAStop",
    Code.NO_PRICE: "marketSuspended",
    Code.TOO_MANY_ORDERS: "tooManyOrders",
}

_LONGEST_CLIENT_ID = 100

_REASONS: Mapping[str, str] = {
    "user": "CANCELLED_BY_USER",
    "full_fill": "FULL_FILL",
    "reduce_only": "WOULD_NOT_REDUCE_POSITION",
    "margin": "NOT_ENOUGH_MARGIN",
    "amended": "EDITED_BY_USER",
    "dead_man_switch": "DEAD_MAN_SWITCH",
    "ioc": "IOC_WOULD_NOT_EXECUTE_REASON",
}


class ErrorWord(Exception):
    """The request as a whole is refused: `"result": "error"`."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def status_of(refusal: SimRefusal, client_id: str) -> str:
    """The status of a refused order.

    Raises:
        ErrorWord: the refusal is of the request, not of the order.
    """
    if refusal.code is Code.UNKNOWN_SYMBOL:
        raise ErrorWord("contractNotFound")
    if refusal.code is Code.BAD_CLIENT_ID and len(client_id) > _LONGEST_CLIENT_ID:
        return "clientOrderIdTooLong"
    return _STATUS[refusal.code]


def iso(time: Millis) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    moment = datetime.fromtimestamp(time // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"


def millis(text: str) -> Millis:
    """Of an ISO date.

    Raises:
        ErrorWord: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ErrorWord("invalidArgument") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def way(side: Side) -> str:
    """`buy` or `sell`."""
    return "buy" if side is Side.LONG else "sell"


def reason(order: SimOrder) -> str:
    """Why the order is as it is, in the venue's capitals."""
    if order.alive:
        return "PARTIAL_FILL" if order.filled else "NEW_USER_ORDER"
    return _REASONS.get(order.reason, "CANCELLED_BY_ADMIN")


def kind(order: SimOrder) -> str:
    """`lmt`, `post`, `ioc`."""
    if order.kind is OrderKind.LIMIT:
        return "post" if order.post_only else "lmt"
    return "ioc"


def event_order(order: SimOrder, name: str) -> Words:
    """An order inside `orderEvents`."""
    return {
        "orderId": order.order_id,
        "cliOrdId": order.client_id or None,
        "type": kind(order),
        "symbol": name,
        "side": way(order.side),
        "quantity": order.quantity,
        "filled": order.filled,
        "limitPrice": order.price,
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.created),
        "lastUpdateTimestamp": iso(order.updated),
    }


def event_trigger(order: SimOrder, name: str) -> Words:
    """A stop inside `orderEvents`."""
    return {
        "uid": order.order_id,
        "clientId": order.client_id or None,
        "type": "ioc",
        "symbol": name,
        "side": way(order.side),
        "quantity": order.quantity,
        "limitPrice": None,
        "triggerPrice": order.trigger,
        "triggerSide": "trigger_above" if order.side is Side.LONG else "trigger_below",
        "triggerSignal": f"{order.trigger_by.value}_price",
        "reduceOnly": order.reduce_only,
        "timestamp": iso(order.created),
        "lastUpdateTimestamp": iso(order.updated),
        "startTime": None,
    }


def place_event(order: SimOrder, name: str) -> Words:
    """An order that was taken."""
    if order.kind is OrderKind.STOP:
        return {"type": "PLACE", "orderTrigger": event_trigger(order, name)}
    return {"type": "PLACE", "order": event_order(order, name), "reducedQuantity": None}


def cancel_event(order: SimOrder, name: str) -> Words:
    """An order that was taken out."""
    if order.kind is OrderKind.STOP:
        return {"type": "CANCEL", "uid": order.order_id, "orderTrigger": event_trigger(order, name)}
    return {"type": "CANCEL", "uid": order.order_id, "order": event_order(order, name)}


def execution_event(fill: SimFill, order: SimOrder, name: str) -> Words:
    """A fill; `order` is as it was after it."""
    prior = msgspec.structs.replace(order, filled=order.filled - fill.quantity)
    return {
        "type": "EXECUTION",
        "executionId": uuid_of(fill),
        "price": fill.price,
        "amount": fill.quantity,
        "orderPriorEdit": None,
        "orderPriorExecution": event_order(prior, name),
        "takerReducedQuantity": None,
    }


def open_row(order: SimOrder, name: str) -> Words:
    """A row of `openorders`."""
    stop = order.kind is OrderKind.STOP
    row: Words = {
        "order_id": order.order_id,
        "symbol": name,
        "side": way(order.side),
        "orderType": "stop" if stop else kind(order),
        "limitPrice": order.price,
        "unfilledSize": order.remaining,
        "receivedTime": iso(order.created),
        "status": "partiallyFilled" if order.filled else "untouched",
        "filledSize": order.filled,
        "reduceOnly": order.reduce_only,
        "lastUpdateTime": iso(order.updated),
    }
    if order.client_id:
        row["cliOrdId"] = order.client_id
    if stop:
        row |= {"stopPrice": order.trigger, "triggerSignal": order.trigger_by.value}
    return {key: value for key, value in row.items() if value is not None}


def status_row(order: SimOrder, name: str) -> Words:
    """An element of `orders/status`. What has not triggered has no count of fills."""
    stop = order.kind is OrderKind.STOP and order.status is not SimStatus.OPEN and not order.filled
    options = {
        "triggerPrice": order.trigger,
        "triggerSide": "TRIGGER_ABOVE" if order.side is Side.LONG else "TRIGGER_BELOW",
        "triggerSignal": "MARK_PRICE" if order.trigger_by is TriggerBy.MARK else "LAST_PRICE",
    }
    status = {
        SimStatus.OPEN: "ENTERED_BOOK",
        SimStatus.WAITING: "TRIGGER_PLACED",
        SimStatus.FILLED: "FULLY_EXECUTED",
    }.get(order.status, "CANCELLED")
    counted = {} if stop else {"filled": order.filled}
    return {
        "order": {
            "type": "TRIGGER_ORDER" if stop else "ORDER",
            "orderId": order.order_id,
            "cliOrdId": order.client_id or None,
            "symbol": name,
            "side": way(order.side),
            "quantity": order.quantity,
            **counted,
            "limitPrice": order.price,
            "reduceOnly": order.reduce_only,
            "timestamp": iso(order.created),
            "lastUpdateTimestamp": iso(order.updated),
            "priceTriggerOptions": options if stop else None,
            "triggerTime": None,
        },
        "status": status,
        "updateReason": reason(order),
        "error": None,
    }


def fill_row(fill: SimFill, name: str) -> Words:
    """A row of `fills`."""
    row: Words = {
        "fill_id": uuid_of(fill),
        "symbol": name,
        "side": way(fill.side),
        "order_id": fill.order_id,
        "size": fill.quantity,
        "price": fill.price,
        "fillTime": iso(fill.time),
        "fillType": "maker" if fill.liquidity is Liquidity.MAKER else "taker",
    }
    if fill.client_id:
        row["cliOrdId"] = fill.client_id
    return row


def uuid_of(fill: SimFill) -> str:
    """The venue's id of a fill."""
    return fill.fill_id if "-" in fill.fill_id else str(uuid5(NAMESPACE_OID, f"fill-{fill.fill_id}"))


def numbered(params: Mapping[str, str], name: str) -> Decimal | None:
    """A number among the parameters.

    Raises:
        ErrorWord: it is none.
    """
    text = params.get(name, "")
    if not text:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise ErrorWord("invalidArgument") from None
    if not value.is_finite():
        raise ErrorWord("invalidArgument")
    return value
