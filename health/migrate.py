"""Brings the ledger's schema to the newest revision, by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bus_schemas.errors import ConfigurationError
from health.database import translated, writing

_LOCK = 0x63617573
"""PostgreSQL's advisory lock: of two that migrate at once, the second waits and finds nothing to do."""


class Migrated(NamedTuple):
    """What a migration did; revisions are None for an empty database."""

    before: str | None
    after: str | None


def newest() -> str:
    """The revision that this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current(engine: sa.Engine) -> str | None:
    """The revision that the database has; None where it was never migrated.

    Raises:
        Unreachable, ConfigurationError, DataError: see `health.database.translated`.
    """
    with translated(engine.url), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: sa.Engine) -> Migrated:
    """Bring the schema to the newest revision, in one transaction. Doing it twice changes nothing.

    Raises:
        ConfigurationError: a newer release made the database.
        Unreachable, DataError: see `health.database.translated`.
    """
    with translated(engine.url), writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        before = MigrationContext.configure(connection).get_current_revision()
        _refuse_newer(before)
        if before != newest():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return Migrated(before, newest())


def require(engine: sa.Engine) -> None:
    """See that the schema is the newest.

    Raises:
        ConfigurationError: it is older or newer; the message says what to do.
        Unreachable, DataError: see `health.database.translated`.
    """
    found = current(engine)
    _refuse_newer(found)
    if found != newest():
        raise ConfigurationError(
            f"the ledger's schema is {found or 'empty'}, this release needs {newest()}. "
            "Run: python migrate_schema.py"
        )


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"the ledger's schema is {found}, which this release does not know: a newer one made it"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
