"""Migrations and the command that runs them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import HealthSettings
from health.database import database_url, make_engine, parse_url
from health.migrate import current, newest, require, upgrade
from health.schema import METADATA, VIEWS
from migrate_schema import main as migrate_schema


def test_migrating_twice_is_a_no_op(ledger_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate_schema(["--database", ledger_url, "--check"]) == 1
    assert migrate_schema(["--database", ledger_url]) == 0
    assert f"from empty to {newest()}" in capsys.readouterr().out
    assert migrate_schema(["--database", ledger_url]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert migrate_schema(["--database", ledger_url, "--check"]) == 0


def test_the_migrations_make_what_the_code_expects(ledger_engine: sa.Engine) -> None:
    with ledger_engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        for view in VIEWS:
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {view}").scalar() == 0


def test_two_that_migrate_at_once(ledger_url: str) -> None:
    results: list[Any] = []

    def work() -> None:
        made = make_engine(parse_url(ledger_url))
        try:
            results.append(upgrade(made))
        finally:
            made.dispose()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(before) for before, _ in results) == ["0002", "0002", "None"]


def test_a_schema_that_is_behind_or_ahead_is_refused(ledger_url: str) -> None:
    made = make_engine(parse_url(ledger_url))
    with pytest.raises(ConfigurationError, match=r"migrate_schema\.py"):
        require(made)
    upgrade(made)
    require(made)
    with made.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for refuse in (require, upgrade):
        with pytest.raises(ConfigurationError, match="newer"):
            refuse(made)
    assert current(made) == "9999"
    made.dispose()


@pytest.mark.parametrize(
    ("database", "code", "words"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/x", 6, "cannot be reached"),
        ("mysql://u:hunter2@host/x", 2, "no ledger on mysql"),
        ("hunter2", 2, "not of the form"),
        ("sqlite:////proc/nothing/x.db", 6, "cannot make the folder"),
        ("sqlite:///{tmp}/garbage.db", 3, "not a database"),
        ("sqlite:///{tmp}", 6, "cannot be reached"),
    ],
)
def test_errors_are_sentences_with_exit_codes(
    database: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "garbage.db").write_bytes(b"this is not a database" * 100)
    assert migrate_schema(["--database", database.replace("{tmp}", str(tmp_path))]) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.startswith("error: ")
    assert "hunter2" not in told
    assert "Traceback" not in told


def test_which_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(database_url(HealthSettings(), {})) == "sqlite+pysqlite:///var/causeway.db"
    env = {"DATABASE_URL": "postgres://host/db"}
    assert str(database_url(HealthSettings(), env)) == "postgresql+psycopg://host/db"
    own = HealthSettings(database="sqlite:///x.db")
    assert database_url(own, env).database == "x.db"
