"""Average true range."""

from __future__ import annotations

import msgspec

from strategy.aggregate import Bar


class Atr(msgspec.Struct):
    """State of Wilder's average true range (New Concepts in Technical Trading Systems, 1978).

    The mean of the true ranges until `period` of them are known, then Wilder's smoothing.

    Attributes:
        value: in quote currency; 0 before the first bar.
        count: bars taken, at most the period.
        close: close of the last bar.
    """

    value: float = 0.0
    count: int = 0
    close: float = 0.0

    def advance(self, bar: Bar, period: int) -> None:
        span = bar.high - bar.low
        if self.count:
            span = max(span, bar.high - self.close, self.close - bar.low)
        if self.count < period:
            self.count += 1
        self.value += (span - self.value) / self.count
        self.close = bar.close
