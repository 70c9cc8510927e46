"""What every event body shares."""

from __future__ import annotations

import msgspec

Millis = int
"""Milliseconds since 1970-01-01 UTC."""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event's body: frozen, one JSON object on the wire, fields at their defaults left out.

    Unknown fields are ignored, so a reader of an older release takes a newer writer's events.

    Attributes:
        time: event time in milliseconds UTC. Never the wall clock of a decider.
    """

    time: Millis


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value inside a body."""
