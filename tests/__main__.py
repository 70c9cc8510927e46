"""Every test, in two halves side by side, about as long: the one waits for processes nearly all the time,
the other computes, and then waits too.

    python -m tests             # what `make test` runs
    python -m tests -x -k live  # options go to both

The first half's output comes as it is written, the second's when it has ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
WAITING = ("e2e", "chaos", "chaos_live")
NOTHING_CHOSEN = 5
"""pytest's exit code where no test was selected: with -k that is no failure of a half."""


def halves() -> tuple[list[str], list[str]]:
    """Folders of tests: those that wait, and all others. A new folder is never forgotten."""
    folders = {path.relative_to(HERE).parts[0] for path in HERE.glob("*/**/test_*.py")}
    others = sorted(folders - set(WAITING))
    return [f"tests/{name}" for name in WAITING], [f"tests/{name}" for name in others]


def main(options: list[str]) -> int:
    """Run both halves; returns 0 when all is well."""
    waiting, others = halves()
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        second = subprocess.Popen(_pytest(others, options), cwd=HERE.parent, stdout=out, stderr=out)
        try:
            first = subprocess.run(_pytest(waiting, options), cwd=HERE.parent, check=False).returncode
            codes = {first, second.wait()}
        finally:
            second.terminate()
            second.wait()
        out.seek(0)
        sys.stdout.write(out.read().decode(errors="replace"))
    good = codes <= {0, NOTHING_CHOSEN} and codes != {NOTHING_CHOSEN}
    print(f"{'every test passed' if good else 'SOME TESTS FAILED'} in {time.monotonic() - began:.0f} s")
    return 0 if good else 1


def _pytest(folders: list[str], options: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *options, *folders]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
