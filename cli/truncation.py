"""Whether anything that was said would have been said otherwise, had the market gone on differently.

A decider runs over all of a symbol's events once. Then it runs again and again, each time with other events
after some moment, the cut: none, the true ones, or a mirrored market. What it says about the time up to the
cut must be the same to the byte. Most cuts lie where a higher candle is still open, because a candle that is
seen before it has closed is the usual way for the future to get in.
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

Make = Callable[[Sequence[Event]], Decider]
"""A fresh decider for a run over these events. An honest one is made without a look at them."""

Future = Callable[[float, Sequence[Event]], Sequence[Event]]
"""What comes after a cut, given the last price before it and what truly came."""

REACH = 2
"""Bias candles for which the future goes on after a cut."""

_LEAST, _MOST = 1e-12, 1e12
_STEEP = 3
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


class Found(msgspec.Struct, kw_only=True):
    """What came out for one symbol.

    Attributes:
        candles, assessments: of the whole run.
        cuts: at which anything was compared.
        runs: truncated runs; `scratch` of them began with the first candle.
        compared: pairs of assessments; `judged` of them were past the warm-up, in one run or both.
        differing: pairs that are not the same to the byte, or where one is missing; `first` by time.
        early: assessments of the whole run with a step that was not known yet; `first_early` by time.
    """

    symbol: str
    candles: int
    assessments: int
    cuts: int = 0
    runs: int = 0
    scratch: int = 0
    compared: int = 0
    judged: int = 0
    differing: int = 0
    first: Difference | None = None
    early: int = 0
    first_early: Early | None = None


def nothing(_close: float, _rest: Sequence[Event]) -> Sequence[Event]:
    """The data end."""
    return ()


def the_same(_close: float, rest: Sequence[Event]) -> Sequence[Event]:
    """What truly came."""
    return rest


def mirrored(close: float, rest: Sequence[Event]) -> Sequence[Event]:
    """The other way, and three times as far: a rise of 1 % becomes a fall of 3 %."""

    def turned(price: float) -> float:
        return min(max(close * (close / price) ** _STEEP, _LEAST), _MOST)

    def event(given: Event) -> Event:
        candle = given.body
        if not isinstance(candle, Candle):
            return given
        body = msgspec.structs.replace(
            candle,
            open=turned(candle.open),
            high=turned(candle.low),
            low=turned(candle.high),
            close=turned(candle.close),
        )
        return msgspec.structs.replace(given, body=body)

    return [event(given) for given in rest]


FUTURES: Mapping[str, Future] = {"mirrored": mirrored, "nothing": nothing, "the same": the_same}


class Check:
    """The check of one symbol.

    Args:
        make: see `Make`.
        symbol: whose events these are.
        events: candles and gaps in order, none of them hydration.
        settings: with the decider's timeframes.
        cuts: how many at most.
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
        self._cuts = self._placed(cuts)
        self._starts = {cut: self._start(cut) for cut in self._cuts}
        self._stored: dict[int, Mapping[str, bytes]] = {}
        self._said: list[Said] = []
        self._moments: list[int] = []
        self._found = Found(
            symbol=symbol,
            candles=sum(isinstance(event.body, Candle) for event in events),
            assessments=0,
        )

    def run(self, on_cut: Callable[[int, int], None] = lambda _done, _all: None) -> Found:
        """Run the whole, then the truncated.

        Args:
            on_cut: takes how many cuts are done, and how many there are.

        Raises:
            DecisionError: the decider refuses an event.
        """
        self._run_whole()
        for number, cut in enumerate(self._cuts, 1):
            self._compare(number, cut)
            on_cut(number, len(self._cuts))
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
        wanted = set(self._starts.values())
        decider, state = self._make(self._events), dict[str, bytes]()
        for number, event in enumerate(self._events):
            if number in wanted:
                _merge(state, decider)
                self._stored[number] = dict(state)
            self._said += said_at(decider, event)
        self._said.sort(key=lambda said: said.time)
        self._moments = [said.time for said in self._said]
        for said in self._said:
            if isinstance(said.body, Assessment):
                self._found.assessments += 1
                self._look_for_early(said.body)

    def _look_for_early(self, assessment: Assessment) -> None:
        """Whether a step rests on a candle of its timeframe that had not closed, or was not known yet."""
        for step in assessment.evidence:
            known = step.known_at
            if step.at is not None:
                span = self._bias if step.step == "bias" else self._decision
                known = max(known, step.at - step.at % span + span)
            if known > assessment.time:
                self._found.early += 1
                if self._found.first_early is None:
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
            start = 0 if whole else self._starts[cut]
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


def _merge(state: dict[str, bytes], decider: Decider) -> None:
    for key, value in decider.changes().items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def _judged(body: Body) -> bool:
    return isinstance(body, Assessment) and body.reason not in _IDLE
