"""The file feed: an iterator of steps, each of which is one commit, that goes on from any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from heapq import merge
from typing import Literal

import msgspec

from bus_schemas.envelope import Output
from bus_schemas.events import Body, Candle
from bus_schemas.settings import MarketDataSettings
from bus_schemas.timeframes import length
from bus_schemas.topology import Stream
from market_data.check import require_sound
from market_data.files import SAMPLE, Folder, SymbolFiles
from market_data.gaps import gap_before
from market_data.marks import BASIS_LIFE, MarkMaker
from market_data.plan import Plan, make_plan
from market_data.reader import read_bars, read_funding
from market_data.rows import Bar

HYDRATION_CHUNK = 250
"""Most candles of one hydration step."""

Phase = Literal["hydrate", "mark", "candle"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one symbol is: committed with the outputs of each step, and all that a restart needs.

    Attributes:
        trade_from: first open time that is traded. Kept, so that a restart does not search the files
            for it, and a file that grew meanwhile does not move it.
        closed: close time of the last candle published; None before the first.
        marked: close time of the bar of the last mark published. Beyond `closed` between a bar's two steps.
    """

    trade_from: int
    closed: int | None = None
    marked: int | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One commit.

    Attributes:
        outputs: the events, in order, all of this symbol.
        progress: the symbol's progress once they are written.
        phase: `hydrate`: up to `HYDRATION_CHUNK` candles of history; `mark`: what happened during the
            bar; `candle`: the bar is closed, with the gap before it if there is one.
        time: close time of the (last) bar, in milliseconds UTC.
    """

    symbol: str
    outputs: tuple[Output, ...]
    progress: Progress
    phase: Phase
    time: int

    @property
    def candles(self) -> int:
        """How many candles it publishes."""
        return sum(isinstance(output.body, Candle) for output in self.outputs)


class FileFeed:
    """Publishes candle files as a market would have told them.

    Args:
        settings: which folder (default: the bundled sample), symbols and times.
        entry_timeframe: which candles.

    Raises:
        ConfigurationError: the folder does not have them.
    """

    def __init__(self, settings: MarketDataSettings, entry_timeframe: str) -> None:
        self.timeframe = entry_timeframe
        self._settings = settings
        self._span = length(entry_timeframe)
        self._files = Folder(settings.data or SAMPLE).select(entry_timeframe, settings.symbols)
        self.symbols: tuple[str, ...] = tuple(self._files)

    def check(self) -> None:
        """Check every row of every file of the run. Before the first start; not needed after it.

        Raises:
            DataError: with up to 20 faults, each with file and line.
        """
        require_sound(file for files in self._files.values() for file in files.all())

    def plan(self) -> Plan:
        """What a whole run publishes; computed once.

        Raises:
            DataError: the times of a file cannot be read.
            ConfigurationError: nothing lies between `start` and `end`, or nothing is traded.
        """
        return self._plan

    @cached_property
    def _plan(self) -> Plan:
        return make_plan(self._files, self._settings, self.timeframe)

    def steps(self, progress: Mapping[str, Progress]) -> Iterator[Step]:
        """The steps that follow what was committed; from the beginning where nothing was.

        First history, symbol by symbol in sorted order. Then the bars of all symbols by (close time,
        symbol), each as a mark step and a candle step. After any prefix of the steps was committed,
        in whatever run, exactly the others come.

        Args:
            progress: the committed progress of each symbol that has any.

        Raises:
            DataError: a row is impossible; with file and line.
        """
        trade_from = self._trade_from(progress)
        at = {
            symbol: msgspec.structs.replace(
                progress.get(symbol, Progress(trade_from=trade_from)), trade_from=trade_from
            )
            for symbol in self.symbols
        }
        for symbol in self.symbols:
            for step in self._hydration(symbol, at[symbol]):
                at[symbol] = step.progress
                yield step
        trading = (self._trading(symbol, at[symbol]) for symbol in self.symbols)
        yield from merge(*trading, key=lambda step: (step.time, step.symbol))

    def _trade_from(self, progress: Mapping[str, Progress]) -> int:
        known = [progress[symbol].trade_from for symbol in self.symbols if symbol in progress]
        if not known:
            return self.plan().trade_from
        return known[0] if self._settings.trade_from is None else self._settings.trade_from

    def _hydration(self, symbol: str, at: Progress) -> Iterator[Step]:
        since, closed = self._opening(at), at.closed
        if since >= at.trade_from:
            return
        outputs: list[Output] = []
        candles = 0
        for bar in self._bars(self._files[symbol], since):
            if bar.time >= at.trade_from:
                break
            outputs += self._closing(symbol, bar, closed, hydration=True)
            closed = bar.time + self._span
            candles += 1
            if candles == HYDRATION_CHUNK:
                yield self._history(symbol, outputs, at.trade_from, closed)
                outputs, candles = [], 0
        if outputs and closed is not None:
            yield self._history(symbol, outputs, at.trade_from, closed)

    def _trading(self, symbol: str, at: Progress) -> Iterator[Step]:
        files = self._files[symbol]
        floor = max(self._opening(at), at.trade_from)
        closed, marked = at.closed, at.marked
        since = max(0, floor - BASIS_LIFE)
        maker = self._mark_maker(symbol, files, since, floor if closed is None else min(closed, floor))
        for bar in self._bars(files, since):
            if bar.time < floor:
                maker.observe(bar)
                continue
            time = bar.time + self._span
            mark = maker.at_close(bar, closed)
            if marked is None or time > marked:
                reached = Progress(trade_from=at.trade_from, closed=closed, marked=time)
                yield Step(
                    symbol=symbol,
                    outputs=(Output(Stream.MARKS, symbol, mark),),
                    progress=reached,
                    phase="mark",
                    time=time,
                )
            outputs = self._closing(symbol, bar, closed, hydration=False)
            closed = time
            reached = Progress(trade_from=at.trade_from, closed=time, marked=time)
            yield Step(symbol=symbol, outputs=tuple(outputs), progress=reached, phase="candle", time=time)

    def _opening(self, at: Progress) -> int:
        return (self._settings.start or 0) if at.closed is None else at.closed

    def _bars(self, files: SymbolFiles, since: int) -> Iterator[Bar]:
        end = self._settings.end
        for bar in read_bars(files.candles, since):
            if end is not None and bar.time + self._span > end:
                return
            yield bar

    def _mark_maker(self, symbol: str, files: SymbolFiles, since: int, settled: int) -> MarkMaker:
        mark_span = length(files.mark.timeframe) if files.mark else 0
        return MarkMaker(
            symbol,
            self._span,
            read_bars(files.mark, max(0, since - mark_span)) if files.mark else (),
            mark_span,
            read_funding(files.funding, settled) if files.funding else (),
        )

    def _closing(self, symbol: str, bar: Bar, closed: int | None, *, hydration: bool) -> list[Output]:
        candle = Candle(
            time=bar.time + self._span,
            symbol=symbol,
            timeframe=self.timeframe,
            open_time=bar.time,
            open=float(bar.open),
            high=float(bar.high),
            low=float(bar.low),
            close=float(bar.close),
            volume=bar.volume,
            hydration=hydration,
        )
        gap = gap_before(bar.time, closed, symbol, self.timeframe, self._span, hydration=hydration)
        bodies: tuple[Body, ...] = (candle,) if gap is None else (gap, candle)
        return [Output(Stream.CANDLES, symbol, body) for body in bodies]

    def _history(self, symbol: str, outputs: list[Output], trade_from: int, closed: int) -> Step:
        return Step(
            symbol=symbol,
            outputs=tuple(outputs),
            progress=Progress(trade_from=trade_from, closed=closed),
            phase="hydrate",
            time=closed,
        )
