"""Every comparison of a history with the reference library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from strategy.smc import Candle, Parameters, SmcEngine, StructureEvent
from strategy.smc.batch import scan, structure_events
from strategy.smc.params import MOST_KEPT, Breaks, By
from tests.parity import causes, reference, view
from tests.parity.candles import COLUMNS, History
from tests.parity.rows import Row, compared

SCOPES = {5: "internal", 50: "swing"}
THEIRS = Parameters(
    internal_length=5,
    swing_length=50,
    reference_pivots=True,
    breaks=Breaks.FOUR_SWINGS,
    fvg_min_atr=0.0,
    fvg_joined=False,
    zones_kept=MOST_KEPT,
)
"""Our variants that are the library's definitions."""
STREAMED = 10_000
"""Up to so many candles are streamed, longer histories go through the kernel: the events are the same."""


def events(history: History, params: Parameters) -> list[StructureEvent]:
    """What the engine says of a history; the parameters' timeframe becomes the history's."""
    params = changed(params, timeframe=history.timeframe)
    columns = [history.frame[name] for name in COLUMNS]
    if len(history.times) > STREAMED:
        return list(structure_events(scanned(history.frame, history.times, params), params))
    engine = SmcEngine(params)
    candles = map(Candle, history.times, *(column.tolist() for column in columns))
    return [event for candle in candles for event in engine.update(candle)]


def scanned(frame: pd.DataFrame, times: list[int], params: Parameters) -> np.ndarray:
    """The kernel's events."""
    first, high, low, close, volume = (frame[name].to_numpy() for name in COLUMNS)
    return scan(first, high, low, close, volume, times, params)


def changed(params: Parameters, **values: object) -> Parameters:
    """The parameters with some of them changed."""
    fields = {name: getattr(params, name) for name in params.__struct_fields__}
    return Parameters(**{**fields, **values})


class Comparison:
    """A history beside the library; each method is a part of the table."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._frame = history.frame
        self._rows = {time: row for row, time in enumerate(history.times)}
        self._swings = {length: reference.swings(history.frame, length) for length in SCOPES}
        self._events = events(history, THEIRS)
        self._gaps = reference.gaps(history.frame, joined=False)

    def pivots(self) -> Iterator[Row]:
        """With the library's window: equal but for the two labels that it invents."""
        for length, scope in SCOPES.items():
            theirs = reference.pivots(self._swings[length])
            ours = view.pivots(self._events, scope, self._rows)
            yield self._row("pivots", length, theirs, ours, causes.bookends(self._frame))

    def gaps(self) -> Iterator[Row]:
        """With no size filter: equal, as long as gaps are kept until they are touched."""
        yield self._kept("fair value gaps", self._gaps, self._events)
        joined = events(self._history, changed(THEIRS, fvg_joined=True))
        theirs = reference.gaps(self._frame, joined=True)
        yield self._kept("fair value gaps, joined", theirs, joined)

    def _kept(self, concept: str, theirs: view.Gaps, found: list[StructureEvent]) -> Row:
        ours = view.gaps(found, self._rows)
        given_up = view.gaps_expired(found, self._rows)
        return self._row(concept, 0, theirs, ours, causes.expired(theirs, ours, given_up))

    def breaks(self, by: By = By.CLOSE) -> Iterator[Row]:
        """With its pattern of four pivots, after its erasing: equal but for bookends and rounding."""
        found = self._events if by is By.CLOSE else events(self._history, changed(THEIRS, break_by=by))
        by_close = by is By.CLOSE
        for length, scope in SCOPES.items():
            swings = self._swings[length]
            theirs = reference.breaks(self._frame, swings, by_close)
            exact = view.breaks(found, scope, self._rows)
            ours, as_stored = view.erased(exact), causes.rebroken(exact, self._frame, by_close)
            honest = theirs
            if theirs != as_stored:
                honest = reference.breaks(self._frame, reference.without_bookends(swings), by_close)
            ours = view.stored(ours)
            why = causes.of_breaks(theirs, honest, ours, as_stored)
            yield self._row(f"BOS and CHoCH by {by}", length, theirs, ours, why)

    def days(self) -> Iterator[Row]:
        """The previous day's high and low: ours from the day's first candle on."""
        ours, why = view.days(self._events, self._rows), causes.of_days(self._history.times)
        yield self._row("previous day", 0, reference.days(self._history), ours, why)

    def defaults(self) -> Iterator[Row]:
        """What our defaults change, one at a time."""
        few = Parameters().zones_kept
        found = events(self._history, changed(THEIRS, zones_kept=few))
        yield self._kept(f"fair value gaps, {few} kept a side", self._gaps, found)
        least, period = Parameters().fvg_min_atr, Parameters().atr_period
        found = events(
            self._history,
            changed(THEIRS, fvg_min_atr=least, reference_pivots=False, breaks=Breaks.LAST_PIVOT),
        )
        why = causes.small(self._frame, self._gaps, least, period)
        ours = view.gaps(found, self._rows)
        yield self._row(f"fair value gaps from {least:g} ATR", 0, self._gaps, ours, why)
        for length, scope in SCOPES.items():
            theirs, own = reference.pivots(self._swings[length]), view.pivots(found, scope, self._rows)
            why = causes.of_windows(self._frame, length, theirs, own)
            yield self._row("pivots, our window", length, theirs, own, why)

    def last_pivot(self) -> Iterator[Row]:
        """Our breaks of the last known pivot beside its patterns, without bookends and on the same pivots."""
        found = events(self._history, changed(THEIRS, breaks=Breaks.LAST_PIVOT))
        for length, scope in SCOPES.items():
            patterns = view.breaks(self._events, scope, self._rows)
            theirs = view.stored(view.erased(patterns))
            ours = view.stored(view.breaks(found, scope, self._rows))
            final = view.pivots(found, scope, self._rows)
            known = view.pivots_known(found, scope, self._rows)
            why = causes.of_last_pivot(theirs, ours, patterns, final, known)
            yield self._row("BOS and CHoCH, our breaks", length, theirs, ours, why)

    def _row(
        self,
        concept: str,
        length: int,
        theirs: Mapping[int, tuple[float, ...]],
        ours: Mapping[int, tuple[float, ...]],
        why: Mapping[int, str],
    ) -> Row:
        return compared(concept, self._history.name, length, theirs, ours, why)
