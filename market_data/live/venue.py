"""What a venue tells of its markets, by REST: candles, prices, funding. All judgement is elsewhere.

Candles may come from another market than the one that is traded (`CandleSource`): Causeway analyses spot, or
the index that a perpetual follows, and trades the perpetual.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.market_data import CandleSource
from bus_schemas.timeframes import HOUR, TIMEFRAMES, length
from bus_schemas.venues.client import make_client
from bus_schemas.venues.clock import VenueClock
from bus_schemas.venues.markets import Market, perpetuals
from market_data.live.bars import Page, page_of
from market_data.live.gate import Gate
from market_data.live.prices import Quote
from market_data.live.universe import Candidate
from market_data.live.words import candidate_of, price_of, quote_of, rate_of, rows_of
from market_data.rows import Settlement

log = logging.getLogger("causeway.venue")

PriceOf = Literal["candles", "mark"]

SPOT_VENUES = {"binanceusdm": "binance", "krakenfutures": "kraken"}
"""ccxt ids of the spot markets beside a futures venue; other venues have theirs under their own id."""

PAGE_LIMITS = {"binanceusdm": 1000, "binance": 1000, "krakenfutures": 2000, "kraken": 720}
PAGE_LIMIT = 500
"""Most candles of one answer, for venues that are not listed."""

FUNDING_PERIOD = {"krakenfutures": HOUR}
"""Venues that date a rate by the start of the period to which it applies, and list the one that runs: what
they settle it after. Others date it by the settlement."""


class Listing(msgspec.Struct, frozen=True):
    """A symbol's markets: the perpetual, and ccxt's name of the market whose candles are taken."""

    market: Market
    candles: str


class VenueSource:
    """A venue's public REST interface.

    Args:
        settings: which venue.
        clock: its time; set by `sync_clock`.
        candles_from, spot: as in the settings of market_data.

    Attributes:
        origin: `<ccxt id>:<spot, index or perpetual>`, the market that candles are taken from.
        listings: every perpetual that has such candles, by canonical symbol. Empty before `open`.
        rate: the venue's seconds in one of ours.
    """

    def __init__(
        self, settings: VenueSettings, clock: VenueClock, candles_from: CandleSource, spot: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._spot_map = dict(spot)
        self.clock = clock
        self.rate = settings.clock_rate
        self._gate = Gate(rate=settings.clock_rate)
        self.perp = self.make()
        self._kind = self._resolved(candles_from)
        self._spot_id = SPOT_VENUES.get(settings.name, settings.name)
        self.bars = self.make(self._spot_id) if self._kind == "spot" else self.perp
        if self.bars.id == "binance":  # else its futures' markets are loaded as well
            self.bars.options["fetchMarkets"] = {"types": ["spot"]}
        self.origin = f"{self.bars.id}:{self._kind}"
        self.listings: dict[str, Listing] = {}
        self._limit = PAGE_LIMITS.get(self.bars.id, PAGE_LIMIT)

    @property
    def is_spot(self) -> bool:
        """Whether candles are those of a spot market, which then also has the spot price."""
        return self._kind == "spot"

    def make(self, name: str = "") -> Any:
        """Another client of the venue."""
        client = make_client(self._settings, self.clock, keys=False, name=name)
        client.seconds = lambda: (
            self.clock.now() // 1000
        )  # ccxt's own would cut a page at this machine's time
        return client

    async def open(self, timeframe: str = "") -> None:
        """Load the markets and set the clock.

        Raises:
            Trouble: the venue cannot be reached now.
            ConfigurationError: it has no candles of this timeframe, or no such spot market as `spot` names.
        """
        for client in dict.fromkeys((self.perp, self.bars)):
            await self._gate.ask(client, client.load_markets)
        await self.sync_clock()
        self.check_timeframe(timeframe)
        markets = perpetuals(self.perp.markets)
        found = {symbol: self._candles_of(symbol, market) for symbol, market in markets.items()}
        self.listings = {symbol: Listing(markets[symbol], name) for symbol, name in found.items() if name}

    async def close(self) -> None:
        """Give the connections back. Does not raise."""
        await close_quietly(self.perp, self.bars)

    def check_timeframe(self, timeframe: str) -> None:
        """Raises:
        ConfigurationError: the venue has no such candles.
        """
        known = self.bars.timeframes or {}
        if timeframe and timeframe not in known:
            names = ", ".join(name for name in TIMEFRAMES if name in known)
            raise ConfigurationError(f"{self.bars.id} has no {timeframe} candles; it has {names}")

    def check_symbols(self, symbols: Sequence[str]) -> None:
        """Raises:
        ConfigurationError: a symbol is not listed, or has no candles to analyse.
        """
        faults = []
        for symbol in symbols:
            if symbol in self.listings:
                continue
            if symbol in perpetuals(self.perp.markets):
                faults.append(
                    f"{symbol} has no {self._kind} market at {self.bars.id}: name one in market_data.spot, "
                    "or set market_data.candles_from"
                )
            else:
                near = get_close_matches(symbol, self.listings, 3)
                also = f"; there is {', '.join(near)}" if near else ""
                faults.append(f"{self.perp.id} lists no perpetual {symbol}{also}")
        if faults:
            raise ConfigurationError("\n".join(faults))

    async def sync_clock(self) -> None:
        """Set the clock by the venue's word. A venue without one leaves it at this machine's time."""
        asked = self.clock.mark()
        server: Any = None
        if self.perp.has.get("fetchTime"):
            server = await self._gate.ask(self.perp, self.perp.fetch_time)
        elif self.perp.id == "krakenfutures":
            one = {"symbol": next(iter(self.perp.markets.values()))["id"]}
            answer = await self._gate.ask(self.perp, lambda: self.perp.publicGetTickersSymbol(one))
            server = self.perp.parse8601(answer["serverTime"])
        if server:
            self.clock.set(float(server), asked, self.clock.mark())

    async def candles(
        self, symbol: str, timeframe: str, since: int, limit: int = 0, of: PriceOf = "candles"
    ) -> Page:
        """Candles that open at `since` or later, the first of them; the last may still be forming.

        Args:
            limit: most of them; 0 takes as many as the venue gives at once.
            of: the analysed market's candles, or the perpetual's mark price.

        Raises:
            Trouble: no answer.
        """
        listing = self.listings[symbol]
        client, name = (
            (self.bars, listing.candles) if of == "candles" else (self.perp, listing.market.unified)
        )
        most = PAGE_LIMITS.get(client.id, PAGE_LIMIT)
        limit = min(limit or most, most)
        price = "mark" if of == "mark" else "index" if self._kind == "index" else ""
        params = {"price": price} if price else {}
        asked = self.clock.now()
        rows = await self._gate.ask(client, lambda: client.fetch_ohlcv(name, timeframe, since, limit, params))
        return page_of(symbol, since, limit, length(timeframe), asked, rows_of(rows))

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Prices now; symbols that the venue tells none of are left out.

        Raises:
            Trouble: no answer.
        """
        asked = self.clock.now()
        names = {self.listings[symbol].market.unified: symbol for symbol in symbols}
        perp = self.perp
        if perp.has.get("fetchMarkPrices"):
            call = perp.fetch_mark_prices
        elif perp.id == "krakenfutures" or not perp.has.get("fetchFundingRates"):
            call = perp.fetch_tickers
        else:
            call = perp.fetch_funding_rates
        tickers, spots = await asyncio.gather(
            self._gate.ask(perp, lambda: call(list(names))), self.spot_prices(symbols)
        )
        quotes = (
            quote_of(names[name], ticker, asked, spots.get(names[name]))
            for name, ticker in tickers.items()
            if name in names
        )
        return [quote for quote in quotes if quote is not None]

    async def spot_prices(self, symbols: Sequence[str]) -> dict[str, Decimal]:
        """Last spot prices, where candles are those of a spot market; else none.

        Raises:
            Trouble: no answer.
        """
        if not self.is_spot or not symbols:
            return {}
        names = {self.listings[symbol].candles: symbol for symbol in symbols}
        last = bool(self.bars.has.get("fetchLastPrices"))
        call = self.bars.fetch_last_prices if last else self.bars.fetch_tickers
        answer = await self._gate.ask(self.bars, lambda: call(list(names)))
        prices = {
            names[name]: price_of(one.get("price" if last else "last"))
            for name, one in answer.items()
            if name in names
        }
        return {symbol: price for symbol, price in prices.items() if price is not None}

    async def settlements(self, symbol: str, since: int, limit: int = 1000) -> list[Settlement]:
        """Funding settled at `since` or later and by now, in order of time; the first `limit` of it.

        Raises:
            Trouble: no answer.
        """
        if not self.perp.has.get("fetchFundingRateHistory"):
            return []
        name, period = self.listings[symbol].market.unified, FUNDING_PERIOD.get(self.perp.id, 0)
        first = max(0, since - period)
        rows = await self._gate.ask(
            self.perp, lambda: self.perp.fetch_funding_rate_history(name, first, limit)
        )
        now = self.clock.now()
        found = {row["timestamp"] + period: rate for row in rows if (rate := rate_of(row)) is not None}
        return [Settlement(time, found[time]) for time in sorted(found) if since <= time <= now]

    async def candidates(self) -> list[Candidate]:
        """Volume and spread of every perpetual that has candles to analyse.

        Raises:
            Trouble: no answer.
        """
        perp = self.perp
        tickers = await self._gate.ask(perp, lambda: perp.fetch_tickers(None))
        books: Mapping[str, Any] = {}
        if perp.has.get("fetchBidsAsks") and not any(ticker.get("bid") for ticker in tickers.values()):
            books = await self._gate.ask(perp, lambda: perp.fetch_bids_asks(None))
        found = (
            candidate_of(symbol, tickers.get(name, {}), books.get(name, {}))
            for symbol, listing in self.listings.items()
            for name in (listing.market.unified,)
        )
        return [candidate for candidate in found if candidate is not None]

    def _resolved(self, wanted: CandleSource) -> str:
        if wanted != "auto":
            if wanted == "index" and not self.perp.has.get("fetchIndexOHLCV"):
                raise ConfigurationError(f"{self.perp.id} has no index candles: set market_data.candles_from")
            return wanted
        if self.perp.id == "binanceusdm":
            return "spot"
        return "index" if self.perp.has.get("fetchIndexOHLCV") else "perpetual"

    def _candles_of(self, symbol: str, market: Market) -> str:
        """ccxt's name of the market whose candles are taken; empty where there is none."""
        if self._kind != "spot":
            return market.unified
        own = self._spot_map.get(symbol)
        name = own or f"{market.instrument.base}/{market.instrument.quote}"
        spot = self.bars.markets.get(name, {})
        if spot.get("spot") and spot["base"] != market.instrument.base:
            # such as 1000PEPE, whose prices are a thousand times those of PEPE
            raise ConfigurationError(
                f"market_data.spot: {name} is not a market of {market.instrument.base}, as {symbol} is: "
                "its prices are others; take candles_from = index"
            )
        if spot.get("spot"):
            return name
        if own:
            raise ConfigurationError(
                f"market_data.spot: {self.bars.id} has no spot market {own} for {symbol}"
            )
        return ""


async def close_quietly(*clients: Any) -> None:
    """Close ccxt clients, whatever state their connections are in."""
    closing = [asyncio.wait_for(client.close(), 5) for client in dict.fromkeys(clients)]
    for error in await asyncio.gather(*closing, return_exceptions=True):
        if isinstance(error, BaseException):  # whatever it was: nothing is asked of them any more
            log.debug("close", extra={"reason": repr(error)})
