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
from cli.beats import process_lives


class Note(msgspec.Struct):
    """What `status`, `kill` and `acknowledge` need to find a run on this machine."""

    pid: int
    url: str
    namespace: str


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
        final = notes_folder() / f"{note.namespace}-{note.pid}.json"
        half = final.with_suffix(".half")
        _private(half, msgspec.to_builtins(note))
        half.replace(final)

    def contents(self) -> list[str]:
        """Names of what is in the folder."""
        return sorted(f"{path.name}/" if path.is_dir() else path.name for path in self.path.iterdir())

    def remove(self) -> None:
        """Delete the folder unless it is to be kept, and the note in any case."""
        for path in notes_folder().glob(f"*-{os.getpid()}.json"):
            path.unlink(missing_ok=True)
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)


def notes_folder() -> Path:
    """Where runs of this user leave their notes.

    Raises:
        ConfigurationError: it belongs to somebody else, whose notes could lead a command astray.
    """
    path = Path(tempfile.gettempdir()) / f"causeway-runs-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise ConfigurationError(f"{path} is not yours; remove it, or set TMPDIR")
    return path


def running() -> list[Note]:
    """Runs of this user on this machine whose process is alive, the newest last."""
    notes = []
    for path in notes_folder().glob("*.json"):
        try:
            written, note = path.stat().st_mtime, msgspec.json.decode(path.read_bytes(), type=Note)
        except FileNotFoundError:
            continue  # that run has just ended
        except msgspec.MsgspecError:
            path.unlink(missing_ok=True)  # of another release
            continue
        if process_lives(note.pid):
            notes.append((written, note))
        else:
            path.unlink(missing_ok=True)
    return [note for _, note in sorted(notes, key=lambda pair: pair[0])]


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


def _private(path: Path, data: Any) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(data))
