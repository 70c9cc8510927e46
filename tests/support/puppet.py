"""A service that does what `PUPPET` says: `python -m tests.support.puppet`.

`stay` works until SIGTERM; `stubborn` does not mind SIGTERM; `exit N words` says the words and leaves with N.
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main() -> int:
    what, *more = os.environ["PUPPET"].split(" ", 2)
    if what == "exit":
        print(more[1], file=sys.stderr)
        return int(more[0])
    if what == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(what, flush=True)
    time.sleep(60)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
