"""The SQL ledger: rows and stream positions in one transaction.

A batch is applied only to the position that it was read from. So an event that is read again, by
this process after a crash or by another one beside it, adds nothing.

A server that was restarted may have lost its tail, and then writes other events under numbers that the
ledger knows. `reconcile` finds the last entry that is still the same, by content hash and server clock,
takes back everything after it and reads on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bus_schemas.bus.port import Entry, Observer
from bus_schemas.errors import CausewayError
from bus_schemas.topology import Place, Unit
from health.database import translated, writing
from health.rows import Columns, Record, content_hash, record, sent_of
from health.schema import DEAD_ACKNOWLEDGED, EQUITY, EVENTS, FACTS, STREAM_POSITIONS


class PositionMoved(CausewayError):
    """Another process writes the same ledger and was faster. The follower loads everything again."""


class Ledger:
    """One namespace's part of the database. Used by one thread.

    Args:
        engine: of a database at the newest schema.
        namespace: of the bus.
    """

    def __init__(self, engine: sa.Engine, namespace: str) -> None:
        self._engine = engine
        self._namespace = namespace
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    def positions(self) -> dict[str, int]:
        """Last number in the ledger, by place.

        Raises:
            Unreachable: as everywhere here: the database does not answer.
        """
        table = STREAM_POSITIONS.c
        query = sa.select(table.place, table.position).where(table.namespace == self._namespace)
        with translated(self._engine.url), self._engine.begin() as connection:
            return dict(connection.execute(query).all())

    def missed(self) -> int:
        """How many events were trimmed before the ledger read them, in all."""
        table = STREAM_POSITIONS.c
        query = sa.select(sa.func.coalesce(sa.func.sum(table.missed), 0)).where(
            table.namespace == self._namespace
        )
        with translated(self._engine.url), self._engine.begin() as connection:
            return int(connection.execute(query).scalar_one())

    def append(self, place: Place, position: int, entries: Sequence[Entry]) -> list[Record]:
        """Write what follows from entries after `position`, and the new position, in one transaction.

        Returns:
            The records as written, with what only the ledger knows filled in (`equity.peak`).

        Raises:
            PositionMoved: the stored position is another one; nothing was written.
        """
        records = _in_order(position, entries)
        if not records:
            return []
        last, name = records[-1].seq, str(place)
        missed = last - position - len(records)
        with translated(self._engine.url), writing(self._engine) as connection:
            self._hold(connection, name, position)
            self._take_back(connection, name, position)
            self._fill_in_peaks(connection, name, records)
            self._write(connection, records)
            connection.execute(
                STREAM_POSITIONS.update()
                .where(self._at(STREAM_POSITIONS, name))
                .values(position=last, missed=STREAM_POSITIONS.c.missed + missed)
            )
        return records

    def reconcile(self, observer: Observer, place: Place) -> tuple[int, int]:
        """Compare the ledger's end of a stream with the stream, and take back what is no longer there.

        Returns:
            The position to read on from, and how many numbers were taken back.

        Raises:
            BusError: the stream cannot be read.
        """
        name = str(place)
        position = self.positions().get(name, 0)
        common = self._common(observer, place, position)
        if common == position:
            return position, 0
        with translated(self._engine.url), writing(self._engine) as connection:
            self._hold(connection, name, position)
            self._take_back(connection, name, common)
            connection.execute(
                STREAM_POSITIONS.update().where(self._at(STREAM_POSITIONS, name)).values(position=common)
            )
        return common, position - common

    def acknowledge_dead(self, letters: dict[Unit, int]) -> None:
        """Remember that a person has acknowledged so many dead letters of each unit."""
        if not letters:
            return
        rows = [
            {"namespace": self._namespace, "unit": str(unit), "letters": count}
            for unit, count in sorted(letters.items())
        ]
        statement = self._insert(DEAD_ACKNOWLEDGED)
        statement = statement.on_conflict_do_update(
            index_elements=["namespace", "unit"], set_={"letters": statement.excluded.letters}
        )
        with translated(self._engine.url), writing(self._engine) as connection:
            connection.execute(statement, rows)

    def _common(self, observer: Observer, place: Place, position: int) -> int:
        """The last number up to which stream and ledger are the same: what is lost is always a tail."""
        if position == 0 or self._same(observer, place, position):
            return position
        low, high = 0, position  # same at low, another at high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._same(observer, place, middle) else (low, middle)
        return low

    def _same(self, observer: Observer, place: Place, seq: int) -> bool:
        found = observer.range(place, seq - 1, 1)
        if not found:
            return False
        if found[0].seq != seq:
            return True  # trimmed: older than what a server can lose
        query = sa.select(EVENTS.c.hash, EVENTS.c.sent).where(
            self._at(EVENTS, str(place)), EVENTS.c.seq == seq
        )
        with translated(self._engine.url), self._engine.begin() as connection:
            known = connection.execute(query).one_or_none()
        return known is not None and tuple(known) == (content_hash(found[0]), sent_of(found[0]))

    def _at(self, table: sa.Table, place: str) -> sa.ColumnElement[bool]:
        return sa.and_(table.c.namespace == self._namespace, table.c.place == place)

    def _hold(self, connection: sa.Connection, place: str, position: int) -> None:
        """Lock the stream's position for this transaction and see that it is the expected one."""
        new = {"namespace": self._namespace, "place": place, "position": 0, "missed": 0}
        connection.execute(self._insert(STREAM_POSITIONS).on_conflict_do_nothing(), new)
        query = sa.select(STREAM_POSITIONS.c.position).where(self._at(STREAM_POSITIONS, place))
        stored = connection.execute(query.with_for_update()).scalar_one()
        if stored != position:
            raise PositionMoved(f"the ledger has {place} up to {stored}, not {position}")

    def _take_back(self, connection: sa.Connection, place: str, after: int) -> None:
        beyond = sa.select(EVENTS.c.seq).where(self._at(EVENTS, place), EVENTS.c.seq > after).limit(1)
        if connection.execute(beyond).first() is None:
            return  # every row of an event stands beside its row in `events`
        for table in FACTS.values():
            connection.execute(table.delete().where(self._at(table, place), table.c.seq > after))

    def _fill_in_peaks(self, connection: sa.Connection, place: str, records: Sequence[Record]) -> None:
        rows = [r.row.columns for r in records if r.row is not None and r.row.table == EQUITY.name]
        if not rows:
            return
        query = sa.select(EQUITY.c.peak).where(self._at(EQUITY, place)).order_by(EQUITY.c.seq.desc()).limit(1)
        peak: Decimal | None = connection.execute(query).scalar_one_or_none()
        for columns in rows:
            peak = columns["equity"] if peak is None else max(peak, columns["equity"])
            columns["peak"] = peak

    def _write(self, connection: sa.Connection, records: Sequence[Record]) -> None:
        rows: dict[str, list[Columns]] = {}
        for r in records:
            key: dict[str, Any] = {"namespace": self._namespace, "place": str(r.place), "seq": r.seq}
            about = {"type": r.type, "hash": r.hash, "sent": r.sent, "trace": r.trace, "cause": r.cause}
            rows.setdefault(EVENTS.name, []).append(key | about)
            if r.row is not None:
                rows.setdefault(r.row.table, []).append(key | r.row.columns)
        for name, values in rows.items():
            connection.execute(FACTS[name].insert(), values)


def _in_order(position: int, entries: Sequence[Entry]) -> list[Record]:
    """Records of the entries with rising numbers above the position; a stray number twice is left out."""
    records: list[Record] = []
    for entry in entries:
        if entry.seq > position:
            position = entry.seq
            records.append(record(entry))
    return records
