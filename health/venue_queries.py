"""What the ledger knows of orders and stops at the venue, for `health.venue` at a start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from bus_schemas.events import Leg, OrderState, PositionPhase
from health.schema import FILLS, ORDER_CHANGES, POSITION_CHANGES
from health.venue import UnknownOrder, VenueView, refusal

_NOTHING = (Decimal(0), Decimal("-0"))
"""Both spellings: on SQLite money is text."""


def load_venue(connection: sa.Connection, namespace: str, view: VenueView, now: float) -> None:
    """Fill in refusals, orders of unknown fate and times to a stop; alerts come with the halts."""
    t = ORDER_CHANGES.c
    rejected = sa.select(t.detail, sa.func.count()).where(
        t.namespace == namespace, t.state == OrderState.REJECTED.value
    )
    for detail, number in connection.execute(rejected.group_by(t.detail)):
        view.refusals[refusal(detail)] += number
    for client_id, symbol, leg, time in connection.execute(_unknown(namespace)):
        view.unknown[client_id] = UnknownOrder(client_id, symbol, leg, time, now)
    for signal_id, filled, protected, ended in connection.execute(_stops(namespace)):
        view.stops.filled(signal_id, filled)
        if protected is not None:
            view.stops.protected(signal_id, protected)
        if ended:
            view.stops.ended(signal_id)


def _unknown(namespace: str) -> sa.Select[Any]:
    """Orders whose newest change says that their fate is unknown, and when that began."""
    t, later = ORDER_CHANGES.c, ORDER_CHANGES.alias().c
    newer = sa.exists().where(
        later.namespace == t.namespace,
        later.place == t.place,
        later.client_id == t.client_id,
        later.state != OrderState.UNKNOWN.value,
        later.seq > t.seq,
    )
    return (
        sa.select(t.client_id, t.symbol, t.leg, sa.func.min(t.time))
        .where(t.namespace == namespace, t.state == OrderState.UNKNOWN.value, ~newer)
        .group_by(t.client_id, t.symbol, t.leg)
        .order_by(t.client_id)
    )


def _stops(namespace: str) -> sa.Select[Any]:
    """By signal: time of the first fill, of the first full stop after it, and whether it has ended."""
    fills, changes = FILLS.c, POSITION_CHANGES.c
    first = _first(FILLS, namespace, fills.leg == Leg.ENTRY.value)
    held = sa.and_(changes.protected, changes.quantity.not_in(_NOTHING), changes.phase.not_in(_ENDED))
    stop = _first(POSITION_CHANGES, namespace, held)
    over = _first(POSITION_CHANGES, namespace, changes.phase.in_(_ENDED))
    stopped = POSITION_CHANGES.alias()
    return (
        sa.select(
            fills.signal_id,
            sa.func.coalesce(fills.traded, fills.time),
            stopped.c.time,
            over.c.seq.is_not(None),
        )
        .select_from(FILLS)
        .join(first, sa.and_(fills.place == first.c.place, fills.seq == first.c.seq))
        .outerjoin(stop, first.c.signal_id == stop.c.signal_id)
        .outerjoin(
            stopped,
            sa.and_(
                stopped.c.namespace == namespace,
                stopped.c.place == stop.c.place,
                stopped.c.seq == stop.c.seq,
            ),
        )
        .outerjoin(over, first.c.signal_id == over.c.signal_id)
        .where(fills.namespace == namespace)
        .order_by(fills.place, fills.seq)
    )


def _first(table: sa.Table, namespace: str, where: sa.ColumnElement[bool]) -> sa.Subquery:
    """By signal: place and number of the first row that meets the condition."""
    t = table.c
    return (
        sa.select(t.signal_id, sa.func.min(t.place).label("place"), sa.func.min(t.seq).label("seq"))
        .where(t.namespace == namespace, where)
        .group_by(t.signal_id)
        .subquery()
    )


_ENDED = (PositionPhase.CLOSED.value, PositionPhase.ABANDONED.value)
