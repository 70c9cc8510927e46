"""Runs to compare: undisturbed in memory, undisturbed over processes, and the disturbed one."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bus_schemas.bus.port import Bus, Observer
from bus_schemas.settings import Settings, load
from bus_schemas.timeframes import DAY, HOUR
from bus_schemas.topology import SERVICES
from cli.inline import InlineRun
from cli.paper import PaperRun
from cli.progress import Shown
from cli.report import Follower, Report, digest
from market_data.feed import FileFeed
from market_data.plan import Plan
from market_data.progress import DONE
from tests.chaos import evidence, ledgers
from tests.chaos.agent import Agent, Hit
from tests.chaos.lookout import Lookout
from tests.chaos.schedule import Disturbance, schedule

REPLICAS = 3
LEASE_MS = 1000
TRADED_PER_KILL = 6 * HOUR + HOUR // 4
HYDRATED = 25 * DAY
LEAST_HYDRATED = 14 * DAY
LEDGER_S = 30.0
TRADES_OFTEN: dict[str, object] = {
    "decision_timeframe": "15m",
    "bias_timeframe": "1h",
    "sweep_step": "scored",
    "min_score": 0.4,
}
"""Settings of strategy with which a few days have trades, and a decision is made at every candle."""

Say = Callable[[str], None]


class Silent:
    """A progress display that shows nothing."""

    def begin(self, plan: Plan) -> None:
        pass

    def update(self, shown: Shown) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass

    def end(self) -> None:
        pass


def say_aloud(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def say_nothing(_sentence: str) -> None:
    pass


def chaos_settings(kills: int, trade_from: str | None = None, delay_ms: float = 0) -> Settings:
    """A run that is long enough for so many disturbances: the last days of the bundled candles.

    Args:
        trade_from: ISO time; None takes as much as the disturbances need.
    """
    plan = FileFeed(load().market_data, "15m").plan()
    begin = load(None, {"market_data": {"trade_from": trade_from}}).market_data.trade_from
    if begin is None:
        begin = max(plan.last - kills * TRADED_PER_KILL, plan.first + LEAST_HYDRATED)
    market = {"start": max(plan.first, begin - HYDRATED), "trade_from": begin}
    return load(
        None,
        {
            "strategy": TRADES_OFTEN,
            "market_data": market,
            "bus": {"lockstep": True, "lease_ms": LEASE_MS, "namespace": "chaos"},
            "runtime": {"delay_ms": delay_ms},
            "health": {"port": 0},
        },
    )


class Undisturbed(msgspec.Struct, frozen=True):
    """What a run leaves when nothing happens to it."""

    picture: evidence.Picture
    report: Report
    bus: Observer


def in_memory(settings: Settings) -> Undisturbed:
    """All services in this process, over the memory bus."""
    run = InlineRun(settings)
    began = time.monotonic()
    run.run()
    follower = Follower(run.bus)
    report = follower.catch_up().report(time.monotonic() - began, digest(run.bus))
    picture = evidence.take(run.bus)
    # the memory run ends with its files; a process writes down that they are at an end
    picture.states[run.topology.units("market_data")[0]][DONE] = b"1"
    return Undisturbed(picture, report, run.bus)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a disturbed run.

    Attributes:
        total: candles of the whole run.
        left: disturbances that found no time.
        reloads: times that a unit or a process dropped its memory, by service.
        fenced: commits and renewals that were refused because the lease was gone, by service.
        digest: of the undisturbed run, beside the report's.
    """

    report: Report
    undisturbed: Report
    hits: list[Hit]
    total: int
    left: int
    takeovers: dict[str, int]
    reloads: dict[str, int]
    fenced: dict[str, int]
    difference: evidence.Difference
    folder: str

    @property
    def good(self) -> bool:
        """Whether nothing at all differs and all of it happened in the middle of the run."""
        return (
            self.report.digest == self.undisturbed.digest
            and not self.report.duplicates
            and not self.difference.missing
            and not self.difference.surplus
            and not self.difference.faults
            and not self.left
            and self.in_the_middle == len(self.hits)
        )

    @property
    def in_the_middle(self) -> int:
        return sum(hit.candles < self.total for hit in self.hits)


class GuardedRun(PaperRun):
    """A run that is given up when it hangs, instead of being waited for.

    Args:
        settings, replicas, services, keep: as for a paper run.
        todo: what to do to it.
        say: gets a line for each disturbance.
    """

    def __init__(
        self,
        settings: Settings,
        replicas: int,
        services: Sequence[str] = SERVICES,
        todo: Sequence[Disturbance] = (),
        say: Say = say_nothing,
        keep: bool = False,
    ) -> None:
        super().__init__(settings, Silent(), replicas=replicas, services=services, keep=keep)
        plan = FileFeed(settings.market_data, settings.strategy.entry_timeframe).plan()
        lookout = Lookout(self._settings, [symbol.symbol for symbol in plan.symbols], DONE)
        self.agent = Agent(plan, todo, lookout, say)

    def _revive(self) -> None:
        super()._revive()
        if self.supervisor and self.server:
            self.agent.tick(self.supervisor, self.server)

    def _watch(self, bus: Bus, began: float) -> float:
        try:
            return super()._watch(bus, began)
        except Exception:
            self.folder.keep = True  # for whoever looks for the cause
            raise


class ChaosRun(GuardedRun):
    """A run whose processes and server are killed and frozen by its own loop.

    Args:
        settings: of the run.
        kills: number of disturbances.
        seed: of the schedule.
        undisturbed: to compare with.
        say: gets a line for each disturbance.
        keep: leave the folder behind.
    """

    def __init__(
        self,
        settings: Settings,
        kills: int,
        seed: int,
        undisturbed: Undisturbed,
        say: Say = say_nothing,
        keep: bool = False,
    ) -> None:
        slots = (*SERVICES, *(f"strategy/{n}" for n in range(1, REPLICAS)))
        todo = schedule(kills, seed, slots, settings.bus.lease_ms / 1000)
        super().__init__(settings, REPLICAS, todo=todo, say=say, keep=keep)
        self._undisturbed = undisturbed
        self.difference = evidence.Difference()
        self.logged = (Counter[str](), Counter[str]())

    def outcome(self) -> Outcome:
        """Run, and look at what is left.

        Raises:
            CausewayError: it did not come to its end.
        """
        report = self.run()
        reloads, fenced = self.logged
        return Outcome(
            report=report,
            undisturbed=self._undisturbed.report,
            hits=self.agent.hits,
            total=self.agent.total,
            left=self.agent.left,
            takeovers=dict(self.agent.takeovers),
            reloads=dict(reloads),
            fenced=dict(fenced),
            difference=self.difference,
            folder=str(self.folder.path) if self.folder.keep else "",
        )

    def _watch(self, bus: Bus, began: float) -> float:
        elapsed = super()._watch(bus, began)
        self.agent.wake_all()
        self._await_ledger(bus)
        found = evidence.take(bus)
        self.difference = evidence.compare(found, self._undisturbed.picture)
        namespace = self._settings.bus.namespace
        self.difference.faults += ledgers.faults(self.folder.ledger, namespace, bus, self.folder.path)
        self.logged = count_logged(self.folder.logs)
        self.folder.keep |= bool(self.difference.faults)
        return elapsed

    def _await_ledger(self, bus: Bus) -> None:
        deadline = time.monotonic() + LEDGER_S
        while ledgers.behind(self.folder.ledger, self._settings.bus.namespace, bus):
            if self.supervisor:
                self.supervisor.check()
            if time.monotonic() > deadline:
                self.difference.faults.append(f"the ledger is not complete after {LEDGER_S:g} s")
                return
            time.sleep(0.1)


def count_logged(logs: Path) -> tuple[Counter[str], Counter[str]]:
    """Reloads, and those of them whose reason is a lost lease, by service; from what the services printed."""
    reloads, fenced = Counter[str](), Counter[str]()
    for path in sorted(logs.glob("*.log")):
        for raw in path.read_bytes().splitlines():
            try:
                line = msgspec.json.decode(raw, type=dict[str, object])
            except msgspec.MsgspecError:
                continue  # a line that a killed process did not finish
            if line.get("message") == "reload":
                service, reason = str(line["service"]), str(line.get("reason"))
                reloads[service] += 1
                fenced[service] += "no longer ours" in reason or "were lost" in reason
    return reloads, fenced


def over_processes(settings: Settings, replicas: int = 1, services: Sequence[str] = SERVICES) -> Report:
    """A process for each service, over an embedded server, left in peace.

    Raises:
        Stuck: it hangs.
    """
    return GuardedRun(settings, replicas, services).run()
