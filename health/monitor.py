"""Consumer groups that show the readers' lag to ordinary Redis tools.

Causeway reads without groups: the truth is the position stored beside a unit's state. A group named
after the reader is moved behind it on each of its input streams, so that `XINFO GROUPS` shows the lag.
"""

from __future__ import annotations

import redis

from bus_schemas.bus.redis_link import Link, translated
from bus_schemas.names import Names
from bus_schemas.settings import Settings
from bus_schemas.topology import Place
from health.fleet import Look


class Groups:
    """Moves the groups of one namespace. Used by one thread.

    A group is made only on a stream that exists, and only one that moved is set.

    Args:
        link: connections of its own.
        names: of the namespace.
    """

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names
        self._client = link.client()
        self._set: dict[tuple[str, Place], int] = {}

    def follow(self, look: Look) -> int:
        """Set each group to its reader's position; returns how many were set.

        Raises:
            BusError: the server does not answer or refuses, for example by its access list.
        """
        due = [
            (unit.reader, place, position)
            for unit, read in sorted(look.positions.items())
            for place, position in read.items()
            if look.tips.get(place, 0) > 0 and position <= look.tips[place]
            if self._set.get((unit.reader, place)) != position
        ]
        with translated():
            for group, place, position in due:
                self._move(group, place, position)
        return len(due)

    def close(self) -> None:
        """Give the connections back."""
        self._link.close()

    def _move(self, group: str, place: Place, position: int) -> None:
        at = (self._names.stream(place), group, f"{position}-0", "ENTRIESREAD", position)
        try:
            self._client.execute_command("XGROUP", "SETID", *at)
        except redis.exceptions.ResponseError as error:
            text = str(error)
            if "NOGROUP" in text:
                self._client.execute_command("XGROUP", "CREATE", *at)
            elif "requires the key to exist" not in text:
                raise
            else:
                return  # the stream has gone since the look: the next one tells
        self._set[group, place] = position


def groups_for(settings: Settings) -> Groups:
    """The groups of the configured namespace, with connections of their own."""
    bus = settings.bus
    return Groups(Link(bus.url.get_secret_value(), bus.timeout_s), Names(bus.namespace))
