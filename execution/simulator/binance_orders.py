"""Binance's endpoints for orders of the matching engine, and for trades."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bus_schemas.events import OrderKind
from execution.simulator.binance_desk import Desk, PositionMode, precise
from execution.simulator.binance_public import Access, Endpoint, by_symbol, listed
from execution.simulator.binance_sign import Params
from execution.simulator.binance_views import order_view, trade_view
from execution.simulator.binance_words import NO_SUCH_ORDER, UNKNOWN_ORDER, Trouble, missing, text
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import OrderRequest, SimFill, SimOrder, SimRefusal
from execution.simulator.protocol import Operation

_CONDITIONAL = {"STOP_MARKET", "STOP", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}


class OrderDesk(Desk):
    """Orders of the matching engine, and trades."""

    def __init__(self, exchange: Exchange, clock: SimClock, mode: PositionMode) -> None:
        super().__init__(exchange, clock, mode)
        self._countdowns: dict[str, asyncio.TimerHandle] = {}

    def endpoints(self) -> list[Endpoint]:
        """Every one is signed."""
        order, signed = "/fapi/v1/order", Access.SIGNED
        place, cancel, ask = Operation.PLACE, Operation.CANCEL, Operation.LOOK_UP
        alive, every = Operation.OPEN_ORDERS, Operation.ORDERS
        return [
            Endpoint("POST", order, self._place, place, 0, signed, 1),
            Endpoint("PUT", order, self._amend, Operation.AMEND, 1, signed, 1),
            Endpoint("GET", order, self._query, ask, 1, signed),
            Endpoint("DELETE", order, self._cancel, cancel, 1, signed),
            Endpoint("GET", "/fapi/v1/openOrder", self._query_open, ask, 1, signed),
            Endpoint("GET", "/fapi/v1/openOrders", self._open, alive, by_symbol(1, 40), signed),
            Endpoint("GET", "/fapi/v1/allOrders", self._all, every, 5, signed),
            Endpoint("DELETE", "/fapi/v1/allOpenOrders", self._cancel_all, cancel, 1, signed),
            Endpoint("GET", "/fapi/v1/userTrades", self._trades, Operation.FILLS, 5, signed),
            Endpoint("POST", "/fapi/v1/countdownCancelAll", self._countdown, cancel, 10, signed),
        ]

    def close(self) -> None:
        """End the countdowns."""
        for timer in self._countdowns.values():
            timer.cancel()

    def _place(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        self.mode.check(params)
        kind = params.need("type").upper()
        if kind in _CONDITIONAL:
            words = (
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
            )
            raise Trouble(-4120, words)
        if kind not in ("LIMIT", "MARKET"):
            raise Trouble(-1116, "Invalid orderType.")
        force = params.need("timeInForce").upper() if kind == "LIMIT" else "GTC"
        if force not in ("GTC", "GTX"):
            raise Trouble(-1115, "Invalid timeInForce.")
        request = OrderRequest(
            symbol=listing.symbol,
            side=params.side(),
            kind=OrderKind.LIMIT if kind == "LIMIT" else OrderKind.MARKET,
            quantity=precise(params, "quantity", listing.instrument.step),
            client_id=params.get("newClientOrderId") or self.made_id(),
            price=precise(params, "price", listing.instrument.tick) if kind == "LIMIT" else None,
            reduce_only=params.flag("reduceOnly"),
            post_only=force == "GTX",
        )
        view = order_view(self.take(request, listing), listing)
        if params.get("newOrderRespType", "ACK").upper() == "ACK":
            view |= {"status": "NEW", "executedQty": "0", "cumQty": "0", "cumQuote": "0", "avgPrice": "0"}
        return view

    def _amend(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        order = self.living(params, NO_SUCH_ORDER, listing)
        if order.kind is not OrderKind.LIMIT:
            raise Trouble(-5025, "Only limit order is supported.")
        side = params.side()
        quantity = precise(params, "quantity", listing.instrument.step)
        price = precise(params, "price", listing.instrument.tick)
        if side is not order.side:
            raise Trouble(-1102, "Order side may not be changed.")
        if (quantity, price) == (order.quantity, order.price):
            raise Trouble(-5027, "No need to modify the order.")
        reducing = params.flag("reduceOnly")
        if reducing and not order.reduce_only:
            raise Trouble(-5047, "The original order is not a reduce-only order")
        least = listing.instrument.min_notional
        if not reducing and least and listing.instrument.notional(quantity, price) < least:
            raise Trouble(-5029, f"Order's notional must be no smaller than {text(least)}.")
        try:
            return order_view(self.exchange.amend(order.order_id, quantity, price), listing)
        except SimRefusal as refusal:
            raise self.words(refusal, listing, order) from None

    def _query(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        order = self.find(params, listing)
        if order is None:
            raise NO_SUCH_ORDER
        return order_view(order, listing)

    def _query_open(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        order = self.living(params, NO_SUCH_ORDER, listing)
        return order_view(order, listing)

    def _cancel(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        order = self.living(params, UNKNOWN_ORDER, listing)
        return order_view(self.exchange.cancel(order.order_id), listing)

    def _open(self, params: Params) -> object:
        return self._views(self.exchange.open_orders(self.symbol(params)))

    def _all(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        orders = self.exchange.orders(listing.symbol)
        return self._views(self.paged(params, orders))

    def _cancel_all(self, params: Params) -> object:
        for order in self.exchange.open_orders(listed(self.exchange, params).symbol):
            self.exchange.cancel(order.order_id)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _countdown(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        wait = params.whole("countdownTime", -1)
        if wait < 0:
            raise missing("countdownTime")
        running = self._countdowns.pop(listing.symbol, None)
        if running is not None:
            running.cancel()
        if wait:
            seconds = self.clock.seconds_until(self.clock.true() + wait)
            later = asyncio.get_running_loop().call_later
            self._countdowns[listing.symbol] = later(seconds, self._run_out, listing.symbol)
        return {"symbol": listing.name, "countdownTime": str(wait)}

    def _run_out(self, symbol: str) -> None:
        for order in self.exchange.open_orders(symbol):
            self.exchange.cancel(order.order_id, reason="countdown")

    def _trades(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        fills: list[SimFill] = self.exchange.fills(listing.symbol)
        if params.get("orderId"):
            fills = [fill for fill in fills if fill.order_id == params.get("orderId")]
        if params.get("fromId") and (params.get("startTime") or params.get("endTime")):
            raise Trouble(-1128, "Combination of optional parameters invalid.")
        shown = self.paged(params, fills, "fromId")
        return [trade_view(fill, listing) for fill in shown]

    def _views(self, orders: Sequence[SimOrder]) -> list[dict[str, Any]]:
        return [order_view(order, self.listing(order)) for order in orders]
