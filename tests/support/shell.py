"""`run.py` as a user runs it, in a world of its own; short data; what processes are left behind."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from typer.testing import CliRunner

from bus_schemas.settings import child_environment
from cli.app import app
from market_data.files import SAMPLE

ROOT = Path(__file__).resolve().parents[2]
FIRST, TRADED, LAST = "2024-09-10", "2024-09-11", "2024-09-13"
"""Three days of the sample, two of them traded: with `QUICK` 864 candles, 50 signals and 10 trades."""

QUICK: dict[str, dict[str, Any]] = {
    "strategy": {
        "decision_timeframe": "15m",
        "bias_timeframe": "1h",
        "internal_length": 2,
        "swing_length": 3,
        "bias_internal_length": 2,
        "bias_swing_length": 3,
        "atr_period": 5,
        "warmup_bars": 12,
        "sweep_step": "scored",
        "min_score": 0.4,
    },
    "health": {"port": 0},
}
"""Settings with which so short a time has signals."""

T = TypeVar("T")


def eventually(look: Callable[[], T], within_s: float = 20.0, what: str = "it") -> T:
    """What `look` gives as soon as that is true."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come to pass within {within_s:g} s"
        time.sleep(0.02)
    return found


def short_data(folder: Path, names: Mapping[str, str] | None = None) -> Path:
    """Three days of candles. `names` gives symbols other names, or one of them several: new by old."""
    folder.mkdir(parents=True, exist_ok=True)
    for new, old in (names or {s: s for s in ("BTCUSDT", "ETHUSDT", "SOLUSDT")}).items():
        with gzip.open(SAMPLE / f"{old}-15m.csv.gz", "rt") as rows:
            header, *lines = rows
        kept = [line for line in lines if FIRST <= line < LAST]
        (folder / f"{new}-15m.csv").write_text("".join((header, *kept)))
    return folder


def config(path: Path, **sections: Mapping[str, Any]) -> Path:
    """A JSON settings file: `QUICK` with these sections over it."""
    merged: dict[str, dict[str, Any]] = {name: dict(section) for name, section in QUICK.items()}
    for name, section in sections.items():
        merged[name] = merged.get(name, {}) | dict(section)
    path.write_bytes(msgspec.json.encode(merged))
    return path


def invoke(
    *arguments: object, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> tuple[int, str, str]:
    """A command in this process: exit code, standard output, standard error.

    An exception that is no exit would be a traceback, and fails here.
    """
    hidden = dict.fromkeys(set(os.environ) - set(child_environment(os.environ)))
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, env={**hidden, **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


class World:
    """A folder in which processes of a test live; it marks them, so that none can hide.

    Attributes:
        path: the temporary folder of all of them.
    """

    def __init__(self) -> None:
        # short: a unix socket's path has at most 107 bytes
        self.path = Path(tempfile.mkdtemp(prefix="cw-", dir="/tmp"))

    def environment(self, **more: str) -> dict[str, str]:
        own = {
            "TMPDIR": str(self.path),
            "COLUMNS": "200",
            "CAUSEWAY_GATES__RECORDS": str(self.path / "records"),
        }
        return child_environment(os.environ) | own | more

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """`run.py` to its end."""
        return subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *map(str, arguments)],
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: object, **environment: str) -> Running:
        """`run.py` in the background."""
        return Running([sys.executable, str(ROOT / "run.py"), *map(str, arguments)], self, environment)

    def service(self, name: str, *arguments: object, **environment: str) -> Running:
        """`python -m <service>` in the background."""
        return Running([sys.executable, "-m", name, *map(str, arguments)], self, environment)

    def processes(self) -> dict[int, str]:
        """Live processes that belong here, by what they were started with or write to."""
        marks = str(self.path).encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid() and marks in _traces(entry):
                found[int(entry.name)] = _title(entry)
        return {pid: title for pid, title in sorted(found.items()) if title}

    def notes(self) -> list[Path]:
        """Notes by which runs are found."""
        return list(self.path.glob("causeway-runs-*/*"))

    def folders(self) -> list[Path]:
        """Folders of runs."""
        return [path for path in self.path.glob("causeway-*") if not path.name.startswith("causeway-runs")]

    def close(self) -> None:
        """Nothing of the test is left behind, whatever it did."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        shutil.rmtree(self.path, ignore_errors=True)


class Running:
    """A process in the background, with what it says."""

    def __init__(self, command: list[str], world: World, environment: Mapping[str, str]) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="said-", dir=world.path))
        with (self._said / "out").open("wb") as out, (self._said / "err").open("wb") as err:
            self.process = subprocess.Popen(
                command,
                env=world.environment(**environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        return (self._said / "out").read_text()

    @property
    def stderr(self) -> str:
        return (self._said / "err").read_text()

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, within_s: float = 30.0) -> int:
        return self.process.wait(within_s)

    def end(self, number: int = signal.SIGTERM, within_s: float = 30.0) -> int:
        self.send(number)
        return self.wait(within_s)


def _traces(entry: Path) -> bytes:
    """What tells where a process belongs. A changed title can overwrite its environment in /proc."""
    traces = []
    for name in ("cmdline", "environ"):
        try:
            traces.append((entry / name).read_bytes())
        except OSError:
            continue
    for name in ("fd/1", "fd/2"):
        try:
            traces.append(os.readlink(entry / name).encode())
        except OSError:
            continue
    return b"\n".join(traces)


def _title(entry: Path) -> str:
    """The command line; empty for a process that is gone or only waits to be reaped."""
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""
