"""From raw entries to a batch in its one order: (event time, stream rank, part, number)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from bus_schemas.bus.port import Entry
from bus_schemas.codec import decode
from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.topology import STREAM_SPECS

Order = tuple[int, int, str, int]


class Item(NamedTuple):
    """One input of a batch: the event, or why it could not be decoded."""

    order: Order
    entry: Entry
    event: Event | None
    error: str


def arrange(entries: Sequence[Entry], limit: int) -> list[Item]:
    """Merge the streams of a unit's inputs, each of them in its own order.

    Within a stream numbers decide, so an event whose time lies before its predecessor's counts with
    the predecessor's time. Where a stream was cut off at `limit`, nothing beyond its last entry is
    taken from the others: what it still holds may come before that.

    Args:
        entries: grouped by stream, each group in order, as `Bus.read` returns them.
        limit: the cap that they were read with.
    """
    streams = [[*_timed(list(group))] for _, group in groupby(entries, key=_place)]
    if len(streams) == 1:
        return streams[0]
    cut = [stream[-1].order for stream in streams if len(stream) >= limit]
    merged = sorted((item for stream in streams for item in stream), key=_order)
    if not cut:
        return merged
    horizon = min(cut)
    return [item for item in merged if item.order <= horizon]


def _timed(entries: Sequence[Entry]) -> list[Item]:
    place = entries[0].place
    rank = STREAM_SPECS[place.stream].rank
    latest = 0
    items = []
    for entry in entries:
        event: Event | None = None
        error = ""
        try:
            event = decode(place, entry.seq, entry.fields)
            if rank and event.body.time > latest:
                latest = event.body.time
        except CodecError as fault:
            error = str(fault)
        items.append(Item((latest, rank, place.part, entry.seq), entry, event, error))
    return items


def _place(entry: Entry) -> object:
    return entry.place


def _order(item: Item) -> Order:
    return item.order
