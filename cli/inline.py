"""All services in one process over the memory bus: the same deciders, the same turn order, no servers.

For long backtests, and as the proof that the five processes are the same program: both give one digest.
Nothing survives a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import execution.service
import risk.service
import strategy.service
from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Owner
from bus_schemas.envelope import Output
from bus_schemas.errors import BusError
from bus_schemas.runtime.process import MakeDecider
from bus_schemas.runtime.sensors import Counters
from bus_schemas.runtime.unit import UnitRunner, Writer
from bus_schemas.settings import Settings
from bus_schemas.topology import READER_SPECS, Place, Topology, Unit
from market_data.feed import FileFeed, Step
from market_data.progress import stored

DECIDERS: Mapping[str, Callable[[Settings], MakeDecider]] = {
    "strategy": strategy.service.deciders,
    "risk": risk.service.deciders,
    "execution": execution.service.deciders,
}
"""What each deciding service runs."""

_OWNER = Owner("inline", "0", "0")


class Inline:
    """Every deciding service in this process, in lockstep over a memory bus.

    Args:
        settings: as for the services; the bus section's URL is not used.
    """

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.bus.batch
        self.topology = Topology(settings.bus.partitions, settings.bus.account, lockstep=True)
        self.bus = MemoryBus(self.topology)
        self.bus.declare()
        self.counters = Counters()
        makers = {name: make(settings) for name, make in DECIDERS.items()}
        self._runners = [
            UnitRunner(
                self.bus,
                unit,
                makers[READER_SPECS[unit.reader].service](unit),
                settings.runtime,
                self.counters,
            )
            for unit in self.topology.turn_order
        ]
        for runner in self._runners:
            self._take(runner)
        self._writers = {unit.part: Writer(self.bus, unit) for unit in self.topology.units("market_data")}
        for writer in self._writers.values():
            self._take(writer)
        self._readers: dict[Place, list[int]] = {}
        for number, runner in enumerate(self._runners):
            for place in runner.positions:
                self._readers.setdefault(place, []).append(number)

    def _take(self, writer: Writer) -> None:
        lease = self.bus.acquire(writer.unit, _OWNER)
        if lease is None:
            raise BusError(f"{writer.unit} is taken")
        writer.load(lease)

    def publish(
        self, symbol: str, outputs: Sequence[Output], state: Mapping[str, bytes | None] | None = None
    ) -> None:
        """Commit what market_data says of a symbol, and let the readers run by turns until all is quiet.

        Raises:
            Poisoned: too many events could not be handled.
        """
        writer = self._writers[self.topology.partition(symbol)]
        before = dict(writer.tips)
        writer.commit(writer.roots(outputs), state or {})
        self._settle(self._woken(writer, before))

    def _settle(self, waiting: set[int]) -> None:
        while waiting:
            number = min(waiting)
            runner = self._runners[number]
            entries = self.bus.read(runner.positions, self._limit, 0)
            if not entries:
                waiting.discard(number)
                continue
            before = dict(runner.tips)
            if runner.process(entries, self._limit) == len(entries) < self._limit:
                waiting.discard(number)
            waiting |= self._woken(runner, before)

    def _woken(self, writer: Writer, before: Mapping[Place, int]) -> set[int]:
        """Numbers of the readers of whatever the writer has written since."""
        return {
            number
            for place, tip in writer.tips.items()
            if tip != before[place]
            for number in self._readers.get(place, ())
        }

    def quiet(self) -> bool:
        """Whether every reader has read everything."""
        return all(self.bus.unread(unit) == 0 for unit in self.topology.turn_order)

    def unit(self, unit: Unit) -> UnitRunner:
        """The runner of a unit."""
        return next(runner for runner in self._runners if runner.unit == unit)


class InlineRun(Inline):
    """One run over files, in lockstep.

    Args:
        settings: as for the services; the bus section's URL is not used.
    """

    def __init__(self, settings: Settings) -> None:
        self._feed = FileFeed(settings.market_data, settings.strategy.entry_timeframe)
        super().__init__(settings)

    def run(self, on_step: Callable[[Step], None] = lambda _step: None) -> None:
        """Publish every step and let the readers run by turns until all is quiet.

        Raises:
            DataError: a row is impossible.
            Poisoned: too many events could not be handled.
        """
        for step in self._feed.steps({}):
            self.publish(step.symbol, step.outputs, stored(step.progress, step.symbol))
            on_step(step)
