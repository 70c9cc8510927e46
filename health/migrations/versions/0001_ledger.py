"""The ledger's first tables.

A migration is frozen: it says its columns itself and does not import the schema of today.

Revision ID: 0001
Revises:
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

VIEWS = {"orders": ("order_changes", "client_id"), "positions": ("position_changes", "symbol")}


def facts(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns,
    )


def time(name: str = "time", nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def text(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def money(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, MONEY, nullable=nullable) for name in names]


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    op.create_table(
        "stream_positions",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("missed", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dead_acknowledged",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("unit", sa.Text, primary_key=True),
        sa.Column("letters", sa.BigInteger, nullable=False),
    )
    facts("events", *text("type", "hash"), time("sent"), *text("trace", "cause"))
    facts(
        "order_changes",
        time(),
        *text("client_id", "signal_id", "symbol", "side", "leg", "kind", "state"),
        *money("quantity", "filled"),
        *money("price", "trigger", nullable=True),
        flag("reduce_only"),
        *text("detail"),
    )
    facts(
        "fills",
        time(),
        *text("client_id", "signal_id", "symbol", "side", "leg", "fill_id", "liquidity"),
        *money("price", "quantity", "fee", "profit", "position"),
    )
    facts(
        "position_changes",
        time(),
        *text("signal_id", "symbol", "side", "phase"),
        *money("quantity", "entry_price", "reserved"),
        *money("stop", nullable=True),
        flag("protected"),
    )
    facts(
        "trades",
        time(),
        *text("signal_id", "symbol", "side", "reason"),
        *money("quantity", "entry_price", "exit_price", "profit", "fees", "funding", "net"),
        time("opened"),
    )
    facts("funding", time(), *text("signal_id", "symbol"), *money("amount", "rate"))
    facts(
        "decisions",
        time(),
        *text("stage", "outcome", "reason", "symbol", "side", "signal_id", "detail"),
        sa.Column("numbers", DOCUMENT),
        sa.Column("evidence", DOCUMENT),
    )
    facts("equity", time(), *money("cash", "equity", "peak"), sa.Column("positions", DOCUMENT))
    facts("halts", time(), *text("kind", "symbol", "reason", "detail", "by"), time("until", nullable=True))
    for table, columns in INDEXES:
        op.create_index(f"{table}_{columns[0] if columns[0] != 'stage' else 'reason'}", table, ["namespace", *columns])
    for view, (table, key) in VIEWS.items():
        op.execute(
            f"CREATE VIEW {view} AS SELECT * FROM {table} newest WHERE newest.seq = (SELECT max(other.seq) "
            f"FROM {table} other WHERE other.namespace = newest.namespace AND other.place = newest.place "
            f"AND other.{key} = newest.{key})"
        )


INDEXES = (
    ("events", ["trace"]),
    ("order_changes", ["client_id", "seq"]),
    ("fills", ["symbol", "time"]),
    ("position_changes", ["symbol", "seq"]),
    ("trades", ["time"]),
    ("decisions", ["time"]),
    ("decisions", ["symbol", "time"]),
    ("decisions", ["stage", "outcome", "reason"]),
    ("equity", ["time"]),
    ("halts", ["time"]),
)


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for table in dict.fromkeys(table for table, _ in INDEXES):
        op.drop_table(table)
    for table in ("funding", "dead_acknowledged", "stream_positions"):
        op.drop_table(table)
