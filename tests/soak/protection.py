"""How long positions were without a stop: by the venue's history, and as it was told on the bus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bus_schemas.events import Fill, Leg, OrderKind, PositionChanged
from bus_schemas.topology import Stream
from execution.simulator.orders import SimFill, SimOrder
from tests.soak.configuration import STOP_DEADLINE_S
from tests.soak.record import Record
from tests.soak.verdict import Check

SLACK_S = 10.0
"""What a restart, a look and a closing order may take beyond the deadline."""
NEVER = 1 << 62
Interval = tuple[int, int]


def bare_intervals(fills: Sequence[SimFill], orders: Sequence[SimOrder]) -> list[Interval]:
    """Venue's milliseconds in which a symbol had a position and no living stop at all. Pure."""
    found: list[Interval] = []
    for symbol in sorted({fill.symbol for fill in fills}):
        stops = [
            (order.created, NEVER if order.alive else order.updated)
            for order in orders
            if order.symbol == symbol and order.kind is OrderKind.STOP
        ]
        for held in _held([fill for fill in fills if fill.symbol == symbol]):
            found += without(held, stops)
    return sorted(found)


def _held(fills: Sequence[SimFill]) -> Iterator[Interval]:
    """When there was a position."""
    since: int | None = None
    for fill in fills:
        if fill.position and since is None:
            since = fill.time
        elif not fill.position and since is not None:
            yield since, fill.time
            since = None
    if since is not None:
        yield since, fills[-1].time


def without(whole: Interval, parts: Sequence[Interval]) -> list[Interval]:
    """What is left of an interval when these are taken out of it. Pure."""
    left, at = [], whole[0]
    for begin, end in sorted(parts):
        if begin > at and at < whole[1]:
            left.append((at, min(begin, whole[1])))
        at = max(at, end)
    if at < whole[1]:
        left.append((at, whole[1]))
    return left


def to_first_stop(record: Record) -> list[float]:
    """Venue's milliseconds from a position's first fill to its first acknowledged stop over all of it."""
    first: dict[str, int] = {}
    done: dict[str, int] = {}
    for event in record.events[Stream.EXECUTIONS]:
        body = event.body
        if isinstance(body, Fill) and body.leg is Leg.ENTRY:
            first.setdefault(body.signal_id, body.traded or body.time)
        elif (
            isinstance(body, PositionChanged) and body.protected and body.quantity and body.signal_id in first
        ):
            done.setdefault(body.signal_id, body.time - first[body.signal_id])
    return sorted(float(time) for time in done.values())


def protection(
    record: Record, fills: Sequence[SimFill], orders: Sequence[SimOrder], rate: float, loaded: int
) -> Check:
    """No position without a stop for longer than the deadline; maintenance does not count."""
    outages = [
        (
            round(loaded + (f.at - record.began) * 1000 * rate),
            round(loaded + (f.until - record.began) * 1000 * rate),
        )
        for f in record.firings
        if f.name == "maintenance" and f.operation == "*" and f.until - f.at > 1
    ]
    told = [ms / rate / 1000 for ms in to_first_stop(record)]
    lengths, check = [], Check(name="protection: a stop within the deadline")
    for bare in bare_intervals(fills, orders):
        length = sum(end - begin for begin, end in without(bare, outages)) / rate / 1000
        lengths.append((bare[1] - bare[0]) / rate / 1000)
        if length > STOP_DEADLINE_S + SLACK_S:
            begun = (bare[0] - loaded) / rate / 1000
            check.wrong.append(f"no stop at the venue for {length:.1f} s from second {begun:.0f} on")
    lengths.sort()
    if lengths and told:
        check.seen = (
            f"without a stop at the venue: median {_at(lengths, 0.5):.2f} s, longest {lengths[-1]:.2f} s; "
            f"first fill to live stop as told: median {_at(told, 0.5):.2f} s, longest {told[-1]:.2f} s "
            f"({len(told)} positions; seconds of ours, the venue's run {rate:g} times as fast)"
        )
    return check


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]
