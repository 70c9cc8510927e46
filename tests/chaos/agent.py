"""Does to a run what the schedule says, and times how long the run takes to get over it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.errors import CausewayError
from bus_schemas.topology import READER_SPECS, Unit
from cli.supervisor import HEALTHY_S, Slot, Supervisor
from market_data.plan import Plan
from tests.chaos.lookout import Lookout, Sight
from tests.chaos.schedule import Disturbance, Kind

HYDRATION = 0.1
"""Share of the moments that fall into hydration, which is quick and has few commits."""
STUCK_S = 45.0
"""A run without a commit for so long hangs: that is a finding, not a reason to wait."""


class Hit(msgspec.Struct, kw_only=True):
    """A disturbance that happened.

    Attributes:
        candles: published before it.
        waited_for: units whose next commit ends it.
        before: their counters; None until the server is back.
        at: monotonic time.
        recovery_s: until the next commit of one of the units; None where none was needed.
        alone: whether no other disturbance came before that.
        cut: bytes that were cut off.
    """

    what: Disturbance
    candles: int
    waited_for: tuple[Unit, ...]
    before: dict[Unit, int] | None
    at: float
    recovery_s: float | None = None
    alone: bool = True
    cut: int = 0


class Stuck(CausewayError):
    """The run does not go on."""


class Agent:
    """Called from the run's own loop, so nothing of the run happens beside it.

    Args:
        plan: how many candles there will be.
        todo: the schedule.
        lookout: eyes.
        say: gets a line for each disturbance.
    """

    def __init__(
        self, plan: Plan, todo: Sequence[Disturbance], lookout: Lookout, say: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._todo = list(todo)
        self._number = len(todo)
        self._lookout = lookout
        self._say = say
        self._frozen: dict[str, tuple[int, float]] = {}
        self._holders: dict[Unit, str] = {}
        self._commits, self._moved = -1, time.monotonic()
        self.hits: list[Hit] = []
        self.takeovers: Counter[str] = Counter()
        self.total = plan.hydrate + plan.trade

    @property
    def left(self) -> int:
        """Disturbances for which there was no time."""
        return len(self._todo)

    def tick(self, supervisor: Supervisor, server: EmbeddedServer) -> None:
        """Wake who has slept long enough, look, and strike if it is time."""
        self._wake(time.monotonic())
        sight = self._lookout.look()
        if sight is None:
            return
        self._note(sight)
        if not self._todo or sight.done or self._progress(sight) < self._todo[0].moment:
            return
        slot = _slot(supervisor, self._todo[0].victim)
        if slot is None or self._fit(slot):
            what = self._todo.pop(0)
            time.sleep(what.jitter_s)
            self._strike(what, slot, server, sight)

    def wake_all(self) -> None:
        """Nobody is left frozen."""
        self._wake(float("inf"))

    def _wake(self, now: float) -> None:
        for name, (pid, due) in list(self._frozen.items()):
            if now >= due:
                os.kill(pid, signal.SIGCONT)
                del self._frozen[name]

    def _progress(self, sight: Sight) -> float:
        beyond = sight.candles - self._plan.hydrate
        if beyond < 0:
            return HYDRATION * sight.candles / self._plan.hydrate
        return HYDRATION + (1 - HYDRATION) * beyond / self._plan.trade

    def _fit(self, slot: Slot) -> bool:
        """Whether it may be a victim: the supervisor gives up on one that dies young again and again."""
        process, name = slot.process, str(slot)
        if process is None or process.poll() is not None or name in self._frozen:
            return False
        return time.monotonic() - slot.started > HEALTHY_S

    def _strike(self, what: Disturbance, slot: Slot | None, server: EmbeddedServer, sight: Sight) -> None:
        for other in self._open():
            other.alone = False
        hit = Hit(
            what=what,
            candles=sight.candles,
            waited_for=self._lookout.units if slot is None else _units(slot, sight),
            before=None,
            at=time.monotonic(),
        )
        if slot is None:
            server.kill()
            hit.cut = _cut(server, what.cut)
        elif slot.process is not None and what.kind is Kind.KILL:
            slot.process.kill()
            slot.process.wait()
        elif slot.process is not None:
            os.kill(slot.process.pid, signal.SIGSTOP)
            self._frozen[str(slot)] = (slot.process.pid, hit.at + what.freeze_s)
        self.hits.append(hit)
        cut = f", {hit.cut} bytes of its log cut off" if hit.cut else ""
        where = f"candle {sight.candles:,} of {self.total:,}"
        self._say(f"[{len(self.hits)}/{self._number}] {where}: {what.kind} {what.victim}{cut}")

    def _open(self) -> list[Hit]:
        return [hit for hit in self.hits if hit.recovery_s is None and hit.waited_for]

    def _note(self, sight: Sight) -> None:
        now = time.monotonic()
        for hit in self._open():
            seen = {unit: sight.counters[unit] for unit in hit.waited_for}
            if hit.before is None:
                hit.before = seen
            elif seen != hit.before:
                hit.recovery_s = now - hit.at
        for unit, slot in sight.slots.items():
            if slot and self._holders.setdefault(unit, slot) != slot:
                self._holders[unit] = slot
                self.takeovers[unit.reader] += 1
        commits = sum(sight.counters.values())
        if commits != self._commits:
            self._commits, self._moved = commits, now
        elif now - self._moved > STUCK_S:
            raise Stuck(f"no commit for {STUCK_S:g} s after candle {sight.candles}; leases: {sight.slots}")


def _slot(supervisor: Supervisor, victim: str) -> Slot | None:
    return next((slot for slot in supervisor.slots if str(slot) == victim), None)


def _units(slot: Slot, sight: Sight) -> tuple[Unit, ...]:
    """Units that the process holds; without any nothing waits for it."""
    return tuple(
        unit
        for unit, holder in sight.slots.items()
        if READER_SPECS[unit.reader].service == slot.service and holder == slot.name
    )


def _cut(server: EmbeddedServer, wanted: int) -> int:
    """Take bytes off the end of the log of a server that is down; returns how many."""
    if not wanted:
        return 0
    log = server.append_only_file()
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(max(0, size - wanted))
    return min(size, wanted)
