"""Connections to Redis or Valkey: no silent retry, no silent change of server, one error tree.

redis-py retries writes by default, and one call then becomes several entries; it also reconnects
unasked. Here retries are off, and a new connection asks for the server's `run_id`: another one than
before means that the server was restarted and may have lost its tail, so the caller must reload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bus_schemas.errors import BusError, ConfigurationError, Disconnected, Unreachable

_LOST = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.InvalidResponse,
    OSError,
)
_NOTHING_APPLIED = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)
_NOTHING_APPLIED_CODES = ("MISCONF", "NOREPLICAS", "BUSY")
"""Codes that redis-py has no class for; it cuts the code off the text where it has one."""


class Script:
    """A Lua script, sent by its hash and in full where the server does not know it.

    NOSCRIPT is the one error after which a call is sent again: the server applied nothing.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: redis.Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        try:
            return client.execute_command("EVALSHA", self._sha, len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:
            return client.execute_command("EVAL", self.source, len(keys), *keys, *args)


def lua(name: str) -> str:
    """Text of a script in `bus_schemas/bus/lua`."""
    return (files("bus_schemas.bus") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


class _Translation:
    """What `translated` returns: a class, because a generator's context costs five times as much."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self._raise(error)

    def _raise(self, error: BaseException) -> None:
        if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.AuthorizationError):
            raise Unreachable(f"the server does not let us in: {error}") from error
        if isinstance(error, redis.exceptions.NoPermissionError):
            raise Unreachable(f"the server's user may not do what is needed: {error}") from error
        if isinstance(error, _LOST):
            raise Disconnected(str(error) or type(error).__name__) from error
        if isinstance(error, redis.exceptions.ResponseError):
            text = str(error)
            if isinstance(error, _NOTHING_APPLIED) or text.split(" ", 1)[0] in _NOTHING_APPLIED_CODES:
                raise Disconnected(text) from error
            raise BusError(f"the server refused a command: {text}") from error


_TRANSLATION = _Translation()


def translated() -> _Translation:
    """A context that turns redis-py's errors into ours.

    Raises:
        Disconnected: the call may or may not have been applied.
        Unreachable: wrong user or password, or a user without the right.
        BusError: the server refused it for a reason that a reload does not mend.
    """
    return _TRANSLATION


class Client(redis.Redis):
    """A client that sends its commands over one connection, which it keeps.

    redis-py takes a connection out of a pool for each command, polls it and takes its time: 45 of the
    57 µs that a command costs the caller. A lost connection is an error of the command that finds it so.
    """

    _kept: Any = None

    def execute_command(self, *args: Any, **_options: Any) -> Any:
        """Send one command and return its reply as it is.

        Raises:
            redis.exceptions.RedisError: as redis-py does. Nothing is sent again.
        """
        connection = self._kept
        if connection is None:
            connection = self._kept = self.connection_pool.get_connection()
        connection.send_packed_command((hiredis.pack_command(args),), check_health=False)
        return connection.read_response()

    def listen(self, channels: Sequence[str]) -> Subscription:
        """Subscribe, on a connection of its own."""
        return Subscription(self.connection_pool, channels)


class Subscription:
    """What is published in some channels.

    Args:
        pool: gives the connection and takes it back.
        channels: their names.
    """

    def __init__(self, pool: redis.ConnectionPool, channels: Sequence[str]) -> None:
        self._pool = pool
        self._connection: Any = pool.get_connection()
        command: tuple[Any, ...] = ("SUBSCRIBE", *channels)
        try:
            self._connection.send_packed_command((hiredis.pack_command(command),), check_health=False)
        except redis.exceptions.RedisError:
            self.close()  # the pool has few, and counts every one that does not come back
            raise

    def next(self, wait_s: float) -> bytes | None:
        """The next message; None after so many seconds without one.

        Raises:
            redis.exceptions.RedisError: the connection is lost, and maybe messages with it.
        """
        try:
            told = self._connection.read_response(timeout=wait_s, disconnect_on_error=False)
        except redis.exceptions.TimeoutError:
            return None
        message: bytes | None = told[2] if told[0] == b"message" else None
        return message

    def close(self) -> None:
        """Give the connection back, closed: it can be used for nothing else."""
        self._connection.disconnect()
        self._pool.release(self._connection)


class Link:
    """The connections of one process to one server process.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_s: socket timeout; a blocking read must wait less.

    Raises:
        ConfigurationError: the URL is no Redis URL.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self.timeout_s = timeout_s
        self.longest_wait_s = 0.8 * timeout_s
        self._run_id = b""
        self._clients: list[Client] = []

    def client(self) -> Client:
        """A client with one connection of its own, which no other thread may use."""
        try:
            pool = redis.ConnectionPool.from_url(
                self._url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                retry_on_error=[],
                socket_timeout=self.timeout_s,
                socket_connect_timeout=self.timeout_s,
                redis_connect_func=self._greet,
                max_connections=4,
            )
        except ValueError as error:
            raise ConfigurationError(f"bus.url: {error}") from None
        client = Client(connection_pool=pool)
        client.response_callbacks.clear()
        self._clients.append(client)
        return client

    def reset(self) -> None:
        """Drop every connection and forget which server process it was."""
        self._run_id = b""
        for client in self._clients:
            client.connection_pool.disconnect()

    def close(self) -> None:
        """Drop the connections for good."""
        for client in self._clients:
            client.close()
            client.connection_pool.disconnect()
        self._clients.clear()

    def _greet(self, connection: Any) -> None:
        connection.on_connect()
        connection.send_command("INFO", "server")
        try:
            info = connection.read_response()
        except redis.exceptions.NoPermissionError:
            info = b""
        run_id = next((line[7:] for line in info.splitlines() if line.startswith(b"run_id:")), b"")
        if not run_id:
            connection.disconnect()
            raise Unreachable("the server does not tell its run_id, so its restart would not be noticed")
        if self._run_id and run_id != self._run_id:
            connection.disconnect()
            raise redis.exceptions.ConnectionError("the connection came back to another server process")
        self._run_id = run_id
