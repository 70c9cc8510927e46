"""Tables of the ledger. Every row says which event it was made from: namespace, stream place, number.

A row is a fact of the stream and never changes by itself; what is current (an order's state, an open
position) is a view over the newest facts. So nothing can be doubled by reading an event again, and
what an event that no longer exists had left behind is taken away by its number.

Times are milliseconds since 1970 UTC, event time. `sent` is the server's wall clock in microseconds.
"""

from __future__ import annotations

import sqlalchemy as sa

from health.types import Document, Money, Words

METADATA = sa.MetaData()


def _place() -> tuple[sa.Column[str], sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def _facts(name: str, *columns: sa.Column[object] | sa.Index) -> sa.Table:
    return sa.Table(name, METADATA, *_place(), sa.Column("time", sa.BigInteger, nullable=False), *columns)


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, Words, nullable=False)


def _money(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, Money, nullable=nullable)


STREAM_POSITIONS = sa.Table(
    "stream_positions",
    METADATA,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("missed", sa.BigInteger, nullable=False),
)
"""How far each stream is in the ledger, moved in the transaction that writes the rows. `missed`
counts numbers that were trimmed before the ledger read them."""

EVENTS = sa.Table(
    "events",
    METADATA,
    *_place(),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("sent", sa.BigInteger, nullable=False),
    sa.Column("trace", Words, nullable=False),
    sa.Column("cause", Words, nullable=False),
    sa.Index("events_trace", "namespace", "trace"),
)
"""One row for each event of a ledger stream, with a hash of its content. Type `?`: not decodable."""

ORDER_CHANGES = _facts(
    "order_changes",
    *map(_text, ("client_id", "signal_id", "symbol", "side", "leg", "kind", "state")),
    _money("quantity"),
    _money("filled"),
    _money("price", nullable=True),
    _money("trigger", nullable=True),
    sa.Column("reduce_only", sa.Boolean, nullable=False),
    _text("detail"),
    sa.Index("order_changes_client_id", "namespace", "client_id", "seq"),
)

FILLS = _facts(
    "fills",
    *map(_text, ("client_id", "signal_id", "symbol", "side", "leg", "fill_id", "liquidity")),
    *map(_money, ("price", "quantity", "fee", "profit", "position")),
    sa.Column("traded", sa.BigInteger),
    sa.Index("fills_symbol", "namespace", "symbol", "time"),
)

POSITION_CHANGES = _facts(
    "position_changes",
    *map(_text, ("signal_id", "symbol", "side", "phase")),
    *map(_money, ("quantity", "entry_price", "reserved")),
    _money("stop", nullable=True),
    sa.Column("protected", sa.Boolean, nullable=False),
    sa.Index("position_changes_symbol", "namespace", "symbol", "seq"),
)

TRADES = _facts(
    "trades",
    *map(_text, ("signal_id", "symbol", "side", "reason")),
    *map(_money, ("quantity", "entry_price", "exit_price", "profit", "fees", "funding", "net")),
    sa.Column("opened", sa.BigInteger, nullable=False),
    sa.Index("trades_time", "namespace", "time"),
)

FUNDING = _facts("funding", *map(_text, ("signal_id", "symbol")), *map(_money, ("amount", "rate")))

DECISIONS = _facts(
    "decisions",
    *map(_text, ("stage", "outcome", "reason", "symbol", "side", "signal_id", "detail")),
    sa.Column("numbers", Document),
    sa.Column("evidence", Document),
    sa.Index("decisions_time", "namespace", "time"),
    sa.Index("decisions_symbol", "namespace", "symbol", "time"),
    sa.Index("decisions_reason", "namespace", "stage", "outcome", "reason"),
)
"""Why a trade was taken or not. Stage `strategy`: one row for each decision candle, outcome `signal`
or `none`. Stage `risk`: one row for each signal, outcome `approved` or `refused`."""

EQUITY = _facts(
    "equity",
    *map(_money, ("cash", "equity", "peak")),
    sa.Column("positions", Document),
    sa.Index("equity_time", "namespace", "time"),
)
"""Account snapshots; `peak` is the highest equity up to and with this row."""

HALTS = _facts(
    "halts",
    *map(_text, ("kind", "symbol", "reason", "detail", "by")),
    sa.Column("until", sa.BigInteger),
    sa.Index("halts_time", "namespace", "time"),
)
"""Halts, what asked for them, what ended them, and the venue's alerts; `kind` is the event's type."""

DEAD_ACKNOWLEDGED = sa.Table(
    "dead_acknowledged",
    METADATA,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("unit", sa.Text, primary_key=True),
    sa.Column("letters", sa.BigInteger, nullable=False),
)
"""How many dead letters of a unit a person has acknowledged."""

FACTS: dict[str, sa.Table] = {
    table.name: table
    for table in (
        *(EVENTS, ORDER_CHANGES, FILLS, POSITION_CHANGES, TRADES, FUNDING, DECISIONS, EQUITY, HALTS),
    )
}
"""Every table whose rows are keyed by an event."""

VIEWS = {
    "orders": ("order_changes", "client_id"),
    "positions": ("position_changes", "symbol"),
}
"""By view: the newest fact of a table for each value of a column."""
