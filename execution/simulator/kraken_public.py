"""What Kraken Futures tells everybody: instruments, tickers, candles, funding rates, fees."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from aiohttp import web

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Side
from bus_schemas.timeframes import HOUR
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.kraken_http import Desk, Params, reply
from execution.simulator.kraken_words import ErrorWord, Words, iso
from execution.simulator.orders import ZERO, Quote, SimBar, SimEvent, SimRefusal, Ticked
from execution.simulator.protocol import Operation, Route
from execution.simulator.rules import Listing

RESOLUTIONS = ("1m", "5m", "15m", "30m", "1h", "4h", "12h", "1d", "1w")
_PRICES = {"trade": "last", "mark": "mark", "spot": "index"}
_CANDLES = 2000
_RATES = 1000
_MINUTE = 60_000
_FEE_UID = "7fc4d7c0-464f-4029-a9bb-55856d0c5247"


class PublicDesk:
    """Public endpoints."""

    def __init__(self, exchange: Exchange, clock: SimClock, desk: Desk) -> None:
        self._exchange = exchange
        self._clock = clock
        self._desk = desk
        self._rates: dict[str, deque[Quote]] = {}
        self._next: dict[str, Quote] = {}
        self._days: dict[str, tuple[int, SimBar]] = {}
        self.stop = exchange.subscribe(self._hear)

    def routes(self) -> list[Route]:
        """Where they are."""
        v3, public = "/derivatives/api/v3", self._desk.public
        charts = "/api/charts/v1"
        return [
            Route("GET", f"{v3}/instruments", public(self._instruments), Operation.INSTRUMENTS),
            Route("GET", f"{v3}/instruments/status", public(self._statuses), Operation.INSTRUMENTS),
            Route("GET", f"{v3}/instruments/{{symbol}}/status", public(self._status), Operation.INSTRUMENTS),
            Route("GET", f"{v3}/tickers", public(self._tickers), Operation.TICKERS),
            Route("GET", f"{v3}/tickers/{{symbol}}", public(self._ticker), Operation.TICKERS),
            Route("GET", f"{v3}/orderbook", public(self._book), Operation.TICKERS),
            Route("GET", f"{v3}/history", public(self._trades), Operation.TICKERS),
            Route("GET", f"{v3}/feeschedules", public(self._fees), Operation.OTHER),
            Route(
                "GET",
                "/derivatives/api/v4/historicalfundingrates",
                public(self._funding_rates),
                Operation.FUNDING,
            ),
            Route("GET", f"{charts}/", self._tick_types, Operation.CANDLES),
            Route("GET", f"{charts}/{{price}}", self._chart_symbols, Operation.CANDLES),
            Route("GET", f"{charts}/{{price}}/{{symbol}}", self._chart_resolutions, Operation.CANDLES),
            Route("GET", f"{charts}/{{price}}/{{symbol}}/{{resolution}}", self._candles, Operation.CANDLES),
        ]

    def listing(self, name: str) -> Listing:
        """By the venue's own name.

        Raises:
            ErrorWord: there is none.
        """
        try:
            return self._exchange.named(name)
        except SimRefusal:
            raise ErrorWord("contractNotFound") from None

    def quote(self, listing: Listing) -> Quote | None:
        """The last prices; None before the first."""
        try:
            return self._exchange.quote_of(listing.symbol)
        except SimRefusal:
            return None

    def ticker_row(self, listing: Listing) -> Words:
        """A row of `tickers`."""
        quote = self.quote(listing)
        row: Words = {"symbol": listing.name, "tag": "perpetual", "pair": pair(listing), "suspended": True}
        if quote is None:
            return row
        day = self.day(listing, quote)
        return row | {
            "markPrice": quote.mark,
            "indexPrice": quote.index,
            "last": quote.last,
            "lastTime": iso(quote.time),
            "lastSize": quote.volume,
            "bid": quote.last - listing.instrument.tick,
            "bidSize": Decimal(1000),
            "ask": quote.last + listing.instrument.tick,
            "askSize": Decimal(1000),
            "vol24h": day.volume,
            "volumeQuote": day.volume * quote.last,
            "openInterest": Decimal(1000),
            "open24h": day.open,
            "high24h": max(day.high, quote.last),
            "low24h": min(day.low, quote.last),
            "change24h": change(quote.last, day.open),
            "fundingRate": quote.funding_rate * quote.mark,
            "fundingRatePrediction": quote.funding_rate * quote.mark,
            "suspended": False,
            "postOnly": False,
        }

    def day(self, listing: Listing, quote: Quote) -> SimBar:
        """The last 24 hours as one candle, not older than a minute."""
        known = self._days.get(listing.symbol)
        if known is None or known[0] != quote.time // _MINUTE:
            bars = self._exchange.candles(listing.symbol, "1h", limit=24)
            volume = sum((bar.volume for bar in bars), ZERO)
            high = max((bar.high for bar in bars), default=quote.last)
            low = min((bar.low for bar in bars), default=quote.last)
            opened = bars[0].open if bars else quote.last
            known = (quote.time // _MINUTE, SimBar(quote.time, opened, high, low, quote.last, volume))
            self._days[listing.symbol] = known
        return known[1]

    def _instruments(self, _: Params) -> Words:
        rows = [self._instrument(listing) for listing in self._exchange.listings.values()]
        return {"instruments": rows}

    def _instrument(self, listing: Listing) -> Words:
        terms, rules = listing.instrument, self._exchange.rules
        initial = Decimal(1) / rules.max_leverage
        level = {"numNonContractUnits": 0, "initialMargin": initial, "maintenanceMargin": initial / 2}
        return {
            "symbol": listing.name,
            "pair": pair(listing),
            "base": listing.name.removeprefix("PF_").removesuffix(terms.quote),
            "quote": terms.quote,
            "type": "flexible_futures",
            "tickSize": terms.tick,
            "contractSize": terms.contract_size,
            "contractValueTradePrecision": -int(terms.step.normalize().as_tuple().exponent),
            "tradeable": True,
            "impactMidSize": Decimal(1),
            "maxPositionSize": terms.max_quantity,
            "openingDate": "2022-01-01T00:00:00.000Z",
            "marginLevels": [level],
            "retailMarginLevels": [level],
            "fundingRateCoefficient": 8,
            "maxRelativeFundingRate": Decimal("0.001"),
            "feeScheduleUid": _FEE_UID,
            "postOnly": False,
            "mtf": False,
            "isin": "",
            "tags": [],
        }

    def _statuses(self, _: Params) -> Words:
        return {"instrumentStatus": [_status(row.name) for row in self._exchange.listings.values()]}

    def _status(self, params: Params) -> Words:
        return _status(self.listing(params.one["symbol"]).name)

    def _tickers(self, _: Params) -> Words:
        return {"tickers": [self.ticker_row(listing) for listing in self._exchange.listings.values()]}

    def _ticker(self, params: Params) -> Words:
        return {"ticker": self.ticker_row(self.listing(params.one["symbol"]))}

    def _book(self, params: Params) -> Words:
        params.required("symbol")
        row = self.ticker_row(self.listing(params.one["symbol"]))
        levels = {
            side: [[row[price], row[size]]] if price in row else []
            for side, price, size in (("bids", "bid", "bidSize"), ("asks", "ask", "askSize"))
        }
        return {"orderBook": levels}

    def _trades(self, params: Params) -> Words:
        params.required("symbol")
        quote = self.quote(self.listing(params.one["symbol"]))
        if quote is None:
            return {"history": []}
        side = "buy" if quote.trade_side is Side.LONG else "sell"
        return {
            "history": [
                {
                    "time": iso(quote.time),
                    "trade_id": 1,
                    "price": quote.last,
                    "size": quote.volume,
                    "side": side,
                    "type": "fill",
                }
            ]
        }

    def _fees(self, _: Params) -> Words:
        rules = self._exchange.rules
        tier = {"makerFee": rules.maker_fee * 100, "takerFee": rules.taker_fee * 100, "usdVolume": 0}
        return {"feeSchedules": [{"uid": _FEE_UID, "name": "flexible_futures", "tiers": [tier]}]}

    def _funding_rates(self, params: Params) -> Words:
        """Each hour's rate, dated by the hour's start, and the rate of the hour that runs. The venue settles
        every hour; here only those that end in a settlement have a rate."""
        params.required("symbol")
        symbol = self.listing(params.one["symbol"]).symbol
        rates, running = list(self._rates.get(symbol, ())), self._next.get(symbol)
        if running is not None and running.next_funding - HOUR <= self._clock.now():
            rates.append(running)
        return {
            "rates": [
                {
                    "timestamp": iso(quote.next_funding - HOUR),
                    "fundingRate": quote.funding_rate * quote.mark,
                    "relativeFundingRate": quote.funding_rate,
                }
                for quote in rates
            ]
        }

    def _hear(self, event: SimEvent) -> None:
        """A rate is kept once its settlement is past."""
        if not isinstance(event, Ticked) or not event.quote.next_funding:
            return
        quote, before = event.quote, self._next.get(event.quote.symbol)
        if before is not None and before.next_funding < quote.next_funding:
            rates = self._rates.setdefault(quote.symbol, deque(maxlen=_RATES))
            rates.append(before)
        self._next[quote.symbol] = quote

    # Charts --------------------------------------------------------------------------------------

    async def _tick_types(self, _: web.Request) -> web.Response:
        return reply(list(_PRICES))

    async def _chart_symbols(self, _: web.Request) -> web.Response:
        return reply([listing.name for listing in self._exchange.listings.values()])

    async def _chart_resolutions(self, _: web.Request) -> web.Response:
        return reply(list(RESOLUTIONS))

    async def _candles(self, request: web.Request) -> web.Response:
        price = _PRICES.get(request.match_info["price"])
        resolution = request.match_info["resolution"]
        try:
            listing = self._exchange.named(request.match_info["symbol"])
            since = int(request.query.get("from", 0)) * 1000
            until = int(request.query.get("to", 1 << 40)) * 1000
            count = min(int(request.query.get("count", _CANDLES)), _CANDLES)
            if price is None or resolution not in RESOLUTIONS:
                raise ValueError(resolution)
            bars = self._exchange.candles(listing.symbol, resolution, since, until, count + 1, price)
        except (ValueError, SimRefusal, ConfigurationError):
            return reply({"errors": [{"message": "Bad Request"}]}, 400)
        kept = bars[:count] if since else bars[-count:]
        return reply({"candles": [_candle(bar) for bar in kept], "more_candles": len(bars) > count})


def pair(listing: Listing) -> str:
    """`XBT:USD`."""
    quote = listing.instrument.quote
    return f"{listing.name.removeprefix('PF_').removesuffix(quote)}:{quote}"


def change(last: Decimal, opened: Decimal) -> Decimal:
    """In per cent, two places."""
    return ((last / opened - 1) * 100).quantize(Decimal("0.01")) if opened else ZERO


def _status(name: str) -> Words:
    return {"tradeable": name, "experiencingDislocation": False, "priceDislocationDirection": None}


def _candle(bar: SimBar) -> Words:
    return {
        "time": bar.time,
        "open": str(bar.open),
        "high": str(bar.high),
        "low": str(bar.low),
        "close": str(bar.close),
        "volume": str(bar.volume),
    }
