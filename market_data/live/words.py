"""What ccxt's answers mean in our terms: prices, rates, candles. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from market_data.live.bars import Row
from market_data.live.prices import Quote
from market_data.live.universe import Candidate


def quote_of(symbol: str, ticker: Mapping[str, Any], asked: int, spot: Decimal | None) -> Quote | None:
    """A ticker's prices; a venue's own text is preferred to ccxt's floats. None where it has no mark price.

    Args:
        asked: the time where the venue tells none.
    """
    info = ticker.get("info")
    info = info if isinstance(info, Mapping) else {}
    is_event = info.get("e") == "markPriceUpdate"  # Binance's websocket has one letter for each field
    mark = price_of(info.get("p") if is_event else info.get("markPrice") or ticker.get("markPrice"))
    index = price_of(
        info.get("i") if is_event else info.get("indexPrice") or info.get("index") or ticker.get("indexPrice")
    )
    told = str(info.get("E") if is_event else info.get("time"))
    time = int(told) if told.isdigit() else asked
    return None if mark is None else Quote(symbol=symbol, time=time, mark=mark, index=index, spot=spot)


def price_of(value: object) -> Decimal | None:
    """A price above zero as Decimal; ccxt's floats stand for their shortest decimal form."""
    try:
        price = Decimal(str(value))
    except ArithmeticError:
        return None
    return price if price.is_finite() and price > 0 else None


def rows_of(rows: Sequence[Sequence[Any]]) -> list[Row]:
    """ccxt's candles; those with a price missing are left out. Index and mark prices have no volume."""
    found = []
    for time, *prices, volume in rows:
        if time is not None and None not in prices:
            opening, high, low, close = map(float, prices)
            found.append(Row(int(time), opening, high, low, close, float(volume or 0)))
    return found


def rate_of(row: Mapping[str, Any]) -> Decimal | None:
    """The rate of a settlement, a fraction of notional; the venue's own text is preferred."""
    info = row.get("info") or {}
    text = info.get("relativeFundingRate", info.get("fundingRate", row.get("fundingRate")))
    try:
        rate = Decimal(str(text))
    except ArithmeticError:
        return None
    return rate if rate.is_finite() and abs(rate) < 1 else None


def candidate_of(symbol: str, ticker: Mapping[str, Any], book: Mapping[str, Any]) -> Candidate | None:
    """Volume and spread, from the book where the ticker has none; None where they are not told."""
    bid, ask = price_of(ticker.get("bid") or book.get("bid")), price_of(ticker.get("ask") or book.get("ask"))
    last = price_of(ticker.get("last"))
    volume = price_of(ticker.get("quoteVolume"))
    base = price_of(ticker.get("baseVolume"))
    if volume is None and base is not None and last is not None:
        volume = base * last
    if bid is None or ask is None or volume is None:
        return None
    return Candidate(symbol=symbol, volume=volume, bid=bid, ask=ask)
