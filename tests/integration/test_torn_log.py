"""The server's append-only file cut anywhere: what is left is one earlier moment, never a mixture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.port import DeadLetter
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.journal import flattened
from bus_schemas.topology import Topology, Unit
from tests.support.hands import (
    COMMANDS,
    EXECUTIONS,
    MANAGER,
    ORDERS,
    REPORTS,
    RISK,
    VENUE,
    Hand,
    bodies,
    write,
)
from tests.support.worlds import Picture, picture

NAMESPACE = "torn"
ROUNDS = 6
CUTS = 32


def _bus(server: EmbeddedServer) -> RedisBus:
    return RedisBus(Link(server.url, 5.0), NAMESPACE, Topology(partitions=1), 600_000)


def _seen(server: EmbeddedServer) -> Picture:
    with redis.Redis(unix_socket_path=str(server.socket), protocol=2) as raw:
        return picture(raw, NAMESPACE)


class Recorded:
    """A server's life: every moment that it went through, with the log's length then."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.moments: list[tuple[int, Picture]] = []
        self._note()
        bus = _bus(server)
        bus.declare()
        self._note()
        hands = [self._owner(unit) for unit in (RISK, VENUE, MANAGER)]
        for n in range(1, ROUNDS + 1):
            self._round(n, *hands)

    def _owner(self, unit: Unit) -> Hand:
        hand = Hand(_bus(self.server), unit)
        self._note()
        return hand

    def _note(self) -> None:
        self.moments.append((self.server.append_only_file().stat().st_size, _seen(self.server)))

    def _round(self, n: int, risk: Hand, venue: Hand, manager: Hand) -> None:
        risk.put(write(ORDERS, f"o{n}"))
        self._note()
        venue.put(write(REPORTS, f"r{n}a"), write(REPORTS, f"r{n}b"))
        self._note()
        took = [*manager.unread(REPORTS), *manager.unread(ORDERS)]
        outs = [write(COMMANDS if i % 2 else EXECUTIONS, text) for i, text in enumerate(bodies(took))]
        dead = [DeadLetter(ORDERS, n, "no", 1, {})] if n % 2 else []
        manager.send(manager.plan(outs, took, {"seen": b"%d" % n, f"k{n}": b"x", f"k{n - 1}": None}, dead))
        self._note()


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    with EmbeddedServer() as server:
        life = Recorded(server)
        server.kill()
        yield life


def _cut_copy(life: Recorded, folder: Path, length: int) -> EmbeddedServer:
    shutil.copytree(life.server.folder / "appendonlydir", folder / "appendonlydir")
    log = folder / "appendonlydir" / life.server.append_only_file().name
    with log.open("r+b") as file:
        file.truncate(length)
    return EmbeddedServer(folder, fsync="no")


def _whole(life: Recorded, length: int) -> Picture:
    """The last moment whose record lies within this length."""
    return [seen for size, seen in life.moments if size <= length][-1]


def test_a_log_cut_anywhere_leaves_one_earlier_moment(recorded: Recorded) -> None:
    """Offsets spread over the last rounds, and the bytes just around each commit's end."""
    sizes = sorted({size for size, _ in recorded.moments})
    start, end = sizes[-7], sizes[-1]
    spread = [start + (end - start) * i // CUTS for i in range(CUTS)]
    edges = [size + by for size in sizes[-3:] for by in (-1, 0, 1) if size + by <= end]
    pictures = [seen for _, seen in recorded.moments]
    met = set()
    for length in sorted({*spread, *edges}):
        with _Copy(recorded, length) as server:
            seen = _seen(server)
            assert seen in pictures, f"cut at {length}: no moment of the server's life"
            assert seen == _whole(recorded, length), (
                f"cut at {length}: another moment than the last whole one"
            )
            met.add(pictures.index(seen))
    assert len(met) >= 6


@pytest.mark.parametrize("back", [1, 200, 900, 1800])
def test_owners_go_on_from_a_cut_log(recorded: Recorded, back: int) -> None:
    """After the cut, the units load and finish: every order and report that is left has one effect."""
    with _Copy(recorded, recorded.moments[-1][0] - back) as server:
        manager = Hand(_bus(server), MANAGER)
        took = [*manager.unread(REPORTS), *manager.unread(ORDERS)]
        outs = [write(COMMANDS if i % 2 else EXECUTIONS, text) for i, text in enumerate(bodies(took))]
        manager.send(manager.plan(outs, took))
        bus = manager.bus
        inputs = bodies([*bus.range(REPORTS, 0, 99), *bus.range(ORDERS, 0, 99)])
        outputs = bodies([*bus.range(COMMANDS, 0, 99), *bus.range(EXECUTIONS, 0, 99)])
        assert sorted(outputs) == sorted(inputs)
        taken = list(flattened(text for _, text in bus.journal(MANAGER, 0, 99)))
        assert len(taken) == len(set(taken)) == len(inputs)


class _Copy:
    """A server over a copy of the recorded log, cut."""

    def __init__(self, life: Recorded, length: int) -> None:
        self._holder = EmbeddedServer()
        self._server = _cut_copy(life, self._holder.folder / "c", length)

    def __enter__(self) -> EmbeddedServer:
        return self._server.start()

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._holder.remove()
