"""Kraken Futures' websocket (`/ws/v1`): challenge, subscriptions, snapshots, updates."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from bus_schemas.events import Liquidity, OrderKind, Side
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_account import AccountDesk, position_row
from execution.simulator.kraken_public import PublicDesk, change, pair
from execution.simulator.kraken_sign import Signatures
from execution.simulator.kraken_words import ACCOUNT, ErrorWord, Words, encode, uuid_of
from execution.simulator.orders import (
    ZERO,
    BalanceChanged,
    Filled,
    OrderChanged,
    Quote,
    SimEvent,
    SimFill,
    SimOrder,
    SimStatus,
    Ticked,
)
from execution.simulator.protocol import Socket, SocketRoute
from execution.simulator.rules import Listing

_PUBLIC = frozenset({"ticker", "trade"})
_PRIVATE = frozenset({"open_orders", "open_orders_verbose", "fills", "balances", "open_positions"})
_FREE = frozenset({"heartbeat"})
_HEARTBEAT_S = 1.0
_FILLS = 100

_REASONS: Mapping[str, str] = {
    "user": "cancelled_by_user",
    "reduce_only": "would_not_reduce_position",
    "margin": "not_enough_margin",
    "dead_man_switch": "dead_man_switch",
    "ioc": "ioc_order_failed_because_it_would_not_be_executed",
}
_ORDER_FEEDS = ("open_orders", "open_orders_verbose")


class Feeds:
    """Every websocket connection and what it listens to."""

    def __init__(
        self,
        exchange: Exchange,
        clock: SimClock,
        signatures: Signatures,
        public: PublicDesk,
        account: AccountDesk,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._signatures = signatures
        self._public = public
        self._account = account
        self._sockets: dict[Socket, set[tuple[str, str]]] = {}
        self._challenges = 0
        self._sequence = 0
        self.stop = exchange.subscribe(self._hear)

    def routes(self) -> list[SocketRoute]:
        """Where it is."""
        return [SocketRoute("/ws/v1", self._serve)]

    # One connection ------------------------------------------------------------------------------

    async def _serve(self, socket: Socket) -> None:
        self._sockets[socket] = set()
        challenges: set[str] = set()
        beat = asyncio.create_task(self._beat(socket))
        _push(socket, {"event": "info", "version": 1})
        try:
            async for text in socket:
                self._obey(socket, text, challenges)
        finally:
            del self._sockets[socket]
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat

    async def _beat(self, socket: Socket) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            if ("heartbeat", "") in self._sockets[socket]:
                _push(socket, {"feed": "heartbeat", "time": self._clock.now()})

    def _obey(self, socket: Socket, text: str, challenges: set[str]) -> None:
        try:
            message = json.loads(text)
            event = message.get("event")
        except (ValueError, AttributeError):
            _push(socket, {"event": "alert", "message": "Bad request"})
            return
        if event == "challenge":
            self._challenges += 1
            challenge = str(uuid5(NAMESPACE_OID, f"challenge-{self._challenges}"))
            challenges.add(challenge)
            _push(socket, {"event": "challenge", "message": challenge})
        elif event in ("subscribe", "unsubscribe"):
            self._subscription(socket, event, message, challenges)
        elif event == "ping":
            _push(socket, {"event": "pong"})
        else:
            _push(socket, {"event": "alert", "message": "Bad request"})

    def _subscription(
        self, socket: Socket, event: str, message: Mapping[str, Any], challenges: set[str]
    ) -> None:
        feed = str(message.get("feed"))
        if feed in _PRIVATE:
            challenge = str(message.get("original_challenge"))
            signed = self._signatures.challenged(
                message.get("api_key"), challenge, message.get("signed_challenge")
            )
            if challenge not in challenges or not signed:
                _push(socket, {"event": "alert", "message": "Failed to subscribe to authenticated feed"})
                return
        elif feed not in _PUBLIC | _FREE:
            _push(socket, {"event": "error", "message": "Invalid feed"})
            return
        names = [str(name).upper() for name in message.get("product_ids") or ()] if feed in _PUBLIC else [""]
        try:
            listings = [self._public.listing(name) for name in names if name]
        except ErrorWord:
            _push(socket, {"event": "error", "message": "Invalid product id"})
            return
        told = {"product_ids": [listing.name for listing in listings]} if feed in _PUBLIC else {}
        _push(socket, {"event": f"{event}d", "feed": feed} | told)
        wanted = {(feed, name) for name in names}
        if event == "unsubscribe":
            self._sockets[socket] -= wanted
            return
        self._sockets[socket] |= wanted
        for snapshot, topic in self._snapshots(feed, listings):
            _push(socket, snapshot, topic)

    # What is told --------------------------------------------------------------------------------

    def _snapshots(self, feed: str, listings: Iterable[Listing]) -> Iterable[tuple[Words, str]]:
        if feed in _ORDER_FEEDS:
            rows = [order_row(order, self._name(order.symbol)) for order in self._exchange.open_orders()]
            yield {"feed": f"{feed}_snapshot", "account": ACCOUNT, "orders": rows}, "order"
        elif feed == "fills":
            fills = self._exchange.fills()[-_FILLS:]
            rows = [fill_row(fill, self._name(fill.symbol), number) for number, fill in enumerate(fills)]
            yield {"feed": "fills_snapshot", "account": ACCOUNT, "fills": rows}, "fill"
        elif feed == "balances":
            yield self._balances("balances_snapshot"), "balance"
        elif feed == "open_positions":
            yield self._positions(), "balance"
        for listing in listings:
            quote = self._public.quote(listing)
            if feed == "ticker" and quote is not None:
                yield self._ticker(listing, quote), "ticker"
            elif feed == "trade":
                trades = [self._trade(listing, quote)] if quote is not None and quote.volume else []
                snapshot = {"feed": "trade_snapshot", "product_id": listing.name, "trades": trades}
                yield snapshot, "trade"

    def _hear(self, event: SimEvent) -> None:
        if not self._sockets:
            return
        if isinstance(event, OrderChanged):
            update = self._order_update(event)
            for feed in _ORDER_FEEDS:
                self._tell((feed, ""), lambda feed=feed: update | {"feed": feed}, "order")  # type: ignore[misc]
        elif isinstance(event, Filled):
            self._sequence += 1
            row = fill_row(event.fill, self._name(event.fill.symbol), self._sequence, event.order)
            self._tell(("fills", ""), lambda: {"feed": "fills", "username": ACCOUNT, "fills": [row]}, "fill")
        elif isinstance(event, BalanceChanged):
            self._tell(("balances", ""), lambda: self._balances("balances"), "balance")
            self._tell(("open_positions", ""), self._positions, "balance")
        elif isinstance(event, Ticked):
            listing = self._exchange.listing(event.quote.symbol)
            quote = event.quote
            self._tell(("ticker", listing.name), lambda: self._ticker(listing, quote), "ticker")
            if quote.volume:
                self._tell(("trade", listing.name), lambda: self._trade(listing, quote), "trade")

    def _tell(self, subscription: tuple[str, str], message: Callable[[], Words], topic: str) -> None:
        listeners = [socket for socket, wanted in self._sockets.items() if subscription in wanted]
        if listeners:
            text = encode(message()).decode()
            for socket in listeners:
                socket.push(text, topic)

    def _order_update(self, event: OrderChanged) -> Words:
        order = event.order
        if order.alive:
            reason = {
                "placed": "new_placed_order_by_user",
                "amended": "edited_by_user",
                "triggered": "stop_order_triggered",
            }.get(event.cause, "partial_fill")
            return {"order": order_row(order, self._name(order.symbol)), "is_cancel": False, "reason": reason}
        if order.status is SimStatus.FILLED:
            row = order_row(order, self._name(order.symbol))
            return {"order": row, "is_cancel": True, "reason": "full_fill"}
        update: Words = {"order_id": order.order_id, "is_cancel": True}
        if order.client_id:
            update["cli_ord_id"] = order.client_id
        return update | {"reason": _REASONS.get(order.reason, "cancelled_by_admin")}

    def _balances(self, feed: str) -> Words:
        flex = self._account.flex()
        dollars = flex["currencies"]["USD"]
        currency = {
            "quantity": dollars["quantity"],
            "value": dollars["value"],
            "collateral_value": dollars["collateral"],
            "available": dollars["available"],
            "haircut": ZERO,
            "conversion_spread": ZERO,
        }
        return {
            "feed": feed,
            "account": ACCOUNT,
            "flex_futures": {
                "currencies": {"USD": currency},
                "balance_value": flex["balanceValue"],
                "portfolio_value": flex["portfolioValue"],
                "collateral_value": flex["collateralValue"],
                "initial_margin": flex["initialMargin"],
                "initial_margin_without_orders": flex["initialMargin"],
                "maintenance_margin": flex["maintenanceMargin"],
                "pnl": flex["pnl"],
                "unrealized_funding": ZERO,
                "total_unrealized": flex["totalUnrealized"],
                "total_unrealized_as_margin": flex["totalUnrealized"],
                "margin_equity": flex["marginEquity"],
                "available_margin": flex["availableMargin"],
            },
            "timestamp": self._clock.now(),
            "seq": self._number(),
        }

    def _positions(self) -> Words:
        rows = [
            position_row(
                position, self._name(position.symbol), self._exchange.quote_of(position.symbol).index
            )
            for position in self._exchange.positions()
        ]
        return {
            "feed": "open_positions",
            "account": ACCOUNT,
            "positions": rows,
            "seq": self._number(),
            "timestamp": self._clock.now(),
        }

    def _ticker(self, listing: Listing, quote: Quote) -> Words:
        day = self._public.day(listing, quote)
        return {
            "time": quote.time,
            "product_id": listing.name,
            "feed": "ticker",
            "bid": quote.last - listing.instrument.tick,
            "ask": quote.last + listing.instrument.tick,
            "bid_size": Decimal(1000),
            "ask_size": Decimal(1000),
            "volume": day.volume,
            "volumeQuote": day.volume * quote.last,
            "dtm": 0,
            "leverage": f"{self._exchange.rules.max_leverage}x",
            "index": quote.index,
            "last": quote.last,
            "change": change(quote.last, day.open),
            "suspended": False,
            "tag": "perpetual",
            "pair": pair(listing),
            "openInterest": Decimal(1000),
            "markPrice": quote.mark,
            "maturityTime": 0,
            "post_only": False,
            "funding_rate": quote.funding_rate * quote.mark,
            "funding_rate_prediction": quote.funding_rate * quote.mark,
            "relative_funding_rate": quote.funding_rate,
            "relative_funding_rate_prediction": quote.funding_rate,
            "next_funding_rate_time": quote.next_funding,
        }

    def _trade(self, listing: Listing, quote: Quote) -> Words:
        number = self._number()
        return {
            "feed": "trade",
            "product_id": listing.name,
            "uid": str(uuid5(NAMESPACE_OID, f"trade-{number}")),
            "side": "buy" if quote.trade_side is Side.LONG else "sell",
            "type": "fill",
            "seq": number,
            "time": quote.time,
            "qty": quote.volume,
            "price": quote.last,
        }

    def _number(self) -> int:
        self._sequence += 1
        return self._sequence

    def _name(self, symbol: str) -> str:
        return self._exchange.listing(symbol).name


def order_row(order: SimOrder, name: str) -> Words:
    """An open order; `qty` is what is still open."""
    stop = order.kind is OrderKind.STOP
    row: Words = {
        "instrument": name,
        "time": order.created,
        "last_update_time": order.updated,
        "qty": order.remaining,
        "filled": order.filled,
        "limit_price": order.price or ZERO,
        "stop_price": order.trigger or ZERO,
        "type": "stop" if stop else "limit",
        "order_id": order.order_id,
        "direction": 0 if order.side is Side.LONG else 1,
        "reduce_only": order.reduce_only,
    }
    if order.client_id:
        row["cli_ord_id"] = order.client_id
    if stop:
        row["triggerSignal"] = order.trigger_by.value
    return row


def fill_row(fill: SimFill, name: str, number: int, order: SimOrder | None = None) -> Words:
    """A fill; only an update, with its order, tells the client order id."""
    kinds = {OrderKind.LIMIT: "limit", OrderKind.MARKET: "ioc", OrderKind.STOP: "stop"}
    kind = kinds[order.kind] if order is not None else "limit"
    row: Words = {
        "instrument": name,
        "time": fill.time,
        "price": fill.price,
        "seq": number,
        "buy": fill.side is Side.LONG,
        "qty": fill.quantity,
        "remaining_order_qty": order.remaining if order is not None else ZERO,
        "order_id": fill.order_id,
        "fill_id": uuid_of(fill),
        "fill_type": "maker" if fill.liquidity is Liquidity.MAKER else "taker",
        "fee_paid": fill.fee,
        "fee_currency": "USD",
        "taker_order_type": kind,
        "order_type": kind,
    }
    if order is not None and fill.client_id:
        row["cli_ord_id"] = fill.client_id
    return row


def _push(socket: Socket, message: Words, topic: str = "") -> None:
    socket.push(encode(message).decode(), topic)
