"""Buses with a guard taken out, to show that the harm it keeps away is real."""

from __future__ import annotations

from typing import Any

from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link, Script

COMMIT_GUARDS = {
    "fence": ["if call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 'FENCED' end"],
    "counter": [
        "if stored == counter then return 'APPLIED' end",
        "if stored ~= counter - 1 then return 'COUNTER ' .. stored end",
    ],
    "number": ["if last ~= first - 1 then return "],
    "position": ["if position > last then return "],
}
"""By guard: the lines of the commit script that are the guard, or how they begin."""


def without(bus: RedisBus, guard: str) -> RedisBus:
    """The same bus, its commit script bare of one guard."""
    lines = bus._commit.source.splitlines()
    for start in COMMIT_GUARDS[guard]:
        hits = [line for line in lines if line.strip().startswith(start)]
        assert len(hits) == 1, f"the guard {guard!r} stands {len(hits)} times in the script: {start}"
        lines.remove(hits[0])
    bus._commit = Script("\n".join(lines))
    return bus


class CarelessLink(Link):
    """A link that does not ask which server process it talks to."""

    def _greet(self, connection: Any) -> None:
        connection.on_connect()
