"""The live feed at work: an edge that publishes what a venue tells, from wherever it was left.

The collector's thread asks; this thread decides by `Track` and `Prices`, commits events and progress
together, and is the only one that touches the bus. A lost commit, another owner or a restart goes on from the
committed progress: nothing is repeated, and nothing is passed over. All partitions belong to one process, as
with files.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from bus_schemas.bus.port import Bus, Owner
from bus_schemas.envelope import Output
from bus_schemas.errors import ConfigurationError, Disconnected, Reload
from bus_schemas.events import Candle, Mark
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.unit import Writer
from bus_schemas.runtime.work import READ_WAIT_S
from bus_schemas.settings import Settings
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream, Unit
from bus_schemas.venues.clock import VenueClock
from market_data.live.ages import Age, Ages
from market_data.live.collector import Collector
from market_data.live.mailbox import Mail, Mailbox
from market_data.live.prices import Prices, Quote
from market_data.live.progress import (
    Reached,
    restored,
    restored_universe,
    stored,
    stored_universe,
)
from market_data.live.rules import hydration, rules_of
from market_data.live.track import Ready, Track
from market_data.live.venue import VenueSource
from market_data.partitions import Partitions

log = logging.getLogger("causeway.feed")

CHUNK = 250
"""Most candles of a symbol in one commit."""
LOOK_S = 1.0
"""Time between two looks at the age of data."""
LEAVE_S = 30.0
"""So long after the leases were lost the venue is left: whoever owns them now asks it as well."""


class LiveWork:
    """Publishes a venue's candles and marks.

    Args:
        settings: which venue, what of it, and how patiently.
        bus: this process's.
        owner: this process.
        vitals: of the process; gets each symbol's data age.

    Raises:
        ConfigurationError: the settings name no venue that ccxt knows, or lockstep, which only files keep.
    """

    def __init__(self, settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> None:
        self._bus = bus
        self._vitals = vitals
        self._settings = settings
        self._rules = rules_of(settings)
        self._history_ms = hydration(settings) * self._rules.span
        self._clock = VenueClock(settings.venue.clock_rate)
        self._source = source_of(settings, self._clock)
        self._partitions = Partitions(bus, owner, settings.bus.lease_ms)
        self._next_look = 0.0
        self._ready = False
        self._left = _now()
        self._mailbox = Mailbox()
        self._collector: Collector | None = None
        self._tracks: dict[str, Track] = {}
        self._prices: dict[str, Prices] = {}
        self._quotes: dict[str, Quote] = {}
        self._committed: dict[str, Reached] = {}
        self._watched: set[str] = set()
        self._again = self._spent = False
        self._resumed = 0
        self._ages = Ages(settings.market_data.stale_s)

    @property
    def units(self) -> tuple[Unit, ...]:
        return self._partitions.units

    def step(self) -> None:
        now = _now()
        state = self._partitions.taken(now)
        if state is not None:
            self._restore(state)
        if not self._ready:
            if self._collector is not None and now - self._left > LEAVE_S:
                self._leave()
            wait_s = max(0.0, self._partitions.due - now)
            time.sleep(min(READ_WAIT_S, wait_s))  # edge: a standby waits for leases
            return
        self._take(self._mailbox.drain(0.0 if self._again else READ_WAIT_S))
        self._again = False
        if self._watched and not self._vitals.blocked:  # before that the venue's clock is not known
            for part in self._partitions.writers:
                self._publish(part)
        if now >= self._next_look:
            self._next_look = now + LOOK_S
            self._look()

    def forget(self) -> None:
        self._partitions.forget()
        if self._ready:
            self._left = _now()
        self._ready = False

    def finish(self) -> None:
        self._leave()
        self._partitions.release()

    # What was known

    def _restore(self, state: Mapping[str, bytes]) -> None:
        self._committed = restored(state, self._rules.timeframe, self._source.origin)
        known = restored_universe(state)
        if self._collector is None:
            self._begin(known)
        for symbol in self._tracks:
            self._resume_candles(symbol)
        for symbol in {*self._tracks, *self._committed}:
            self._resume_prices(symbol)
        self._ready = True
        log.info("live feed", extra={"candles": self._source.origin, "resumed": len(self._committed)})

    def _begin(self, known: tuple[str, ...]) -> None:
        self._mailbox = Mailbox()
        self._tracks, self._quotes = {}, {}
        own, timeframe = self._settings.market_data, self._rules.timeframe
        if self._spent:
            self._source = source_of(self._settings, self._clock)
        self._spent = True
        self._collector = Collector(self._source, own, timeframe, self._mailbox, known, self._committed)
        self._collector.start()

    def _leave(self) -> None:
        if self._collector is not None:
            self._collector.stop()
        self._collector = None

    def _resume_candles(self, symbol: str) -> None:
        reached = self._committed.get(symbol)
        track = self._tracks[symbol]
        track.resume(reached.closed if reached else None, self._clock.now() - self._history_ms)
        self._want(symbol)

    def _resume_prices(self, symbol: str) -> None:
        reached = self._committed.get(symbol)
        prices = self._prices.setdefault(symbol, Prices(symbol))
        prices.resume(reached.marked if reached else None, reached.settled if reached else None)
        if self._collector is not None:
            self._collector.want_funding(symbol, prices.settled)

    def _same_time(self) -> None:
        """See that the venue's time goes on where this namespace stands: a simulated venue that was started
        anew begins its history again, and nothing would come until it is past what is known.

        Raises:
            ConfigurationError: it lies before that.
        """
        last = max((known.closed or 0 for known in self._committed.values()), default=0)
        behind = last - self._clock.now()
        if behind > self._rules.span:
            raise ConfigurationError(
                f"the venue's clock is {behind / HOUR:.1f} hours behind what the namespace "
                f"{self._settings.bus.namespace!r} knows: a simulated venue that began anew needs a "
                "namespace of its own (--namespace), or an empty bus (var/bus removed)"
            )

    # What has come

    def _take(self, mail: Mail) -> None:
        if mail.error is not None:
            raise mail.error
        if mail.universe is not None:
            self._same_time()
            self._adopt(*mail.universe)
        for page in mail.pages:
            track = self._tracks.get(page.symbol)
            if track is None:
                continue
            for row in track.take(page):
                log.warning("late candle dropped", extra={"symbol": page.symbol, "open_time": row.time})
            self._want(page.symbol)
        for symbol, found in mail.settlements.items():
            if symbol in self._prices:
                self._prices[symbol].take(found)
        self._quotes |= mail.quotes

    def _adopt(self, universe: tuple[str, ...], also: tuple[str, ...]) -> None:
        """Follow the candles of a universe from where each was left. The others keep their marks."""
        log.info("symbols", extra={"symbols": ", ".join(universe)})
        self._tracks = {symbol: self._tracks.get(symbol) or Track(symbol, self._rules) for symbol in universe}
        self._watched = {*universe, *also}
        self._resumed = self._clock.now()
        for symbol in universe:
            self._resume_candles(symbol)
        for symbol in self._watched:
            self._resume_prices(symbol)
        writer = self._partitions.writers[self._bus.topology.parts("partition")[0]]
        self._commit(writer, [], stored_universe(universe))

    def _want(self, symbol: str) -> None:
        if self._collector is not None:
            self._collector.want(symbol, self._tracks[symbol].wanted)

    # What is said

    def _publish(self, part: str) -> None:
        """Commit what is due of one partition: of each symbol a mark and a chunk of candles."""
        topology, now = self._bus.topology, self._clock.now()
        marks: dict[str, Mark] = {}
        for symbol in [s for s in self._quotes if topology.partition(s) == part]:
            quote = self._quotes.pop(symbol)
            mark = self._prices[symbol].mark(quote) if symbol in self._prices else None
            if mark is not None:
                marks[symbol] = mark
        candles: dict[str, Ready] = {}
        for symbol, track in self._tracks.items():
            ready = track.ready(now, CHUNK) if topology.partition(symbol) == part else None
            if ready is not None and not self._too_early(symbol, ready, marks, now):
                candles[symbol] = ready
                self._again |= len(ready.bodies) >= CHUNK
        if not marks and not candles:
            return
        outputs = [Output(Stream.MARKS, symbol, mark) for symbol, mark in marks.items()]
        for symbol, ready in candles.items():
            outputs += [Output(Stream.CANDLES, symbol, body) for body in ready.bodies]
        reached = {symbol: self._after(symbol, marks, candles) for symbol in {**marks, **candles}}
        state: dict[str, bytes | None] = {}
        for symbol, progress in reached.items():
            state |= stored(progress, symbol)
        self._commit(self._partitions.writers[part], outputs, state)
        self._committed |= reached
        for symbol, mark in marks.items():
            self._prices[symbol].advance(mark)
            if self._collector is not None:
                self._collector.want_funding(symbol, self._prices[symbol].settled)
        for symbol, ready in candles.items():
            self._advance(symbol, ready)

    def _too_early(self, symbol: str, ready: Ready, marks: Mapping[str, Mark], now: int) -> bool:
        """Whether a live candle comes before the first mark: risk would refuse what follows from it."""
        if symbol in marks or all(body.hydration for body in ready.bodies):
            return False
        marked = self._prices[symbol].marked
        waited_s = (now - self._resumed) / 1000 / self._source.rate
        return (marked is None or marked < self._resumed) and waited_s < self._settings.market_data.stale_s

    def _after(self, symbol: str, marks: Mapping[str, Mark], candles: Mapping[str, Ready]) -> Reached:
        """The symbol's progress once these are committed."""
        track, prices = self._tracks.get(symbol), self._prices[symbol]
        known = self._committed.get(symbol)
        closed = track.closed if track is not None else known.closed if known else None
        marked, settled = prices.marked, prices.settled
        if symbol in marks:
            marked, settled = marks[symbol].time, prices.settled_after(marks[symbol])
        return Reached(
            timeframe=self._rules.timeframe,
            market=self._source.origin,
            closed=candles[symbol].closed if symbol in candles else closed,
            marked=marked,
            settled=settled,
        )

    def _advance(self, symbol: str, ready: Ready) -> None:
        for body in ready.bodies:
            if not isinstance(body, Candle):
                log.warning("gap", extra={"symbol": symbol, "start": body.start, "missing": body.missing})
        self._tracks[symbol].advance(ready)
        self._want(symbol)

    def _commit(self, writer: Writer, outputs: list[Output], state: Mapping[str, bytes | None]) -> None:
        try:
            writer.commit(writer.roots(outputs), state)
        except Disconnected:
            raise
        except Reload:
            self.forget()
            raise
        counters = self._vitals.counters
        counters.commits += 1
        counters.outputs += len(outputs)

    # How it is

    def _look(self) -> None:
        """Tell each symbol's data age; say once that a symbol is silent, and once that it is back."""
        for change in self._ages.look({symbol: self._age(symbol) for symbol in self._watched}):
            extra = {"symbol": change.symbol, "mark_s": change.age.mark, "candle_s": change.age.candle}
            if change.silent:
                log.warning("symbol is silent", extra=extra)
            else:
                log.info("symbol is back", extra=extra)
        gauges = self._ages.gauges()
        if self._collector is not None:
            gauges["stream_reconnects"] = float(self._collector.reconnects)
            gauges["rest_failures"] = float(self._collector.failures)
        self._vitals.gauges = gauges

    def _age(self, symbol: str) -> Age:
        now, rate = self._clock.now(), self._settings.venue.clock_rate
        track, marked = self._tracks.get(symbol), self._prices[symbol].marked
        late = 0
        if track is not None:
            due = track.next + self._rules.span + self._rules.settle_ms
            late = max(0, now - max(due, self._resumed))
        return Age(max(0, now - max(marked or 0, self._resumed)) / 1000 / rate, late / 1000 / rate)


def source_of(settings: Settings, clock: VenueClock) -> VenueSource:
    """The venue that market data is taken from.

    Raises:
        ConfigurationError: none is named, or ccxt does not know it.
    """
    own = settings.market_data
    venue = settings.venue.model_copy(update={"name": own.venue}) if own.venue else settings.venue
    if not venue.live:
        raise ConfigurationError(
            "market_data.source is venue, but there is none: set venue.name, or market_data.venue"
        )
    if settings.bus.lockstep:
        raise ConfigurationError("a venue does not wait: bus.lockstep is for candle files")
    return VenueSource(venue, clock, own.candles_from, own.spot)


def _now() -> float:
    return time.monotonic()  # edge: leases and looks go by the wall
