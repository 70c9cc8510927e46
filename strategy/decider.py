"""The strategy decider: candles in, one assessment per closed decision candle out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bus_schemas.decider import Decider, Keyed
from bus_schemas.envelope import Event, Output
from bus_schemas.errors import ConfigurationError, DecisionError
from bus_schemas.events import Assessment, Candle, Gap, Millis, Signal, SymbolHalted
from bus_schemas.settings.strategy import StrategySettings, ZoneKind
from bus_schemas.timeframes import length
from bus_schemas.topology import Stream
from strategy.aggregate import Bar, Forming, pass_by, take
from strategy.case import Case
from strategy.frame import Frame, Frames
from strategy.plan import Plan
from strategy.playbook import assess
from strategy.rules import bias_rules, decision_rules, digest
from strategy.signal_ids import signal_id
from strategy.smc.rules import names
from strategy.view import Area, View

MOST = 1e15
"""Largest price and volume of a candle. Sums and ranges of such stay finite, which JSON state must be."""

LATEST = 4_102_444_800_000
"""2100-01-01: newest open time. The engine knows the clocks of sessions no farther."""


class Feed(msgspec.Struct):
    """State: how far a symbol's candles have come.

    Attributes:
        timeframes: entry, decision and bias, for which this state was made.
        rules: digest of the engines' parameters, likewise.
        next_open: open time of the first candle that is still new.
        time: event time of the newest event.
        decision, bias: the candles that are being built.
    """

    timeframes: str
    rules: str
    next_open: Millis = 0
    time: Millis = 0
    decision: Forming = msgspec.field(default_factory=Forming)
    bias: Forming = msgspec.field(default_factory=Forming)


class StrategyDecider(Decider):
    """Smart Money Concepts over any number of symbols, each by itself.

    State has three keys per symbol: the small one changes with every candle, the engines' only when
    a candle of their timeframe closes.

    Candles marked as hydration are judged like all others, but nothing is emitted: so what follows
    after them does not depend on where trading began.
    """

    def __init__(self, settings: StrategySettings) -> None:
        self._settings = settings
        self._base = length(settings.entry_timeframe)
        self._decision = length(settings.decision_timeframe)
        self._bias = length(settings.bias_timeframe)
        frames = (settings.entry_timeframe, settings.decision_timeframe, settings.bias_timeframe)
        self._timeframes = ",".join(frames)
        decision, bias = decision_rules(settings), bias_rules(settings)
        self._rules = digest(decision) + digest(bias)
        self._sessions = names(decision)
        self._ote = (settings.ote_from, settings.ote_to)
        self._feeds = Keyed("feed", Feed, lambda _: Feed(self._timeframes, self._rules))
        self._decisions = Frames("decision", decision)
        self._biases = Frames("bias", bias)

    def load(self, state: Mapping[str, bytes]) -> None:
        """Replace all memory.

        Raises:
            ConfigurationError: the state was made for other timeframes, or for other parameters of structure.
        """
        self._feeds.load(state)
        for symbol in self._feeds.known():
            feed = self._feeds.get(symbol)
            if feed.timeframes != self._timeframes:
                raise ConfigurationError(
                    f"the state of {symbol} was made for the timeframes {feed.timeframes}, not"
                    f" {self._timeframes}: choose another namespace"
                )
            if feed.rules != self._rules:
                raise ConfigurationError(
                    f"the state of {symbol} was made with other settings of strategy for pivots, breaks,"
                    " zones, liquidity or sessions: choose another namespace"
                )
        self._decisions.load(state)
        self._biases.load(state)

    def changes(self) -> Mapping[str, bytes | None]:
        changed = self._feeds.drain()
        for frames in (self._decisions, self._biases):
            if frames.changed:
                changed |= frames.drain()
        return changed

    def handle(self, event: Event) -> Sequence[Output]:
        """Take a candle or a gap.

        A candle that is not newer than the last, and a gap that ends before it, have no effect; nor
        have events of other types.

        Raises:
            DecisionError: another timeframe than the entry's, an open time off the UTC grid or outside the
                years that are known, or prices that are no candle.
        """
        body = event.body
        if isinstance(body, Candle):
            return self._candle(body)
        if isinstance(body, Gap):
            return self._gap(body)
        return ()

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        """Halt the symbol, at the newest event time that is known for it, else for any."""
        known = self._feeds.known()
        symbols = (symbol,) if symbol in known else known
        time = max((self._feeds.get(name).time for name in symbols), default=0)
        halted = SymbolHalted(time=time, symbol=symbol, origin=origin, detail=detail)
        return (Output(Stream.SIGNALS, symbol, halted),)

    def _candle(self, candle: Candle) -> Sequence[Output]:
        self._check(candle.symbol, candle.timeframe, candle.open_time)
        _check_prices(candle)
        if candle.open_time < self._feeds.get(candle.symbol).next_open:
            return ()
        feed = self._feeds.edit(candle.symbol)
        feed.next_open, feed.time = candle.open_time + self._base, candle.time
        bias = take(feed.bias, candle, self._base, self._bias)
        decision = take(feed.decision, candle, self._base, self._decision)
        return self._closed(candle, decision, bias) if decision or bias else ()

    def _gap(self, gap: Gap) -> Sequence[Output]:
        self._check(gap.symbol, gap.timeframe, gap.end)
        if gap.end <= self._feeds.get(gap.symbol).next_open:
            return ()
        feed = self._feeds.edit(gap.symbol)
        feed.next_open, feed.time = gap.end, gap.time
        bias = pass_by(feed.bias, gap.end, gap.time, self._base, self._bias)
        decision = pass_by(feed.decision, gap.end, gap.time, self._base, self._decision)
        return self._closed(gap, decision, bias) if decision or bias else ()

    def _closed(self, cause: Candle | Gap, decision: Sequence[Bar], bias: Sequence[Bar]) -> Sequence[Output]:
        """Let the engines take what has closed, the bias first; judge each decision candle.

        A bias candle may close alone: by a gap that begins where a decision candle ended.
        """
        for bar in bias:
            self._biases.take(cause.symbol, bar)
        out = []
        for bar in decision:
            assessment = self._assess(cause, bar)
            if not cause.hydration:
                out.append(Output(Stream.SIGNALS, cause.symbol, assessment))
        return out

    def _assess(self, cause: Candle | Gap, bar: Bar) -> Assessment:
        frame = self._decisions.take(cause.symbol, bar)
        verdict = assess(
            Case(
                time=cause.time,
                bar=bar,
                expected=self._decision // self._base,
                decision=View(frame, self._decision, self._ote, self._sessions),
                bias=View(self._biases.get(cause.symbol), self._bias, self._ote),
                settings=self._settings,
            )
        )
        if verdict.plan is not None:
            _spend(frame, verdict.plan.area)
        return Assessment(
            time=cause.time,
            symbol=cause.symbol,
            timeframe=self._settings.decision_timeframe,
            signal=None if verdict.plan is None else self._signal(cause, verdict.plan),
            reason=verdict.reason,
            evidence=verdict.evidence,
        )

    def _signal(self, cause: Candle | Gap, plan: Plan) -> Signal:
        kind = plan.area.kind
        return Signal(
            id=signal_id(self._settings.name, cause.symbol, cause.time, kind, plan.side),
            side=plan.side,
            entry=plan.entry,
            stop=plan.stop,
            targets=plan.targets,
            setup=kind.value,
            score=plan.score,
            expires=plan.expires,
        )

    def _check(self, symbol: str, timeframe: str, opening: Millis) -> None:
        expected = self._settings.entry_timeframe
        if timeframe != expected:
            raise DecisionError(f"{symbol}: a candle of {timeframe}, but strategy is set to {expected}")
        if not 0 <= opening <= LATEST:
            raise DecisionError(f"{symbol}: open time {opening} is not between 1970 and 2100")
        if opening % self._base:
            raise DecisionError(f"{symbol}: open time {opening} is not on the {expected} grid")


def _check_prices(candle: Candle) -> None:
    low, high = candle.low, candle.high
    sound = -MOST <= low <= candle.open <= high <= MOST and low <= candle.close <= high
    if not sound or not 0 <= candle.volume <= MOST:
        raise DecisionError(
            f"{candle.symbol}: candle at {candle.open_time} is impossible: open {candle.open},"
            f" high {high}, low {low}, close {candle.close}, volume {candle.volume}"
        )


def _spend(frame: Frame, area: Area) -> None:
    """One signal from a place: internal and swing structure may both have made a block of one candle."""
    area.source.used = 1
    if area.kind is ZoneKind.ORDER_BLOCK:
        for zone in frame.state.blocks_up if area.side > 0 else frame.state.blocks_down:
            if zone.at == area.at:
                zone.used = 1
