"""The logs of a long run's services: handed on as they grow, and kept from growing for ever."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

MOST_BYTES = 16_000_000
"""A larger log becomes `<name>.1`, in place of the one before it."""
LOUD = ("WARNING", "ERROR", "CRITICAL")


class LogFiles:
    """What services write to the logs of a folder.

    Args:
        folder: holds `*.log`; whoever writes there appends.
        tell: gets each new line.
        everything: hand every line on; otherwise only what a person at the terminal should see, in words.
    """

    def __init__(
        self, folder: Path, tell: Callable[[str], None], everything: bool, most: int = MOST_BYTES
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._everything = everything
        self._most = most
        self._at: dict[Path, int] = {}

    def follow(self) -> None:
        """Hand on what is new. A line that is not finished waits."""
        for path in sorted(self._folder.glob("*.log")):
            self._read(path)
            if self._at[path] > self._most:
                shutil.copyfile(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)  # its writers append, so they go on at the new end
                self._at[path] = 0

    def _read(self, path: Path) -> None:
        with path.open("rb") as log:
            log.seek(self._at.get(path, 0))
            fresh = log.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._at[path] = self._at.get(path, 0) + len(whole)
        for line in whole.decode(errors="replace").splitlines():
            text = line if self._everything else _loud(line)
            if text:
                self._tell(text)


def _loud(line: str) -> str:
    """A line of a JSON log that a person should see, in words; empty for any other."""
    try:
        said = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.MsgspecError:
        return line if line.startswith("error: ") else ""
    if str(said.get("level", "")).upper() not in LOUD:
        return ""
    rest = {
        k: v for k, v in said.items() if k not in ("time", "level", "slot", "logger", "message", "service")
    }
    more = ", ".join(f"{name} {value}" for name, value in rest.items())
    return f"{said.get('service', '')}: {said.get('message', '')}{f' ({more})' if more else ''}"
