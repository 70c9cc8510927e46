"""From raw entries to a batch in its one order: (event time, stream rank, part, number)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from bus_schemas.bus.port import Entry
from bus_schemas.codec import decode
from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.topology import STREAM_SPECS

Order = tuple[int, int, str, int]


class Item(msgspec.Struct, frozen=True, gc=False):
    """One input of a batch: the event, or why it could not be decoded."""

    entry: Entry
    event: Event | None
    error: str = ""


def arrange(entries: Sequence[Entry], limit: int) -> list[Item]:
    """Merge the streams of a unit's inputs, each of them in its own order.

    Within a stream numbers decide, so an event whose time lies before its predecessor's counts with
    the predecessor's time. Where a stream was cut off at `limit`, nothing beyond its last entry is
    taken from the others: what it still holds may come before that.

    Args:
        entries: grouped by stream, each group in order, as `Bus.read` returns them.
        limit: the cap that they were read with.
    """
    items = []
    for entry in entries:
        try:
            items.append(Item(entry, decode(*entry)))
        except CodecError as fault:
            items.append(Item(entry, None, str(fault)))
    if not items or entries[0].place is entries[-1].place:
        return items
    streams = [[*_timed(list(group))] for _, group in groupby(items, key=_place)]
    if len(streams) == 1:
        return items
    cut = [stream[-1][0] for stream in streams if len(stream) >= limit]
    merged = sorted((pair for stream in streams for pair in stream), key=itemgetter(0))
    horizon = min(cut, default=None)
    return [item for order, item in merged if horizon is None or order <= horizon]


def first_time(items: Sequence[Item]) -> list[Item]:
    """The items of a batch's first event time. A broken one counts with its predecessor's time."""
    first: int | None = None
    for n, item in enumerate(items):
        if item.event is None:
            continue
        if first is None:
            first = item.event.body.time
        elif item.event.body.time > first:
            return list(items[:n])
    return list(items)


def _timed(items: Sequence[Item]) -> Iterator[tuple[Order, Item]]:
    place = items[0].entry.place
    rank = STREAM_SPECS[place.stream].rank
    latest = 0
    for item in items:
        if rank and item.event is not None and item.event.body.time > latest:
            latest = item.event.body.time
        yield (latest, rank, place.part, item.entry.seq), item


def _place(item: Item) -> object:
    return item.entry.place
