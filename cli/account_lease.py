"""One worker for each account: a lease on the bus server, outside any namespace.

Two workers in two namespaces would place the same protective stop twice and close each other's positions,
and no fence of a namespace would notice. So the lease hangs on the account itself: venue and API key, by a
hash. It belongs to `run.py live`, which renews it from a thread.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

import msgspec

from bus_schemas.bus.redis_link import Client, Link, Script, translated
from bus_schemas.errors import BusError, Reload
from bus_schemas.settings import VenueSettings
from cli.beats import process_lives

EXPIRY_S = 15.0
RENEW_S = 4.0
AGAIN_S = 1.0
"""Between two tries while the server does not answer."""

_RENEW = Script(
    "local held = redis.call('GET', KEYS[1]) "
    "if held == false or held == ARGV[3] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
    "return ARGV[1] end "
    "if held == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return held"
)
"""Take the lease if it is free or still that of a holder known to be dead, else renew it if it is ours.
Returns who has it now."""

_RELEASE = Script(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


class Holder(msgspec.Struct, frozen=True):
    """Who holds an account.

    Attributes:
        place: where process numbers mean the same: this boot of the machine, and its process namespace.
            Host names repeat among containers.
        nonce: random, new for each run.
        since: wall clock, milliseconds UTC.
    """

    host: str
    pid: int
    place: str
    nonce: str
    since: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class AccountLease:
    """The lease of one account. A context: it ends the thread and gives the lease back.

    Args:
        url: of the bus server.
        timeout_s: socket timeout.
        account: from `account_key`.
        expiry_s, renew_s: how long it holds, and how often it is renewed.
    """

    def __init__(
        self, url: str, timeout_s: float, account: str, expiry_s: float = EXPIRY_S, renew_s: float = RENEW_S
    ) -> None:
        self._link = Link(url, timeout_s)
        self._client: Client = self._link.client()
        self._key = f"causeway:account:{account}"
        self._expiry_ms = round(expiry_s * 1000)
        self._renew_s = renew_s
        self._mine = msgspec.json.encode(_ourselves())
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost: Holder | None = None

    def take(self) -> Holder | None:
        """Take the lease and begin to renew it; returns who holds it where somebody else does.

        A holder that is known to be dead is no obstacle: its process was on this machine and is gone.

        Raises:
            Disconnected: the server does not answer.
        """
        held = self._ask()
        if held is not None and _dead(held):
            held = self._ask(over=held)
        if held is None:
            self._thread = threading.Thread(target=self._keep, name="account-lease", daemon=True)
            self._thread.start()
        return held

    @property
    def lost(self) -> Holder | None:
        """Who has taken the account meanwhile; None as long as nobody has."""
        return self._lost

    def holder(self) -> Holder | None:
        """Who holds the account right now, as far as is known.

        Raises:
            Disconnected: the server does not answer.
        """
        with translated():
            held = self._client.execute_command("GET", self._key)
        return None if held is None else msgspec.json.decode(held, type=Holder)

    def _ask(self, over: Holder | None = None) -> Holder | None:
        dead = msgspec.json.encode(over) if over else b""
        with translated():
            held: bytes = _RENEW(self._client, [self._key], [self._mine, self._expiry_ms, dead])
        return None if held == self._mine else msgspec.json.decode(held, type=Holder)

    def _keep(self) -> None:
        wait = self._renew_s
        while not self._ending.wait(wait):
            try:
                self._lost = self._ask()
                wait = self._renew_s
            except BusError:  # without the server nothing is decided either; then whoever comes first has it
                self._link.reset()
                wait = min(AGAIN_S, self._renew_s)
            if self._lost is not None:
                return

    def close(self) -> None:
        """Stop renewing and give the lease back, if it is ours. Does not raise."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            try:
                with translated():
                    _RELEASE(self._client, [self._key], [self._mine])
            except (BusError, Reload):
                pass  # it expires by itself
        self._link.close()

    def __enter__(self) -> AccountLease:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def account_key(venue: VenueSettings) -> str:
    """A name of the account that gives neither key nor venue away."""
    key = venue.api_key.get_secret_value() if venue.api_key else ""
    return hashlib.sha256(msgspec.json.encode((venue.name, key))).hexdigest()[:32]


def _ourselves() -> Holder:
    return Holder(
        socket.gethostname(), os.getpid(), _place(), secrets.token_hex(8), time.time_ns() // 1_000_000
    )


def _place() -> str:
    """Empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _dead(holder: Holder) -> bool:
    if not holder.place or holder.place != _place():
        return False
    return holder.pid == os.getpid() or not process_lives(holder.pid)
