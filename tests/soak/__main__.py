"""`python -m tests.soak`: an hour of simulated trading with faults and kills, and what is left of it."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

import msgspec
from rich.console import Console

from tests.soak.judge import Verdict, judge
from tests.soak.run import Options, Soak
from tests.soak.table import tables

PROTOCOLS = ("binanceusdm", "krakenfutures")
EPILOG = "Leaves with 1 when anything was lost, doubled, left over, unexplained, or grew without end."
WIDTH = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__, epilog=EPILOG)
    parser.add_argument("--minutes", type=float, default=60, help="of ours (default 60)")
    parser.add_argument("--pace", default="x60", help="the venue's time runs as fast (default x60)")
    parser.add_argument(
        "--protocol", choices=(*PROTOCOLS, "both"), default="both", help="both: one after the other"
    )
    parser.add_argument("--seed", type=int, help="of faults and kills; default by the clock, and printed")
    parser.add_argument("--kills-per-hour", type=float, default=20, metavar="N", help="default 20")
    parser.add_argument("--data", type=Path, help="folder of candles; default the sample")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--keep", action="store_true", help="leave logs, bus and ledger behind")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background: end what was started
        signal.signal(number, signal.default_int_handler)
    seed = int(time.time()) if options.seed is None else options.seed
    protocols = PROTOCOLS if options.protocol == "both" else (options.protocol,)
    verdicts = [
        _soak(
            Options(
                protocol=protocol,
                minutes=options.minutes,
                pace=options.pace,
                seed=seed,
                kills_per_hour=options.kills_per_hour,
                data=options.data,
                keep=options.keep,
            )
        )
        for protocol in protocols
    ]
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(verdicts)))
    good = all(verdict.good for verdict in verdicts)
    print("nothing was lost, nothing was doubled" if good else "THE SOAK HAS FOUND SOMETHING")
    return 0 if good else 1


def _soak(options: Options) -> Verdict:
    soak = Soak(options, _say)
    _say(f"{options.protocol}: {options.minutes:g} minutes at {options.pace}, seed {options.seed}")
    try:
        verdict = judge(options, soak.record, soak.run())
    finally:
        if options.keep:
            _say(f"everything is in {soak.world.path}")
        else:
            soak.world.close()
    for table in tables(verdict):
        Console(width=WIDTH).print(table)
    return verdict


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
