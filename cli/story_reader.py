"""Reads what happens from the bus and tells it line by line, from now on."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence

from bus_schemas.bus.port import Entry, Observer
from bus_schemas.codec import decode
from bus_schemas.decider import Keyed
from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.events import AccountSnapshot, AlertCode, VenueAlert
from bus_schemas.topology import Place, Stream
from cli.live_story import ACCOUNT, held, line, sentence
from execution.records import Position

PAGE = 500
"""Most entries of a stream that one look reads; what is left waits for the next."""
LINES = 20
"""Most lines of one look. The newest are told: they say how things stand."""


class StoryReader:
    """Tells what is new on the streams of risk and of the order manager.

    Args:
        observer: of the run.
        say: gets each line.

    Attributes:
        compared: the account was compared with the venue's since the first look.
    """

    def __init__(self, observer: Observer, say: Callable[[str], None]) -> None:
        self._observer = observer
        self._say = say
        self._at: dict[Place, int] = {}
        self._away_since: float | None = None
        self.compared = False

    def look(self) -> None:
        """Tell what has come since the last look. The first one only takes note of where the streams end.

        Raises:
            Disconnected: the server is away; the next look goes on where this one did.
        """
        if not self._at:
            # orders first: of two events of one moment the decision comes before what follows from it
            streams = (Stream.ORDERS, Stream.EXECUTIONS)
            places = [place for stream in streams for place in self._observer.topology.places(stream)]
            self._at = {place: self._observer.tip(place) for place in places}
            return
        pages = [self._page(place) for place in self._at]  # all or none: a server may go between two
        for page in pages:
            if page:
                self._at[page[-1].place] = page[-1].seq
        lines = [
            told
            for event in heapq.merge(*map(_decoded, pages), key=lambda event: (event.sent, event.body.time))
            if (told := self._heard(event))
        ]
        if left_out := len(lines[:-LINES]):
            self._say(f"{left_out} more lines came before these; run.py status shows what holds now")
        for told in lines[-LINES:]:
            self._say(told)

    def _page(self, place: Place) -> Sequence[Entry]:
        page = self._observer.range(place, self._at[place], PAGE)
        if not page:
            # a server that lost its last moments counts on from where it is
            self._at[place] = min(self._at[place], self._observer.tip(place))
        return page

    def _heard(self, event: Event) -> str | None:
        body = event.body
        if isinstance(body, AccountSnapshot):
            self.compared = True
        elif isinstance(body, VenueAlert) and body.code is AlertCode.UNREACHABLE:
            self._away_since = time.time()
        return sentence(body)

    def seen(self, moment: float | None) -> None:
        """Take when the venue's account was last seen, in seconds since 1970, where that is known.

        Raises:
            Disconnected: the server is away.
        """
        if self._away_since is None or moment is None or moment <= self._away_since:
            return
        told = line(self._venue_time(moment), ACCOUNT, "answers again: the account was seen")
        self._away_since = None
        self._say(told)

    def _venue_time(self, otherwise: float) -> int:
        """The venue's time as last reported: a simulated venue's is not ours."""
        (place,) = self._observer.topology.places(Stream.REPORTS)
        newest = self._observer.range(place, max(0, self._observer.tip(place) - 1), 1)
        times = [event.body.time for event in _decoded(newest)]
        return times[0] if times else round(otherwise * 1000)

    def held(self) -> str:
        """What is held now, as the order manager has stored it.

        Raises:
            Disconnected: the server is away.
        """
        positions: Keyed[Position] = Keyed("position", Position, _none)
        found = []
        for unit in self._observer.topology.units("manager"):
            positions.load(self._observer.state(unit))
            found += [positions.get(symbol) for symbol in positions.known()]
        return held(found)


def _decoded(page: Sequence[Entry]) -> Iterator[Event]:
    """An entry that does not decode, or is of a newer release, is left to the dead letters."""
    for entry in page:
        try:
            yield decode(*entry)
        except CodecError:
            continue


def _none(symbol: str) -> Position:
    raise KeyError(symbol)
