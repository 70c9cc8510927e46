"""Whether anything that was said would have been said otherwise, had the market gone on differently.

A decider runs over all of a symbol's events once. Then it runs again and again, each time with other events
after some moment, the cut: none, the true ones, or a mirrored market. What it says about the time up to the
cut must be the same to the byte. Most cuts lie where a higher candle is still open, because a candle that is
seen before it has closed is the usual way for the future to get in. As many again lie right after a signal:
signals are rare, and their prices are what somebody would improve with the candle that comes next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bus_schemas.decider import Decider
from bus_schemas.envelope import Event
from bus_schemas.events import Assessment, Body, Candle, NoSignal
from bus_schemas.settings import StrategySettings
from bus_schemas.timeframes import length
from cli.differences import Difference, Said, difference, pairs, said_at
from cli.futures import FUTURES

Make = Callable[[Sequence[Event]], Decider]
"""A fresh decider for a run over these events. An honest one is made without a look at them."""

REACH = 2
"""Bias candles for which the future goes on after a cut."""

_IDLE = (NoSignal.WARMING_UP, NoSignal.DATA_GAP)


class Early(msgspec.Struct, frozen=True):
    """A step of an assessment that rests on a candle which had not closed.

    Attributes:
        time: of the assessment, milliseconds UTC.
        known: when what the step rests on was known, or its candle closed.
    """

    time: int
    step: str
    known: int


class Misdated(msgspec.Struct, frozen=True):
    """An assessment that bears another time than the event that caused it.

    Attributes:
        time: of the assessment, milliseconds UTC.
        caused: time of the event.
    """

    time: int
    caused: int


class Found(msgspec.Struct, kw_only=True):
    """What came out for one symbol.

    Attributes:
        candles, assessments, signals: of the whole run.
        cuts: at which anything was compared; `after_signal` of all cuts lie right after a signal.
        runs: truncated runs; `scratch` of them began with the first candle.
        compared: pairs of assessments; `judged` of them were past the warm-up, in one run or both.
        differing: pairs that are not the same to the byte, or where one is missing; `first` by time.
        early: assessments of the whole run with a step that was not known yet; `first_early` by time.
        misdated: those of the whole run with another time than their event; `first_misdated` as they came.
    """

    symbol: str
    candles: int
    assessments: int = 0
    signals: int = 0
    cuts: int = 0
    after_signal: int = 0
    runs: int = 0
    scratch: int = 0
    compared: int = 0
    judged: int = 0
    differing: int = 0
    first: Difference | None = None
    early: int = 0
    first_early: Early | None = None
    misdated: int = 0
    first_misdated: Misdated | None = None


class Check:
    """The check of one symbol.

    Args:
        make: see `Make`.
        symbol: whose events these are.
        events: candles and gaps in order, none of them hydration.
        settings: with the decider's timeframes.
        cuts: how many at most are spread evenly; at most as many again lie after signals.
    """

    def __init__(
        self, make: Make, symbol: str, events: Sequence[Event], settings: StrategySettings, cuts: int
    ) -> None:
        self._make = make
        self._events = events
        self._times = [event.body.time for event in events]
        self._base = length(settings.entry_timeframe)
        self._decision = length(settings.decision_timeframe)
        self._bias = length(settings.bias_timeframe)
        self._most = cuts
        self._spread = self._placed(cuts)
        self._after_signal: list[int] = []
        self._stored: dict[int, Mapping[str, bytes]] = {}
        self._said: list[Said] = []
        self._moments: list[int] = []
        candles = sum(isinstance(event.body, Candle) for event in events)
        self._found = Found(symbol=symbol, candles=candles)

    def run(self, on_cut: Callable[[int, int], None] = lambda _done, _all: None) -> Found:
        """Run the whole, then the truncated.

        Args:
            on_cut: takes how many cuts are done, and how many there are.

        Raises:
            DecisionError: the decider refuses an event.
        """
        self._run_whole()
        after_signal = _evenly(self._after_signal, self._most)
        self._found.after_signal = len(after_signal)
        cuts = sorted({*self._spread, *after_signal})
        for number, cut in enumerate(cuts, 1):
            self._compare(number, cut)
            on_cut(number, len(cuts))
        return self._found

    def _placed(self, most: int) -> list[int]:
        """Cuts, as numbers of the first event after each, rising.

        Evenly over the bias candles; by turns at a candle's close, one base candle before it, one decision
        candle before it, and in its middle.
        """
        if not self._times:
            return []
        middle = self._bias // 2 - self._bias // 2 % self._base
        before = sorted({0, self._base, self._decision, middle} - {self._bias})
        first, last = self._times[0] // self._bias + 1, self._times[-1] // self._bias
        candles, turns = max(last - first + 1, 0), len(before)
        most = min(most, candles * turns)
        picked = [(first + turn * candles // most, before[turn % turns]) for turn in range(most)]
        cuts = {bisect_right(self._times, number * self._bias - early) for number, early in picked}
        return sorted(cuts - {0})

    def _start(self, cut: int) -> int:
        """The first event of the bias candle before the one in which the cut lies."""
        opening = (self._times[cut - 1] - 1) // self._bias * self._bias - self._bias
        return bisect_right(self._times, opening)

    def _run_whole(self) -> None:
        """Let a decider take everything; keep what it says, and what it had stored where a cut run begins.

        A cut run begins with the bias candle before its cut's, so the last two beginnings are held until it
        is known whether a signal follows.
        """
        wanted = set(map(self._start, self._spread))
        decider, state = self._make(self._events), dict[str, bytes]()
        recent: list[tuple[int, Mapping[str, bytes]]] = []
        for number, event in enumerate(self._events):
            if self._begins_bias(number):
                _merge(state, decider)
                recent = [*recent[-1:], (number, dict(state))]
                if number in wanted:
                    self._stored[number] = recent[-1][1]
            said = said_at(decider, event)
            self._said += said
            signals = sum(self._note(one.body, event) for one in said)
            if signals:
                self._after_signal.append(bisect_right(self._times, event.body.time))
                self._stored |= dict(recent)
        self._said.sort(key=lambda said: said.time)
        self._moments = [said.time for said in self._said]

    def _begins_bias(self, number: int) -> bool:
        """Whether an event is the first of a bias candle, but for the first of all."""
        if number == 0:
            return False
        before, now = self._times[number - 1 : number + 1]
        return (before - 1) // self._bias != (now - 1) // self._bias

    def _note(self, body: Body, event: Event) -> bool:
        """Count what the whole run says; returns whether it is a signal."""
        if not isinstance(body, Assessment):
            return False
        found = self._found
        found.assessments += 1
        self._look_for_early(body)
        if body.time != event.body.time:
            found.misdated += 1
            found.first_misdated = found.first_misdated or Misdated(body.time, event.body.time)
        found.signals += body.signal is not None
        return body.signal is not None

    def _look_for_early(self, assessment: Assessment) -> None:
        """Whether a step rests on a candle of its timeframe that had not closed, or was not known yet."""
        for step in assessment.evidence:
            known = step.known_at
            if step.at is not None:
                span = self._bias if step.step == "bias" else self._decision
                known = max(known, step.at - step.at % span + span)
            if known > assessment.time:
                self._found.early += 1
                first = self._found.first_early
                if first is None or assessment.time < first.time:
                    self._found.first_early = Early(assessment.time, step.step, known)
                return

    def _compare(self, number: int, cut: int) -> None:
        """Every future after one cut.

        At cuts 1, 2, 4, 8, … one run begins with the first candle: together these take hardly longer than the
        whole run. Others begin one to two bias candles before the cut, with what the whole run had stored.
        """
        found, before = self._found, self._found.compared
        for turn, future in enumerate(FUTURES):
            whole = number & (number - 1) == 0 and turn == number.bit_length() % len(FUTURES)
            start = 0 if whole else self._start(cut)
            found.runs += 1
            found.scratch += start == 0
            self._run_again(cut, start, future)
        found.cuts += found.compared > before

    def _run_again(self, cut: int, start: int, future: str) -> None:
        since, until = self._times[start - 1] if start else -1, self._times[cut - 1]
        past = self._events[start:cut]
        rest = self._events[cut : bisect_right(self._times, until + REACH * self._bias)]
        events = [*past, *FUTURES[future](self._close(cut), rest)]
        decider = self._make(events)
        if start:
            decider.load(self._stored[start])
        said = [one for event in events for one in said_at(decider, event) if since < one.time <= until]
        whole = self._said[bisect_right(self._moments, since) : bisect_right(self._moments, until)]
        for one, other in pairs(whole, said):
            self._found.compared += 1
            self._found.judged += any(pair is not None and _judged(pair.body) for pair in (one, other))
            if one is None or other is None or one.encoded != other.encoded:
                self._found.differing += 1
                found = difference(one, other, until, future)
                first = self._found.first
                self._found.first = found if first is None or found.time < first.time else first

    def _close(self, cut: int) -> float:
        """The last price before the cut."""
        bodies = (self._events[number].body for number in range(cut - 1, -1, -1))
        return next((body.close for body in bodies if isinstance(body, Candle)), 1.0)


def _evenly(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of them, from the first to the last."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[turn * len(numbers) // most] for turn in range(most)]


def _merge(state: dict[str, bytes], decider: Decider) -> None:
    for key, value in decider.changes().items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def _judged(body: Body) -> bool:
    return isinstance(body, Assessment) and body.reason not in _IDLE
