"""The private folder of a run, and the note by which other commands find it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import Settings, dump

NOTE = "run.json"


class Note(msgspec.Struct):
    """What `status`, `kill` and `acknowledge` need to find a run on this machine."""

    pid: int
    url: str
    namespace: str
    partitions: int
    account: str
    lockstep: bool
    health: str


class RunFolder:
    """Everything that a run writes: the server's data, logs, settings, ledger.

    Args:
        keep: leave it behind.
    """

    def __init__(self, keep: bool) -> None:
        self.keep = keep
        self.path = Path(tempfile.mkdtemp(prefix="causeway-"))
        (self.path / "logs").mkdir(mode=0o700)

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def ledger(self) -> str:
        """URL of the run's own ledger."""
        return f"sqlite:///{self.path / 'ledger.db'}"

    def write_settings(self, settings: Settings) -> Path:
        """The settings for the children, readable by their owner only: they may hold a password."""
        path = self.path / "settings.json"
        _private(path, dump(settings))
        return path

    def publish(self, note: Note) -> None:
        """Leave a note for other commands."""
        notes_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        _private(notes_folder() / f"{note.namespace}-{note.pid}.json", msgspec.to_builtins(note))

    def remove(self) -> None:
        """Delete the folder unless it is to be kept, and the note in any case."""
        for path in notes_folder().glob(f"*-{os.getpid()}.json"):
            path.unlink(missing_ok=True)
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)


def notes_folder() -> Path:
    """Where runs of this user leave their notes."""
    return Path(tempfile.gettempdir()) / f"causeway-runs-{os.getuid()}"


def running() -> list[Note]:
    """Runs of this user on this machine whose process is alive, the newest last."""
    notes = []
    for path in sorted(notes_folder().glob("*.json"), key=lambda p: p.stat().st_mtime):
        note = msgspec.json.decode(path.read_bytes(), type=Note)
        if _alive(note.pid):
            notes.append(note)
        else:
            path.unlink(missing_ok=True)
    return notes


def only_run() -> Note:
    """The one run that is meant where a command names none.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    notes = running()
    if not notes:
        raise ConfigurationError("no run of yours is going on here; name its server with --redis URL")
    if len(notes) > 1:
        names = ", ".join(f"{note.namespace} (process {note.pid})" for note in notes)
        raise ConfigurationError(f"several runs are going on: {names}; choose with --pid")
    return notes[0]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _private(path: Path, data: Any) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(data))
