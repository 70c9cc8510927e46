"""`python -m tests.bench`: speed beside its limits, in one run on one machine.

Only the ratios mean something: each figure and its peer are taken in turn, A B A B, so that what
disturbs the machine disturbs both. There is no `redis-benchmark` binary here; its way of adding is written
in Python over a raw socket with hiredis.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.bench import latency, lockstep, loop, memory, recovery, smc
from tests.bench.figures import Figure, table

BENCHES: dict[str, Callable[[bool, Sequence[str]], list[Figure]]] = {
    "loop": loop.run,
    "latency": latency.run,
    "lockstep": lockstep.run,
    "recovery": recovery.run,
    "memory": memory.run,
    "smc": smc.run,
}


def main() -> int:
    """Run and print. A missed aim is told, and fails nothing: the machine may be busy."""
    options = _options()
    figures: list[Figure] = []
    began = time.monotonic()
    for name in options.only or BENCHES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures += BENCHES[name](options.quick, options.fsync.split(","))
    print(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if options.json:
        print(msgspec.json.encode(figures).decode())
    else:
        print(table(figures))
        print(_verdict(figures))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument("--only", action="append", choices=sorted(BENCHES), help="one benchmark; repeatable")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on standard output")
    parser.add_argument(
        "--fsync", default="everysec,always", help="persistence of the loop: off, everysec, always"
    )
    return parser.parse_args()


def _verdict(figures: Sequence[Figure]) -> str:
    aims = [figure for figure in figures if figure.met is not None]
    met = sum(bool(figure.met) for figure in aims)
    return f"{met} of {len(aims)} aims met"


if __name__ == "__main__":
    sys.exit(main())
