"""What became of one order at Kraken Futures, from all that the venue tells of it. Pure.

Nobody documents whether a stop keeps its id when it triggers: the words are that the system removes the
stop and creates an order. So what goes by the venue's id or by ours is the stop's, and another id than its
own is its successor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.events import Millis, OrderKind
from execution.live.kraken_words import exact, millis, positive, side, standing
from execution.live.port import OrderRef, Standing, VenueFill, VenueOrder

Events = Sequence[Mapping[str, Any]]

GONE_MS = 60_000
"""How old the last event of an order is before the list of what is open is believed rather than the
history: that may have missed the end, and neither is up to date at once."""

UNSEEN_MS = 15_000
"""For how long it must be listed nowhere: the end of an order that has rested for long may be on its way
to the history and to the fills."""

_REMEMBERED = 1000
_TRIGGERED = "stop_order_triggered"


def belongs(venue_id: str, client_id: str, ref: OrderRef) -> bool:
    """Whether what goes by these ids, of which one may be empty, is the order."""
    known = bool(venue_id) and venue_id in (ref.venue_id, ref.successor)
    return known or bool(client_id and client_id == ref.client_id)


def traded_as(ref: OrderRef) -> str:
    """The venue's id under which it can be cancelled; empty while not known."""
    return ref.successor or ref.venue_id


def named(ref: OrderRef, venue_id: str) -> OrderRef:
    """With an id under which the venue told it."""
    if not ref.venue_id:
        return msgspec.structs.replace(ref, venue_id=venue_id)
    return msgspec.structs.replace(ref, successor=venue_id) if venue_id != ref.venue_id else ref


def as_asked(told: VenueOrder, ref: OrderRef) -> VenueOrder:
    """A stop by its own id, also where the venue tells what it became."""
    ref = named(ref, told.venue_id)
    kind = OrderKind.STOP if ref.kind is OrderKind.STOP else told.kind
    return msgspec.structs.replace(told, kind=kind, venue_id=ref.venue_id, successor=ref.successor)


class Absent:
    """Since when orders are listed nowhere as open. Forgotten at a restart, which costs only patience."""

    def __init__(self) -> None:
        self._since: dict[str, Millis] = {}

    def found(self, client_id: str) -> None:
        """It is listed."""
        self._since.pop(client_id, None)

    def lasts(self, client_id: str, now: Millis) -> Millis:
        """It is not listed now; returns for how long it has not been."""
        since = self._since.setdefault(client_id, now)
        if len(self._since) > _REMEMBERED:
            del self._since[next(iter(self._since))]
        return now - since


# orders/status ------------------------------------------------------------------------------------


def status_requests(ref: OrderRef) -> list[dict[str, Any]]:
    """What to ask, one after another until it is told live. Of a stop, what it became may go by our id
    alone; and nobody documents that one request may name ids of both kinds."""
    known = [venue_id for venue_id in (ref.venue_id, ref.successor) if venue_id]
    requests: list[dict[str, Any]] = [{"orderIds": known}] if known else []
    if not known or (ref.kind is OrderKind.STOP and ref.client_id):
        requests.append({"cliOrdIds": ref.client_id})
    return requests


def by_status(rows: Iterable[Mapping[str, Any]], ref: OrderRef) -> tuple[VenueOrder | None, bool]:
    """The order by `orders/status`, and whether it is listed there at all: a row may tell too little."""
    listed, found = False, []
    for row in rows:
        order = row.get("order")
        if not isinstance(order, dict) or not row.get("status"):
            continue
        if belongs(str(order.get("orderId") or ""), str(order.get("cliOrdId") or ""), ref):
            listed = True
            if _decides(row, order):
                found.append(order_status(row, ref.symbol))
    if not found:
        return None, listed
    return as_asked(max(found, key=lambda told: (told.standing.alive, told.filled)), ref), listed


def _decides(row: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Numbers may be null. A trigger has no count of fills: what waits for it, or ended so, has none. One
    that was removed because it triggered has not ended."""
    waits = row["status"] == "TRIGGER_PLACED" or (
        order.get("type") == "TRIGGER_ORDER" and "filled" not in order
    )
    if order.get("quantity") is None or (order.get("filled") is None and not waits):
        return False
    removed = str(row.get("updateReason") or "").lower() == _TRIGGERED and not exact(order.get("filled"))
    return not removed or standing(str(row["status"])).alive


def order_status(row: Mapping[str, Any], symbol: str) -> VenueOrder:
    """An element of `orders/status`."""
    order, status = row["order"], str(row.get("status", ""))
    options = order.get("priceTriggerOptions") or {}
    trigger = positive(options.get("triggerPrice"))
    means = standing(status)
    quantity, filled = exact(order.get("quantity")), exact(order.get("filled"))
    if means is Standing.FILLED:
        filled = max(filled, quantity)
    price = positive(order.get("limitPrice"))
    plain_kind = OrderKind.LIMIT if price is not None else OrderKind.MARKET
    return VenueOrder(
        client_id=str(order.get("cliOrdId") or ""),
        venue_id=str(order["orderId"]),
        symbol=symbol,
        side=side(order["side"]),
        kind=OrderKind.STOP if order.get("type") == "TRIGGER_ORDER" or trigger else plain_kind,
        standing=means,
        status=status,
        quantity=max(quantity, filled),
        filled=filled,
        price=price,
        trigger=trigger,
        reduce_only=bool(order.get("reduceOnly")),
        time=millis(order.get("timestamp")),
    )


# Fills and history --------------------------------------------------------------------------------


def fate(events: Events, ref: OrderRef, filled: Decimal) -> VenueOrder | None:
    """What became of an order, by events of the history in order of time, those of triggers before those
    of orders, and by its fills.

    `quantity` of an event is what is still open after it.
    """
    status, time, size = "", 0, ref.quantity
    means = Standing.UNLISTED
    for event in _own(events, ref):
        name, order, reason = read_event(event)
        status, ref = name, named(ref, str(order.get("uid") or traded_as(ref)))
        time = time or millis(order.get("timestamp"))
        means = standing(name)
        done = exact(order.get("filled"))
        filled, size = max(filled, done), exact(order.get("quantity")) + done or size
        if reason == "full_fill":
            means, filled = Standing.FILLED, filled or ref.quantity
        elif reason == _TRIGGERED:
            means = Standing.LIVE
    if not status and not filled:
        return None
    if filled >= ref.quantity > 0:
        means = Standing.FILLED
    return VenueOrder(
        client_id=ref.client_id,
        venue_id=ref.venue_id,
        successor=ref.successor,
        symbol=ref.symbol,
        side=ref.side,
        kind=ref.kind,
        standing=means,
        status=status or "known by its fills only",
        quantity=max(size, filled),
        filled=filled,
        price=ref.price,
        trigger=ref.trigger,
        reduce_only=ref.reduce_only,
        time=time,
    )


def last_sign(events: Events, fills: Sequence[VenueFill], ref: OrderRef) -> Millis:
    """When the venue's history last told anything of the order; else when it was sent; else 0."""
    signs = [fill.time for fill in fills]
    signs += [millis(event.get("timestamp")) for event in _own(events, ref)]
    return max(signs, default=0) or ref.sent


def gone(told: VenueOrder) -> VenueOrder:
    """The order of which the history tells no end, and which is not open all the same."""
    return msgspec.structs.replace(
        told, standing=Standing.CANCELLED, status=f"not open any more; the last word was {told.status}"
    )


def read_event(event: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str]:
    """Name, order and reason of an element of the order or trigger history."""
    name, body = next(iter((event.get("event") or {"": {}}).items()))
    body = body if isinstance(body, dict) else {}
    reason = str(body.get("reason") or "").lower()
    for key in ("order", "newOrder", "newOrderTrigger", "oldOrder", "oldOrderTrigger", "orderTrigger"):
        if isinstance(body.get(key), dict):
            return name, body[key], reason
    return name, {}, reason


def _own(events: Events, ref: OrderRef) -> Iterator[Mapping[str, Any]]:
    """Those of the order; an id of the venue's that one of them tells beside ours is its too."""
    ids = {ref.venue_id, ref.successor}
    for event in events:
        _, order, _ = read_event(event)
        venue_id = str(order.get("uid") or "")
        if (venue_id and venue_id in ids) or belongs("", str(order.get("clientId") or ""), ref):
            ids.add(venue_id)
            yield event
