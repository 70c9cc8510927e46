"""What the simulated venues list, and where their rules differ.

Where they agree the rule stands in `matching` and `checks`: both refuse a reduce-only limit or market order
that has nothing to reduce, take a reduce-only stop at any time and look at the position when it triggers,
cut to the position, and end reduce-only orders that rest when the position is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from bus_schemas.instruments import Instrument

_DOLLARS = ("USDT", "USDC", "USD")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's rules.

    Attributes:
        name: ccxt's id of the venue.
        client_id: pattern that a whole client order id must match.
        client_id_once: an id is refused for ever after its first use; else only while its order is open.
        conditional_apart: stops live in an id space of their own (client ids too), hold no margin, and
            become a new order when they trigger; else a stop is an ordinary order.
        refuse_would_trigger: a stop whose trigger is behind the price is refused; else it triggers at once.
        maker_fee, taker_fee: fractions of notional.
        slippage_bps: by how much a market order fills worse than the last price.
        price_band: how far from the mark a limit price may lie, as a fraction of it; 0 for any.
        leverage: initial margin is notional divided by it; what a symbol begins with.
        max_leverage: most that a symbol can be set to.
        max_open: open orders of a symbol.
        bounds_position: an instrument's `max_quantity` is of the position, reduce-only orders have no bound;
            else it is of one order.
        rest_expires: what a market order could not fill expires; else it is cancelled.
        pieces: in how many fills a limit order comes.
        uuids: order ids are UUIDs; else numbers.
    """

    name: str
    client_id: str
    client_id_once: bool
    conditional_apart: bool
    refuse_would_trigger: bool
    maker_fee: Decimal
    taker_fee: Decimal
    slippage_bps: Decimal = Decimal(1)
    price_band: Decimal = Decimal(0)
    leverage: int = 20
    max_leverage: int = 50
    max_open: int = 200
    bounds_position: bool = False
    rest_expires: bool = True
    pieces: int = 1
    uuids: bool = False


KRAKEN_FUTURES = Rules(
    name="krakenfutures",
    client_id=r"[\x21-\x7e]{1,100}",
    client_id_once=True,
    conditional_apart=False,
    refuse_would_trigger=False,
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
    price_band=Decimal("0.2"),
    leverage=10,
    max_leverage=50,
    bounds_position=True,
    rest_expires=False,
    uuids=True,
)

BINANCE_USDM = Rules(
    name="binanceusdm",
    client_id=r"[.A-Z:/a-z0-9_-]{1,36}",
    client_id_once=False,
    conditional_apart=True,
    refuse_would_trigger=True,
    maker_fee=Decimal("0.0002"),
    taker_fee=Decimal("0.0005"),
    price_band=Decimal("0.05"),
    leverage=20,
    max_leverage=125,
)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One contract at one venue.

    Attributes:
        instrument: its terms; `symbol` is canonical.
        name: the venue's own, such as `PF_XBTUSD`.
        source: whose prices it takes: the symbol of the candle files, such as `BTCUSDT`.
        largest_limit: most contracts of one limit order, where those of a market order are fewer.
    """

    instrument: Instrument
    name: str
    source: str
    largest_limit: Decimal | None = None

    @property
    def symbol(self) -> str:
        """The canonical symbol."""
        return self.instrument.symbol


_KRAKEN = {
    "BTC": ("1", "0.0001", "1000"),
    "ETH": ("0.1", "0.001", "16000"),
    "SOL": ("0.01", "0.01", "250000"),
}
"""Tick, step, largest position."""
_BINANCE = {
    "BTC": ("0.10", "0.001", "100", "120", "1000"),
    "ETH": ("0.01", "0.001", "20", "2000", "10000"),
    "SOL": ("0.01", "0.01", "5", "5000", "1000000"),
}
"""Tick, step, least notional, largest market order and largest limit order."""

_TICK, _STEP, _MOST = "0.000001", "0.001", "1000000000000"
"""Of every other base: fine enough for any price that the market takes, and enough."""


def kraken_listings(sources: Sequence[str]) -> tuple[Listing, ...]:
    """Linear perpetuals `PF_…USD` (settled in USD), one for each source; terms by base."""
    found = []
    for source in sources:
        base = base_of(source)
        tick, step, most = _KRAKEN.get(base, (_TICK, _STEP, _MOST))
        instrument = _instrument(base, "USD", tick, step, "0", most)
        name = f"PF_{'XBT' if base == 'BTC' else base}USD"
        found.append(Listing(instrument=instrument, name=name, source=source))
    return tuple(found)


def binance_listings(sources: Sequence[str]) -> tuple[Listing, ...]:
    """USDT perpetuals, one for each source; terms by base."""
    found = []
    for source in sources:
        base = base_of(source)
        tick, step, notional, most, limit = _BINANCE.get(base, (_TICK, _STEP, "5", _MOST, _MOST))
        instrument = _instrument(base, "USDT", tick, step, notional, most)
        name = f"{base}USDT"
        found.append(Listing(instrument=instrument, name=name, source=source, largest_limit=Decimal(limit)))
    return tuple(found)


def base_of(source: str) -> str:
    """The base currency of a candle file's symbol."""
    for quote in _DOLLARS:
        if source.endswith(quote) and len(source) > len(quote):
            return source.removesuffix(quote)
    return source


def _instrument(base: str, quote: str, tick: str, step: str, notional: str, most: str) -> Instrument:
    return Instrument(
        symbol=f"{base}{quote}",
        base=base,
        quote=quote,
        settle=quote,
        tick=Decimal(tick),
        step=Decimal(step),
        min_quantity=Decimal(step),
        min_notional=Decimal(notional),
        max_quantity=Decimal(most),
    )
