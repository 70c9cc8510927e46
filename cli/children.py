"""Child processes that do not outlive us."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def spawn(
    arguments: list[str],
    environment: Mapping[str, str],
    output: IO[bytes] | int,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `python <arguments>` in a session of its own: a terminal's Ctrl-C is ours to pass on.

    Args:
        output: file that gets standard output and error.
    """
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=Path(__file__).resolve().parent.parent,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


def _die_with_parent() -> None:
    """A supervisor that was killed outright must not leave services behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
