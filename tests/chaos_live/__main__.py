"""`python -m tests.chaos_live`: kill execution and the venue edge at every moment of a trade, and look what
is left."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rich.console import Console

from tests.chaos_live.cases import Case
from tests.chaos_live.matrix import PROTOCOLS, Outcome, Runner, every_fault, full, reduced, stage
from tests.chaos_live.story import Ending
from tests.chaos_live.table import summary, tables

EPILOG = "Leaves with 1 when anything was wrong after any case."
WIDTH = 250


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos_live", description=__doc__, epilog=EPILOG)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="every moment (default)")
    size.add_argument("--reduced", action="store_true", help="one moment for each fault and protocol")
    size.add_argument("--case", metavar="MOMENT", help="one moment, such as 'place entry: before answer'")
    size.add_argument("--calm", action="store_true", help="the stories alone; nobody dies")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: both")
    parser.add_argument("--fault", choices=every_fault(), help="default: each")
    parser.add_argument("--ending", choices=[e.value for e in Ending], help="for --case and --calm")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="cases at a time (default 2)")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="a share of --full")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="for --case and --calm")
    options = parser.parse_args()
    outcome = asyncio.run(_run(options))
    console = Console(width=WIDTH)
    for table in tables(outcome):
        console.print(table)
    print("\n".join(summary(outcome)))
    return 1 if outcome.wrong else 0


async def _run(options: argparse.Namespace) -> Outcome:
    protocols = (options.protocol,) if options.protocol else PROTOCOLS
    faults = (options.fault,) if options.fault else every_fault()
    async with stage() as where:
        runner = Runner(where, options.jobs, _say)
        if options.case or options.calm:
            outcome = await _named(runner, options, protocols, faults)
        elif options.reduced:
            outcome = await reduced(runner, protocols, faults)
        else:
            outcome = await full(runner, protocols, faults, options.part)
    outcome.jobs = options.jobs
    return outcome


async def _named(
    runner: Runner, options: argparse.Namespace, protocols: tuple[str, ...], faults: tuple[str, ...]
) -> Outcome:
    """One moment, or none, with each story that was asked for."""
    endings = [Ending(options.ending)] if options.ending else list(Ending)
    began = time.monotonic()
    results = await runner.run(
        Case(protocol=protocol, fault=fault, ending=ending, label=options.case)
        for _ in range(options.repeat)
        for protocol in protocols
        for fault in faults
        for ending in endings
    )
    seconds = time.monotonic() - began
    return Outcome([], results, seconds) if options.case else Outcome(results, [], seconds)


def _part(text: str) -> tuple[int, int]:
    first, slash, of = text.partition("/")
    if not (slash and first.isdecimal() and of.isdecimal() and 1 <= int(first) <= int(of)):
        raise argparse.ArgumentTypeError("such as 2/8")
    return int(first), int(of)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
