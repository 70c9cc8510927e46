"""`run.py doctor`: is this server, this clock, this configuration fit for trading?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import redis
from rich.console import Console

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.errors import BusError, CausewayError, ConfigurationError
from bus_schemas.settings import Settings, load
from cli.control import told_where
from cli.findings import Finding, show
from market_data.feed import FileFeed

CLOCK_S = 1.0
Checks = tuple[Callable[[redis.Redis], Iterator[Finding]], ...]


def examine(url: str | None, namespace: str | None, config: Path | None, json: bool) -> bool:
    """Run every check and print it. Returns whether nothing is wrong."""
    findings = list(_findings(url, namespace, config))
    if json:
        print(msgspec.json.encode(findings).decode())
    else:
        show(findings, Console(soft_wrap=True))
    return all(finding.level != "wrong" for finding in findings)


def _findings(url: str | None, namespace: str | None, config: Path | None) -> Iterator[Finding]:
    try:
        settings = load(config, {"bus": {"namespace": namespace}} if namespace else {})
    except ConfigurationError as error:
        yield Finding("wrong", str(error), "correct the file or the environment variables named above")
        return
    yield Finding("ok", "the configuration is complete and does not contradict itself")
    if settings.venue.live:
        yield from _live(settings, url)
    else:
        yield from _data(settings)
    if url or config or told_where():
        yield from _server(url or settings.bus.url.get_secret_value(), settings)
        return
    try:
        with EmbeddedServer() as server:
            yield Finding("ok", "no --redis given: checking an embedded server of this machine")
            yield from _server(server.url, settings)
    except BusError as error:
        yield Finding("wrong", str(error), "install Valkey or Redis 7.0 or newer, or give --redis URL")


def _data(settings: Settings) -> Iterator[Finding]:
    try:
        plan = FileFeed(settings.market_data, settings.strategy.entry_timeframe).plan()
    except CausewayError as error:
        yield Finding("wrong", f"candle files: {error}", "see market_data.data")
        return
    names = ", ".join(symbol.symbol for symbol in plan.symbols)
    yield Finding("ok", f"candle files: {names}; {plan.hydrate + plan.trade:,} candles of {plan.timeframe}")


def _live(settings: Settings, url: str | None) -> Iterator[Finding]:
    """What `run.py live` would ask. The bus is looked at for itself."""
    from cli import gatekeeper  # loads the ledger and the adapters

    told = url or ("url" in settings.bus.model_fields_set and settings.bus.url.get_secret_value())
    try:
        yield from gatekeeper.told_to_doctor(settings, told or None)
    except (CausewayError, redis.exceptions.RedisError) as error:
        yield Finding("wrong", str(error))


def _server(url: str, settings: Settings) -> Iterator[Finding]:
    link = Link(url, settings.bus.timeout_s)
    try:
        client = link.client()
        began = time.perf_counter()
        client.execute_command("PING")
        wait = (time.perf_counter() - began) * 1000
        yield Finding("ok", f"the server answers in {wait:.1f} ms")
        yield from _each((_commands, _durability, _memory, _clock), client)
        yield from _namespace(link, settings)
    except redis.exceptions.AuthenticationError as error:
        yield Finding(
            "wrong", f"the server does not let us in: {error}", "put user and password into bus.url"
        )
    except (redis.exceptions.RedisError, OSError) as error:
        yield Finding("wrong", f"the server does not answer: {error}", "start it, or correct the URL")
    except (BusError, ConfigurationError) as error:
        yield Finding("wrong", str(error))
    finally:
        link.close()


def refuse_forgetful(client: redis.Redis) -> list[Finding]:
    """What a run should know of the server before it starts: how durable it is, where that is not certain.

    Raises:
        ConfigurationError: the server may throw keys away, which no run survives.
    """
    lost = [finding for finding in _each((_memory,), client) if finding.level != "ok"]
    for finding in lost:
        if finding.level == "wrong":
            raise ConfigurationError(f"{finding.what}. Mend it: {finding.mend}")
    return lost + [finding for finding in _each((_durability,), client) if finding.level != "ok"]


def durability(client: redis.Redis) -> list[Finding]:
    """Whether the server keeps what it was told: eviction and the append-only file.

    Raises:
        redis.exceptions.RedisError: it does not answer.
    """
    return list(_each((_memory, _durability), client))


def _each(checks: Checks, client: redis.Redis) -> Iterator[Finding]:
    for check in checks:
        try:
            yield from check(client)
        except redis.exceptions.ResponseError as error:  # forbidden, or a hosted server without it
            yield Finding("note", f"not checked: {error}", "ask again as a user who may")


def _commands(client: redis.Redis) -> Iterator[Finding]:
    """Probe what we need instead of comparing versions: Valkey reports an old Redis version."""
    info = _info(client, "server")
    name = (
        "Valkey " + info["valkey_version"]
        if "valkey_version" in info
        else "Redis " + info.get("redis_version", "?")
    )
    probe = (
        "local k = KEYS[1] redis.call('XADD', k, '1-0', 'a', 'b') redis.call('XGROUP', 'CREATE', k, 'g', '0')"
        " redis.call('XGROUP', 'SETID', k, 'g', '1-0', 'ENTRIESREAD', 1) redis.call('TIME')"
        " local p = cmsgpack.pack({1}) redis.call('DEL', k) return 1"
    )
    try:
        client.execute_command("EVAL", probe, 1, "cw:doctor:{probe}")
    except redis.exceptions.NoPermissionError:
        raise
    except redis.exceptions.ResponseError as error:
        yield Finding(
            "wrong", f"{name} lacks what the bus needs: {error}", "use Valkey, or Redis 7.0 or newer"
        )
        return
    yield Finding("ok", f"{name}: every command that the bus needs works")
    if info.get("redis_mode") == "cluster":
        yield Finding("note", "the server is a cluster: lockstep needs a single server")


def _durability(client: redis.Redis) -> Iterator[Finding]:
    state = _info(client, "persistence")
    if state.get("aof_enabled") != "1":
        yield Finding(
            "wrong",
            "nothing is durable: the append-only file is off",
            "CONFIG SET appendonly yes, and put it into the server's configuration",
        )
        return
    fsync = _config(client, "appendfsync")
    if fsync is None:
        yield Finding(
            "note",
            "append-only file; whether with fsync always, this user may not see",
            "ask again as a user who may, or look at the provider's settings",
        )
    elif fsync == "always":
        yield Finding("ok", "append-only file with fsync always: nothing that was committed is lost")
    elif fsync == "everysec":
        yield Finding(
            "note",
            "append-only file with fsync everysec: a crash of the machine may take the last second, for all "
            "services together",
            "CONFIG SET appendfsync always, where the disk is fast",
        )
    else:
        yield Finding(
            "wrong",
            f"appendfsync is {fsync!r}: the system decides what is lost",
            "CONFIG SET appendfsync always",
        )
    if state.get("aof_last_write_status", "ok") != "ok":
        yield Finding(
            "wrong", "the last write to the append-only file failed", "look at the disk and the server's log"
        )


def _memory(client: redis.Redis) -> Iterator[Finding]:
    policy = _info(client, "memory").get("maxmemory_policy")
    if policy == "noeviction":
        yield Finding("ok", "maxmemory-policy noeviction: the server never throws our keys away")
    elif policy is None:
        yield Finding("note", "maxmemory-policy: the server does not say", "make sure that it is noeviction")
    else:
        yield Finding(
            "wrong",
            f"maxmemory-policy is {policy}: the server may throw away streams, state and leases",
            "CONFIG SET maxmemory-policy noeviction",
        )


def _clock(client: redis.Redis) -> Iterator[Finding]:
    before = time.time()
    seconds, micros = client.execute_command("TIME")
    after = time.time()
    server = int(seconds) + int(micros) / 1e6
    offset = max(before - server, server - after, 0.0)
    if offset > CLOCK_S:
        yield Finding(
            "wrong", f"this clock and the server's differ by {offset:.1f} s", "run NTP on both machines"
        )
    else:
        yield Finding("ok", "this clock and the server's agree")


def _namespace(link: Link, settings: Settings) -> Iterator[Finding]:
    observer = RedisObserver(link, settings.bus.namespace, settings.topology)
    declared = observer.declared()
    if declared is None:
        yield Finding("ok", f"the namespace {settings.bus.namespace!r} is free")
        return
    if declared.partitions != settings.bus.partitions or declared.account != settings.bus.account:
        yield Finding(
            "wrong",
            f"the namespace {settings.bus.namespace!r} has {declared.partitions} partitions and account "
            f"{declared.account}",
            "use these settings, or another namespace",
        )
        return
    units = [*declared.turn_order, *declared.units("market_data")]
    view = RedisObserver(link, settings.bus.namespace, declared)
    dead = sum(view.dead_count(unit) for unit in units)
    if dead:
        yield Finding("wrong", f"{dead} dead letters", "run.py status tells where; then run.py acknowledge")
    yield Finding("ok", f"the namespace {settings.bus.namespace!r} exists and fits the settings")


def _config(client: redis.Redis, name: str) -> str | None:
    """A setting of the server; None where it does not let us see."""
    try:
        answer = client.execute_command("CONFIG", "GET", name)
    except redis.exceptions.ResponseError:
        return None
    return answer[1].decode() if len(answer) > 1 else None


def _info(client: redis.Redis, section: str) -> dict[str, str]:
    text = client.execute_command("INFO", section).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
