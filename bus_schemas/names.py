"""Every key and channel name, in one place. The hash tag keeps a partition in one cluster slot."""

from __future__ import annotations

import re

from bus_schemas.errors import ConfigurationError
from bus_schemas.topology import Place, Stream, Unit


class Names:
    """Key names of one namespace.

    Args:
        namespace: such as `paper`; letters, digits, `-` and `_`.

    Raises:
        ConfigurationError: the namespace has other characters, which could move a key's hash tag.
    """

    def __init__(self, namespace: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", namespace):
            raise ConfigurationError(f"{namespace!r} is not a namespace: 1 to 64 letters, digits, - and _")
        self.namespace = namespace
        self._root = f"cw:{namespace}:"

    def stream(self, place: Place) -> str:
        """Key of an event stream."""
        if place.stream in (Stream.CONTROLS, Stream.HEARTBEATS):
            return f"{self._root}{place.stream.value}"
        return f"{self._root}{{{place.part}}}:{place.stream.value}"

    def _of(self, unit: Unit, what: str) -> str:
        return f"{self._root}{{{unit.part}}}:{what}:{unit.reader}"

    def state(self, unit: Unit) -> str:
        """Hash: the decider's state by key."""
        return self._of(unit, "state")

    def positions(self, unit: Unit) -> str:
        """Hash: number of the last event read, by input."""
        return self._of(unit, "positions")

    def meta(self, unit: Unit) -> str:
        """Hash: commit counter, epoch, dead letters in a row."""
        return self._of(unit, "meta")

    def lease(self, unit: Unit) -> str:
        """Hash with an expiry: epoch, nonce, host and slot of the owner."""
        return self._of(unit, "lease")

    def journal(self, unit: Unit) -> str:
        """Stream: the order in which inputs were taken, one entry a commit."""
        return self._of(unit, "journal")

    def dead(self, unit: Unit) -> str:
        """Stream: events that could not be handled."""
        return self._of(unit, "dead")

    def members(self, reader: str) -> str:
        """Sorted set: live replicas of a reader by the time of their last sign of life."""
        return f"{self._root}members:{reader}"

    @property
    def topology(self) -> str:
        """String: the declared topology as JSON."""
        return f"{self._root}topology"

    @property
    def run(self) -> str:
        """String: fingerprint of the run over files that the namespace holds."""
        return f"{self._root}run"

    @property
    def feed_step(self) -> str:
        """String: the feed's last step in lockstep."""
        return f"{self._root}step"

    @property
    def turns(self) -> str:
        """String: tips and positions side by side, for lockstep's look at the end of a commit."""
        return f"{self._root}turns"

    def turn(self, reader: str) -> str:
        """Channel: lockstep's hints to one reader."""
        return f"{self._root}turn:{reader}"
