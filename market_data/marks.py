"""Mark prices at the close of each candle, from what was known then and nothing later.

A mark file has bars of its own length, usually an hour. At the close of one of them the mark price
is that bar's close. Between two of them, and where one is missing, the basis is carried:

    mark = spot close x (last mark close / spot close at the same moment)

A basis older than `BASIS_LIFE` is forgotten; the mark is then the spot close, as it is without a mark
file. So a mark is a function of the rows of the last day, whatever moment the reading began at.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from bus_schemas.events import Mark, Range
from bus_schemas.timeframes import DAY
from market_data.rows import Bar, Settlement

BASIS_LIFE = DAY
"""Milliseconds for which the ratio of mark to spot is carried."""

_ARITHMETIC = Context(prec=34, rounding=ROUND_HALF_EVEN)
_PLACES = 8


class MarkMaker:
    """Makes one symbol's marks from its candles, taken in order of time.

    Args:
        span: length of a candle in milliseconds.
        marks: mark price bars, in order, from before the first candle; empty where there is no file.
        mark_span: length of a mark price bar in milliseconds.
        funding: settlements in order.
    """

    def __init__(
        self,
        symbol: str,
        span: int,
        marks: Iterable[Bar] = (),
        mark_span: int = 0,
        funding: Iterable[Settlement] = (),
    ) -> None:
        self._symbol = symbol
        self._span = span
        self._marks = iter(marks)
        self._mark_span = mark_span
        self._funding = iter(funding)
        self._next_mark = next(self._marks, None)
        self._next_settlement = next(self._funding, None)
        self._basis: tuple[int, Decimal, Decimal] | None = None

    def observe(self, bar: Bar) -> None:
        """Take a candle for its basis only."""
        time = bar.time + self._span
        while self._next_mark is not None and self._next_mark.time + self._mark_span <= time:
            mark = self._next_mark
            if mark.time + self._mark_span == time:
                self._basis = (time, mark.close, bar.close)
            self._next_mark = next(self._marks, None)

    def at_close(self, bar: Bar, previous: int | None) -> Mark:
        """The mark at this candle's close.

        Funding is the sum of the rates settled after the candle before, up to this close: within this
        candle's (open, close], and in a gap right before it, which has no mark of its own.

        Args:
            previous: close time of the candle before; None where this is the first.
        """
        self.observe(bar)
        time = bar.time + self._span
        return Mark(
            time=time,
            symbol=self._symbol,
            mark=self._price(time, bar.close),
            spot=bar.close,
            funding=self._settled(bar.time if previous is None else min(previous, bar.time), time),
            bar=Range(open_time=bar.time, open=bar.open, high=bar.high, low=bar.low, close=bar.close),
        )

    def _price(self, time: int, spot: Decimal) -> Decimal:
        if self._basis is None or time - self._basis[0] > BASIS_LIFE:
            return spot
        _, mark, spot_then = self._basis
        product = _ARITHMETIC.multiply(spot, mark)
        return _rounded(_ARITHMETIC.divide(product, spot_then))

    def _settled(self, after: int, until: int) -> Decimal | None:
        total: Decimal | None = None
        while self._next_settlement is not None and self._next_settlement.time <= until:
            if self._next_settlement.time > after:
                total = (total or Decimal(0)) + self._next_settlement.rate
            self._next_settlement = next(self._funding, None)
        return total


def _rounded(price: Decimal) -> Decimal:
    """To 8 places where there are more, without trailing zeros; below 1 to 8 significant digits, so
    that the price of a coin worth a millionth keeps its precision."""
    places = _PLACES - 1 - min(price.adjusted(), -1)
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= -places:
        return price
    text = f"{price.quantize(Decimal(1).scaleb(-places), context=_ARITHMETIC):f}"
    return Decimal(text.rstrip("0").rstrip("."))
