"""A venue's markets by canonical symbol. The venue's own spelling is kept beside it and goes no further."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import Instrument

_KRAKEN_LINEAR = "PF_"


class Market(msgspec.Struct, frozen=True):
    """One linear perpetual.

    Attributes:
        instrument: its contract terms.
        unified: ccxt's name, such as `BTC/USDT:USDT`.
        id: the venue's own, such as `PF_XBTUSD`.
        maker, taker: fee rates, fractions of notional.
    """

    instrument: Instrument
    unified: str
    id: str
    maker: Decimal
    taker: Decimal


def canonical(base: str, quote: str) -> str:
    """The one name of a pair in every service, file and stream."""
    return f"{base}{quote}".upper()


def perpetuals(markets: Mapping[str, Mapping[str, Any]]) -> dict[str, Market]:
    """Every active linear perpetual of `exchange.markets`, by canonical symbol.

    Markets whose terms are incomplete, or whose name is not letters and digits, are left out.
    """
    found = {}
    for unified, market in sorted(markets.items()):
        if not (market.get("swap") and market.get("linear") and market.get("active") is not False):
            continue
        symbol = canonical(market["base"], market["quote"])
        if not (symbol.isascii() and symbol.isalnum()):
            continue
        try:
            instrument = _instrument(symbol, market)
        except (ConfigurationError, ArithmeticError, TypeError, ValueError):
            continue
        fees = (_decimal(market.get("maker")) or Decimal(0), _decimal(market.get("taker")) or Decimal(0))
        found[symbol] = Market(instrument, unified, str(market["id"]), *fees)
    return found


def _instrument(symbol: str, market: Mapping[str, Any]) -> Instrument:
    precision, limits = market["precision"], market.get("limits") or {}
    step = _required(precision.get("amount"))
    return Instrument(
        symbol=symbol,
        base=str(market["base"]),
        quote=str(market["quote"]),
        settle=str(market["settle"]),
        tick=_required(precision.get("price")),
        step=step,
        min_quantity=_decimal((limits.get("amount") or {}).get("min")) or step,
        min_notional=_decimal((limits.get("cost") or {}).get("min")) or Decimal(0),
        contract_size=_decimal(market.get("contractSize")) or Decimal(1),
        max_quantity=_most(market),
    )


def _most(market: Mapping[str, Any]) -> Decimal | None:
    """Contracts that an order of any kind may have: the least of what the venue tells, None for nothing.

    A stop and a close go out as market orders, of which Binance takes less than of limit orders. Kraken
    Futures bounds the position (`maxPositionSize`), which is one order from flat; ccxt leaves that in `info`.
    Nought is no bound: venues write it where there is none.
    """
    limits, info = market.get("limits") or {}, market.get("info")
    told = [(limits.get(kind) or {}).get("max") for kind in ("amount", "market")]
    if str(market["id"]).startswith(_KRAKEN_LINEAR) and isinstance(info, Mapping):
        told.append(info.get("maxPositionSize"))
    return min((most for most in map(_bound, told) if most is not None), default=None)


def _bound(value: object) -> Decimal | None:
    """A maximum; None for what is none. A market is not given up for it."""
    try:
        most = _decimal(value)
    except ArithmeticError:
        return None
    return most if most is not None and most.is_finite() and most > 0 else None


def _decimal(value: object) -> Decimal | None:
    """ccxt's floats stand for their shortest decimal form."""
    return None if value is None else Decimal(str(value))


def _required(value: object) -> Decimal:
    if value is None:
        raise ValueError("the venue does not tell it")
    return Decimal(str(value))
