"""The command line of `python -m <service>`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from pathlib import Path

from bus_schemas import logs
from bus_schemas.errors import EXIT_OK, CausewayError
from bus_schemas.settings import Settings, load

Build = Callable[[Settings], Callable[[], int]]
"""Makes a service, and returns what runs it until it is told to stop."""

EPILOG = (
    "Every setting can also come from the environment: CAUSEWAY_BUS__URL, CAUSEWAY_BUS__NAMESPACE, "
    "CAUSEWAY_RUNTIME__SLOT, ... Exit codes: 0 stopped in order, 1 failed, 2 wrong configuration, "
    "3 bad data, 4 too many dead letters, 6 ledger unreachable."
)


def main(name: str, about: str, build: Build) -> int:
    """Read the settings, build the service, run it. Returns the exit code.

    An error of ours becomes its message on standard error, never a traceback.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=about, epilog=EPILOG)
    parser.add_argument("--config", type=Path, help="TOML or JSON file (default: $CAUSEWAY_CONFIG)")
    parser.add_argument("--check", action="store_true", help="say whether the settings are right, and exit")
    options = parser.parse_args()
    try:
        settings = load(options.config)
        logs.configure(settings.runtime, name)
        run = build(settings)
        if options.check:
            print("the configuration is right")  # noqa: T201
            return EXIT_OK
        _settle_memory()
        return run()
    except CausewayError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code


def _settle_memory() -> None:
    """What was imported stays: a full collection over it would stop the service for 36 ms.

    CPython begins one when a quarter of what the last one left has been added. Without a last collection
    over the little that is not frozen, that would be a quarter of everything imported, and cycles such as
    the clients of broken connections, each with 100 kB of a decompressor, would wait for an hour.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
