"""What is read from the ledger: the state of trading at start, and the API's lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from health.database import translated
from health.rows import Columns, Row
from health.schema import DEAD_ACKNOWLEDGED, DECISIONS, EQUITY, FILLS, HALTS, POSITION_CHANGES, TRADES
from health.trading import LATEST, Trading
from health.venue_queries import load_venue

_CHUNK = 2000


class Queries:
    """Read-only questions about one namespace. Shared by threads.

    Every method raises `Unreachable` where the database does not answer.

    Args:
        engine: of a database at the newest schema.
        namespace: of the bus.
    """

    def __init__(self, engine: sa.Engine, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace

    def load(self, now: float) -> Trading:
        """The state of trading as of the rows that are there."""
        trading = Trading()
        with translated(self._engine.url), self._engine.begin() as connection:
            for table in (POSITION_CHANGES, HALTS, TRADES, EQUITY):
                for columns in self._replayed(connection, table):
                    trading.apply(Row(table.name, columns), now)
            trading.fills = self._count(connection, FILLS)
            self._decisions(connection, trading)
            load_venue(connection, self._namespace, trading.venue, now)
        trading.notices.clear()
        trading.notices.extend(reversed(self._newest(HALTS, LATEST, HALTS.c.kind != "VenueAlert")))
        return trading

    def dead_acknowledged(self) -> dict[str, int]:
        """Dead letters that a person has acknowledged, by unit."""
        table = DEAD_ACKNOWLEDGED.c
        query = sa.select(table.unit, table.letters).where(table.namespace == self._namespace)
        with translated(self._engine.url), self._engine.begin() as connection:
            return dict(connection.execute(query).all())

    def trades(self, symbol: str | None, limit: int) -> list[Columns]:
        """Closed trades, newest first."""
        return self._newest(TRADES, limit, symbol=symbol)

    def decisions(
        self, symbol: str | None, stage: str | None, outcome: str | None, signal_id: str | None, limit: int
    ) -> list[Columns]:
        """Decisions with their reasons and evidence, newest first."""
        return self._newest(
            DECISIONS, limit, symbol=symbol, stage=stage, outcome=outcome, signal_id=signal_id
        )

    def halts(self, limit: int) -> list[Columns]:
        """Halts, controls and the venue's alerts, newest first."""
        return self._newest(HALTS, limit)

    def _newest(
        self, table: sa.Table, limit: int, *also: sa.ColumnElement[bool], **where: str | None
    ) -> list[Columns]:
        given = [*also, *(table.c[name] == value for name, value in where.items() if value is not None)]
        query = (
            sa.select(table)
            .where(table.c.namespace == self._namespace, *given)
            .order_by(table.c.time.desc(), table.c.place.desc(), table.c.seq.desc())
            .limit(limit)
        )
        with translated(self._engine.url), self._engine.begin() as connection:
            return [_columns(row) for row in connection.execute(query).mappings()]

    def _replayed(self, connection: sa.Connection, table: sa.Table) -> Iterator[Columns]:
        """Every row of a table in the order of its streams; of positions only what is current."""
        source = _current(table) if table is POSITION_CHANGES else sa.select(table)
        query = source.where(table.c.namespace == self._namespace).order_by(table.c.place, table.c.seq)
        for row in connection.execute(query, execution_options={"yield_per": _CHUNK}).mappings():
            yield _columns(row)

    def _count(self, connection: sa.Connection, table: sa.Table) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.namespace == self._namespace)
        return int(connection.execute(query).scalar_one())

    def _decisions(self, connection: sa.Connection, trading: Trading) -> None:
        t = DECISIONS.c
        mine = t.namespace == self._namespace
        grouped = sa.select(t.stage, t.outcome, t.reason, sa.func.count()).where(mine)
        for stage, outcome, reason, number in connection.execute(
            grouped.group_by(t.stage, t.outcome, t.reason)
        ):
            trading.decisions[stage, outcome, reason] = number
        newest = (t.time.desc(), t.place.desc(), t.seq.desc())
        taken = sa.select(DECISIONS).where(mine, t.outcome != "none").order_by(*newest).limit(LATEST)
        trading.latest.extend(reversed([_columns(row) for row in connection.execute(taken).mappings()]))
        strategy = sa.and_(mine, t.stage == "strategy")
        last = sa.select(t.symbol, sa.func.max(t.time)).where(strategy).group_by(t.symbol)
        for symbol, time in connection.execute(last).all():
            found = sa.select(DECISIONS).where(strategy, t.symbol == symbol, t.time == time).order_by(t.seq)
            for row in connection.execute(found).mappings():
                trading.last_assessments[symbol] = _columns(row)


def _current(table: sa.Table) -> sa.Select[Any]:
    other = table.alias()
    newest = (
        sa.select(sa.func.max(other.c.seq))
        .where(
            other.c.namespace == table.c.namespace,
            other.c.place == table.c.place,
            other.c.symbol == table.c.symbol,
        )
        .scalar_subquery()
    )
    return sa.select(table).where(table.c.seq == newest)


def _columns(row: sa.RowMapping) -> Columns:
    return {name: value for name, value in row.items() if name not in ("namespace", "place", "seq")}
