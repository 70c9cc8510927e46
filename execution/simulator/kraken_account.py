"""The account at the simulated Kraken Futures: balances, positions, open orders, fills, leverage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from aiohttp import web

from execution.simulator import kraken_words as words
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_http import Desk, Params, reply
from execution.simulator.kraken_words import ACCOUNT, ErrorWord, Words
from execution.simulator.orders import AccountReset, SimEvent, SimOrder, SimPosition, SimRefusal
from execution.simulator.protocol import Operation, Route

_FILLS = 100
_CHECK = "/api/auth/v1/api-keys/v3/check"


class AccountDesk:
    """Questions about the account, its few settings, and the dead man's switch.

    Args:
        cancel_all: takes every open order out, for this reason.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: SimClock,
        desk: Desk,
        key: str,
        cancel_all: Callable[[str], object],
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._desk = desk
        self._key = key
        self._cancel_all = cancel_all
        self._switch: asyncio.TimerHandle | None = None
        self.stop = exchange.subscribe(self._hear)

    def routes(self) -> list[Route]:
        """Where they are."""
        v3, private = "/derivatives/api/v3", self._desk.private
        return [
            Route("GET", _CHECK, self._check, Operation.KEYS),
            Route("GET", f"{v3}/accounts", private(self._accounts), Operation.ACCOUNT),
            Route("GET", f"{v3}/openpositions", private(self._positions), Operation.POSITIONS),
            Route("GET", f"{v3}/openorders", private(self._open_orders), Operation.OPEN_ORDERS),
            Route("POST", f"{v3}/orders/status", private(self._statuses), Operation.LOOK_UP),
            Route("GET", f"{v3}/orders/status", private(self._statuses), Operation.LOOK_UP),
            Route("GET", f"{v3}/fills", private(self._fills), Operation.FILLS),
            Route("GET", f"{v3}/leveragepreferences", private(self._leverages), Operation.LEVERAGE),
            Route("PUT", f"{v3}/leveragepreferences", private(self._leverage), Operation.LEVERAGE),
            Route("GET", f"{v3}/feeschedules/volumes", private(_volumes), Operation.OTHER),
            Route("GET", f"{v3}/notifications", private(_notifications), Operation.OTHER),
            Route("POST", f"{v3}/cancelallordersafter", private(self._dead_man), Operation.OTHER),
        ]

    def flex(self) -> Words:
        """The multi-collateral wallet."""
        account = self._exchange.account()
        profit = account.equity - account.cash
        dollars = {
            "quantity": account.cash,
            "value": account.cash,
            "collateral": account.cash,
            "available": account.available,
        }
        return {
            "type": "multiCollateralMarginAccount",
            "currencies": {"USD": dollars},
            "initialMargin": account.position_margin,
            "initialMarginWithOrders": account.position_margin + account.order_margin,
            "maintenanceMargin": account.position_margin / 2,
            "balanceValue": account.cash,
            "portfolioValue": account.equity,
            "collateralValue": account.cash,
            "pnl": profit,
            "unrealizedFunding": Decimal(0),
            "totalUnrealized": profit,
            "totalUnrealizedAsMargin": profit,
            "availableMargin": account.available,
            "marginEquity": account.equity,
        }

    def close(self) -> None:
        """Disarm the dead man's switch."""
        if self._switch is not None:
            self._switch.cancel()
            self._switch = None

    def _hear(self, event: SimEvent) -> None:
        if isinstance(event, AccountReset):
            self.close()

    async def _check(self, request: web.Request) -> web.Response:
        if self._desk.refusal(request, request.raw_path.partition("?")[2]):
            return reply({"error": "authenticationError", "message": "authenticationError"}, 401)
        return reply(
            {
                "apiKey": self._key,
                "accountUid": ACCOUNT,
                "iiban": None,
                "createdAt": "2024-01-01T00:00:00Z",
                "permissions": {"general": "FULL_ACCESS", "transfer": "NO_ACCESS"},
                "allowedCidrBlock": None,
                "allowedCidrBlocks": [],
            }
        )

    def _accounts(self, _: Params) -> Words:
        cash = {"type": "cashAccount", "balances": {}}
        return {"accounts": {"cash": cash, "flex": self.flex()}}

    def _positions(self, _: Params) -> Words:
        return {"openPositions": [self._position(position) for position in self._exchange.positions()]}

    def _position(self, position: SimPosition) -> Words:
        return {
            "side": "long" if position.quantity > 0 else "short",
            "symbol": self._name(position.symbol),
            "price": position.entry_price,
            "fillTime": words.iso(position.updated),
            "size": abs(position.quantity),
            "unrealizedFunding": Decimal(0),
            "pnlCurrency": "USD",
            "maxFixedLeverage": Decimal(position.leverage),
        }

    def _open_orders(self, _: Params) -> Words:
        orders = self._exchange.open_orders()
        return {"openOrders": [words.open_row(order, self._name(order.symbol)) for order in reversed(orders)]}

    def _statuses(self, params: Params) -> Words:
        ids, client_ids = params.many.get("orderIds", ()), params.many.get("cliOrdIds", ())
        if ids and client_ids:  # nobody documents that both may be asked: be strict
            raise ErrorWord("invalidArgument")
        found = [self._exchange.order(order_id) for order_id in ids]
        found += [self._exchange.by_client_id(client_id) for client_id in client_ids]
        shown = {order.order_id: order for order in found if order is not None and self._recent(order)}
        return {"orders": [words.status_row(order, self._name(order.symbol)) for order in shown.values()]}

    def _recent(self, order: SimOrder) -> bool:
        return order.alive or self._clock.now() - order.updated <= words.RECENT_MS

    def _fills(self, params: Params) -> Words:
        """The newest first; `lastFillTime` takes those before it."""
        text = params.one.get("lastFillTime", "")
        before = words.millis(text) if text else 1 << 62
        fills = [fill for fill in self._exchange.fills() if fill.time < before][-_FILLS:]
        return {"fills": [words.fill_row(fill, self._name(fill.symbol)) for fill in reversed(fills)]}

    def _leverages(self, _: Params) -> Words:
        return {
            "leveragePreferences": [
                {"symbol": listing.name, "maxLeverage": Decimal(self._exchange.leverage(listing.symbol))}
                for listing in self._exchange.listings.values()
            ]
        }

    def _leverage(self, params: Params) -> Words:
        params.required("symbol")
        wanted = words.numbered(params.one, "maxLeverage")
        try:
            listing = self._exchange.named(params.one["symbol"])
            self._exchange.set_leverage(listing.symbol, int(wanted or self._exchange.rules.leverage))
        except SimRefusal as refusal:
            words.status_of(refusal, "")
            raise ErrorWord("invalidArgument") from None
        return {}

    def _dead_man(self, params: Params) -> Words:
        self.close()
        now, timeout = self._clock.now(), params.whole("timeout", 0)
        due = self._clock.true() + timeout * 1000
        if timeout:
            loop = asyncio.get_running_loop()
            wait = self._clock.seconds_until(due)
            self._switch = loop.call_later(wait, self._cancel_all, "dead_man_switch")
        trigger = words.iso(now + timeout * 1000) if timeout else "0"
        return {"status": {"currentTime": words.iso(now), "triggerTime": trigger}}

    def _name(self, symbol: str) -> str:
        return self._exchange.listing(symbol).name


def _volumes(_: Params) -> Words:
    return {"volumesByFeeSchedule": {}}


def _notifications(_: Params) -> Words:
    return {"notifications": []}


def position_row(position: SimPosition, name: str, index: Decimal) -> Words:
    """A position as the websocket tells it."""
    return {
        "instrument": name,
        "balance": position.quantity,
        "pnl": position.profit,
        "entry_price": position.entry_price,
        "mark_price": position.mark,
        "index_price": index,
        "liquidation_threshold": Decimal(0),
        "effective_leverage": Decimal(position.leverage),
        "return_on_equity": Decimal(0),
        "unrealized_funding": Decimal(0),
        "initial_margin": position.margin,
        "maintenance_margin": position.margin / 2,
        "pnl_currency": "USD",
    }
