"""What a server's bad moods become: a reload where waiting mends it, an error where a person must."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import ConfigurationError, Disconnected, Unreachable
from bus_schemas.topology import Topology
from tests.support.hands import CANDLES, SIGNALS, STRATEGY, Hand, bodies, feed, write
from tests.support.shell import eventually


def _bus(server: EmbeddedServer, timeout_s: float = 2.0) -> RedisBus:
    return RedisBus(Link(server.url, timeout_s), "link", Topology(partitions=1), 60_000)


def _admin(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket))


def test_a_server_that_is_away_is_waited_for(embedded: EmbeddedServer) -> None:
    hand = Hand(_bus(embedded), STRATEGY)
    hand.put(write(SIGNALS, "a"))
    embedded.kill()
    for _ in range(2):
        with pytest.raises(Disconnected):
            hand.bus.commit(hand.lease, hand.plan([write(SIGNALS, "b")]))
        hand.bus.reset()
    embedded.start()
    assert hand.reload().counter == 1, "fsync always: what was committed is there"
    hand.put(write(SIGNALS, "b"))
    assert bodies(hand.bus.range(SIGNALS, 0, 9)) == ["a", "b"]


def test_every_call_notices_another_server_process(embedded: EmbeddedServer) -> None:
    """Until the owner says that it has dropped its memory."""
    bus = _bus(embedded)
    lease = Hand(bus, STRATEGY).lease
    bus.read({CANDLES: 0}, 1, 0)
    embedded.kill()
    embedded.start()
    for call in (
        lambda: bus.renew(lease),
        lambda: bus.load(lease),
        lambda: bus.read({CANDLES: 0}, 1, 0),
        lambda: bus.tip(SIGNALS),
        lambda: bus.wait_turn("strategy", 0.01),
    ):
        with pytest.raises(Disconnected):
            call()
    bus.reset()
    bus.renew(lease)


def test_a_frozen_server_leaves_one_effect(embedded: EmbeddedServer) -> None:
    """The commit lies in the server's socket while the owner gives up, and is executed later or refused."""
    feed(_bus(embedded), "one", "two")
    hand = Hand(_bus(embedded, 0.2), STRATEGY)
    took = hand.unread(CANDLES)
    commit = hand.plan([write(SIGNALS, "re " + text) for text in bodies(took)], took)
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGSTOP)
    with pytest.raises(Disconnected):
        hand.send(commit)
    os.kill(embedded.pid, signal.SIGCONT)
    if hand.reload().counter == 0:
        hand.send(hand.plan(commit.writes, took))
    assert bodies(hand.bus.range(SIGNALS, 0, 9)) == ["re one", "re two"]
    assert hand.bus.positions(STRATEGY) == {CANDLES: 2}


def test_a_full_server_is_waited_for_and_nothing_is_applied(embedded: EmbeddedServer) -> None:
    hand = Hand(_bus(embedded), STRATEGY)
    with _admin(embedded) as admin:
        admin.config_set("maxmemory", 1)
        with pytest.raises(Disconnected):
            hand.bus.commit(hand.lease, hand.plan([write(SIGNALS, "a")], state={"k": b"1"}))
        admin.config_set("maxmemory", 0)
    assert hand.reload().counter == 0
    assert hand.bus.state(STRATEGY) == {}
    hand.put(write(SIGNALS, "a"))
    assert bodies(hand.bus.range(SIGNALS, 0, 9)) == ["a"]


def test_a_replica_that_takes_no_writes_is_waited_for(embedded: EmbeddedServer) -> None:
    hand = Hand(_bus(embedded), STRATEGY)
    with _admin(embedded) as admin:
        admin.replicaof("127.0.0.1", 1)
        with pytest.raises(Disconnected):
            hand.put(write(SIGNALS, "a"))
        admin.replicaof("NO", "ONE")
    hand.reload()
    hand.put(write(SIGNALS, "a"))


def test_a_server_that_misses_replicas_is_waited_for(embedded: EmbeddedServer) -> None:
    hand = Hand(_bus(embedded), STRATEGY)
    with _admin(embedded) as admin:
        admin.config_set("min-replicas-to-write", 1)
        with pytest.raises(Disconnected):
            hand.put(write(SIGNALS, "a"))
        admin.config_set("min-replicas-to-write", 0)
    assert hand.reload().counter == 0


def test_a_server_busy_with_a_script_is_waited_for(embedded: EmbeddedServer) -> None:
    bus = _bus(embedded)
    lease = Hand(bus, STRATEGY).lease
    with _admin(embedded) as admin, _admin(embedded) as other:
        admin.config_set("busy-reply-threshold", 10)
        looping = threading.Thread(target=_loop, args=(other,))
        looping.start()
        eventually(lambda: _busy(admin), what="the script's run")
        with pytest.raises(Disconnected):
            bus.renew(lease)
        admin.script_kill()
        looping.join()
    bus.renew(lease)


def _busy(client: redis.Redis) -> bool:
    try:
        return not client.ping()
    except redis.exceptions.ResponseError as error:
        return "BUSY" in str(error)


def _loop(client: redis.Redis) -> None:
    with pytest.raises(redis.exceptions.ResponseError):
        client.eval("while true do end", 0)


def test_a_server_without_a_run_id_is_not_used(embedded: EmbeddedServer) -> None:
    """Its restart could not be noticed. One user who may not run INFO stands for it."""
    with _admin(embedded) as admin:
        admin.execute_command("ACL SETUSER blind on >pw ~* &* +@all -info")
    bus = RedisBus(Link(f"unix://blind:pw@{embedded.socket}", 2.0), "link", Topology(partitions=1), 60_000)
    with pytest.raises(Unreachable, match="run_id"):
        bus.declare()


def test_a_url_that_is_none_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"bus\.url"):
        Link("http://127.0.0.1", 1.0).client()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("rubbish\n")
    with pytest.raises(Unreachable, match="did not come up"):
        server.start()
    assert server.pid is None
