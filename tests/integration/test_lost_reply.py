"""A reply or a request that is lost on the way: one effect after a reload, whatever the call was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import Disconnected, Reload
from bus_schemas.events import KillSwitch
from bus_schemas.topology import Stream, Topology
from tests.support.hands import CANDLES, CONTROLS, SIGNALS, STRATEGY, Hand, bodies, feed, owner, write
from tests.support.proxy import Proxy, Rule, about, named

COMMIT: Rule = about(":state:strategy")
"""The commit is the only script that names the state's key; MULTI's HGETALL is excluded by its name."""


def a_commit(command: list[bytes]) -> bool:
    return named("EVALSHA", "EVAL")(command) and COMMIT(command)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def proxy(server: EmbeddedServer) -> Iterator[Proxy]:
    with Proxy(server.socket) as wire:
        yield wire
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()


def _bus(url: str) -> RedisBus:
    return RedisBus(Link(url, 2.0), "lost", Topology(partitions=1), 60_000)


def _take_one(hand: Hand) -> None:
    """Read one candle, answer it with one signal, count it in the state."""
    entry = hand.unread(CANDLES, 1)[0]
    count = int(hand.snapshot.state.get("count", b"0")) + 1
    answer = write(SIGNALS, "re " + bodies([entry])[0])
    hand.send(hand.plan([answer], [entry], {"count": b"%d" % count}))
    hand.snapshot.state["count"] = b"%d" % count


def test_a_lost_reply_of_a_commit_leaves_one_effect(proxy: Proxy, server: EmbeddedServer) -> None:
    feed(_bus(server.url), "one", "two")
    hand = Hand(_bus(proxy.url), STRATEGY)
    proxy.lose_reply(a_commit)
    with pytest.raises(Disconnected):
        _take_one(hand)
    assert proxy.cuts == 1
    assert hand.reload().counter == 1, "the server executed it before the reply was lost"
    _take_one(hand)
    bus = _bus(server.url)
    assert bodies(bus.range(SIGNALS, 0, 9)) == ["re one", "re two"]
    assert bus.state(STRATEGY) == {"count": b"2"}
    assert bus.positions(STRATEGY) == {CANDLES: 2}
    assert [text for _, text in bus.journal(STRATEGY, 0, 9)] == ["candles.p0:1", "candles.p0:2"]


def test_a_lost_request_of_a_commit_leaves_one_effect(proxy: Proxy, server: EmbeddedServer) -> None:
    feed(_bus(server.url), "one")
    hand = Hand(_bus(proxy.url), STRATEGY)
    proxy.lose_request(a_commit)
    with pytest.raises(Disconnected):
        _take_one(hand)
    assert proxy.cuts == 1
    assert hand.reload().counter == 0, "it never arrived"
    _take_one(hand)
    assert bodies(_bus(server.url).range(SIGNALS, 0, 9)) == ["re one"]


@pytest.mark.parametrize("lose", ["lose_reply", "lose_request"])
@pytest.mark.parametrize(
    "rule",
    [a_commit, named("XREAD"), about(":lease:strategy"), named("EXEC"), named("INFO")],
    ids=["commit", "read", "acquire, load or commit", "load", "greeting"],
)
def test_a_loop_under_losses_has_every_effect_once(
    proxy: Proxy, server: EmbeddedServer, lose: str, rule: Rule
) -> None:
    """Whichever call is cut, again and again: reload and go on."""
    texts = [str(n) for n in range(20)]
    feed(_bus(server.url), *texts)
    hand = Hand(_bus(proxy.url), STRATEGY)
    for attempt in range(200):
        if attempt % 3 == 1:
            getattr(proxy, lose)(rule)
            if not (rule is a_commit or rule([b"XREAD"])):
                _come_back(hand)
        try:
            if hand.position(CANDLES) == len(texts):
                break
            _take_one(hand)
        except Reload:
            _come_back(hand)
    bus = _bus(server.url)
    assert bodies(bus.range(SIGNALS, 0, 99)) == [f"re {text}" for text in texts]
    assert bus.state(STRATEGY) == {"count": b"20"}
    assert proxy.cuts >= 6


def _come_back(hand: Hand) -> None:
    for _ in range(10):
        try:
            hand.reload()
        except Disconnected:
            continue
        return
    raise AssertionError("cannot come back")


def test_a_lost_reply_of_a_lease_does_not_lock_its_owner_out(proxy: Proxy) -> None:
    bus = _bus(proxy.url)
    proxy.lose_reply(named("EVALSHA", "EVAL"))
    with pytest.raises(Disconnected):
        bus.acquire(STRATEGY, owner("a"))
    bus.reset()
    lease = bus.acquire(STRATEGY, owner("a"))
    assert lease is not None
    bus.renew(lease)


def test_a_server_without_the_script_gets_its_source_and_applies_it_once(
    proxy: Proxy, server: EmbeddedServer
) -> None:
    feed(_bus(server.url), "one", "two", "three")
    hand = Hand(_bus(proxy.url), STRATEGY)
    _take_one(hand)
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.script_flush()
    _take_one(hand)
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.script_flush()
    proxy.lose_reply(lambda command: named("EVAL")(command) and COMMIT(command))
    with pytest.raises(Disconnected):
        _take_one(hand)
    assert hand.reload().counter == 3
    assert bodies(_bus(server.url).range(SIGNALS, 0, 9)) == ["re one", "re two", "re three"]


def test_an_operator_whose_reply_was_lost_is_told(proxy: Proxy, server: EmbeddedServer) -> None:
    """Controls are idempotent, so whoever sees this error posts again."""
    bus = _bus(proxy.url)
    kill = KillSwitch(time=1, reason="test", by="me")
    assert bus.post(Stream.CONTROLS, "*", kill) == 1
    proxy.lose_reply(named("EVALSHA"))
    with pytest.raises(Disconnected):
        bus.post(Stream.CONTROLS, "*", kill)
    assert _bus(server.url).tip(CONTROLS) == 2


def test_redis_py_by_itself_makes_two_entries_of_one_call(proxy: Proxy, server: EmbeddedServer) -> None:
    """The control: what the client's default retries do, and why they are off."""
    proxy.lose_reply(named("XADD"))
    with redis.Redis(unix_socket_path=proxy.url.removeprefix("unix://")) as client:
        client.xadd("careless", {"order": "1"})
    assert proxy.cuts == 1
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.xlen("careless") == 2


def test_a_link_makes_one_entry_of_one_call(proxy: Proxy, server: EmbeddedServer) -> None:
    proxy.lose_reply(named("XADD"))
    link = Link(proxy.url, 2.0)
    with pytest.raises(redis.exceptions.ConnectionError):
        link.client().execute_command("XADD", "careful", "*", "order", "1")
    link.close()
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.xlen("careful") == 1
