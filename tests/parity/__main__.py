"""`python -m tests.parity`: our events beside the reference library's columns, and why they differ.

Exit code 1 if a difference has no cause.
"""

from __future__ import annotations

import sys

from strategy.smc.params import By
from tests.parity.candles import longer, sample
from tests.parity.compare import Comparison
from tests.parity.repaint import told
from tests.parity.rows import Row, table


def main() -> int:
    """Compare and print."""
    more = longer()
    if more is None:
        print("no longer files beside this checkout: the sample only", file=sys.stderr)
    rows: list[Row] = []
    for history in [sample(), *(more or [])]:
        print(f"{history.name}, {len(history.times):,} candles ...", file=sys.stderr, flush=True)
        one = Comparison(history)
        parts = (one.pivots(), one.gaps(), one.breaks(), one.breaks(By.WICK), one.days(), one.defaults())
        rows += [row for part in parts for row in part]
        rows += one.last_pivot()
    print(table(sorted(rows, key=lambda row: row.concept)))
    print(told(sample(), 2_000, 400))
    return 1 if any(row.unexplained for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
