"""Bring the SQL ledger to the newest schema: `python migrate_schema.py`. Twice is a no-op.

Exit codes: 0 done, 1 behind (with --check), 2 wrong configuration, 3 not a database, 6 unreachable.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bus_schemas.errors import EXIT_FAILED, EXIT_OK, CausewayError
from bus_schemas.settings import load
from health.database import database_url, make_engine, parse_url, shown
from health.migrate import current, newest, upgrade


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parse(arguments)
    try:
        return _migrate(options.database, options.config, options.check)
    except CausewayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _migrate(database: str | None, config: Path | None, check: bool) -> int:
    url = parse_url(database) if database else database_url(load(config).health)
    engine = make_engine(url)
    try:
        if check:
            found = current(engine)
            print(f"{shown(url)}: schema {found or 'empty'}, newest {newest()}")
            return EXIT_OK if found == newest() else EXIT_FAILED
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    if before == after:
        print(f"{shown(url)}: the schema is already {after}, nothing to do")
    else:
        print(f"{shown(url)}: schema brought from {before or 'empty'} to {after}")
    return EXIT_OK


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python migrate_schema.py",
        description="Bring the SQL ledger to the newest schema. Running it twice is a no-op.",
        epilog="The database is --database, else the setting health.database "
        "(CAUSEWAY_HEALTH__DATABASE), else $DATABASE_URL, else sqlite:///var/causeway.db. Exit codes: "
        "0 done, 1 behind (with --check), 2 wrong configuration, 3 not a database, 6 unreachable.",
    )
    parser.add_argument("--database", metavar="URL", help="sqlite:///path or postgresql://user@host/name")
    parser.add_argument("--config", type=Path, help="TOML or JSON file (default: $CAUSEWAY_CONFIG)")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where the schema is behind"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
