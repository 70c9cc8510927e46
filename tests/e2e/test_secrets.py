"""No key, secret, signature or listen key in anything that a live run writes or shows.

One run for each protocol, with logs at DEBUG, at a venue of this process with keys of its own; the venue
answers with server errors, refuses signatures, loses replies; the bus gets events that no reader can take.
Then everything is searched: files while it runs and after, streams and state, HTTP, the commands' words.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import signal
import socket
import sqlite3
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
import redis
import typer.main

import migrate_schema
from bus_schemas.bus.redis_link import Link
from bus_schemas.bus.redis_observer import RedisObserver
from bus_schemas.events import ClockTick, Heartbeat
from bus_schemas.topology import Stream, Topology
from cli import folder
from cli.app import app
from cli.folder import Note
from execution.simulator import binance_rest, binance_sign, binance_ws
from execution.simulator.binance_rest import BinanceUsdm
from execution.simulator.binance_words import Trouble
from execution.simulator.kraken import KrakenFutures
from execution.simulator.kraken_sign import Signatures
from execution.simulator.protocol import Credentials
from tests.support.shell import ROOT, Running, World, eventually, invoke
from tests.support.venue import RunningVenue, simulated_here

BINANCE = Credentials("kQ7+binance/live=key-9f3A", "s3cr3t/Binance+4dZ&=%-own")
KRAKEN = Credentials(
    base64.b64encode(b"kraken futures key of the test \xfb\xff").decode(),
    base64.b64encode(hashlib.sha512(b"kraken futures secret of the test").digest()).decode(),
)
WRONG = Credentials(
    "bm9ib2R5LWhhcy10aGlzLWtleQ==", base64.b64encode(b"nobody has this secret, nobody").decode()
)
KEYS = {"binanceusdm": BINANCE, "krakenfutures": KRAKEN}
SYMBOLS = {"binanceusdm": "BTCUSDT", "krakenfutures": "BTCUSD"}
FAULTS = (
    {"kind": "lost_reply", "operation": "place", "nth": 1},
    {"kind": "status", "operation": "place", "nth": 2, "status": 503},
    {"kind": "lost_request", "operation": "cancel", "nth": 1},
    {"kind": "lost_reply", "operation": "positions", "every": 5},
    {"kind": "status", "operation": "open_orders", "every": 4, "status": 500},
    {"kind": "status", "operation": "account", "every": 3, "status": 401},
    {"kind": "rate_limit", "operation": "look_up", "every": 3},
    {"kind": "ws_cut", "every": 40},
)


class _Binance(BinanceUsdm):
    demo = BINANCE


class _Kraken(KrakenFutures):
    demo = KRAKEN


class Sent:
    """What clients have signed with, and whether signatures are refused now.

    Attributes:
        words: signatures that went over the wire.
        listened: listen keys.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: set[str] = set()
        self.listened: set[str] = set()
        self.refusing = False
        check, refusal, challenged = binance_sign.check_signature, Signatures.refusal, Signatures.challenged

        def binance(signed: str, signature: str, demo: Credentials) -> None:
            self.words.add(signature)
            check(signed, signature, demo)
            if self.refusing:
                raise Trouble(-1022, "Signature for this request is not valid.")

        def kraken(own: Signatures, key: str, authent: str, nonce: str, data: str, path: str) -> str:
            self.words.add(authent)
            return "authenticationError" if self.refusing else refusal(own, key, authent, nonce, data, path)

        def kraken_ws(own: Signatures, key: object, challenge: str, signed: object) -> bool:
            self.words.add(str(signed))
            return challenged(own, key, challenge, signed)

        listened = binance_ws._listen_keys

        def listening(opened: Any) -> list[str]:
            found = listened(opened)
            self.listened.update(found)
            return found

        monkeypatch.setattr(binance_rest, "check_signature", binance)
        monkeypatch.setattr(Signatures, "refusal", kraken)
        monkeypatch.setattr(Signatures, "challenged", kraken_ws)
        monkeypatch.setattr(binance_ws, "_listen_keys", listening)


def forms_of(secret: str) -> set[bytes]:
    """How the secret could be written: as it is, encoded, escaped, hashed."""
    raws = {secret.encode()}
    with contextlib.suppress(ValueError):
        raws.add(base64.b64decode(secret, validate=True))
    found = set(raws)
    for raw in raws:
        encoded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode()}
        found |= encoded | {each.rstrip(b"=") for each in encoded} | {raw.hex().upper().encode()}
        found |= {hashlib.sha256(raw).hexdigest().encode(), hashlib.sha512(raw).hexdigest().encode()}
    found |= {quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    found |= {json.dumps(secret).strip('"').encode(), secret.replace("/", "\\/").encode()}
    found |= {repr(raw)[2:-1].encode() for raw in raws}
    return {form for form in found if len(form) >= 8}


def leaks(texts: Iterable[tuple[str, bytes]], secrets: Mapping[str, set[bytes]]) -> list[str]:
    """Which secret is found where."""
    return [
        f"{name} as {form[:12]!r}… in {where}"
        for where, content in texts
        for name, forms in secrets.items()
        for form in forms
        if form in content
    ]


def files_of(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folders, and every text in a database among them."""
    for path in (path for top in folders for path in top.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield str(path), content
        if content.startswith(b"SQLite format 3"):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as ledger:
                yield f"{path} as SQL", "\n".join(ledger.iterdump()).encode()


def bus_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Every key of the server with everything in it."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter("*"):
            yield f"key {key!r}", repr(_content(client, key, client.type(key).decode())).encode() + key
            yield f"key {key!r}, raw", _flat(_content(client, key, client.type(key).decode()))


def _content(client: redis.Redis, key: bytes, kind: str) -> Any:
    commands: dict[str, tuple[Any, ...]] = {
        "string": ("GET", key),
        "hash": ("HGETALL", key),
        "stream": ("XRANGE", key, "-", "+"),
        "set": ("SMEMBERS", key),
        "zset": ("ZRANGE", key, 0, -1, "WITHSCORES"),
        "list": ("LRANGE", key, 0, -1),
    }
    return client.execute_command(*commands[kind])


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        return b"\n".join(_flat(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple | set):
        return b"\n".join(_flat(part) for part in value)
    return str(value).encode()


class Live:
    """One live run with what it needs.

    Attributes:
        served: it has health; the other one costs less time without.
        shown: what was read over HTTP and from commands, by where.
        settings: mode and content of the children's settings file, while it was there.
    """

    def __init__(self, world: World, venue: RunningVenue, protocol: str) -> None:
        self.protocol = protocol
        self.served = protocol == "binanceusdm"
        self.where = world.path / protocol
        self.where.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        ledger = f"sqlite:///{world.path / 'causeway.db'}"
        self.environment = venue.environment(protocol) | {
            "CAUSEWAY_MARKET_DATA__SYMBOLS": SYMBOLS[protocol],
            "CAUSEWAY_RUNTIME__LOG_LEVEL": "DEBUG",
            "CAUSEWAY_VENUE__POLL_S": "0.3",
            "CAUSEWAY_STRATEGY__WARMUP_BARS": "40",
            "DATABASE_URL": ledger,
            "PORT": str(self.port),
        }
        self.shown: list[tuple[str, bytes]] = []
        self.settings: list[tuple[int, bytes]] = []
        self._world = world

    def start(self) -> None:
        served = "--with-health" if self.served else ""
        line = f"cd {self.where} && exec {sys.executable} {ROOT / 'run.py'} live --force {served}"
        self.run = Running(["sh", "-c", line], self._world, self.environment)

    def ready(self) -> None:
        eventually(
            lambda: self._says("ready: every service works") or self.run.process.poll() is not None, 60
        )
        assert self.run.process.poll() is None, self.run.said
        paths = [path for path in self._world.notes() if path.suffix == ".json"]
        notes = [msgspec.json.decode(path.read_bytes(), type=Note) for path in paths]
        self.note = next(note for note in notes if note.pid == self.run.process.pid)

    def _says(self, words: str) -> bool:
        return words in self.run.said

    def provoke(self, venue: RunningVenue) -> None:
        """A position that nobody knows, so that a stop is placed; events that are none."""
        symbol = SYMBOLS[self.protocol]
        venue.control.order(self.protocol, symbol=symbol, side="long", kind="market", quantity="0.05")
        observer = RedisObserver(Link(self.note.url, 5), self.note.namespace, Topology())
        beat = Heartbeat(time=1, service="nobody", slot="0", host="h", pid=1, status="ready")
        observer.post(Stream.COMMANDS, symbol, beat)
        observer.post(Stream.REPORTS, symbol, beat)
        observer.post(Stream.EXECUTIONS, symbol, ClockTick(time=1))
        observer.close()

    def look(self) -> None:
        """Read everything that the run shows."""
        if self.served:
            paths = ["/", "/api/openapi.json", *json.loads(self._get("/api/openapi.json"))["paths"]]
            self.shown += [(f"GET {path}", self._get(path)) for path in dict.fromkeys(paths)]
        for path in self._world.path.glob("causeway-*/settings.json"):
            self.settings.append((stat.S_IMODE(path.stat().st_mode), path.read_bytes()))
        own = {"COLUMNS": "200", **self.environment}
        for words in ("status --json", "status", "doctor", "doctor --json"):
            where = ["--redis", self.note.url, "--namespace", self.note.namespace]
            code, out, err = invoke(*words.split(), *where, env=own)
            assert code in (0, 1), (words, out, err)
            self.shown.append((words, (out + err).encode()))

    def _get(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return bytes(error.read())


class Story:
    """What the two runs have left.

    Attributes:
        secrets: forms of everything that must be nowhere, by name.
        bus: everything that was on the buses.
        early: files while the runs went on.
    """

    def __init__(self, world: World, lives: list[Live], sent: Sent) -> None:
        self.world = world
        self.lives = lives
        self.secrets = {
            f"{who} {what}": forms_of(getattr(pair, what))
            for who, pair in (*KEYS.items(), ("wrong", WRONG))
            for what in ("key", "secret")
        }
        self.sent = sent
        self.bus: list[tuple[str, bytes]] = []
        self.early: list[tuple[str, bytes]] = []

    def everything(self) -> dict[str, set[bytes]]:
        """With what was signed and listened with."""
        signed = {
            form
            for word in self.sent.words
            if word
            for form in (word.encode(), quote(word, safe="").encode())
        }
        return self.secrets | {"a signature or listen key": signed}


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    world, monkeypatch = World(), pytest.MonkeyPatch()
    notes = world.path / "causeway-runs-0"
    monkeypatch.setattr(folder, "notes_folder", lambda: notes)
    monkeypatch.chdir(world.path)
    sent = Sent(monkeypatch)
    try:
        with simulated_here(protocols=(_Kraken, _Binance)) as venue:
            lives = [Live(world, venue, protocol) for protocol in KEYS]
            told = Story(world, lives, sent)
            assert migrate_schema.main(["--database", lives[0].environment["DATABASE_URL"]]) == 0
            for live in lives:
                live.start()
            _wrong_keys(told)
            _go_on(told, venue)
        yield told
    finally:
        monkeypatch.undo()
        world.close()


def _wrong_keys(told: Story) -> None:
    """A start with keys that the venue does not know, and one with the right key and another secret."""
    for live in told.lives:
        for key in (WRONG.key, KEYS[live.protocol].key):
            wrong = {"CAUSEWAY_VENUE__API_KEY": key, "CAUSEWAY_VENUE__API_SECRET": WRONG.secret}
            code, out, err = invoke("live", "--force", env=live.environment | wrong)
            assert code == 10, err
            live.shown.append(("a refused start", (out + err).encode()))


def _go_on(told: Story, venue: RunningVenue) -> None:
    for live in told.lives:
        live.ready()
    venue.control.faults(*FAULTS)
    for live in told.lives:
        live.provoke(venue)
    for live in told.lives:
        eventually(partial(_stopped, venue, live.protocol), 20, "a stop at the venue")
    told.sent.refusing = True
    for live in told.lives:
        eventually(partial(_refused, live), 20, "a refused signature in the logs")
    for live in told.lives:
        live.look()
        told.bus += bus_of(live.note.url)
    told.early = list(files_of(told.world.path))
    for live in told.lives:
        live.run.send(signal.SIGTERM)
    for live in told.lives:
        assert live.run.wait() == 0, live.run.said[-2000:]


def _stopped(venue: RunningVenue, protocol: str) -> bool:
    orders = venue.control.account(protocol)["orders"]
    return any(order["kind"] == "stop" and order["status"] == "waiting" for order in orders)


def _refused(live: Live) -> bool:
    return "Denied" in live.run.stderr or "denied" in live.run.stderr


def test_nothing_that_was_written_or_shown_has_a_secret(story: Story) -> None:
    found = leaks(story.early, story.everything())
    found += leaks(files_of(story.world.path), story.everything())
    found += leaks(story.bus, story.everything())
    found += leaks((shown for live in story.lives for shown in live.shown), story.everything())
    assert not found, "\n".join(found)
    assert len(story.sent.words) > 20, "the runs have signed"
    assert story.sent.listened


def test_the_runs_had_every_chance_to_leak(story: Story) -> None:
    for live in story.lives:
        said = live.run.stderr
        assert '"level":"debug"' in said
        for words in ('"fault":"Unclear"', '"fault":"Denied"', "dead"):
            assert words in said, (live.protocol, words)
    assert any("appendonly" in where for where, _ in story.early)
    assert any(where.endswith("as SQL") for where, _ in story.early)
    assert any(b"StrayOrder" in text or b"PlaceOrder" in text for _, text in story.bus)


def test_the_children_read_settings_that_only_their_owner_may(story: Story) -> None:
    for live in story.lives:
        assert live.settings
        assert {mode for mode, _ in live.settings} == {0o600}
        assert not leaks([("settings.json", text) for _, text in live.settings], story.secrets)
    assert not list(story.world.path.glob("causeway-*/settings.json")), "gone with the run"


def test_help_of_every_command(story: Story) -> None:
    group = typer.main.get_command(app)
    names = [*getattr(group, "commands", {})]
    assert {"live", "doctor", "paper"} <= set(names)
    for live in story.lives:
        env = live.environment | {"COLUMNS": "200"}
        texts = []
        for words in ([], *([name] for name in names)):
            code, out, err = invoke(*words, "--help", env=env)
            assert code == 0
            texts.append((f"{' '.join(words)} --help", (out + err).encode()))
        assert not leaks(texts, story.secrets)


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda secret: f"https://host/path?signature={quote(secret, safe='')}&x=1",
    "base64": lambda secret: f"authorization: Basic {base64.b64encode(secret.encode()).decode()}",
    "repr": lambda secret: f"Credentials(secret={secret!r})",
    "hex": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_planted_secret_is_found(story: Story, how: str) -> None:
    for pair in KEYS.values():
        for secret in (pair.key, pair.secret):
            planted = story.world.path / "binanceusdm/var/planted.log"
            planted.write_text(f'{{"level":"info","message":"{WRITTEN[how](secret)}"}}\n')
            try:
                assert leaks(files_of(story.world.path), story.secrets)
            finally:
                planted.unlink()


def test_a_secret_on_the_bus_and_a_signature_are_found(story: Story) -> None:
    rows = [("planted", _flat({b"body": [BINANCE.secret.encode(), b"x"]}))]
    assert leaks(rows, story.secrets)
    signature = next(word for word in story.sent.words if word)
    assert leaks([("planted", f"GET /x?signature={signature}".encode())], story.everything())
