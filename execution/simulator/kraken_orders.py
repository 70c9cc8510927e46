"""Orders at the simulated Kraken Futures: sendorder, editorder, cancelorder and their batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bus_schemas.events import OrderKind, Side
from execution.simulator import kraken_words as words
from execution.simulator.checks import crosses
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_http import Desk, Params
from execution.simulator.kraken_words import ErrorWord, Words
from execution.simulator.orders import (
    Code,
    Filled,
    OrderRequest,
    SimEvent,
    SimOrder,
    SimRefusal,
    SimStatus,
    TriggerBy,
)
from execution.simulator.protocol import Operation, Route

_KINDS = {
    "lmt": OrderKind.LIMIT,
    "post": OrderKind.LIMIT,
    "ioc": OrderKind.LIMIT,
    "fok": OrderKind.LIMIT,
    "mkt": OrderKind.MARKET,
    "stp": OrderKind.STOP,
}
_SIGNALS = {"mark": TriggerBy.MARK, "last": TriggerBy.LAST, "": TriggerBy.LAST}


class OrderDesk:
    """Commands. Stops with a limit price, take-profit and trailing stops do not exist here: they are
    refused as an `invalidOrderType`."""

    def __init__(self, exchange: Exchange, clock: SimClock, desk: Desk) -> None:
        self._exchange = exchange
        self._clock = clock
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where they are."""
        v3, private = "/derivatives/api/v3", self._desk.private
        return [
            Route("POST", f"{v3}/sendorder", private(self._send), Operation.PLACE),
            Route("POST", f"{v3}/editorder", private(self._edit), Operation.AMEND),
            Route("POST", f"{v3}/cancelorder", private(self._cancel), Operation.CANCEL),
            Route("POST", f"{v3}/cancelallorders", private(self._cancel_all), Operation.CANCEL),
            Route("POST", f"{v3}/batchorder", private(self._batch), Operation.PLACE),
        ]

    # Place ---------------------------------------------------------------------------------------

    def _send(self, params: Params) -> Words:
        params.required("orderType", "symbol", "side", "size")
        return {"sendStatus": self.send(params.one)}

    def send(self, params: Mapping[str, str]) -> Words:
        """Place one order; returns its status, whatever it is.

        Raises:
            ErrorWord: the request cannot be read.
        """
        client_id, received = params.get("cliOrdId", ""), words.iso(self._clock.now())
        told: Words = {"receivedTime": received} | ({"cliOrdId": client_id} if client_id else {})
        events: list[Filled] = []

        def hear(event: SimEvent) -> None:
            if isinstance(event, Filled):
                events.append(event)

        stop = self._exchange.subscribe(hear)
        try:
            order, name = self._place(params, client_id)
        except _Status as status:
            return told | {"status": status.word, "orderEvents": []}
        except SimRefusal as refusal:
            return told | {"status": words.status_of(refusal, client_id), "orderEvents": []}
        finally:
            stop()
        fills = [event for event in events if event.fill.order_id == order.order_id]
        done = [words.execution_event(event.fill, event.order, name) for event in fills]
        return told | {
            "order_id": order.order_id,
            "status": "placed",
            "orderEvents": done or [words.place_event(order, name)],
        }

    def _place(self, params: Mapping[str, str], client_id: str) -> tuple[SimOrder, str]:
        self._in_time(params)
        word = params["orderType"]
        kind = _KINDS.get(word)
        if kind is None or (kind is OrderKind.STOP and params.get("limitPrice")):
            raise _Status("invalidOrderType")
        if params["side"] not in ("buy", "sell"):
            raise _Status("invalidSide")
        listing = self._exchange.named(params["symbol"])
        side = Side.LONG if params["side"] == "buy" else Side.SHORT
        price = words.numbered(params, "limitPrice") if kind is OrderKind.LIMIT else None
        at_once = word in ("ioc", "fok")
        if at_once and not crosses(side, price or Decimal(0), self._exchange.quote_of(listing.symbol).last):
            raise _Status("iocWouldNotExecute")
        signal = params.get("triggerSignal", "")
        if kind is OrderKind.STOP and signal not in _SIGNALS:
            raise ErrorWord("invalidArgument")
        order = self._exchange.place(
            OrderRequest(
                symbol=listing.symbol,
                side=side,
                kind=kind,
                quantity=words.numbered(params, "size") or Decimal(0),
                client_id=client_id,
                price=price,
                trigger=words.numbered(params, "stopPrice") if kind is OrderKind.STOP else None,
                trigger_by=_SIGNALS.get(signal, TriggerBy.LAST),
                reduce_only=params.get("reduceOnly", "").lower() == "true",
                post_only=word == "post",
            )
        )
        if kind is OrderKind.MARKET and not order.alive and not order.filled:
            raise _Status("iocWouldNotExecute")
        if at_once and order.alive:
            order = self._exchange.cancel(order.order_id, reason="ioc")
        return order, listing.name

    # Edit and cancel -----------------------------------------------------------------------------

    def _edit(self, params: Params) -> Words:
        return {"editStatus": self.edit(params.one)}

    def edit(self, params: Mapping[str, str]) -> Words:
        """Change one order; returns its status, whatever it is."""
        told: Words = {"receivedTime": words.iso(self._clock.now()), "orderEvents": []}
        known = self._find(params, "orderId")
        if known is None or not known.alive:
            return told | {"status": "orderForEditNotFound", "orderId": params.get("orderId") or None}
        told |= {"orderId": known.order_id, "cliOrdId": known.client_id or None}
        try:
            self._in_time(params)
            size = words.numbered(params, "size")
            if size is not None and params.get("qtyMode", "RELATIVE") != "ABSOLUTE":
                size += known.filled
            changed = self._exchange.amend(
                known.order_id,
                quantity=size,
                price=words.numbered(params, "limitPrice") if known.kind is OrderKind.LIMIT else None,
                trigger=words.numbered(params, "stopPrice"),
            )
        except _Status as status:
            return told | {"status": status.word}
        except SimRefusal as refusal:
            if refusal.code is Code.UNKNOWN_ORDER:
                return told | {"status": "orderForEditNotFound"}
            return told | {"status": words.status_of(refusal, known.client_id)}
        name = self._exchange.listing(known.symbol).name
        form = words.event_trigger if known.kind is OrderKind.STOP else words.event_order
        event = {
            "type": "EDIT",
            "old": form(known, name),
            "new": form(changed, name),
            "reducedQuantity": None,
        }
        return told | {"status": "edited", "orderEvents": [event]}

    def _cancel(self, params: Params) -> Words:
        if not (params.one.get("order_id") or params.one.get("cliOrdId")):
            raise ErrorWord("requiredArgumentMissing")
        return {"cancelStatus": self.cancel(params.one)}

    def cancel(self, params: Mapping[str, str]) -> Words:
        """Take one order out; returns its status, whatever it is."""
        told: Words = {"receivedTime": words.iso(self._clock.now())}
        told |= {key: params[key] for key in ("order_id", "cliOrdId") if params.get(key)}
        try:
            self._in_time(params)
        except _Status as status:
            return told | {"status": status.word}
        known = self._find(params, "order_id")
        if known is not None and known.alive:
            name = self._exchange.listing(known.symbol).name
            ended = self._exchange.cancel(known.order_id)
            return told | {
                "order_id": known.order_id,
                "status": "cancelled",
                "orderEvents": [words.cancel_event(ended, name)],
            }
        fresh = known is not None and self._clock.now() - known.updated <= words.RECENT_MS
        filled = known is not None and known.status is SimStatus.FILLED and fresh
        return told | {"status": "filled" if filled else "notFound"}

    def cancel_all(self, symbol: str, reason: str = "user") -> list[SimOrder]:
        """Take every order out, of a venue's symbol or of all."""
        wanted = self._exchange.named(symbol).symbol if symbol else None
        orders = self._exchange.open_orders(wanted)
        return [self._exchange.cancel(order.order_id, reason=reason) for order in orders]

    def _cancel_all(self, params: Params) -> Words:
        symbol = params.one.get("symbol", "")
        try:
            ended = self.cancel_all(symbol)
        except SimRefusal:
            raise ErrorWord("contractNotFound") from None
        ids: list[Words] = [
            {"order_id": order.order_id} | ({"cliOrdId": order.client_id} if order.client_id else {})
            for order in ended
        ]
        events = [words.cancel_event(order, self._exchange.listing(order.symbol).name) for order in ended]
        return {
            "cancelStatus": {
                "receivedTime": words.iso(self._clock.now()),
                "cancelOnly": symbol or "all",
                "status": "cancelled" if ended else "noOrdersToCancel",
                "cancelledOrders": ids,
                "orderEvents": events,
            }
        }

    # Batches -------------------------------------------------------------------------------------

    def _batch(self, params: Params) -> Words:
        params.required("json")
        try:
            orders = json.loads(params.one["json"], parse_float=str, parse_int=str)["batchOrder"]
            rows = [dict(row) for row in orders]
        except (ValueError, LookupError, TypeError):
            raise ErrorWord("Json Parse Error") from None
        return {"batchStatus": [self._one(row) for row in rows]}

    def _one(self, row: Mapping[str, Any]) -> Words:
        texts = {name: _text(value) for name, value in row.items() if value is not None}
        act = {"send": self.send, "edit": self.edit, "cancel": self.cancel}.get(texts.get("order", ""))
        tag = {"order_tag": texts["order_tag"]} if "order_tag" in texts else {}
        if act is None:
            raise ErrorWord("invalidArgument")
        if texts["order"] == "send" and not {"orderType", "symbol", "side", "size"} <= texts.keys():
            return {"status": "requiredArgumentMissing", "orderEvents": []} | tag
        try:
            return act(texts) | tag
        except ErrorWord as error:
            return {"status": error.word, "orderEvents": []} | tag

    # What they share -----------------------------------------------------------------------------

    def _find(self, params: Mapping[str, str], id_name: str) -> SimOrder | None:
        if params.get(id_name):
            return self._exchange.order(params[id_name])
        return self._exchange.by_client_id(params.get("cliOrdId", ""))

    def _in_time(self, params: Mapping[str, str]) -> None:
        before = params.get("processBefore", "")
        if before and words.millis(before) < self._clock.now():
            raise _Status("wouldProcessAfterSpecifiedTime")


class _Status(Exception):
    """The protocol itself refuses the order."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
