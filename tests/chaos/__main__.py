"""`python -m tests.chaos`: kill and freeze what runs, and see that nothing comes of it."""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from bus_schemas.errors import CausewayError
from tests.chaos.runs import ChaosRun, chaos_settings, in_memory, over_processes, say_aloud
from tests.chaos.table import outcome_table

EPILOG = "Leaves with 1 when anything differs from the undisturbed run, or a disturbance came too late."


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__, epilog=EPILOG)
    parser.add_argument("--kills", type=int, default=12, metavar="N", help="disturbances (default 12)")
    parser.add_argument("--seed", type=int, help="of the schedule; default by the clock, and printed")
    parser.add_argument("--trade-from", metavar="T", help="default: as much as the disturbances need")
    parser.add_argument("--keep", action="store_true", help="leave logs, server data and ledger behind")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    try:
        return _run(options.kills, seed, options.trade_from, options.keep)
    except CausewayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run(kills: int, seed: int, trade_from: str | None, keep: bool) -> int:
    settings = chaos_settings(kills, trade_from)
    say_aloud(f"seed {seed}; first undisturbed, in memory and over processes")
    calm = in_memory(settings)
    processes = over_processes(settings)
    run = ChaosRun(settings, kills, seed, calm, say_aloud, keep)
    try:
        outcome = run.outcome()
    finally:
        if run.folder.keep:
            say_aloud(f"logs, server data and ledger are in {run.folder.path}")
    Console(width=120).print(outcome_table(outcome, seed, processes))
    for fault in outcome.difference.faults:
        print(f"fault: {fault}")
    good = outcome.good and processes.digest == calm.report.digest
    print("nothing differs" if good else "THE RUN DIFFERS")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
