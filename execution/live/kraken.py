"""Kraken Futures (linear multi-collateral perpetuals, `PF_…`) through ccxt.

One order id namespace; a stop is an ordinary order, and what it becomes goes by its client order id.
`orders/status` knows what is open and what ended within five seconds; the history knows the rest.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bus_schemas.events import Millis, OrderKind, PlaceOrder, PositionState
from bus_schemas.settings import VenueSettings
from execution.live import kraken_lookup as lookup
from execution.live import kraken_words as words
from execution.live.adapter import CcxtVenue, number, readable
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.hints import HintStream
from execution.live.kraken_stream import KrakenStream
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
from execution.live.transport import Reply

_CHECK = "api-keys/v3/check"
_SLACK_MS = 60_000
_LOOK_BACK_MS = 7 * 86_400_000
_MARK_MS = 600_000
"""For how long after a settlement the mark is about what it was."""
_PAGES = 50
_HISTORY_REST_S = 15.0
_LOG_PAGE = 50
"""The history counts a larger page as more requests."""


class KrakenFutures(CcxtVenue):
    """Kraken Futures."""

    def __init__(self, settings: VenueSettings, symbols: Sequence[str]) -> None:
        super().__init__(settings, symbols)
        self._history_closed = 0.0
        self._absent = lookup.Absent()
        # ccxt does not know the endpoint that tells the key's rights; with this it signs it too
        urls, options = self._client.urls["api"], self._client.options
        urls["auth"] = str(urls["history"]).replace("/api/history/", "/api/auth/")
        options["access"]["auth"] = {"GET": {_CHECK: "private"}}
        options["versions"]["auth"] = {"GET": {_CHECK: "v1"}}

    async def open(self) -> None:
        secret = self._settings.api_secret
        try:
            base64.b64decode(secret.get_secret_value() if secret else "", validate=True)
        except ValueError:
            raise Denied("the secret is not base64, as Kraken's are: was it copied whole?") from None
        await super().open()

    def word(self, reply: Reply) -> VenueFault | None:
        return words.error_word(reply)

    def told_time(self, answer: Any) -> Millis | None:
        told = answer.get("serverTime") if isinstance(answer, dict) else None
        return words.millis(told) if told else None

    @readable
    async def server_time(self) -> Millis:
        known = [symbol for symbol in self.symbols if symbol in self._markets] or list(self._markets)
        answer = await self._ticker(self.market(known[0]).id) if known else await self._instruments()
        told = self.told_time(answer)
        if told is None:
            raise Unclear("the venue does not tell its time")
        return told

    async def _ticker(self, venue_symbol: str) -> Mapping[str, Any]:
        answer = await self.ask(self._client.publicGetTickersSymbol, {"symbol": venue_symbol})
        return dict(answer)

    async def _instruments(self) -> Mapping[str, Any]:
        return dict(await self.ask(self._client.publicGetInstruments))

    @readable
    async def rights(self) -> KeyRights:
        try:
            answer = await self.ask(self._client.request, _CHECK, ["auth"], "GET")
        except Unclear:  # an older host has no such page; the key is tried on another
            await self.ask(self._client.privateGetAccounts)
            return KeyRights()
        allowed = answer.get("permissions") or {}
        general, transfer = allowed.get("general"), allowed.get("transfer")
        return KeyRights(
            trade=None if general is None else general == "FULL_ACCESS",
            withdraw=None if transfer is None else transfer == "FULL_ACCESS",
        )

    # Orders --------------------------------------------------------------------------------------

    @readable
    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:
        market = self.market(order.symbol)
        request = words.send_order(order, market)
        request["processBefore"] = words.iso(self.now() + round(valid_ms * self._settings.clock_rate))
        answer = await self.act(self._client.privatePostSendorder, request)
        sent = _part(answer, "sendStatus")
        status = str(sent.get("status", ""))
        failed = words.send_fault(status, order, market.instrument)
        if failed is not None:
            raise failed
        filled = sum(
            (
                words.exact(event.get("amount"))
                for event in _rows(sent, "orderEvents", {})
                if "amount" in event
            ),
            Decimal(0),
        )
        done = Standing.FILLED if filled >= order.quantity else Standing.LIVE
        return VenueOrder(
            client_id=order.client_id,
            venue_id=str(sent.get("order_id") or ""),
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            standing=Standing.CANCELLED if status == "cancelled" else done,
            status=status,
            quantity=order.quantity,
            filled=filled,
            price=order.price,
            trigger=order.trigger,
            reduce_only=order.reduce_only,
            time=words.millis(sent.get("receivedTime")),
        )

    @readable
    async def amend(self, ref: OrderRef, quantity: Decimal) -> None:
        self.market(ref.symbol)
        known = lookup.traded_as(ref)
        request = {"orderId": known} if known else {"cliOrdId": ref.client_id}
        request |= {"size": words.plain(quantity), "qtyMode": "ABSOLUTE"}  # default: what is still open
        answer = await self.act(self._client.privatePostEditorder, request)
        status = str(_part(answer, "editStatus").get("status", ""))
        if status != "edited":
            raise words.action_fault(status)

    @readable
    async def cancel(self, ref: OrderRef) -> None:
        known = lookup.traded_as(ref)
        request = {"order_id": known} if known else {"cliOrdId": ref.client_id}
        answer = await self.act(self._client.privatePostCancelorder, request)
        status = str(_part(answer, "cancelStatus").get("status", ""))
        if status != "cancelled":
            raise words.action_fault(status)

    @readable
    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        """Kraken has no page of one order's fate: what has ended for long is told from its events and
        fills. Where these tell no end, and yet the venue lists the order nowhere as open, it is gone."""
        answers = await self._statuses(ref)
        asked = self.told_time(answers[0]) or self.now()
        rows = [row for answer in answers for row in _rows(answer, "orders", {})]
        found, listed = lookup.by_status(rows, ref)
        if listed:
            self._absent.found(ref.client_id)
        if found is not None:
            return found
        since = ref.sent - _SLACK_MS if ref.sent else self.now() - _LOOK_BACK_MS
        fills = [
            fill
            for fill in await self.fills(ref.symbol, since)
            if lookup.belongs(fill.venue_id, fill.client_id, ref)
        ]
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        by_fills = lookup.named(ref, fills[-1].venue_id) if fills else ref
        if filled >= ref.quantity:  # the history's rate limit is narrow, and it could say no more
            return lookup.fate([], by_fills, filled)
        stop = ref.kind is OrderKind.STOP
        if ref.venue_id or not stop:  # the fills of a stop tell what it became, and not its own id
            ref = by_fills
        events = await self._events("historyGetTriggers", ref, since) if stop else []
        events += await self._events("historyGetOrders", ref, since)
        told = lookup.fate(events, ref, filled)
        if told is None and listed:
            raise Unclear("the venue lists the order, but tells too little of it")
        whole = all("orders" in answer for answer in answers)
        if told is None or not told.standing.alive or listed or not whole:
            return told
        last = lookup.last_sign(events, fills, ref)
        if not last or asked - last <= max(lookup.GONE_MS, self._settings.lag_ms):
            return told
        for order in await self.open_orders():
            if lookup.belongs(order.venue_id, order.client_id, ref):
                self._absent.found(ref.client_id)
                return lookup.as_asked(order, ref)
        absent = self._absent.lasts(ref.client_id, asked)
        return lookup.gone(told) if absent >= max(lookup.UNSEEN_MS, self._settings.lag_ms) else told

    async def _statuses(self, ref: OrderRef) -> list[Mapping[str, Any]]:
        """The answers of `orders/status`, which covers what is open or ended within the last seconds."""
        answers: list[Mapping[str, Any]] = []
        for request in lookup.status_requests(ref):
            answers.append(await self._status(request))
            found, _ = lookup.by_status(_rows(answers[-1], "orders", {}), ref)
            if found is not None and found.standing is Standing.LIVE:
                break
        return answers

    async def _status(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return dict(await self.act(self._client.privateGetOrdersStatus, request))
        except NotHeld:
            return {"orders": []}
        except Refused as refused:
            detail = refused.detail
        if not words.not_found(detail):
            raise Unclear(f"the venue does not answer: {detail}")
        return {"orders": []}

    async def _events(self, method: str, ref: OrderRef, since: Millis) -> list[Mapping[str, Any]]:
        request: dict[str, Any] = {
            "version": "v3",
            "since": since,
            "sort": "asc",
            "tradeable": self.market(ref.symbol).id,
        }
        found: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            answer = await self._ask_history(getattr(self._client, method), request)
            found += _rows(answer, "elements")
            token = answer.get("continuationToken")
            if not token:
                return found
            request["continuation_token"] = token
        raise Unclear(f"the order history since {words.iso(since)} is too long")

    async def _ask_history(self, method: Callable[..., Any], request: Mapping[str, Any]) -> Any:
        """Ask the history, whose rate limit is narrow and its own: a limit there keeps nothing else back.

        Raises:
            NotSent: it is still closed, or is from now on.
        """
        left = self._history_closed - self._clock.mark()
        if left > 0:
            raise NotSent(f"the history may be asked again in {left:.0f} s", left, apart=True)
        try:
            return await self.ask(method, request)
        except NotSent as fault:
            if not fault.limited or fault.banned:
                raise
            wait = fault.retry_s or _HISTORY_REST_S
            self._history_closed = self._clock.mark() + wait
            raise NotSent(str(fault), wait, limited=True, apart=True) from None

    @readable
    async def open_orders(self) -> list[VenueOrder]:
        answer = await self.ask(self._client.privateGetOpenorders)
        rows = _rows(answer, "openOrders")
        for row in rows:
            self._absent.found(str(row.get("cliOrdId") or ""))
        return [words.open_order(row, self.canonical(str(row["symbol"]))) for row in rows]

    # Account -------------------------------------------------------------------------------------

    @readable
    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        """The venue tells the hundred fills before a moment, newest first."""
        market = self.market(symbol)
        found: dict[str, VenueFill] = {}
        seen: set[str] = set()
        request: dict[str, str] = {}
        longest = 0
        for _ in range(_PAGES):
            rows = _rows(await self.ask(self._client.privateGetFills, request), "fills")
            fresh = [row for row in rows if str(row["fill_id"]) not in seen]
            seen |= {str(row["fill_id"]) for row in fresh}
            for row in fresh:
                if str(row["symbol"]).upper() == market.id.upper() and words.millis(row["fillTime"]) >= since:
                    found[str(row["fill_id"])] = words.fill(row, symbol, market)
            oldest, longest = words.millis(rows[-1]["fillTime"]) if rows else 0, max(longest, len(rows))
            if oldest < since or not rows or (not fresh and len(rows) < longest):
                return sorted(found.values(), key=lambda fill: (fill.time, fill.fill_id))
            # one millisecond later, lest a fill of the same moment is on neither page
            request = {"lastFillTime": words.iso(oldest + 1 if fresh else oldest)}
        raise Unclear(f"there are too many fills since {words.iso(since)}")

    @readable
    async def positions(self) -> list[PositionState]:
        found = []
        for row in _rows(await self.ask(self._client.privateGetOpenpositions), "openPositions"):
            name = str(row["symbol"])
            ticker = _part(await self._ticker(name), "ticker")
            found.append(
                PositionState(
                    symbol=self.canonical(name),
                    quantity=number(row["size"]) * words.side(row["side"]).sign,
                    entry_price=number(row["price"]),
                    mark=number(ticker.get("markPrice")),
                )
            )
        return sorted(found, key=lambda position: position.symbol)

    @readable
    async def account(self) -> VenueAccount:
        answer = await self.ask(self._client.privateGetAccounts)
        flex = _part(_part(answer, "accounts"), "flex")
        return VenueAccount(cash=number(flex.get("balanceValue")), equity=number(flex.get("portfolioValue")))

    @readable
    async def funding(self, symbol: str, since: Millis) -> list[FundingFee]:
        """Kraken settles at the end of a period and whenever the position changes.

        The log tells the rate in quote currency per contract, and at the end of a period no price beside it.
        The mark is asked of the ticker then; where the settlement is too old for that, the rate is told as 0.
        """
        name = self.market(symbol).id.lower()
        request: dict[str, Any] = {"since": since, "sort": "asc", "count": _LOG_PAGE}
        found: dict[Millis, FundingFee] = {}
        for _ in range(_PAGES):
            logs = _rows(await self._ask_history(self._client.historyGetAccountLog, request), "logs")
            for row in logs:
                paid, time = -words.exact(row.get("realized_funding")), words.millis(row["date"])
                if str(row.get("contract")).lower() != name or not paid or time < since:
                    continue
                before = found[time].amount if time in found else Decimal(0)
                rate = await self._rate(row, time)
                found[time] = FundingFee(symbol=symbol, amount=before + paid, rate=rate, time=time)
            if len(logs) < _LOG_PAGE:
                return [found[time] for time in sorted(found)]
            request = {"from": int(logs[-1]["id"]) + 1, "sort": "asc", "count": _LOG_PAGE}
        raise Unclear(f"the account log since {words.iso(since)} is too long")

    async def _rate(self, row: Mapping[str, Any], time: Millis) -> Decimal:
        mark = words.positive(row.get("mark_price"))
        if mark is None and self.now() - time <= _MARK_MS:
            try:
                ticker = _part(await self._ticker(str(row["contract"]).upper()), "ticker")
            except Unclear:  # what was paid counts more than the rate, which is for information
                return Decimal(0)
            mark = words.positive(ticker.get("markPrice"))
        return words.exact(row.get("funding_rate")) / mark if mark else Decimal(0)

    # Hints ---------------------------------------------------------------------------------------

    def hints(self) -> AsyncIterator[Hint]:
        client = self._client
        url = str(client.urls["api"]["ws"])
        stream = KrakenStream(url, client.apiKey or "", client.secret or "", self.canonical)
        return HintStream([stream.watch])


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    if not isinstance(part, dict):
        raise Unclear(f"the venue's answer has no {name}")
    return part


def _rows(answer: Mapping[str, Any], name: str, default: object = None) -> list[Mapping[str, Any]]:
    rows = answer.get(name)
    if rows is None and default is not None:
        return []
    if not isinstance(rows, list):
        raise Unclear(f"the venue's answer has no {name}")
    return [row for row in rows if isinstance(row, dict)]
