"""Interfaces of venues that are switched off on a day that was announced."""

from __future__ import annotations

import msgspec

from bus_schemas.events import Millis
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.purpose import practice
from bus_schemas.timeframes import DAY, parse_time


class Ending(msgspec.Struct, frozen=True):
    """The announced end of an interface.

    Attributes:
        day: the first without it, UTC.
        what: is switched off.
        link: where the venue says so.
    """

    day: str
    what: str
    link: str

    def days_left(self, now: Millis) -> int:
        """Whole days until that day begins; below zero once it has begun."""
        return (parse_time(self.day) - 1 - now) // DAY


_ENDINGS = {
    "krakenfutures": Ending(
        day="2027-03-01",
        what="the Derivatives REST API and websocket",
        link="https://docs.kraken.com/exchange/api-reference/futures-rest",
    )
}


def ending(venue: VenueSettings) -> Ending | None:
    """The announced end of what orders to this venue go through; None where there is none, or no money."""
    return None if practice(venue) else _ENDINGS.get(venue.name)
