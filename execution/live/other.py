"""Any other perpetual venue of ccxt, by its unified methods. Unproven: no conformance test stands behind it.

What is weaker than in the proven adapters, and cannot be mended from here:

- Stops trigger by whatever price the venue takes by default; that it would trigger at once is told as
  any other refusal.
- An order whose id is unknown is searched in lists, and a list may lag.
- Numbers come as ccxt parses them. The balance is ccxt's total; whether that holds open profit differs
  from venue to venue.
- Amending is refused: what ccxt calls editing is cancel and place at some venues.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis, OrderKind, PlaceOrder, PositionState, Side, VenueRefusal
from bus_schemas.settings import VenueSettings
from execution.live import other_parse as parse
from execution.live.adapter import CcxtVenue, number, readable
from execution.live.faults import Denied, NotHeld, Refused, Unclear
from execution.live.hints import HintStream, Watcher
from execution.live.port import (
    FundingFee,
    Hint,
    KeyRights,
    OrderRef,
    Standing,
    VenueAccount,
    VenueFill,
    VenueOrder,
)

log = logging.getLogger("causeway.edge")
ZERO = Decimal(0)
_NEEDED = (
    "createOrder",
    "cancelOrder",
    "fetchOpenOrders",
    "fetchMyTrades",
    "fetchPositions",
    "fetchBalance",
)
_STOPS = ("createStopLossOrder", "createTriggerOrder", "createStopMarketOrder", "createStopOrder")
_PAST = ("fetchCanceledAndClosedOrders", "fetchClosedOrders", "fetchOrders")
_METHODS = {
    "fetchCanceledAndClosedOrders": "fetch_canceled_and_closed_orders",
    "fetchClosedOrders": "fetch_closed_orders",
    "fetchOrders": "fetch_orders",
}
_SLACK_MS = 60_000
_PAGE = 100
_MOST_PAGES = 200


class OtherVenue(CcxtVenue):
    """A venue that nobody has proven with this program."""

    def __init__(self, settings: VenueSettings, symbols: Sequence[str]) -> None:
        super().__init__(settings, symbols)
        self._client.options["defaultType"] = "swap"

    @readable
    async def server_time(self) -> Millis:
        if not self._has("fetchTime"):
            return self.now()
        told: list[int] = []

        async def fetch() -> list[int]:
            told.append(int(await self._client.fetch_time()))
            return told

        await self.ask(fetch)
        return told[0]

    async def open(self) -> None:
        """Load markets and set the clock.

        Raises:
            ConfigurationError: ccxt lacks a method for this venue without which orders are not safe.
        """
        log.warning("%s is an unproven venue: no conformance test stands behind its adapter", self.name)
        missing = [name for name in _NEEDED if not self._has(name)]
        if not any(self._has(name) for name in _STOPS):
            missing.append("stop orders")
        if not any(self._has(name) for name in _PAST):
            missing.append("fetchClosedOrders")
        if missing:
            raise ConfigurationError(f"{self.name} cannot be traded: ccxt lacks {', '.join(missing)} there")
        await super().open()

    @readable
    async def rights(self) -> KeyRights:
        await self.account()  # whether the venue knows the key; what it may do, ccxt does not tell
        return KeyRights()

    # Orders --------------------------------------------------------------------------------------

    @readable
    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:  # noqa: ARG002
        """No unified parameter makes a venue refuse an old request; venues have windows of their own."""
        market = self.market(order.symbol)
        params: dict[str, Any] = {"clientOrderId": order.client_id}
        if order.reduce_only:
            params["reduceOnly"] = True
        if order.trigger is not None:
            if order.reduce_only and self._has("createStopLossOrder"):
                params["stopLossPrice"] = float(order.trigger)
            else:
                params["triggerPrice"] = float(order.trigger)
                params["triggerDirection"] = "ascending" if order.side is Side.LONG else "descending"
        kind = "limit" if order.kind is OrderKind.LIMIT else "market"
        side = "buy" if order.side is Side.LONG else "sell"
        price = None if order.price is None else float(order.price)
        asked = (market.unified, kind, side, float(order.quantity), price, params)
        raw = await self.act(self._client.create_order, *asked)
        if not raw.get("id"):
            raise Unclear("the venue answered without an order id")
        return VenueOrder(  # most venues answer with nothing but the id
            client_id=order.client_id,
            venue_id=str(raw["id"]),
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            standing=Standing.LIVE,
            status=str(raw.get("status") or "accepted"),
            quantity=order.quantity,
            filled=ZERO,
            price=order.price,
            trigger=order.trigger,
            reduce_only=order.reduce_only,
            time=int(raw.get("timestamp") or 0),
        )

    async def amend(self, ref: OrderRef, quantity: Decimal) -> None:  # noqa: ARG002
        raise Refused(VenueRefusal.OTHER, "amending is not proven at this venue")

    @readable
    async def cancel(self, ref: OrderRef) -> None:
        venue_id = ref.venue_id
        if not venue_id:
            found = self._mine(await self._open(ref.symbol), ref)
            if found is None:
                raise NotHeld("no open order of this client id")
            venue_id = found.venue_id
        params = {"trigger": True} if ref.kind is OrderKind.STOP else {}
        await self.act(self._client.cancel_order, venue_id, self.market(ref.symbol).unified, params)

    @readable
    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        """By its id, else in the lists of open and past orders; fills have the last word."""
        found = await self._by_id(ref) or self._mine(await self._open(ref.symbol), ref)
        found = found or self._mine(await self._past(ref), ref)
        venue_id = found.venue_id if found else ref.venue_id
        if not venue_id or (found is not None and found.standing is not Standing.UNLISTED):
            return found
        fills = await self.fills(ref.symbol, max(ref.sent - _SLACK_MS, 0))
        filled = sum((fill.quantity for fill in fills if fill.venue_id == venue_id), ZERO)
        if found is None and not filled:
            return None
        whole = filled >= ref.quantity
        return VenueOrder(
            client_id=ref.client_id,
            venue_id=venue_id,
            symbol=ref.symbol,
            side=ref.side,
            kind=ref.kind,
            standing=Standing.FILLED if whole else Standing.UNLISTED,
            status=found.status if found else "known by its fills",
            quantity=ref.quantity,
            filled=filled,
            price=ref.price,
            trigger=ref.trigger,
            reduce_only=ref.reduce_only,
        )

    async def _by_id(self, ref: OrderRef) -> VenueOrder | None:
        if not (ref.venue_id and self._has("fetchOrder")):
            return None
        params = {"trigger": True} if ref.kind is OrderKind.STOP else {}
        try:
            raw = await self.ask(
                self._client.fetch_order, ref.venue_id, self.market(ref.symbol).unified, params
            )
        except NotHeld:
            return None
        return parse.order(raw, ref.symbol)

    async def _past(self, ref: OrderRef) -> list[VenueOrder]:
        method = _METHODS[next(name for name in _PAST if self._has(name))]
        since = max(ref.sent - _SLACK_MS, 0) or None
        params = {"trigger": True} if ref.kind is OrderKind.STOP else {}
        unified = self.market(ref.symbol).unified
        rows = await self.ask(getattr(self._client, method), unified, since, _PAGE, params)
        return [parse.order(raw, ref.symbol) for raw in rows]

    async def _open(self, symbol: str) -> list[VenueOrder]:
        """Plain orders and stops, which most venues list apart."""
        unified = self.market(symbol).unified
        found: dict[str, VenueOrder] = {}
        for params in ({}, {"trigger": True}):
            rows = await self.ask(self._client.fetch_open_orders, unified, None, None, params)
            found |= {order.venue_id: order for order in (parse.order(raw, symbol) for raw in rows)}
        return list(found.values())

    @readable
    async def open_orders(self) -> list[VenueOrder]:
        """Of the symbols that are traded; most venues ask for one."""
        return [order for symbol in self.symbols for order in await self._open(symbol)]

    def _mine(self, orders: Iterable[VenueOrder], ref: OrderRef) -> VenueOrder | None:
        for order in orders:
            if (ref.venue_id and order.venue_id == ref.venue_id) or order.client_id == ref.client_id:
                return order
        return None

    # Account -------------------------------------------------------------------------------------

    @readable
    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        market = self.market(symbol)
        found: dict[str, VenueFill] = {}
        start = since
        for _ in range(_MOST_PAGES):
            rows = await self.ask(self._client.fetch_my_trades, market.unified, start or None, _PAGE, {})
            known = len(found)
            found |= {fill.fill_id: fill for fill in (parse.fill(raw, market) for raw in rows)}
            if len(found) == known:
                break
            start = max(fill.time for fill in found.values())
        wanted = (fill for fill in found.values() if fill.time >= since)
        return sorted(wanted, key=lambda fill: (fill.time, fill.fill_id))

    @readable
    async def positions(self) -> list[PositionState]:
        wanted = [self._markets[name].unified for name in self.symbols if name in self._markets]
        found: dict[str, PositionState] = {}
        for raw in await self.ask(self._client.fetch_positions, wanted):
            contracts = number(raw.get("contracts") or 0)
            if not contracts:
                continue
            symbol = self.canonical(str(self._client.market(raw["symbol"])["id"]))
            if symbol in found:
                raise Denied(f"both sides of {symbol} are held apart; set one-way mode")
            entry = number(raw.get("entryPrice") or 0)
            found[symbol] = PositionState(
                symbol=symbol,
                quantity=contracts if raw.get("side") == "long" else -contracts,
                entry_price=entry,
                mark=number(raw["markPrice"]) if raw.get("markPrice") else entry,
            )
        return [found[symbol] for symbol in sorted(found)]

    @readable
    async def account(self) -> VenueAccount:
        settles = {self._markets[name].instrument.settle for name in self.symbols if name in self._markets}
        if len(settles) != 1:
            _mixed(settles)
        raw = await self.ask(self._client.fetch_balance, {})
        cash = number((raw.get("total") or {}).get(settles.pop()) or 0)
        profit = ZERO
        for held in await self.ask(self._client.fetch_positions):
            profit += number(held.get("unrealizedPnl") or 0)
        return VenueAccount(cash=cash, equity=cash + profit)

    @readable
    async def funding(self, symbol: str, since: Millis) -> list[FundingFee]:
        """The rate is not in ccxt's answer, and told as 0."""
        if not self._has("fetchFundingHistory"):
            return []
        unified = self.market(symbol).unified
        rows = await self.ask(self._client.fetch_funding_history, unified, since or None, _PAGE, {})
        fees = (
            FundingFee(symbol=symbol, amount=-number(raw["amount"]), rate=ZERO, time=int(raw["timestamp"]))
            for raw in rows
        )
        return sorted((fee for fee in fees if fee.time >= since), key=lambda fee: fee.time)

    def hints(self) -> AsyncIterator[Hint]:
        """Where the venue has no such websocket, an iterator that waits for ever."""
        watchers: list[Watcher] = []
        for name, watch in (("watchOrders", "watch_orders"), ("watchMyTrades", "watch_my_trades")):
            if self._has(name):
                watchers.append(self._watcher(getattr(self._client, watch)))
        return HintStream(watchers or [_silence])

    def _watcher(self, watch: Any) -> Watcher:
        async def heard() -> Sequence[Hint]:
            rows = await watch()
            return [self._hint(raw) for raw in rows] or [Hint(symbol="*")]

        return heard

    def _hint(self, raw: parse.Raw) -> Hint:
        unified = raw.get("symbol")
        name = self.canonical(str(self._client.market(unified)["id"])) if unified else "*"
        return Hint(symbol=name, client_id=str(raw.get("clientOrderId") or ""))

    def _has(self, name: str) -> bool:
        return self._client.has.get(name) is True


async def _silence() -> Sequence[Hint]:
    await asyncio.Event().wait()
    return ()


def _mixed(settles: set[str]) -> NoReturn:
    raise ConfigurationError(
        f"{', '.join(sorted(settles)) or 'no currency'}: symbols that settle in one currency "
        "can be traded together"
    )
