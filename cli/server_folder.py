"""The embedded server of live runs: its data stay in one folder, which one run at a time may use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import ConfigurationError, Unreachable

SOCKET_MOST = 100
"""Bytes of a unix socket's path that every system takes."""
GONE_S = 10.0


class ServerFolder:
    """A folder with the data of an embedded server.

    Args:
        path: made if it is not there.

    Raises:
        ConfigurationError: its path is too long for a socket.
        Unreachable: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock = -1
        if len(os.fsencode(self.path / "bus.sock")) > SOCKET_MOST:
            raise ConfigurationError(
                f"the path {self.path} is too long for a socket: start in another folder, or give --redis URL"
            )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unreachable(f"cannot make {self.path}: {error.strerror}; give --redis URL") from None

    @property
    def url(self) -> str:
        """Of the server, whoever runs it."""
        return f"unix://{self.path / 'bus.sock'}"

    def take(self) -> EmbeddedServer | None:
        """The right to run a server here, until `free`; None where another run has it.

        Raises:
            Unreachable: a server that a killed run left behind does not end.
        """
        lock = os.open(self.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        self._lock = lock
        self._end_orphan()
        return EmbeddedServer(self.path)

    def free(self) -> None:
        """Let other runs have the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _end_orphan(self) -> None:
        """Two servers on one log would spoil it: one whose run is gone must be gone as well."""
        deadline = time.monotonic() + GONE_S
        asked = False
        while (link := self._answering()) is not None:
            if not asked and time.monotonic() > deadline - GONE_S / 2:  # it had time to end by itself
                asked = True
                with contextlib.suppress(redis.exceptions.RedisError, OSError):
                    link.client().execute_command("SHUTDOWN")
            link.close()
            if time.monotonic() > deadline:
                self.free()
                raise Unreachable(f"a server that nobody started answers in {self.path}; end it")
            time.sleep(0.05)

    def _answering(self) -> Link | None:
        link = Link(self.url, 2.0)
        try:
            link.client().execute_command("PING")
        except redis.exceptions.BusyLoadingError:
            return link
        except (redis.exceptions.RedisError, Unreachable, OSError):
            link.close()
            return None
        return link
