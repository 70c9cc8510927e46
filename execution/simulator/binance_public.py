"""Binance's public endpoints: USDⓈ-M futures, and of the spot market what feeds candles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Millis
from bus_schemas.timeframes import length
from execution.simulator.binance_sign import Params
from execution.simulator.binance_views import (
    candle_view,
    premium_view,
    spot_symbol_view,
    symbol_view,
)
from execution.simulator.binance_words import BAD_SYMBOL, Trouble, text
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import Quote, SimEvent, SimRefusal, Ticked
from execution.simulator.protocol import Operation
from execution.simulator.rules import Listing

WEIGHT_LIMIT = 2400
ORDER_LIMIT = 1200
_SETTLEMENTS = 1000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LATER = 1 << 62
_SAME_MS = 60_000


class Access(Enum):
    """What a request must show."""

    OPEN = "open"
    KEY = "key"
    SIGNED = "signed"


Serve = Callable[[Params], object]


class Endpoint(NamedTuple):
    """One endpoint of the venue.

    Attributes:
        serve: gives what is answered as JSON.
        weight: that it costs; a function of the parameters where it differs.
        orders: that it counts as.
    """

    method: str
    path: str
    serve: Serve
    operation: Operation
    weight: int | Callable[[Params], int] = 1
    access: Access = Access.OPEN
    orders: int = 0


def page(params: Params, default: int, most: int) -> int:
    """The parameter `limit`.

    Raises:
        Trouble: it is not from 1 to `most`.
    """
    limit = params.whole("limit", default)
    if not 1 <= limit <= most:
        raise Trouble(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def listed(exchange: Exchange, params: Params) -> Listing:
    """The contract of the parameter `symbol`.

    Raises:
        Trouble: it was not sent, or is not listed.
    """
    try:
        return exchange.named(params.need("symbol"))
    except SimRefusal:
        raise BAD_SYMBOL from None


def one_or_all(exchange: Exchange, params: Params, view: Callable[[Listing], Any]) -> object:
    """A view of one contract, or of each where none is named. Those without a price yet are left out."""
    if params.get("symbol"):
        return view(listed(exchange, params))
    found = []
    for listing in exchange.listings.values():
        try:
            found.append(view(listing))
        except SimRefusal:
            continue
    return found


class PublicDesk:
    """Market data.

    Args:
        exchange: whose prices these are.
    """

    def __init__(self, exchange: Exchange, clock: SimClock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._quotes: dict[str, Quote] = {}
        self._settled: dict[str, deque[tuple[Millis, Decimal, Decimal]]] = {}
        self.stop = exchange.subscribe(self._hear)

    def endpoints(self) -> list[Endpoint]:
        """Futures first, then spot."""
        tickers, candles = Operation.TICKERS, Operation.CANDLES
        return [
            Endpoint("GET", "/fapi/v1/ping", lambda _: {}, Operation.TIME),
            Endpoint("GET", "/fapi/v1/time", self._time, Operation.TIME),
            Endpoint("GET", "/fapi/v1/exchangeInfo", self._info, Operation.INSTRUMENTS),
            Endpoint("GET", "/fapi/v1/klines", self._candles("last", 1500), candles, candle_weight),
            Endpoint("GET", "/fapi/v1/markPriceKlines", self._candles("mark", 1500), candles, candle_weight),
            Endpoint(
                "GET", "/fapi/v1/indexPriceKlines", self._candles("index", 1500), candles, candle_weight
            ),
            Endpoint("GET", "/fapi/v1/premiumIndex", self._premium, tickers),
            Endpoint("GET", "/fapi/v1/ticker/24hr", self._day, tickers, by_symbol(1, 40)),
            Endpoint("GET", "/fapi/v1/ticker/price", self._price, tickers, by_symbol(1, 2)),
            Endpoint("GET", "/fapi/v2/ticker/price", self._price, tickers, by_symbol(1, 2)),
            Endpoint("GET", "/fapi/v1/ticker/bookTicker", self._book, tickers, by_symbol(2, 5)),
            Endpoint("GET", "/fapi/v1/fundingRate", self._funding, tickers),
            Endpoint("GET", "/fapi/v1/fundingInfo", lambda _: [], tickers),
            Endpoint("GET", "/api/v3/ping", lambda _: {}, Operation.TIME),
            Endpoint("GET", "/api/v3/time", self._time, Operation.TIME),
            Endpoint("GET", "/api/v3/exchangeInfo", self._spot_info, Operation.INSTRUMENTS),
            Endpoint("GET", "/api/v3/klines", self._candles("last", 1000), candles, 2),
            Endpoint("GET", "/api/v3/ticker/24hr", self._day, tickers, by_symbol(2, 80)),
            Endpoint("GET", "/api/v3/ticker/price", self._price, tickers, by_symbol(2, 4)),
        ]

    def day_view(self, listing: Listing) -> dict[str, Any]:
        """The last 24 hours."""
        quote = self._exchange.quote_of(listing.symbol)
        now = self._clock.now()
        bars = self._exchange.candles(listing.symbol, "1h", since=quote.time - _DAY_MS, limit=25)
        first = bars[0].open if bars else quote.last
        high = max([quote.last, *(bar.high for bar in bars)])
        low = min([quote.last, *(bar.low for bar in bars)])
        volume = sum((bar.volume for bar in bars), Decimal(0))
        value = sum((bar.volume * bar.close for bar in bars), Decimal(0))
        change = quote.last - first
        average = (value / volume).quantize(Decimal("1E-8")) if volume else quote.last
        return {
            "symbol": listing.name,
            "priceChange": text(change),
            "priceChangePercent": text((change / first * 100).quantize(Decimal("0.001"))),
            "weightedAvgPrice": text(average),
            "lastPrice": text(quote.last),
            "lastQty": text(quote.volume),
            "openPrice": text(first),
            "highPrice": text(high),
            "lowPrice": text(low),
            "volume": text(volume),
            "quoteVolume": text(value),
            "openTime": now - _DAY_MS,
            "closeTime": now,
            "firstId": 1,
            "lastId": 1 + len(bars),
            "count": 1 + len(bars),
        }

    def _hear(self, event: SimEvent) -> None:
        """Remember what funding was settled: the rate that stood when its time came."""
        if not isinstance(event, Ticked):
            return
        quote = event.quote
        before = self._quotes.get(quote.symbol)
        self._quotes[quote.symbol] = quote
        if before is not None and before.next_funding and quote.next_funding > before.next_funding:
            kept = self._settled.setdefault(quote.symbol, deque(maxlen=_SETTLEMENTS))
            kept.append((before.next_funding, before.funding_rate, before.mark))

    def _time(self, _: Params) -> object:
        return {"serverTime": self._clock.now()}

    def _info(self, _: Params) -> object:
        listings = self._exchange.listings.values()
        settles = sorted({listing.instrument.settle for listing in listings})
        return {
            "timezone": "UTC",
            "serverTime": self._clock.now(),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                _limit("REQUEST_WEIGHT", WEIGHT_LIMIT),
                _limit("ORDERS", ORDER_LIMIT),
            ],
            "exchangeFilters": [],
            "assets": [{"asset": a, "marginAvailable": True, "autoAssetExchange": "0"} for a in settles],
            "symbols": [symbol_view(listing) for listing in listings],
        }

    def _spot_info(self, _: Params) -> object:
        return {
            "timezone": "UTC",
            "serverTime": self._clock.now(),
            "rateLimits": [_limit("REQUEST_WEIGHT", WEIGHT_LIMIT)],
            "exchangeFilters": [],
            "symbols": [spot_symbol_view(listing) for listing in self._exchange.listings.values()],
        }

    def _candles(self, price: str, most: int) -> Serve:
        def serve(params: Params) -> object:
            name = params.get("symbol") or params.get("pair")
            listing = listed(self._exchange, Params({"symbol": name}))
            interval = params.need("interval")
            since = params.whole("startTime", 0)
            until = params.whole("endTime", _LATER)
            try:
                long = length(interval)
                bars = self._exchange.candles(
                    listing.symbol, interval, since, until, page(params, 500, most), price
                )
            except ConfigurationError:
                raise Trouble(-1120, "Invalid interval.") from None
            return [candle_view(bar, long) for bar in bars]

        return serve

    def _premium(self, params: Params) -> object:
        return one_or_all(
            self._exchange, params, lambda at: premium_view(self._exchange.quote_of(at.symbol), at)
        )

    def _day(self, params: Params) -> object:
        return one_or_all(self._exchange, params, self.day_view)

    def _price(self, params: Params) -> object:
        def view(listing: Listing) -> dict[str, Any]:
            quote = self._exchange.quote_of(listing.symbol)
            return {"symbol": listing.name, "price": text(quote.last), "time": quote.time}

        return one_or_all(self._exchange, params, view)

    def _book(self, params: Params) -> object:
        return one_or_all(
            self._exchange, params, lambda at: book_view(self._exchange.quote_of(at.symbol), at)
        )

    def _funding(self, params: Params) -> object:
        since, until = params.whole("startTime", 0), params.whole("endTime", _LATER)
        limit = page(params, 100, 1000)
        rows: list[dict[str, Any]] = []
        for listing in self._exchange.listings.values():
            if params.get("symbol", listing.name).upper() != listing.name:
                continue
            for time, (rate, mark) in self._rates(listing.symbol).items():
                if since <= time <= until:
                    rows.append(_settlement(listing.name, time, rate, mark))
        rows.sort(key=lambda row: int(row["fundingTime"]))
        return rows[:limit] if since else rows[-limit:]

    def _rates(self, symbol: str) -> dict[Millis, tuple[Decimal, Decimal]]:
        """Rate and mark of each settlement: of the clock, and of those that were ordered by hand."""
        found = {time: (rate, mark) for time, rate, mark in self._settled.get(symbol, ())}
        for paid in self._exchange.funding(symbol):
            if all(abs(paid.time - time) > _SAME_MS for time in found):
                found[paid.time] = (paid.rate, paid.mark)
        return found


def book_view(quote: Quote, listing: Listing) -> dict[str, Any]:
    """The best prices: a tick around the last one, in any amount."""
    tick = listing.instrument.tick
    return {
        "symbol": listing.name,
        "bidPrice": text(quote.last - tick),
        "bidQty": "10",
        "askPrice": text(quote.last),
        "askQty": "10",
        "time": quote.time,
    }


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """A weight that depends on whether a symbol is named."""
    return lambda params: one if params.get("symbol") else every


def candle_weight(params: Params) -> int:
    """The more rows, the more weight."""
    limit = params.whole("limit", 500)
    return next((weight for most, weight in ((99, 1), (499, 2), (1000, 5)) if limit <= most), 10)


def _limit(kind: str, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": "MINUTE", "intervalNum": 1, "limit": limit}


def _settlement(name: str, time: Millis, rate: Decimal, mark: Decimal) -> dict[str, Any]:
    return {"symbol": name, "fundingTime": time, "fundingRate": text(rate), "markPrice": text(mark)}
