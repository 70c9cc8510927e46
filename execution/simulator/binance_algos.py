"""Binance's Algo service: conditional orders in an id space of their own. Of its kinds, stop-market."""

from __future__ import annotations

from typing import Any

from bus_schemas.events import OrderKind
from execution.simulator.binance_desk import Desk, precise
from execution.simulator.binance_public import Access, Endpoint, by_symbol, listed
from execution.simulator.binance_sign import Params
from execution.simulator.binance_views import algo_view
from execution.simulator.binance_words import FINISHED, NO_SUCH_ORDER, UNKNOWN_ORDER, Trouble
from execution.simulator.orders import OrderRequest, SimOrder, TriggerBy
from execution.simulator.protocol import Operation


class AlgoDesk(Desk):
    """Conditional orders. One that triggers becomes an order of the matching engine with a new id."""

    conditional = True
    number, client = "algoId", "clientAlgoId"

    def endpoints(self) -> list[Endpoint]:
        """Every one is signed."""
        algo, signed = "/fapi/v1/algoOrder", Access.SIGNED
        cancel, alive = Operation.CANCEL, Operation.OPEN_ORDERS
        return [
            Endpoint("POST", algo, self._place_algo, Operation.PLACE, 0, signed, 1),
            Endpoint("GET", algo, self._query_algo, Operation.LOOK_UP, 1, signed),
            Endpoint("DELETE", algo, self._cancel_algo, cancel, 1, signed),
            Endpoint("GET", "/fapi/v1/openAlgoOrders", self._open_algos, alive, by_symbol(1, 40), signed),
            Endpoint("GET", "/fapi/v1/allAlgoOrders", self._all_algos, Operation.ORDERS, 5, signed),
            Endpoint("DELETE", "/fapi/v1/algoOpenOrders", self._cancel_algos, cancel, 1, signed),
        ]

    def _place_algo(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        self.mode.check(params)
        if params.need("algoType").upper() != "CONDITIONAL":
            raise Trouble(-1102, "Param 'algoType' is not valid.")
        if params.need("type").upper() != "STOP_MARKET":
            raise Trouble(-1116, "Invalid orderType.")
        working = params.get("workingType", "CONTRACT_PRICE").upper()
        if working not in ("MARK_PRICE", "CONTRACT_PRICE"):
            raise Trouble(-4031, "Invalid parameter working type.")
        if params.get("priceProtect", "false") not in ("true", "false"):
            raise Trouble(-1130, "Data sent for parameter 'priceProtect' is not valid.")
        if params.flag("closePosition"):
            raise Trouble(-1128, "Combination of optional parameters invalid.")
        request = OrderRequest(
            symbol=listing.symbol,
            side=params.side(),
            kind=OrderKind.STOP,
            quantity=precise(params, "quantity", listing.instrument.step),
            client_id=params.get("clientAlgoId") or self.made_id(),
            trigger=precise(params, "triggerPrice", listing.instrument.tick),
            trigger_by=TriggerBy.MARK if working == "MARK_PRICE" else TriggerBy.LAST,
            reduce_only=params.flag("reduceOnly"),
        )
        return self._algo(self.take(request, listing))

    def _query_algo(self, params: Params) -> object:
        order = self.find(params)
        if order is None:
            raise NO_SUCH_ORDER
        view = self._algo(order)
        if view["algoStatus"] == FINISHED:  # only the list of all of them tells it
            raise NO_SUCH_ORDER
        return view

    def _cancel_algo(self, params: Params) -> object:
        order = self.living(params, UNKNOWN_ORDER)
        self.exchange.cancel(order.order_id, conditional=True)
        return {
            "algoId": int(order.order_id),
            "clientAlgoId": order.client_id,
            "code": "200",
            "msg": "success",
        }

    def _open_algos(self, params: Params) -> object:
        return [self._algo(o) for o in self.exchange.open_orders(self.symbol(params), conditional=True)]

    def _all_algos(self, params: Params) -> object:
        listing = listed(self.exchange, params)
        orders = self.exchange.orders(listing.symbol, conditional=True)
        shown = self.paged(params, orders)
        return [self._algo(order) for order in shown]

    def _cancel_algos(self, params: Params) -> object:
        for order in self.exchange.open_orders(listed(self.exchange, params).symbol, conditional=True):
            self.exchange.cancel(order.order_id, conditional=True)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _algo(self, order: SimOrder) -> dict[str, Any]:
        became = self.exchange.order(order.successor) if order.successor else None
        return algo_view(order, became, self.listing(order))
