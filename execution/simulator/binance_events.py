"""Binance's websocket messages, made of the exchange's events. Pure but for what they ask the exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bus_schemas.events import Liquidity, Millis, Side
from bus_schemas.timeframes import length
from execution.simulator.binance_views import price_text, working_type
from execution.simulator.binance_words import KINDS, algo_status, order_status, side_word, text
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import (
    BalanceChanged,
    CandleChanged,
    Filled,
    OrderChanged,
    SimEvent,
    SimFill,
    SimOrder,
    SimStatus,
    Ticked,
)
from execution.simulator.rules import Listing

Message = dict[str, Any]
DayView = Callable[[Listing], Message]
_CAUSES = {"fill": "ORDER", "funding": "FUNDING_FEE", "set": "DEPOSIT"}
_EXECUTIONS = {"placed": "NEW", "amended": "AMENDMENT"}
_MARK_MS = {"@markPrice@1s": 1000, "@markPrice": 3000}


class UserEvents:
    """Messages of the user stream."""

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._untold: set[str] = set()

    def messages(self, event: SimEvent) -> Iterator[Message]:
        """What the account's owner hears of an event."""
        if isinstance(event, Filled):
            yield self._lite(event.order, event.fill)
            yield self._order("TRADE", event.order, event.fill)
            yield from self._triggered(event.order)
        elif isinstance(event, BalanceChanged):
            yield self._account(event)
        elif isinstance(event, OrderChanged) and event.order.conditional:
            yield from self._algo_changed(event)
        elif isinstance(event, OrderChanged):
            if event.cause != "filled":  # told with the fill
                cancelled = event.order.status is SimStatus.CANCELLED
                ended = "CANCELED" if cancelled else "EXPIRED"
                yield self._order(_EXECUTIONS.get(event.cause, ended), event.order, None)
            if event.order.origin and not event.order.alive:
                origin = self._exchange.order(event.order.origin, conditional=True)
                yield from self._triggered(event.order)
                if origin is not None:
                    yield self._algo(origin, algo_status(origin, event.order), event.order)

    def _algo_changed(self, event: OrderChanged) -> Iterator[Message]:
        if event.order.status is SimStatus.TRIGGERED:
            self._untold.add(event.order.order_id)
            yield self._algo(event.order, "TRIGGERING", None)
        else:
            yield self._algo(event.order, algo_status(event.order, None), None)

    def _triggered(self, became: SimOrder) -> Iterator[Message]:
        """That a conditional order was triggered is told after what its successor did at once."""
        if became.origin in self._untold:
            self._untold.remove(became.origin)
            origin = self._exchange.order(became.origin, conditional=True)
            if origin is not None:
                yield self._algo(origin, "TRIGGERED", None)

    def _lite(self, order: SimOrder, fill: SimFill) -> Message:
        return {
            "e": "TRADE_LITE",
            "E": self._clock.now(),
            "T": fill.time,
            "s": self._exchange.listing(order.symbol).name,
            "q": text(order.quantity),
            "p": price_text(order.price),
            "m": fill.liquidity is Liquidity.MAKER,
            "c": order.client_id,
            "S": side_word(order.side),
            "L": text(fill.price),
            "l": text(fill.quantity),
            "t": int(fill.fill_id),
            "i": int(order.order_id),
        }

    def _order(self, execution: str, order: SimOrder, fill: SimFill | None) -> Message:
        now, listing = self._clock.now(), self._exchange.listing(order.symbol)
        kind = KINDS[order.kind]
        body: Message = {
            "s": listing.name,
            "c": order.client_id,
            "S": side_word(order.side),
            "o": kind,
            "f": "GTX" if order.post_only else "GTC",
            "q": text(order.quantity),
            "p": price_text(order.price),
            "ap": price_text(order.average),
            "sp": "0",
            "x": execution,
            "X": order_status(order),
            "i": int(order.order_id),
            "l": text(fill.quantity) if fill else "0",
            "z": text(order.filled),
            "L": text(fill.price) if fill else "0",
            "T": order.updated,
            "t": int(fill.fill_id) if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill is not None and fill.liquidity is Liquidity.MAKER,
            "R": order.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": "STOP_MARKET" if order.origin else kind,
            "ps": "BOTH",
            "cp": False,
            "rp": text(fill.profit) if fill else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": "EXPIRE_MAKER",
            "pm": "NONE",
            "gtd": 0,
            "er": "0",
        }
        if fill is not None:
            body |= {"N": listing.instrument.settle, "n": text(fill.fee)}
        return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": order.updated, "o": body}

    def _algo(self, order: SimOrder, status: str, became: SimOrder | None) -> Message:
        now = self._clock.now()
        body: Message = {
            "caid": order.client_id,
            "aid": int(order.order_id),
            "at": "CONDITIONAL",
            "o": "STOP_MARKET",
            "s": self._exchange.listing(order.symbol).name,
            "S": side_word(order.side),
            "ps": "BOTH",
            "f": "GTC",
            "q": text(order.quantity),
            "X": status,
            "ai": "" if status == "TRIGGERING" else order.successor,
            "tp": price_text(order.trigger),
            "p": "0",
            "V": "EXPIRE_MAKER",
            "wt": working_type(order),
            "pm": "NONE",
            "cp": False,
            "pP": False,
            "R": order.reduce_only,
            "tt": order.updated if order.successor else 0,
            "gtd": 0,
            "rm": "",
        }
        if became is not None:
            body |= {"ap": price_text(became.average), "aq": text(became.filled), "act": "MARKET"}
        return {"e": "ALGO_UPDATE", "E": now, "T": order.updated, "o": body}

    def _account(self, event: BalanceChanged) -> Message:
        account = self._exchange.account()
        positions = []
        asset = "USDT"
        if event.symbol:
            listing = self._exchange.listing(event.symbol)
            asset = listing.instrument.settle
            held = next((p for p in self._exchange.positions() if p.symbol == event.symbol), None)
            positions.append(
                {
                    "s": listing.name,
                    "pa": text(held.quantity) if held else "0",
                    "ep": text(held.entry_price) if held else "0",
                    "bep": text(held.entry_price) if held else "0",
                    "cr": "0",
                    "up": text(held.profit) if held else "0",
                    "mt": "cross",
                    "iw": "0",
                    "ps": "BOTH",
                }
            )
        cash, change = text(account.cash), "0" if event.cause == "fill" else text(event.amount)
        return {
            "e": "ACCOUNT_UPDATE",
            "E": self._clock.now(),
            "T": event.time,
            "a": {
                "m": _CAUSES[event.cause],
                "B": [{"a": asset, "wb": cash, "cw": cash, "bc": change}],
                "P": positions,
            },
        }


def user_topic(message: Message) -> str:
    """What a message is about, for fault plans."""
    if message["e"] == "ACCOUNT_UPDATE":
        return "balance"
    if message["e"] == "TRADE_LITE":
        return "fill"
    return "fill" if message["o"].get("x") == "TRADE" else "order"


def market_messages(
    exchange: Exchange,
    clock: SimClock,
    event: CandleChanged | Ticked,
    wanted: set[str],
    day: DayView,
    marked: dict[str, Millis],
) -> Iterator[tuple[str, Message, str]]:
    """Stream, message and topic of what is wanted of an event.

    Args:
        marked: when each mark price stream was served last; changed here.
    """
    if isinstance(event, CandleChanged):
        listing = exchange.listing(event.symbol)
        stream = f"{listing.name.lower()}@kline_{event.timeframe}"
        if stream in wanted:
            yield stream, _candle(event, listing, clock.now()), "candle"
        return
    quote, listing = event.quote, exchange.listing(event.quote.symbol)
    name = listing.name.lower()
    for suffix, every in _MARK_MS.items():
        stream = name + suffix
        if stream in wanted and abs(quote.time - marked.get(stream, -every)) >= every:
            marked[stream] = quote.time
            yield stream, _mark(event, listing, clock.now()), "ticker"
    if f"{name}@aggTrade" in wanted and quote.volume:
        yield f"{name}@aggTrade", _trade(event, listing, clock.now(), "aggTrade"), "trade"
    if f"{name}@trade" in wanted and quote.volume:
        yield f"{name}@trade", _trade(event, listing, clock.now(), "trade"), "trade"
    if f"{name}@bookTicker" in wanted:
        yield f"{name}@bookTicker", _book(event, listing, clock.now()), "ticker"
    for kind in ("ticker", "miniTicker"):
        if f"{name}@{kind}" in wanted:
            yield f"{name}@{kind}", _day(day(listing), kind, clock.now()), "ticker"


def _candle(event: CandleChanged, listing: Listing, now: Millis) -> Message:
    bar, value = event.bar, text(event.bar.volume * event.bar.close)
    body = {
        "t": bar.time,
        "T": bar.time + length(event.timeframe) - 1,
        "s": listing.name,
        "i": event.timeframe,
        "f": 1,
        "L": 1,
        "o": text(bar.open),
        "c": text(bar.close),
        "h": text(bar.high),
        "l": text(bar.low),
        "v": text(bar.volume),
        "n": 1,
        "x": event.closed,
        "q": value,
        "V": text(bar.volume / 2),
        "Q": text(bar.volume * bar.close / 2),
        "B": "0",
    }
    return {"e": "kline", "E": now, "s": listing.name, "k": body}


def _mark(event: Ticked, listing: Listing, now: Millis) -> Message:
    quote = event.quote
    return {
        "e": "markPriceUpdate",
        "E": now,
        "s": listing.name,
        "p": text(quote.mark),
        "i": text(quote.index),
        "P": text(quote.index),
        "r": text(quote.funding_rate),
        "T": quote.next_funding,
    }


def _trade(event: Ticked, listing: Listing, now: Millis, kind: str) -> Message:
    quote = event.quote
    body = {
        "e": kind,
        "E": now,
        "s": listing.name,
        "p": text(quote.last),
        "q": text(quote.volume),
        "T": quote.time,
        "m": quote.trade_side is Side.SHORT,
    }
    if kind == "trade":
        return body | {"t": quote.time, "X": "MARKET"}
    return body | {"a": quote.time, "f": quote.time, "l": quote.time}


def _book(event: Ticked, listing: Listing, now: Millis) -> Message:
    quote, tick = event.quote, listing.instrument.tick
    return {
        "e": "bookTicker",
        "u": quote.time,
        "E": now,
        "T": quote.time,
        "s": listing.name,
        "b": text(quote.last - tick),
        "B": "10",
        "a": text(quote.last),
        "A": "10",
    }


def _day(view: Message, kind: str, now: Millis) -> Message:
    body = {
        "e": "24hrTicker" if kind == "ticker" else "24hrMiniTicker",
        "E": now,
        "s": view["symbol"],
        "c": view["lastPrice"],
        "o": view["openPrice"],
        "h": view["highPrice"],
        "l": view["lowPrice"],
        "v": view["volume"],
        "q": view["quoteVolume"],
    }
    if kind == "ticker":
        body |= {
            "p": view["priceChange"],
            "P": view["priceChangePercent"],
            "w": view["weightedAvgPrice"],
            "Q": view["lastQty"],
            "O": view["openTime"],
            "C": view["closeTime"],
            "F": view["firstId"],
            "L": view["lastId"],
            "n": view["count"],
        }
    return body
