"""Lockstep: bars per second over the processes and on the memory bus, and what the deciders cost alone.

A bar is one candle of one symbol with its mark, decided by everybody before the next one comes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median

from bus_schemas.bus.port import Observer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.codec import decode
from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.events import Candle
from bus_schemas.settings import Settings
from bus_schemas.timeframes import length
from bus_schemas.topology import READERS, SERVICES, Stream
from cli.inline import InlineRun
from cli.paper import finished
from market_data.feed import FileFeed, Step
from tests.bench.figures import Figure, beside
from tests.bench.ping import hops_per_second
from tests.bench.stage import Stage, server, settings_for

HISTORY_BARS = 1500
"""Of each symbol, before trading: enough for every timeframe to be warm."""


def run(quick: bool, fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark, for each persistence."""
    bars = 100 if quick else 250
    rounds = 1 if quick else 3
    figures = []
    for fsync in fsyncs[-1:] if quick else fsyncs:
        with server(fsync) as embedded:
            found = Found()
            for number in range(rounds):
                settings = trading(embedded.url, f"lockstep{number}", bars)
                found.over_processes(settings)
                found.in_memory(settings)
                found.limits.append(hops_per_second(embedded.url, 1.0 if quick else 2.0) / found.commits[-1])
            figures += found.figures(fsync)
    return figures


def trading(url: str, namespace: str, bars: int, **sections: dict[str, object]) -> Settings:
    """Settings of a lockstep run over the last so many bars of each symbol of the sample."""
    settings = settings_for(url, namespace, bus={"lockstep": True}, **sections)
    plan = FileFeed(settings.market_data, settings.strategy.entry_timeframe).plan()
    span = length(plan.timeframe)
    first = plan.last - bars * span
    market = settings.market_data.model_copy(
        update={"trade_from": first, "start": max(plan.first, first - HISTORY_BARS * span)}
    )
    return settings.model_copy(update={"market_data": market})


class Found:
    """What the rounds found, bars per second but for `commits`, which is per bar."""

    def __init__(self) -> None:
        self.processes: list[float] = []
        self.memory: list[float] = []
        self.alone: list[float] = []
        self.limits: list[float] = []
        self.commits: list[float] = []

    def over_processes(self, settings: Settings) -> None:
        """A run with a process for each service, timed by the server's clock from candle to candle."""
        with Stage(settings, SERVICES) as stage:
            stage.until(lambda: finished(stage.bus), 240, "the end of the files")
            sent = sorted(_sent(stage.bus))
            self.processes.append((len(sent) - 1) / (sent[-1] - sent[0]) * 1e6)
            self.commits.append(_commits(stage.bus) / len(sent))

    def in_memory(self, settings: Settings) -> None:
        """The same in this process over the memory bus, with the time that the deciders take of it."""
        inline = InlineRun(settings)
        watch = Watch()
        for runner in inline._runners:
            runner._decider = Timed(runner._decider, watch)
        inline.run(watch.step)
        self.memory.append(watch.bars / (watch.last - watch.began) * 1e9)
        self.alone.append(watch.bars / watch.deciding * 1e9)

    def figures(self, fsync: str) -> list[Figure]:
        """The rows."""
        over = f"lockstep, five processes, {fsync}"
        per_bar = median(self.commits)
        return [
            beside(
                "lockstep",
                over,
                "bars/s",
                self.processes,
                f"four-process ring of bare hops / {per_bar:.1f} commits a bar",
                self.limits,
            ),
            beside("lockstep", over, "bars/s", self.processes, "deciders alone, no bus", self.alone),
            beside(
                "lockstep",
                "memory bus, one process",
                "bars/s",
                self.memory,
                "deciders alone, no bus",
                self.alone,
            ),
        ]


class Watch:
    """Nanoseconds of a run's traded part: all of it, and inside the deciders."""

    def __init__(self) -> None:
        self.began = self.last = self.deciding = self.bars = 0

    def step(self, step: Step) -> None:
        """A step and all that followed from it is done."""
        self.last = time.perf_counter_ns()
        if step.phase == "hydrate":
            self.began, self.deciding = self.last, 0
        self.bars += step.phase == "candle"


class Timed(Decider):
    """A decider under a stop watch."""

    def __init__(self, decider: Decider, watch: Watch) -> None:
        self._decider, self._watch = decider, watch

    def load(self, state: Mapping[str, bytes]) -> None:
        self._decider.load(state)

    def handle(self, event: Event) -> Sequence[Output]:
        began = time.perf_counter_ns()
        outputs = self._decider.handle(event)
        self._watch.deciding += time.perf_counter_ns() - began
        return outputs

    def changes(self) -> Mapping[str, bytes | None]:
        began = time.perf_counter_ns()
        changes = self._decider.changes()
        self._watch.deciding += time.perf_counter_ns() - began
        return changes

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return self._decider.poisoned(symbol, origin, detail)


def _sent(bus: Observer) -> list[int]:
    """Commit times of all traded candles, in microseconds."""
    times = []
    for place in bus.topology.places(Stream.CANDLES):
        events = [decode(*entry) for entry in bus.range(place, 0, 1 << 31)]
        times += [e.sent for e in events if isinstance(e.body, Candle) and not e.body.hydration]
    return times


def _commits(bus: RedisBus) -> int:
    """Commits of all units in all."""
    units = [unit for spec in READERS for unit in bus.topology.units(spec.name)]
    counters = [bus._client.execute_command("HGET", bus.names.meta(unit), "counter") for unit in units]
    return sum(int(counter or 0) for counter in counters)
