"""A bare unix socket with hiredis: the least that Python can do to talk to the server."""

from __future__ import annotations

import socket
from typing import Any

import hiredis


class RawSocket:
    """One connection. No retry, no pool, no name lookup; an error reply is raised as it comes."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(path)
        self._reader = hiredis.Reader()

    def __call__(self, *command: bytes) -> Any:
        """One command and its reply."""
        self._socket.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]
        return self._reply()

    def pipelined(self, commands: list[bytes]) -> None:
        """Packed commands in one write, then all replies."""
        self._socket.sendall(b"".join(commands))
        for _ in commands:
            self._reply()

    def close(self) -> None:
        self._socket.close()

    def _reply(self) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is not False:
                if isinstance(reply, Exception):
                    raise reply
                return reply
            self._reader.feed(self._socket.recv(1 << 16))
