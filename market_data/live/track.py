"""What is to be published of one symbol's candles: a pure state machine over the pages of a venue."""

from __future__ import annotations

import msgspec

from bus_schemas.events import Candle, Gap
from market_data.gaps import gap_before
from market_data.live.bars import Book, Page, Row, merge, sightings

MOST_REMEMBERED = 5000
"""Missing candles that are remembered after their gap was published, to tell a late one."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When a candle is final, missing, old. Milliseconds of the venue's time.

    Attributes:
        span: length of a candle.
        settle_ms: after its close, before it is final.
        gap_ms: after its close, before its absence counts.
        gap_tries: answers without it that make it a gap.
        fresh_ms: a candle that closed longer ago is hydration: a signal from it would be stale.
    """

    timeframe: str
    span: int
    settle_ms: int
    gap_ms: int
    gap_tries: int
    fresh_ms: int


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What can be committed now.

    Attributes:
        bodies: candles and gaps in order.
        closed: close time of the last candle among them.
    """

    bodies: tuple[Candle | Gap, ...]
    closed: int


class Track:
    """One symbol's candles from wherever they were left, each once, in order.

    Nothing is published twice and nothing is passed over in silence: the next candle is published when it is
    final, or when enough answers that reach beyond it do not have it, as a gap before the one that follows.
    """

    def __init__(self, symbol: str, rules: Rules) -> None:
        self.symbol = symbol
        self._rules = rules
        self._book: Book = {}
        self._absent: dict[int, int] = {}
        self._gaps: dict[int, None] = {}
        self._first: int | None = None
        self._newest = 0
        self.closed: int | None = None
        self._start = 0

    def resume(self, closed: int | None, start: int) -> None:
        """Go on after what is committed.

        Args:
            closed: close time of the last candle published; None where none ever was.
            start: open time of the first candle wanted in that case.
        """
        span = self._rules.span
        self._start = start - start % span
        self.closed = closed
        self._gaps.clear()
        self._prune()

    @property
    def next(self) -> int:
        """Open time of the next candle in turn."""
        return self._start if self.closed is None else self.closed

    @property
    def wanted(self) -> int:
        """Open time of the first candle that is neither held nor given up: ask from here on."""
        time = self.next
        while self._settled(time):
            time += self._rules.span
        return time

    def take(self, page: Page) -> list[Row]:
        """Take an answer. Returns candles that came too late: their gap is published already."""
        rules, floor = self._rules, self.next
        seen = sightings(page, rules.span, rules.settle_ms)
        late = [row for row in page.rows if row.time in self._gaps]
        for row in late:
            del self._gaps[row.time]
        self._book = merge((self._book, {time: one for time, one in seen.items() if time >= floor}))
        self._first = min(self._book, default=None)
        self._newest = max((self._newest, *seen))
        time = max(page.since + (-page.since) % rules.span, floor)
        while time < page.until and time + rules.span + rules.gap_ms <= page.asked:
            if time not in seen:
                self._absent[time] = self._absent.get(time, 0) + 1
            time += rules.span
        return late

    def ready(self, now: int, limit: int) -> Ready | None:
        """What can be published, at most about `limit` events; None for nothing. Changes nothing.

        Args:
            now: the venue's time.
        """
        rules, closed = self._rules, self.closed
        bodies: list[Candle | Gap] = []
        time = self.next
        while len(bodies) < limit and self._settled(time):
            seen = self._book.get(time)
            if seen is not None:
                hydration = now - (time + rules.span) > rules.fresh_ms
                gap = gap_before(time, closed, self.symbol, rules.timeframe, rules.span, hydration=hydration)
                if gap is not None:
                    bodies.append(gap)
                closed = time + rules.span
                bodies.append(self._candle(seen.row, hydration))
            time += rules.span
        return Ready(bodies=tuple(bodies), closed=closed) if bodies and closed is not None else None

    def advance(self, ready: Ready) -> None:
        """It is committed: what it holds is not needed any more."""
        for body in ready.bodies:
            if isinstance(body, Gap):
                self._gaps |= dict.fromkeys(range(body.start, body.end, self._rules.span))
        while len(self._gaps) > MOST_REMEMBERED:
            del self._gaps[next(iter(self._gaps))]
        self.closed = ready.closed
        self._prune()

    def _settled(self, time: int) -> bool:
        """Whether its fate is known: final, or missing for good."""
        seen = self._book.get(time)
        if seen is not None:
            # the last candle before a long outage has no follower in its own answer, only in a later one
            calm = seen.asked >= time + self._rules.span + self._rules.gap_ms
            return seen.final or (calm and time < self._newest)
        # what lies before a market's first candle is no gap, so one answer is enough
        before = self.closed is None and (self._first is None or time < self._first)
        return self._absent.get(time, 0) >= (1 if before else self._rules.gap_tries)

    def _candle(self, row: Row, hydration: bool) -> Candle:
        return Candle(
            time=row.time + self._rules.span,
            symbol=self.symbol,
            timeframe=self._rules.timeframe,
            open_time=row.time,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
            hydration=hydration,
        )

    def _prune(self) -> None:
        floor = self.next
        self._book = {time: seen for time, seen in self._book.items() if time >= floor}
        self._first = min(self._book, default=None)
        self._absent = {time: count for time, count in self._absent.items() if time >= floor}
