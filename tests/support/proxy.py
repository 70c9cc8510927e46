"""A proxy between a client and its server that loses what it is told to lose.

It listens on a unix socket of its own and understands just enough of the protocol to tell one command
from the next, so that a rule meets a command as a whole however the bytes arrive.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

Command = list[bytes]
Rule = Callable[[Command], bool]


def named(*names: str) -> Rule:
    """Meets commands by name, such as `EVALSHA`."""
    wanted = {name.encode() for name in names}
    return lambda command: command[0].upper() in wanted


def about(text: str) -> Rule:
    """Meets commands with an argument that contains the text, such as a key's name."""
    return lambda command: any(text.encode() in part for part in command)


class Proxy:
    """One server seen through a wire that can be cut.

    Args:
        upstream: the server's unix socket, or host and port.

    Attributes:
        url: what a client connects to.
        cuts: how many commands met a rule.
    """

    def __init__(self, upstream: Path | tuple[str, int]) -> None:
        self._upstream = upstream
        self._folder = Path(tempfile.mkdtemp(prefix="cut-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "s"))
        self._listener.listen()
        self._lock = threading.Lock()
        self._rule: Rule | None = None
        self._reply = False
        self._left = 0
        self._open: set[socket.socket] = set()
        self.cuts = 0
        self.url = f"unix://{self._folder / 's'}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_reply(self, rule: Rule, times: int = 1) -> None:
        """Let the server execute the next command that meets the rule, then cut the connection."""
        with self._lock:
            self._rule, self._reply, self._left = rule, True, times

    def lose_request(self, rule: Rule, times: int = 1) -> None:
        """Cut the connection before the next command that meets the rule reaches the server."""
        with self._lock:
            self._rule, self._reply, self._left = rule, False, times

    def close(self) -> None:
        """Cut everything."""
        self._listener.close()
        for end in tuple(self._open):
            _cut(end)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._upstream, Path):
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._upstream))
            return server
        return socket.create_connection(self._upstream)

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            _cut(client)
            return
        self._open |= {client, server}
        deaf = threading.Event()
        answered = threading.Event()
        threading.Thread(target=_back, args=(server, client, deaf, answered), daemon=True).start()
        try:
            self._forward(client, server, deaf, answered)
        except OSError:
            return
        finally:
            _cut(client)
            _cut(server)
            self._open -= {client, server}

    def _forward(
        self, client: socket.socket, server: socket.socket, deaf: threading.Event, answered: threading.Event
    ) -> None:
        waiting = b""
        while data := client.recv(1 << 16):
            waiting += data
            while (size := _first(waiting)) is not None:
                raw, waiting = waiting[:size], waiting[size:]
                fate = self._fate(_parts(raw))
                if fate == "request":
                    return
                if fate == "reply":
                    deaf.set()
                server.sendall(raw)
                if fate == "reply":
                    answered.wait(5)
                    return

    def _fate(self, command: Command) -> str:
        with self._lock:
            if not self._left or self._rule is None or not self._rule(command):
                return ""
            self._left -= 1
            self.cuts += 1
            return "reply" if self._reply else "request"


def _back(
    server: socket.socket, client: socket.socket, deaf: threading.Event, answered: threading.Event
) -> None:
    with suppress(OSError):
        while data := server.recv(1 << 16):
            if deaf.is_set():
                answered.set()
                return
            client.sendall(data)
    _cut(client)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _first(data: bytes) -> int | None:
    """Length of the first whole command in the data: an array of bulk strings."""
    end = data.find(b"\r\n")
    if end < 0:
        return None
    at = end + 2
    for _ in range(int(data[1:end])):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        at = end + 2 + int(data[at + 1 : end]) + 2
        if at > len(data):
            return None
    return at


def _parts(raw: bytes) -> Command:
    at = raw.index(b"\r\n") + 2
    parts = []
    while at < len(raw):
        end = raw.index(b"\r\n", at)
        size = int(raw[at + 1 : end])
        parts.append(raw[end + 2 : end + 2 + size])
        at = end + 4 + size
    return parts
