"""`run.py download`: candles, mark prices and funding of a venue, into the files that every command reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bus_schemas.errors import ConfigurationError, Unreachable
from bus_schemas.logs import redact
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.market_data import CandleSource
from bus_schemas.timeframes import HOUR, iso, length
from bus_schemas.venues.clock import VenueClock
from market_data.archive import Archive, Contents, Line, file_of, line
from market_data.files import Kind
from market_data.live.bars import Page, Row
from market_data.live.faults import Trouble
from market_data.live.gate import Backoff
from market_data.live.venue import PriceOf, VenueSource

T = TypeVar("T")

TRIES = 6
MARK_TIMEFRAME = "1h"
"""Between two marks the ratio of mark to spot is carried, so that finer ones add little."""
SETTLE_MS = 5000
"""How long after its close a candle is taken, by the venue's clock."""
MOST_GAPS_SHOWN = 5


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds now.

    Attributes:
        added: rows that this run added.
        first, last: times of the first and last row; None where the venue has none.
        gaps: open time of the first missing candle, and of the candle after it.
    """

    file: str
    rows: int
    added: int
    first: int | None
    last: int | None
    gaps: tuple[tuple[int, int], ...]


def download(
    venue: VenueSettings,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    since: int,
    until: int | None,
    folder: Path,
    *,
    candles_from: CandleSource = "auto",
    spot: Mapping[str, str] | None = None,
    mark: bool = False,
    funding: bool = False,
    console: Console | None = None,
) -> list[Downloaded]:
    """Fetch what the folder does not have yet. Interrupt it at any time: the next run goes on.

    Args:
        symbols: canonical, such as BTCUSDT (Binance) or BTCUSD (Kraken Futures).
        since, until: milliseconds; only candles that have closed by `until`, default by now.
        candles_from, spot: as in the settings of market_data.
        mark: also hourly candles of the mark price.
        funding: also the funding rates that were settled.
        console: where the progress goes, and what is waited for; None shows nothing.

    Raises:
        ConfigurationError: no such venue, symbol or timeframe, no time between `since` and `until` or the
            venue's now, or a folder that cannot be written.
        DataError: a file of that name holds something else.
        Unreachable: the venue gives no answer. What was fetched until then is kept.
    """
    _require(venue, symbols, timeframes, since, until, folder)
    jobs = [(Kind.CANDLES, symbol, name) for symbol in symbols for name in timeframes]
    jobs += [(Kind.MARK, symbol, MARK_TIMEFRAME) for symbol in symbols if mark]
    jobs += [(Kind.FUNDING, symbol, "") for symbol in symbols if funding]

    show = _Show(console)

    async def run() -> list[Downloaded]:
        source = VenueSource(venue, VenueClock(venue.clock_rate), candles_from, spot or {})
        try:
            where = f" at {redact(venue.rest_url)}" if venue.rest_url else ""
            show.say(f"asking {venue.name}{where} for its markets")
            await patiently(lambda: source.open(timeframes[0]), f"{venue.name} cannot be reached", show.say)
            source.check_symbols(symbols)
            for _, _, name in jobs:
                source.check_timeframe(name)
            now = source.clock.now()
            if since >= now:
                raise ConfigurationError(
                    f"--since {iso(since)} is in the future: at {venue.name} it is {iso(now)}"
                )
            stop = now if until is None else min(until, now)
            with show:
                return [await _Job(source, folder, *job, since, stop, show).run() for job in jobs]
        finally:
            await source.close()

    try:
        return asyncio.run(run())
    except OSError as error:
        raise ConfigurationError(f"{error.filename or folder} cannot be written: {error.strerror}") from None


def _require(
    venue: VenueSettings,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    since: int,
    until: int | None,
    folder: Path,
) -> None:
    """Refuse what can be refused before anybody is asked, and make the folder."""
    for name in timeframes:
        length(name)
    if not venue.live:
        raise ConfigurationError("name a venue to download from, such as binanceusdm or krakenfutures")
    if not symbols or not timeframes:
        raise ConfigurationError("name the symbols and timeframes to download")
    if since < 0:
        raise ConfigurationError(f"--since {iso(since)} is before 1970: no venue has candles of that time")
    if until is not None and until <= since:
        raise ConfigurationError(f"--since {iso(since)} must be before --until {iso(until)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} cannot be made: {error.strerror or error}") from None


def told(found: Sequence[Downloaded]) -> Iterator[str]:
    """The result in sentences, one a file and one for each file with gaps."""
    for one in found:
        if one.first is None or one.last is None:
            yield f"{one.file}: the venue has nothing in this time"
            continue
        yield f"{one.file}: {one.rows:,} rows, {one.added:,} new, {iso(one.first)} to {iso(one.last)}"
        if one.gaps:
            shown = ", ".join(f"{iso(start)} to {iso(end)}" for start, end in one.gaps[:MOST_GAPS_SHOWN])
            more = f" and {len(one.gaps) - MOST_GAPS_SHOWN} more" if len(one.gaps) > MOST_GAPS_SHOWN else ""
            yield f"  the venue lacks candles: {shown}{more}; they stay missing"


async def patiently(ask: Callable[[], Awaitable[T]], what: str, say: Callable[[str], None]) -> T:
    """The answer, asked for again with growing waits.

    Args:
        what: is wrong while there is none.
        say: told of each failure that is not the last.

    Raises:
        ConfigurationError: the venue says that there is no such market.
        Unreachable: no answer in `TRIES`.
    """
    backoff = Backoff(0.5, 15.0)
    for left in reversed(range(TRIES)):
        try:
            return await ask()
        except Trouble as trouble:
            if trouble.refused:
                raise ConfigurationError(f"{what}: {trouble}") from None
            if not left:
                raise Unreachable(f"{what}: {trouble}") from None
            wait_s = backoff.next()
            say(f"{what}: {trouble}; try {TRIES - left + 1} of {TRIES} in {wait_s:.1f} s")
        await asyncio.sleep(wait_s)
    raise Unreachable(what)


class _Show:
    """Rows on their way, as a bar for each file; and sentences above them."""

    def __init__(self, console: Console | None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._console = console
        self._progress = Progress(*columns, console=console) if console else None

    def __enter__(self) -> None:
        if self._progress:
            self._progress.start()

    def __exit__(self, *_error: object) -> None:
        if self._progress:
            self._progress.stop()

    def say(self, sentence: str) -> None:
        if self._console:
            self._console.print(sentence, style="dim", highlight=False, markup=False, emoji=False)

    def begin(self, name: str, total: int) -> TaskID | None:
        """A bar; none where no row can have come about in so short a time."""
        return self._progress.add_task(name, total=total) if self._progress and total > 0 else None

    def reach(self, task: TaskID | None, completed: int) -> None:
        if self._progress and task is not None:
            self._progress.update(task, completed=completed)


class _Job:
    """One file: what is missing before its first row and after its last."""

    def __init__(
        self,
        source: VenueSource,
        folder: Path,
        kind: Kind,
        symbol: str,
        timeframe: str,
        since: int,
        until: int,
        show: _Show,
    ) -> None:
        self._source = source
        self._kind = kind
        self._symbol = symbol
        self._timeframe = timeframe
        self._span = length(timeframe) if timeframe else 0
        self._since = since + (-since) % self._span if self._span else since
        self._until = until
        self._show = show
        self._archive = Archive(file_of(folder, symbol, kind, timeframe), self._span)
        self._task: TaskID | None = None

    async def run(self) -> Downloaded:
        before = self._archive.contents()
        unit = self._span or HOUR
        name = self._archive.file.path.name
        self._task = self._show.begin(name, (self._until - self._since) // unit)
        parts: list[Path] = []
        tail = self._archive.tail()
        try:
            if before.first is not None and self._since < before.first:
                head = self._archive.head(self._since)
                reached = self._archive.last_of(head)
                start = self._since if reached is None else reached + max(1, self._span)
                await self._fetch(head, start, before.first)
                parts.append(head)  # only whole: else nobody would know of the hole behind it
            follows = self._since if before.last is None else before.last + max(1, self._span)
            await self._fetch(tail, max(follows, self._since), self._until)
        finally:
            after = self._archive.fold(*parts, tail)
        self._show.reach(self._task, max(0, self._until - self._since) // unit)
        return self._downloaded(name, before, after)

    def _downloaded(self, name: str, before: Contents, after: Contents) -> Downloaded:
        return Downloaded(
            file=name,
            rows=after.rows,
            added=after.rows - before.rows,
            first=after.first,
            last=after.last,
            gaps=after.gaps,
        )

    async def _fetch(self, part: Path, since: int, until: int) -> None:
        what = f"{self._source.perp.id} gives no {self._archive.file.path.name}"
        while since < until:
            at = since
            page = self._settled if self._kind is Kind.FUNDING else self._candles
            lines, since = await patiently(lambda: page(at, until), what, self._show.say)  # noqa: B023 - awaited
            self._archive.append(part, lines)
            if since == at:
                return
            self._show.reach(self._task, (min(since, until) - self._since) // (self._span or HOUR))

    async def _candles(self, since: int, until: int) -> tuple[list[Line], int]:
        of: PriceOf = "mark" if self._kind is Kind.MARK else "candles"
        page = await self._source.candles(self._symbol, self._timeframe, since, of=of)
        rows = [row for row in closed_rows(page, self._span) if row.time + self._span <= until]
        if rows:
            return [self._line(row) for row in rows], rows[-1].time + self._span
        return [], since if page.rows else page.until - page.until % self._span

    async def _settled(self, since: int, until: int) -> tuple[list[Line], int]:
        found = await self._source.settlements(self._symbol, since)
        kept = [one for one in found if one.time < until]
        lines = [line(one.time, _plain(one.rate)) for one in kept]
        return lines, kept[-1].time + 1 if kept else since

    def _line(self, row: Row) -> Line:
        prices = [_plain(Decimal(repr(value))) for value in row[1:5]]
        volume = [] if self._kind is Kind.MARK else [_plain(Decimal(repr(row.volume)))]
        return line(row.time, *prices, *volume)


def closed_rows(page: Page, span: int) -> list[Row]:
    """The candles of an answer that are final: closed a while ago, and followed by another.

    Where none follows, a candle's whole length must have gone by: a market that was closed has a last candle.
    """
    last = page.rows[-1].time if page.rows else 0
    settled = page.asked - SETTLE_MS
    return [
        row
        for row in page.rows
        if row.time + span <= settled and (row.time < last or row.time + 2 * span <= settled)
    ]


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
