"""Kraken Futures' history: events of orders, of triggers and of executions, and the account log."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from bus_schemas.events import Liquidity, Millis, OrderKind, Side
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_http import Desk, Params
from execution.simulator.kraken_words import ACCOUNT, ErrorWord, Words, iso, kind, reason, uuid_of
from execution.simulator.orders import (
    ZERO,
    AccountReset,
    Filled,
    OrderChanged,
    SimEvent,
    SimFill,
    SimFunding,
    SimOrder,
    TriggerBy,
)
from execution.simulator.protocol import Operation, Route

_KEPT = 10_000
"""Events of each kind. The oldest are forgotten first."""
_PAGE = 100
_LOG_PAGE = 500
_ORDERS, _TRIGGERS, _EXECUTIONS = "orders", "triggers", "executions"
_TYPES = {"lmt": "Limit", "post": "Post", "ioc": "IoC"}


class Entry(NamedTuple):
    """One event.

    Attributes:
        number: counted up.
        order_id: whose it is; an order that queries do not show has no history either.
        name: of the contract.
    """

    number: int
    time: Millis
    order_id: str
    name: str
    event: Words


class HistoryDesk:
    """Remembers what happened, and the endpoints that tell it."""

    def __init__(self, exchange: Exchange, desk: Desk) -> None:
        self._exchange = exchange
        self._desk = desk
        self._count = 0
        self._active: set[str] = set()
        self._books: dict[str, deque[Entry]] = {
            name: deque(maxlen=_KEPT) for name in (_ORDERS, _TRIGGERS, _EXECUTIONS)
        }
        self.stop = exchange.subscribe(self._hear)

    def routes(self) -> list[Route]:
        """Where they are."""
        private, found = self._desk.private, []
        for version in ("v2", "v3"):
            base = f"/api/history/{version}"
            for book, operation in (
                (_ORDERS, Operation.ORDERS),
                (_TRIGGERS, Operation.ORDERS),
                (_EXECUTIONS, Operation.FILLS),
            ):
                found.append(Route("GET", f"{base}/{book}", private(self._teller(book)), operation))
            found.append(Route("GET", f"{base}/account-log", private(self._account_log), Operation.FUNDING))
        return found

    # What happens --------------------------------------------------------------------------------

    def _hear(self, event: SimEvent) -> None:
        if isinstance(event, Filled):
            self._note(_EXECUTIONS, event.order, _execution(event.fill, event.order))
        elif isinstance(event, OrderChanged):
            self._order(event.order, event.cause)
        elif isinstance(event, AccountReset):
            self._active.clear()
            for book in self._books.values():
                book.clear()

    def _order(self, order: SimOrder, cause: str) -> None:
        stop, why = order.kind is OrderKind.STOP, reason(order).lower()
        if cause == "placed" and stop:
            self._note(_TRIGGERS, order, {"OrderTriggerPlaced": _told(_trigger(order), why)})
        elif cause == "triggered":
            why = "stop_order_triggered"
            self._active.add(order.order_id)
            self._note(_TRIGGERS, order, {"OrderTriggerActivated": _told(_trigger(order), why)})
            self._note(_ORDERS, order, {"OrderPlaced": _told(_order(order), why)})
        elif cause == "placed":
            self._note(_ORDERS, order, {"OrderPlaced": _told(_order(order), why)})
        elif cause == "ended" and stop and order.order_id not in self._active:
            self._note(_TRIGGERS, order, {"OrderTriggerCancelled": _told(_trigger(order), why)})
        elif cause == "ended":
            self._note(_ORDERS, order, {"OrderCancelled": _told(_order(order), why)})
        else:
            why = "edited_by_user" if cause == "amended" else why
            update = {"oldOrder": _order(order), "newOrder": _order(order), "reason": why}
            self._note(_ORDERS, order, {"OrderUpdated": update | {"reducedQuantity": ""}})
        if not order.alive:
            self._active.discard(order.order_id)

    def _note(self, book: str, order: SimOrder, event: Words) -> None:
        self._count += 1
        for part in next(iter(event.values())).values():
            if isinstance(part, dict) and "tradeable" in part:
                part["tradeable"] = self._name(order.symbol)
        entry = Entry(self._count, self._exchange.clock(), order.order_id, self._name(order.symbol), event)
        self._books[book].append(entry)

    def _name(self, symbol: str) -> str:
        return self._exchange.listing(symbol).name

    # What is told --------------------------------------------------------------------------------

    def _teller(self, book: str) -> Callable[[Params], Words]:
        return lambda params: self._tell(self._books[book], params)

    def _tell(self, book: deque[Entry], params: Params) -> Words:
        since, before = params.whole("since", 0), params.whole("before", 1 << 62)
        count = max(1, min(params.whole("count", _PAGE), _PAGE))
        newest_first = params.one.get("sort", "desc") != "asc"
        wanted = params.one.get("tradeable", "").upper()
        passed = _number(params.one.get("continuation_token", ""))
        found: list[Entry] = []
        for entry in reversed(book) if newest_first else book:
            if passed and (entry.number >= passed if newest_first else entry.number <= passed):
                continue
            if not since <= entry.time < before or wanted not in ("", entry.name.upper()):
                continue
            if self._exchange.order(entry.order_id) is None:
                continue
            if len(found) == count:
                return _page(found) | {"continuationToken": _token(found[-1].number)}
            found.append(entry)
        return _page(found)

    def _account_log(self, params: Params) -> Words:
        since, before = params.whole("since", 0), params.whole("before", 1 << 62)
        first, last = params.whole("from", 1), params.whole("to", 1 << 62)
        count = max(1, min(params.whole("count", _LOG_PAGE), _LOG_PAGE))
        kinds = params.many.get("info", ())
        rows = [
            row
            for time, row in self._log()
            if since <= time < before and first <= row["id"] <= last and (not kinds or row["info"] in kinds)
        ]
        rows = rows[:count] if params.one.get("sort", "desc") == "asc" else rows[::-1][:count]
        return {"accountUid": ACCOUNT, "logs": rows}

    def _log(self) -> list[tuple[Millis, Words]]:
        """Every change of a balance or a position, oldest first. Cash is counted back from what it is."""
        exchange = self._exchange
        changes: list[SimFill | SimFunding] = [*exchange.fills(), *exchange.funding()]
        changes.sort(key=lambda change: change.time)
        cash, found = exchange.account().cash, []
        for number, change in reversed(list(enumerate(changes, 1))):
            name = self._name(change.symbol).lower()
            row: Words = {**_LOG_ROW, "id": number, "date": iso(change.time), "contract": name}
            row["booking_uid"] = str(uuid5(NAMESPACE_OID, f"booking-{number}"))
            if isinstance(change, SimFill):
                signed = change.quantity * change.side.sign
                row |= {"info": "futures trade", "asset": name, "execution": uuid_of(change)}
                row |= {"old_balance": change.position - signed, "new_balance": change.position}
                row |= {"fee": change.fee, "realized_pnl": change.profit, "trade_price": change.price}
                cash -= change.profit - change.fee
            else:
                row |= {"info": "funding rate change", "asset": "usd", "fee": ZERO}
                row |= {"old_balance": cash + change.amount, "new_balance": cash}
                row |= {"realized_funding": -change.amount, "funding_rate": change.rate * change.mark}
                cash += change.amount
            found.append((change.time, row))
        return found[::-1]


_LOG_ROW: Words = {
    "asset": "",
    "booking_uid": "",
    "collateral": "usd",
    "contract": None,
    "date": "",
    "execution": None,
    "fee": None,
    "funding_rate": None,
    "id": 0,
    "info": "",
    "margin_account": "flex",
    "mark_price": None,
    "new_average_entry_price": None,
    "new_balance": ZERO,
    "old_average_entry_price": None,
    "old_balance": ZERO,
    "realized_funding": None,
    "realized_pnl": None,
    "trade_price": None,
    "conversion_spread_percentage": None,
    "liquidation_fee": None,
}


def _page(found: list[Entry]) -> Words:
    elements = [
        {
            "uid": str(uuid5(NAMESPACE_OID, f"event-{entry.number}")),
            "timestamp": entry.time,
            "event": entry.event,
        }
        for entry in found
    ]
    return {"accountUid": ACCOUNT, "len": len(elements), "elements": elements}


def _token(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def _number(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ErrorWord("invalidArgument") from None


def _told(order: Words, why: str) -> Words:
    return {"order": order, "reason": why, "reducedQuantity": ""}


def _order(order: SimOrder) -> Words:
    """The history writes what is still open as the quantity."""
    return {
        "uid": order.order_id,
        "accountUid": ACCOUNT,
        "tradeable": "",
        "direction": "Buy" if order.side is Side.LONG else "Sell",
        "quantity": str(order.remaining),
        "filled": str(order.filled),
        "timestamp": order.created,
        "limitPrice": str(order.price or ZERO),
        "orderType": _TYPES[kind(order)],
        "clientId": order.client_id,
        "reduceOnly": order.reduce_only,
        "lastUpdateTimestamp": order.updated,
        "spotData": None,
    }


def _trigger(order: SimOrder) -> Words:
    above = order.side is Side.LONG
    return {
        **_order(order),
        "orderType": "IoC",
        "triggerOptions": {
            "triggerPrice": str(order.trigger or ZERO),
            "triggerSide": "Above" if above else "Below",
            "triggerSignal": "MarkPrice" if order.trigger_by is TriggerBy.MARK else "LastPrice",
            "trailingStopOptions": None,
            "limitPriceOffset": None,
        },
    }


def _execution(fill: SimFill, order: SimOrder) -> Words:
    ours = _order(order)
    maker = fill.liquidity is Liquidity.MAKER
    return {
        "Execution": {
            "execution": {
                "uid": uuid_of(fill),
                "makerOrder" if maker else "takerOrder": ours,
                "makerOrderData" if maker else "takerOrderData": {"fee": str(fill.fee)},
                "timestamp": fill.time,
                "quantity": str(fill.quantity),
                "price": str(fill.price),
                "markPrice": str(fill.price),
                "limitFilled": not order.alive,
                "usdValue": str(fill.quantity * fill.price),
            },
            "takerReducedQuantity": "",
        }
    }
