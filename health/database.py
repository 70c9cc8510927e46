"""The ledger's database: which one, its engine, and its errors in our words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from bus_schemas.errors import ConfigurationError, DataError, Unreachable
from bus_schemas.settings import HealthSettings
from health.types import dumps

DEFAULT_URL = "sqlite:///var/causeway.db"
VARIABLE = "DATABASE_URL"
CONNECT_S = 5
BUSY_MS = 5000

WRITING = "causeway_writing"
"""Execution option of a connection that will write: SQLite takes its lock at the beginning."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite+pysqlite",
}


def database_url(settings: HealthSettings, environment: Mapping[str, str] = os.environ) -> sa.URL:
    """Where the ledger is: the setting `health.database`, else `DATABASE_URL`, else a SQLite file.

    Raises:
        ConfigurationError: it is no database URL, or of a kind that is not supported.
    """
    given = settings.database.get_secret_value() if settings.database else environment.get(VARIABLE)
    return parse_url(given or DEFAULT_URL)


def parse_url(text: str) -> sa.URL:
    """A URL with the driver that we use.

    Raises:
        ConfigurationError: as in `database_url`. The message does not repeat the text: it may hold a
            password.
    """
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "the database URL is not of the form sqlite:///path or postgresql://user:password@host/name"
        ) from None
    driver = _DRIVERS.get(url.drivername, url.drivername)
    if driver not in _DRIVERS.values():
        raise ConfigurationError(f"no ledger on {url.drivername}: use sqlite:///path or postgresql://...")
    return url.set(drivername=driver)


def shown(url: sa.URL) -> str:
    """The URL for people, without its password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine, shared by threads. Makes the folder of a SQLite file.

    Raises:
        Unreachable: the folder cannot be made.
    """
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(
            url,
            json_serializer=dumps,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_S, "application_name": "causeway-health"},
        )
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unreachable(
                f"cannot make the folder of the ledger {shown(url)}: {error.strerror}"
            ) from None
    engine = sa.create_engine(url, json_serializer=dumps)
    sa.event.listen(engine, "connect", _sqlite_connect)
    sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # the driver's own transactions leave DDL out and begin late; we begin ourselves
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_MS}", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()
    try:
        connection.execute("PRAGMA journal_mode=WAL").close()
    except sqlite3.OperationalError as error:
        # the mode is the file's: whoever holds the lock sets it, and the wait for locks leaves this out
        if "locked" not in str(error):
            raise


def _sqlite_begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get(WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection inside a transaction that will write; commits at the end."""
    with engine.execution_options(**{WRITING: True}).begin() as connection:
        yield connection


@contextmanager
def translated(url: sa.URL) -> Iterator[None]:
    """Turn the database's errors into ours.

    Raises:
        ConfigurationError: there is no driver for the URL.
        DataError: the file is no database.
        Unreachable: the database does not answer, refuses us, or cannot be opened.
    """
    try:
        yield
    except (exc.NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(f"the ledger {shown(url)}: {error}") from None
    except exc.OperationalError as error:
        raise Unreachable(f"the ledger {shown(url)} cannot be reached: {words(error)}") from None
    except exc.DBAPIError as error:
        if "not a database" in str(error.orig):
            raise DataError(f"the ledger {shown(url)} is not a database: {words(error)}") from None
        raise Unreachable(f"the ledger {shown(url)} refused: {words(error)}") from None
    except exc.TimeoutError as error:
        raise Unreachable(f"the ledger {shown(url)} has no connection free: {words(error)}") from None


def words(error: Exception) -> str:
    """An error in one line, without the statement and its parameters."""
    origin: Any = getattr(error, "orig", None) or error
    return " ".join(str(origin).split()) or type(origin).__name__
