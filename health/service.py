"""The health service: three threads around one board, and an HTTP server."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI

from bus_schemas.bus.port import Observer
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import EXIT_OK, CausewayError, ConfigurationError
from bus_schemas.settings import HealthSettings, Settings
from health.app import make_app
from health.board import Board
from health.database import database_url, make_engine, shown
from health.fleet import Fleet
from health.follower import Follower, ObserverFactory
from health.ledger import Ledger
from health.migrate import require, upgrade
from health.monitor import groups_for
from health.queries import Queries
from health.watcher import GroupsFactory, Watcher

log = logging.getLogger("causeway.health")

LOOK_S = 0.05
"""A signal is seen after it."""


def run(
    settings: Settings,
    observer_factory: ObserverFactory,
    stopped: Callable[[], bool],
    groups_factory: GroupsFactory | None = None,
    on_serving: Callable[[str], None] | None = None,
) -> None:
    """Serve until `stopped()`, then end all threads within `runtime.shutdown_s`.

    Args:
        observer_factory: a view of the bus with connections of its own; called by each thread, and
            again after a lost connection.
        stopped: whether to end; asked all the time by the calling thread.
        groups_factory: `lambda: health.monitor.groups_for(settings)`; None on the memory bus.
        on_serving: told the URL once it answers. It is logged as well.

    Raises:
        ConfigurationError: the port is taken, or the ledger's schema is behind.
        Unreachable: the ledger's database does not answer at start.
        CausewayError: a thread ended with a fault that waiting does not mend.
    """
    listening = listen(settings.health)
    try:
        engine = open_ledger(settings.health)
    except CausewayError:
        listening.close()
        raise
    try:
        _Service(settings, observer_factory, groups_factory, engine, listening).run(stopped, on_serving)
    finally:
        listening.close()
        engine.dispose()


def build(settings: Settings) -> Callable[[], int]:
    """For `entry.main`: the service on Redis, until SIGTERM or SIGINT."""

    def observe() -> Observer:
        bus = settings.bus
        return RedisObserver(
            Link(bus.url.get_secret_value(), bus.timeout_s), bus.namespace, settings.topology
        )

    def serve() -> int:
        signals: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            # a note, and nothing that waits for a lock: the main thread may hold it right now
            signal.signal(number, lambda number, _frame: signals.append(number))
        run(settings, observe, lambda: bool(signals), lambda: groups_for(settings))
        return EXIT_OK

    return serve


def listen(settings: HealthSettings) -> socket.socket:
    """Take the HTTP port.

    Raises:
        ConfigurationError: it is taken, or not ours to take.
    """
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError(
            f"health.port: cannot listen on {settings.host}:{settings.port}: {why}. "
            "Choose another health.port, or 0 for a free one."
        ) from None


def open_ledger(settings: HealthSettings) -> sa.Engine:
    """The ledger's engine, its schema brought up or checked as `health.migrate` says.

    Raises:
        ConfigurationError: the schema is behind, or made by a newer release.
        Unreachable, DataError: the database cannot be used.
    """
    url = database_url(settings)
    engine = make_engine(url)
    try:
        if settings.migrate == "always" or (settings.migrate == "sqlite" and engine.dialect.name == "sqlite"):
            before, after = upgrade(engine)
            if before != after:
                log.info("ledger migrated", extra={"ledger": shown(url), "from": before, "to": after})
        else:
            require(engine)
    except CausewayError:
        engine.dispose()
        raise
    return engine


class _Service:
    def __init__(
        self,
        settings: Settings,
        observer_factory: ObserverFactory,
        groups_factory: GroupsFactory | None,
        engine: sa.Engine,
        listening: socket.socket,
    ) -> None:
        health, namespace = settings.health, settings.bus.namespace
        board = Board(Fleet(health, time.time()))  # edge: ages of heartbeats
        queries = Queries(engine, namespace)
        ledger = Ledger(engine, namespace)
        self._shutdown_s = settings.runtime.shutdown_s
        self._follower = Follower(observer_factory, ledger, queries, board, health.batch, health.poll_s)
        self._watcher = Watcher(
            observer_factory, board, health.sample_s, settings.runtime.slot, groups_factory
        )
        self._listening = listening
        self._server = _server(make_app(board, queries, namespace))
        self._ending = threading.Event()
        self._fault: BaseException | None = None

    def run(self, stopped: Callable[[], bool], on_serving: Callable[[str], None] | None) -> None:
        threads = [
            self._thread("ledger", lambda: self._follower.run(self._ending)),
            self._thread("watcher", lambda: self._watcher.run(self._ending)),
            self._thread("http", lambda: self._server.run(sockets=[self._listening])),
        ]
        url = _url(self._listening)
        self._watcher.http = url.removeprefix("http://")
        try:
            for thread in threads:
                thread.start()
            self._serve(stopped, url, on_serving)
        finally:
            self._end(threads)
        if self._fault is not None:
            raise self._fault

    def _serve(self, stopped: Callable[[], bool], url: str, on_serving: Callable[[str], None] | None) -> None:
        told = False
        while not stopped() and self._fault is None:
            if self._server.started and not told:
                told = True
                self._watcher.status = "ready"
                log.info("serving", extra={"url": url})
                if on_serving is not None:
                    on_serving(url)
            time.sleep(LOOK_S if told else 0.01)  # edge: until the next look

    def _end(self, threads: list[threading.Thread]) -> None:
        """Stop every thread; together they have the shutdown budget."""
        deadline = time.monotonic() + self._shutdown_s  # edge: shutdown budget
        self._ending.set()
        self._server.should_exit = True
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))  # edge: shutdown budget
            if thread.is_alive():
                log.warning("a thread did not end in time", extra={"thread": thread.name})

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # whatever ended the thread ends the service, in `run`
                self._fault = self._fault or error
            else:
                if not self._ending.is_set():
                    self._fault = self._fault or CausewayError(f"health's {name} thread ended by itself")

        return threading.Thread(target=guarded, name=name, daemon=True)


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        timeout_keep_alive=5,
        server_header=False,
    )
    return uvicorn.Server(config)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
