"""The SQL ledger that a run has kept, beside one that is made from its streams afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from bus_schemas.bus.port import Observer
from bus_schemas.settings import HealthSettings
from health.database import make_engine, parse_url
from health.ledger import Ledger
from health.rows import sources
from health.schema import FACTS, STREAM_POSITIONS
from health.service import open_ledger

PAGE = 500
Rows = dict[str, list[tuple[Any, ...]]]


def behind(url: str, namespace: str, observer: Observer) -> int:
    """How many events the ledger does not have yet."""
    engine = make_engine(parse_url(url))
    try:
        stored = Ledger(engine, namespace).positions()
    finally:
        engine.dispose()
    return sum(abs(observer.tip(place) - stored.get(str(place), 0)) for place in sources(observer.topology))


def faults(url: str, namespace: str, observer: Observer, folder: Path) -> list[str]:
    """What is wrong with the ledger, in words; compared row by row with a fresh one."""
    kept, fresh = _rows(url), _rows(rebuilt(namespace, observer, folder))
    wrong = []
    for table, rows in fresh.items():
        if kept[table] != rows:
            first = next((pair for pair in zip(kept[table], rows, strict=False) if pair[0] != pair[1]), None)
            wrong.append(f"ledger: {table} has {len(kept[table])} rows, not {len(rows)}; first: {first}")
    return wrong


def rebuilt(namespace: str, observer: Observer, folder: Path) -> str:
    """URL of a new ledger in the folder, made from the streams alone."""
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder / 'rebuilt.db'}"
    engine = open_ledger(HealthSettings(database=SecretStr(url)))
    ledger = Ledger(engine, namespace)
    for place in sources(observer.topology):
        at = 0
        while page := observer.range(place, at, PAGE):
            ledger.append(place, at, page)
            at = page[-1].seq
    engine.dispose()
    return url


def _rows(url: str) -> Rows:
    """Every fact and every position, in the order of their keys. A stream never written has no position."""
    engine = make_engine(parse_url(url))
    tables = FACTS | {STREAM_POSITIONS.name: STREAM_POSITIONS}
    try:
        with engine.begin() as connection:
            rows = {
                name: [tuple(row) for row in connection.execute(_ordered(table))]
                for name, table in tables.items()
            }
    finally:
        engine.dispose()
    rows[STREAM_POSITIONS.name] = [row for row in rows[STREAM_POSITIONS.name] if any(row[2:])]
    return rows


def _ordered(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(*table.primary_key.columns)
