"""Stream entries of dead letters as fields, for every implementation."""

from __future__ import annotations

from collections.abc import Mapping

from bus_schemas.bus.port import DeadLetter
from bus_schemas.topology import Place, Stream

MOST_FIELDS = 1000
"""Most fields of a broken entry that its dead letter keeps: one Lua call takes fewer than 8000 values,
and the commit must not fail on an entry that somebody filled with rubbish."""

_OWN = (b"stream", b"seq", b"error", b"attempts")


def dead_fields(letter: DeadLetter) -> dict[bytes, bytes]:
    """The letter's own fields, then the original entry's with a prefix."""
    own = (str(letter.place), str(letter.seq), letter.error, str(letter.attempts))
    fields = dict(zip(_OWN, (value.encode("utf-8", "backslashreplace") for value in own), strict=True))
    kept = dict(list(letter.fields.items())[:MOST_FIELDS])
    return fields | {b"was." + name: value for name, value in kept.items()}


def dead_letter(fields: Mapping[bytes, bytes]) -> DeadLetter:
    """The letter of an entry."""
    return DeadLetter(
        place_of(fields[b"stream"].decode()),
        int(fields[b"seq"]),
        fields[b"error"].decode(),
        int(fields[b"attempts"]),
        {name[4:]: value for name, value in fields.items() if name.startswith(b"was.")},
    )


def place_of(text: str) -> Place:
    """The place of its written form, such as `candles.p3`."""
    stream, part = text.split(".", 1)
    return Place(Stream(stream), part)
