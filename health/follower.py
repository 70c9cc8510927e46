"""Follows the event streams into the ledger and into the state of trading. One thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from bus_schemas.bus.port import Observer
from bus_schemas.errors import BusError
from bus_schemas.topology import Place, Stream
from health.board import Board
from health.ledger import Ledger, PositionMoved
from health.queries import Queries
from health.rows import Record, sources

log = logging.getLogger("causeway.health.follower")

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 5.0
TIPS_S = 1.0
"""Time between two looks whether a stream has become shorter than the ledger."""

FRESH_S = 60.0
"""An acknowledgement older than this is not taken for the dead letters that are there now."""

ObserverFactory = Callable[[], Observer]


class Follower:
    """Reads on from the ledger's positions.

    Args:
        make_observer: a view of the bus with connections of its own.
        ledger: where rows and positions go.
        queries: loads the state of trading from the same ledger.
        board: what the others see.
        batch: most events of a stream in one transaction.
        poll_s: time between two looks when nothing is there.
    """

    def __init__(
        self,
        make_observer: ObserverFactory,
        ledger: Ledger,
        queries: Queries,
        board: Board,
        batch: int,
        poll_s: float,
    ) -> None:
        self._make_observer = make_observer
        self._ledger = ledger
        self._queries = queries
        self._board = board
        self._batch = batch
        self._poll_s = poll_s
        self._positions: dict[Place, int] = {}
        self._tips_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Follow until told to stop, then to the end; wait with backoff while bus or database is away."""
        wait_s = BACKOFF_FIRST_S
        while not stop.is_set():
            observer = self._make_observer()
            try:
                self.begin(observer)
                while not stop.is_set():
                    moved = self.step(observer)
                    wait_s = BACKOFF_FIRST_S
                    if not moved:
                        stop.wait(self._poll_s)
                self.drain(observer)
            except PositionMoved as reason:
                log.info("another process writes this ledger", extra={"reason": str(reason)})
                stop.wait(self._poll_s)
            except BusError as error:
                self._note_fault(error)
                stop.wait(wait_s)
                wait_s = min(BACKOFF_MOST_S, wait_s * 2)
            finally:
                observer.close()

    def begin(self, observer: Observer) -> None:
        """Bring ledger and streams together, then load what the ledger knows.

        Raises:
            BusError: the bus or the database does not answer.
        """
        for place in sources(observer.topology):
            position, taken_back = self._ledger.reconcile(observer, place)
            self._positions[place] = position
            if taken_back:
                log.warning(
                    "events that the ledger had are gone from the bus",
                    extra={"place": str(place), "from": position + 1, "events": taken_back},
                )
        trading = self._queries.load(self._board.clock())
        acknowledged, missed = self._queries.dead_acknowledged(), self._ledger.missed()
        with self._board.fleet() as (fleet, _):
            fleet.trading = trading
            fleet.dead_acknowledged = acknowledged
            fleet.ledger.missed = missed
            fleet.ledger.positions = dict(self._positions)
            fleet.ledger.fault = ""

    def step(self, observer: Observer) -> int:
        """Take what is there, at most one batch of each stream; returns how many events it was.

        Raises:
            PositionMoved: another process wrote the ledger.
            BusError: the bus or the database does not answer.
        """
        self._watch_tips(observer)
        taken, full = 0, False
        for place in self._positions:
            position = self._positions[place]
            entries = observer.range(place, position, self._batch)
            records = self._ledger.append(place, position, entries) if entries else []
            if records:
                self._positions[place] = records[-1].seq
                self._show(place, records, records[-1].seq - position - len(records))
                taken += len(records)
            full = full or len(entries) >= self._batch
        if not full:
            with self._board.fleet() as (fleet, _):
                fleet.ledger.caught_up = True
        return taken

    def drain(self, observer: Observer) -> None:
        """Take everything that is there now: a ledger that is stopped after the others is complete.

        Raises:
            PositionMoved, BusError: as for `step`.
        """
        tips = {place: observer.tip(place) for place in self._positions}
        while any(self._positions[place] < tip for place, tip in tips.items()):
            if not self.step(observer):
                break

    def _watch_tips(self, observer: Observer) -> None:
        """A stream that ends before our position was cut off: begin again, which takes back the rest."""
        now = self._board.clock()
        if now - self._tips_at < TIPS_S:
            return
        self._tips_at = now
        for place, position in self._positions.items():
            tip = observer.tip(place)
            if tip < position:
                raise BusError(f"{place} ends at {tip}, the ledger has {position}: reading again from there")

    def _show(self, place: Place, records: list[Record], missed: int) -> None:
        acknowledged = {}
        with self._board.fleet() as (fleet, now):
            for record in records:
                if record.row is not None:
                    fleet.trading.apply(record.row, now)
                if place.stream is Stream.CONTROLS and _clears_dead_letters(record, now):
                    acknowledged = fleet.acknowledge_dead()
            fleet.ledger.positions[place] = records[-1].seq
            fleet.ledger.missed += missed
        if missed:
            log.error(
                "events were trimmed before they were read", extra={"place": str(place), "events": missed}
            )
        self._ledger.acknowledge_dead(acknowledged)

    def _note_fault(self, error: Exception) -> None:
        log.warning("the ledger waits", extra={"reason": str(error)})
        with self._board.fleet() as (fleet, _):
            fleet.ledger.fault = str(error)


def _clears_dead_letters(record: Record, now: float) -> bool:
    if record.type != "Acknowledge" or record.row is None or record.row.columns["symbol"] != "*":
        return False
    return record.sent == 0 or now - record.sent / 1_000_000 < FRESH_S
