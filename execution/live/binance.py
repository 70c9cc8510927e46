"""Binance USDⓈ-M futures through ccxt's endpoint methods.

Traps that this adapter exists for:

- Stops live in the Algo service: own endpoints, own ids. A triggered one becomes an order with a new id
  in the matching engine; that id is the `successor`, and fills come under it.
- A client order id is unique among open orders only. Sending one again after a fill makes a second
  order, so nothing here retries, and `DUPLICATE_ID` is the word of the venue that the first one rests.
- HTTP 503 has two meanings: not taken, and nobody knows.
- The account must be in one-way position mode, because `reduceOnly` does not exist in hedge mode; on cross
  margin, because an isolated position is liquidated by the leverage that is set at the venue, however far
  away risk planned it; and in single-asset mode, because other assets' worth is not in our balance. The
  last two may have been changed while a position was open, which then is looked after all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis, OrderKind, PlaceOrder, PositionState, Side, VenueRefusal
from bus_schemas.settings import VenueSettings
from execution.ids import is_ours
from execution.live import binance_modes as modes
from execution.live import binance_pages as pages
from execution.live import binance_parse as parse
from execution.live.adapter import CcxtVenue, number, readable
from execution.live.binance_stream import EVENTS, UserStream
from execution.live.binance_words import FINISHED, UNCHANGED, code_of, meaning
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.hints import HintStream
from execution.live.port import (
    FundingFee,
    Hint,
    KeyRights,
    OrderRef,
    VenueAccount,
    VenueFill,
    VenueOrder,
)
from execution.live.transport import Reply

_LONGEST_WINDOW_MS = 60_000
_FUNDING = ("FUNDING_FEE", "SPECIAL_FUNDING_FEE")
_KEY_RENEW_S = 1500.0
_SLACK_MS = 60_000


class BinanceFutures(CcxtVenue):
    """The USDⓈ-M account. Prices trigger by the mark price."""

    def __init__(self, settings: VenueSettings, symbols: Sequence[str]) -> None:
        super().__init__(settings, symbols)
        self._settle = "USDT"
        self._still_until = 0.0
        self._unplanned = ""

    def weigh(self, headers: Mapping[str, str]) -> None:
        used = headers.get("x-mbx-used-weight-1m", "")
        if used.isdigit():
            self.used_weight = float(used)

    def word(self, reply: Reply) -> VenueFault | None:
        found = code_of(reply)
        if found is not None and found[0] == UNCHANGED:
            return _Unchanged(found[1])
        if found is None and reply.status == 404:
            return _NotServed("HTTP 404")
        said = meaning(reply, self._clock.now(), self._settings.clock_rate)
        if isinstance(said, NotSent) and said.limited:
            self._still_until = max(self._still_until, self._clock.mark() + said.retry_s)
        return said

    @readable
    async def server_time(self) -> Millis:
        answer = await self.ask(self._client.fapiPublicGetTime)
        return int(number(answer["serverTime"]))

    async def open(self) -> None:
        """Load markets, set the clock, and look at the account's modes. None is changed. In one that we do
        not plan with, what is open is looked after, every new position is refused, and `warning` says so.

        Raises:
            ConfigurationError: the symbols settle in more than one currency.
            Denied: the account is in hedge mode, or nothing is open and it is in another mode that we do not
                plan with.
        """
        await super().open()
        settles = {self._markets[name].instrument.settle for name in self.symbols if name in self._markets}
        if len(settles) > 1:
            raise ConfigurationError(
                f"{', '.join(sorted(settles))}: symbols that settle in one currency can be traded together"
            )
        self._settle = settles.pop() if settles else self._settle
        mode = await self.ask(self._client.fapiPrivateGetPositionSideDual, {})
        if parse.truth(mode.get("dualSidePosition")):
            raise Denied("the account is in hedge mode; set its position mode to one-way and start again")
        traded = {self._markets[name].id: name for name in self.symbols if name in self._markets}
        self._unplanned = await modes.unplanned(self._client, self.ask, traded, self._settle)
        if self._unplanned and not await self._exposed():
            raise Denied(self._unplanned)
        self.warning = f"nothing new is opened: {self._unplanned}" if self._unplanned else ""

    async def _exposed(self) -> bool:
        """Whether there is a position to protect, or an order that may become one."""
        if any(state.symbol in self.symbols for state in await self.positions()):
            return True
        orders = await self.open_orders()
        return any(order.symbol in self.symbols or is_ours(order.client_id) for order in orders)

    @readable
    async def rights(self) -> KeyRights:
        try:
            if "sapi" not in self._client.urls["api"]:
                raise _NotServed("demo trading does not tell a key's rights")
            told = await self.ask(self._client.sapiGetAccountApiRestrictions, {})
        except _NotServed:
            await self.account()  # whether the venue knows the key
            return KeyRights()
        return KeyRights(trade=_told(told, "enableFutures"), withdraw=_told(told, "enableWithdrawals"))

    # Orders --------------------------------------------------------------------------------------

    @readable
    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:
        if self._unplanned and not order.reduce_only:
            raise Refused(VenueRefusal.OTHER, f"no new positions: {self._unplanned}")
        market = self.market(order.symbol)
        request = {
            "symbol": market.id,
            "side": _side(order.side),
            "quantity": _text(order.quantity),
            "recvWindow": min(valid_ms, _LONGEST_WINDOW_MS),
        }
        if order.reduce_only:
            request["reduceOnly"] = "true"
        try:
            if order.kind is OrderKind.STOP:
                return await self._place_stop(order, request)
            request |= {"newClientOrderId": order.client_id, "newOrderRespType": "RESULT"}
            if order.kind is OrderKind.LIMIT:
                request |= {"type": "LIMIT", "timeInForce": "GTC", "price": _text(order.price)}
            else:
                request |= {"type": "MARKET"}
            raw = await self.act(self._client.fapiPrivatePostOrder, request)
        except Refused as refused:
            raise _told_apart(refused, order, market.instrument.tick) from None
        return parse.order(raw, order.symbol)

    async def _place_stop(self, order: PlaceOrder, request: dict[str, Any]) -> VenueOrder:
        request |= {
            "algoType": "CONDITIONAL",
            "type": "STOP_MARKET",
            "triggerPrice": _text(order.trigger),
            "workingType": "MARK_PRICE",
            "clientAlgoId": order.client_id,
            "newOrderRespType": "RESULT",
        }
        raw = await self.act(self._client.fapiPrivatePostAlgoOrder, request)
        return parse.algo_order(raw, order.symbol)

    async def amend(self, ref: OrderRef, quantity: Decimal) -> None:
        if ref.kind is not OrderKind.LIMIT or ref.price is None:
            raise Refused(VenueRefusal.OTHER, "only limit orders can be amended at this venue")
        request = {
            "symbol": self.market(ref.symbol).id,
            "side": _side(ref.side),
            "quantity": _text(quantity),
            "price": _text(ref.price),
            "recvWindow": min(self._settings.valid_ms, _LONGEST_WINDOW_MS),
        }
        if ref.reduce_only:  # the venue keeps it as it was; without the word it asks for the least notional
            request["reduceOnly"] = "true"
        try:
            await self.act(self._client.fapiPrivatePutOrder, request | _plain(ref))
        except _Unchanged:
            return

    async def cancel(self, ref: OrderRef) -> None:
        symbol = {"symbol": self.market(ref.symbol).id}
        if ref.successor:
            await self.act(self._client.fapiPrivateDeleteOrder, symbol | {"orderId": ref.successor})
        elif ref.kind is OrderKind.STOP:
            await self.act(self._client.fapiPrivateDeleteAlgoOrder, _algo(ref))
        else:
            await self.act(self._client.fapiPrivateDeleteOrder, symbol | _plain(ref))

    @readable
    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        if ref.kind is OrderKind.STOP:
            return await self._look_up_stop(ref)
        request = {"symbol": self.market(ref.symbol).id} | _plain(ref)
        try:
            return parse.order(await self.ask(self._client.fapiPrivateGetOrder, request), ref.symbol)
        except NotHeld:
            return None

    async def _look_up_stop(self, ref: OrderRef) -> VenueOrder | None:
        try:
            raw = await self.ask(self._client.fapiPrivateGetAlgoOrder, _algo(ref))
        except NotHeld:
            raw = await self._algo_history(ref)
        if raw is None:
            return await self._what_it_became(ref)
        return await self._followed(parse.algo_order(raw, ref.symbol), raw)

    async def _algo_history(self, ref: OrderRef) -> parse.Raw | None:
        """The list of past conditional orders: the query of one may forget earlier than the list does."""
        request: dict[str, Any] = {"symbol": self.market(ref.symbol).id, "limit": pages.PAGE}
        if ref.venue_id:
            request["algoId"] = ref.venue_id
        elif ref.sent:
            request |= {"startTime": ref.sent - _SLACK_MS, "endTime": ref.sent - _SLACK_MS + pages.WINDOW_MS}
        for raw in await self.ask(self._client.fapiPrivateGetAllAlgoOrders, request):
            if raw.get("clientAlgoId") == ref.client_id:
                found: parse.Raw = raw
                return found
        return None

    async def _what_it_became(self, ref: OrderRef) -> VenueOrder | None:
        """By the matching engine's word: it keeps a stop's client id, and an order for longer than the Algo
        service does."""
        known = {"orderId": ref.successor} if ref.successor else {"origClientOrderId": ref.client_id}
        request = {"symbol": self.market(ref.symbol).id} | known
        try:
            raw = await self.ask(self._client.fapiPrivateGetOrder, request)
        except NotHeld:
            return None
        return parse.only_became(ref, parse.order(raw, ref.symbol))

    async def _followed(self, algo: VenueOrder, raw: parse.Raw) -> VenueOrder:
        """A conditional order together with what it became."""
        if not algo.successor:
            if algo.status != FINISHED:
                return algo
            return parse.finished(algo, number(raw.get("actualQty") or 0))
        request = {"symbol": self.market(algo.symbol).id, "orderId": algo.successor}
        try:
            became = await self.ask(self._client.fapiPrivateGetOrder, request)
        except NotHeld:
            trades = await self.ask(self._client.fapiPrivateGetUserTrades, request | {"limit": pages.PAGE})
            return parse.finished(algo, sum((number(trade["qty"]) for trade in trades), Decimal(0)))
        return parse.triggered(algo, parse.order(became, algo.symbol))

    @readable
    async def open_orders(self) -> list[VenueOrder]:
        plain = await self.ask(self._client.fapiPrivateGetOpenOrders, {})
        algos = await self.ask(self._client.fapiPrivateGetOpenAlgoOrders, {})
        return [
            *(parse.order(raw, self.canonical(raw["symbol"])) for raw in plain),
            *(parse.algo_order(raw, self.canonical(raw["symbol"])) for raw in algos),
        ]

    # Account -------------------------------------------------------------------------------------

    @readable
    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        market, ask = self.market(symbol), partial(self.ask, self._client.fapiPrivateGetUserTrades)
        found = [parse.fill(raw, market) for raw in await pages.trades(ask, market.id, since, self.now())]
        wanted = (fill for fill in found if fill.time >= since)
        return sorted(wanted, key=lambda fill: (fill.time, int(fill.fill_id)))

    @readable
    async def positions(self) -> list[PositionState]:
        answer = await self.ask(self._client.fapiPrivateV3GetPositionRisk, {})
        found = (parse.position(raw, self.canonical(raw["symbol"])) for raw in answer)
        return sorted((state for state in found if state is not None), key=lambda state: state.symbol)

    @readable
    async def account(self) -> VenueAccount:
        return parse.account(await self.ask(self._client.fapiPrivateV3GetAccount, {}), self._settle)

    @readable
    async def funding(self, symbol: str, since: Millis) -> list[FundingFee]:
        name, ask = self.market(symbol).id, partial(self.ask, self._client.fapiPrivateGetIncome)
        incomes: dict[str, parse.Raw] = {}
        for kind in _FUNDING:
            incomes |= await pages.incomes(ask, name, kind, since)
        if not incomes:
            return []
        asked = {"symbol": name, "limit": pages.PAGE, "startTime": max(since - _SLACK_MS, 0)}
        rates = await self.ask(self._client.fapiPublicGetFundingRate, asked)
        return parse.funding(incomes.values(), rates, symbol)

    def hints(self) -> AsyncIterator[Hint]:
        async def address() -> str:
            if (left_s := self._still_until - self._clock.mark()) > 0:  # nobody rations what is asked here
                raise NotSent(f"after a rate limit; {left_s:.0f} s are left", left_s, limited=True)
            answer = await self.ask(self._client.fapiPrivatePostListenKey, {})
            address = str(self._client.get_private_ws_url("linear", str(answer["listenKey"])))
            return f"{address}&events={'/'.join(EVENTS)}"

        async def renew() -> object:
            return await self.ask(self._client.fapiPrivatePutListenKey, {})

        renew_s, timeout_s = _KEY_RENEW_S / self._settings.clock_rate, self._settings.timeout_s
        stream = UserStream(address, renew, renew_s, timeout_s, self.canonical)
        return HintStream([stream.watch, stream.keep])


class _Unchanged(VenueFault):
    """An amendment to what already is."""


class _NotServed(Unclear):
    """This host has no such endpoint."""


def _plain(ref: OrderRef) -> dict[str, Any]:
    return {"orderId": ref.venue_id} if ref.venue_id else {"origClientOrderId": ref.client_id}


def _algo(ref: OrderRef) -> dict[str, Any]:
    return {"algoId": ref.venue_id} if ref.venue_id else {"clientAlgoId": ref.client_id}


def _side(side: Side) -> str:
    return "BUY" if side is Side.LONG else "SELL"


def _text(value: Decimal | None) -> str:
    if value is None:
        raise Refused(VenueRefusal.OTHER, "the order has no price")
    return format(value, "f")


def _told(answer: parse.Raw, field: str) -> bool | None:
    return parse.truth(answer[field]) if field in answer else None


def _told_apart(refused: Refused, order: PlaceOrder, tick: Decimal) -> Refused:
    """The venue has one code for too many digits; ours for a price and for a quantity differ."""
    level = order.price if order.trigger is None else order.trigger
    if refused.reason is VenueRefusal.BAD_STEP and level is not None and level % tick:
        return Refused(VenueRefusal.BAD_TICK, refused.detail)
    return refused
