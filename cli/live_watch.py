"""What a live run tells while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console

from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.errors import Disconnected
from bus_schemas.events import Heartbeat, Millis
from bus_schemas.settings import VenueSettings
from bus_schemas.timeframes import DAY
from bus_schemas.venues.ending import ending
from cli import beats, gates
from cli.report import holding
from cli.story_reader import StoryReader

EVERY_S = 1.0
TELL_AGAIN_S = 30.0
"""Between two sentences about a server that does not answer."""


class Said:
    """Sentences for a person, or for the log of a platform.

    Args:
        console: the stream.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, sentence: str) -> None:
        self.console.print(sentence, highlight=False, markup=False, emoji=False, soft_wrap=True)


class Countdown:
    """Tells each UTC day, in a venue's last weeks and after, that it ends: a run may go on for months.

    Args:
        venue: that is traded.
        say: gets the sentence.
        now: this machine's time.
    """

    def __init__(
        self,
        venue: VenueSettings,
        say: Callable[[str], None],
        now: Callable[[], Millis] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._venue, self._say, self._now = venue, say, now
        self._end = ending(venue)
        self._day = now() // DAY

    def look(self) -> None:
        """Say it, if it is another day; the gates said it at the start."""
        now = self._now()
        if self._end is None or now // DAY == self._day:
            return
        self._day = now // DAY
        if self._end.days_left(now) < gates.LAST_DAYS:
            look = gates.ending(self._venue, self._end, now)
            self._say(f"{look.what}: {look.mend}")


class Watch:
    """Tells what changes in a run: services, health's address, halts, and what happens to orders.

    Args:
        bus: of the run.
        said: gets the sentences.
        services: that there should be.
    """

    def __init__(self, bus: RedisBus, said: Said, services: Sequence[str]) -> None:
        self._bus = bus
        self._said = said
        self._wanted = set(services)
        self._ready: set[str] = set()
        self._halts: set[str] = set()
        self._address = ""
        self._story = StoryReader(bus, said.say)
        self._told_held = False
        self._due = self._told = 0.0

    def look(self) -> None:
        """Look, if it is time again. Does not raise where the server is away."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + EVERY_S
        try:
            found = beats.newest(self._bus)
            self._services(found)
            self._holding()
            self._orders(found)
        except Disconnected as error:
            self._bus.reset()
            if now - self._told > TELL_AGAIN_S:
                self._told = now
                self._said.say(f"waiting for the server: {error}")

    def _services(self, found: Sequence[Heartbeat]) -> None:
        ready = {beat.service for beat in beats.working(found) if beat.status == "ready"} & self._wanted
        address = beats.served(found)
        if address and address != self._address:
            self._said.say(f"health is served on http://{address}/")
            self._address = address
        if ready != self._ready and (ready == self._wanted or self._ready == self._wanted):
            missing = ", ".join(sorted(self._wanted - ready))
            self._said.say(f"not ready any more: {missing}" if missing else "ready: every service works")
        self._ready = ready

    def _holding(self) -> None:
        halts = {f"{halt.symbol}: {halt.reason.value} ({halt.detail})" for halt in holding(self._bus)}
        for halt in sorted(halts - self._halts):
            self._said.say(f"halted: {halt}")
        for halt in sorted(self._halts - halts):
            self._said.say(f"released: {halt}")
        self._halts = halts

    def _orders(self, found: Sequence[Heartbeat]) -> None:
        self._story.look()
        self._story.seen(beats.venue_seen(found))
        if self._story.compared and not self._told_held and self._ready == self._wanted:
            self._said.say(self._story.held())
            self._told_held = True
