"""What Binance checks before it looks at a request: parameters, key, signature, time, weight."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

from aiohttp import web

from bus_schemas.events import Side
from execution.simulator.binance_words import Trouble, missing
from execution.simulator.clock import SimClock
from execution.simulator.protocol import Credentials

_MINUTE_MS = 60_000
_BAN_MS = 120_000
_WARNINGS = 10
_DEFAULT_WINDOW_MS = 5000
_LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1000
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")


class Params:
    """Parameters of one request, by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str, default: str = "") -> str:
        """As text; the default where it was not sent or is empty."""
        return self._values.get(name) or default

    def need(self, name: str) -> str:
        """As text.

        Raises:
            Trouble: it was not sent.
        """
        value = self.get(name)
        if not value:
            raise missing(name)
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number.

        Raises:
            Trouble: it is none.
        """
        value = self.get(name)
        if not value:
            return default
        if not re.fullmatch(r"-?\d{1,18}", value):
            words = f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            raise Trouble(-1100, words)
        return int(value)

    def number(self, name: str) -> Decimal:
        """A decimal number that must be there.

        Raises:
            Trouble: it is not, or is no number.
        """
        value = self.need(name)
        try:
            found = Decimal(value)
        except InvalidOperation:
            raise missing(name) from None
        if not found.is_finite():
            raise missing(name)
        return found

    def flag(self, name: str) -> bool:
        """`true` or `false`, in any case."""
        return self.get(name).lower() == "true"

    def side(self) -> Side:
        """Of the order.

        Raises:
            Trouble: it is neither `BUY` nor `SELL`.
        """
        word = self.need("side").upper()
        if word not in ("BUY", "SELL"):
            raise Trouble(-1117, "Invalid side.")
        return Side.LONG if word == "BUY" else Side.SHORT


async def parameters(request: web.Request) -> tuple[Params, str, str]:
    """Parameters of query string and body together (the query string wins), the text that is signed, and
    the signature that was sent."""
    query = request.raw_path.partition("?")[2]
    body = (await request.read()).decode("utf-8", "replace")
    values = dict(parse_qsl(body, keep_blank_values=True)) | dict(parse_qsl(query, keep_blank_values=True))
    signature = values.pop("signature", "")
    return Params(values), _unsigned(query) + _unsigned(body), signature


def _unsigned(text: str) -> str:
    return _SIGNATURE.sub("", text)


def check_key(request: web.Request, demo: Credentials) -> None:
    """The key is in a header.

    Raises:
        Trouble: it is missing or unknown.
    """
    key = request.headers.get("X-MBX-APIKEY", "")
    if not key:
        raise Trouble(-2014, "API-key format invalid.", 401)
    if key != demo.key:
        raise Trouble(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def check_signature(signed: str, signature: str, demo: Credentials) -> None:
    """HMAC SHA256 of query string and body.

    Raises:
        Trouble: it is missing or wrong.
    """
    if not signature:
        raise missing("signature")
    right = hmac.new(demo.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, signature.lower()):
        raise Trouble(-1022, "Signature for this request is not valid.")


def check_time(params: Params, clock: SimClock) -> None:
    """The request may be `recvWindow` old; windows stretch with the pace of the clock.

    Raises:
        Trouble: it is older, or from the future.
    """
    params.need("timestamp")
    asked = params.whole("timestamp", 0)
    window = params.whole("recvWindow", _DEFAULT_WINDOW_MS)
    if window > _LONGEST_WINDOW_MS:
        raise Trouble(-1131, "recvWindow must be less than 60000")
    pace = max(1.0, clock.rate)
    age = clock.now() - asked
    if -age > _AHEAD_MS * pace:
        raise Trouble(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if age > window * pace:
        raise Trouble(-1021, "Timestamp for this request is outside of the recvWindow.")


class Meter:
    """Request weight and orders of the running minute, as the venue counts them. Who asks on after several
    refusals is banned, and each request of the banned begins the ban anew.

    Args:
        limit: weight that a minute has.
        orders: orders that a minute has.

    Attributes:
        used: weight of the minute.
        placed: orders of the minute.
        banned_until: the venue's time; 0 for never.
    """

    def __init__(self, clock: SimClock, limit: int, orders: int) -> None:
        self.limit = limit
        self.orders = orders
        self.used = 0
        self.placed = 0
        self.banned_until = 0
        self._clock = clock
        self._minute = 0
        self._warned = 0

    def spend(self, weight: int, orders: int) -> bool:
        """Count a request; whether the minute had room for it."""
        now = self._clock.true()
        if now < self.banned_until:
            self.banned_until = now + _BAN_MS
            return False
        if now // _MINUTE_MS != self._minute:
            self._minute, self.used, self.placed, self._warned = now // _MINUTE_MS, 0, 0, 0
        self.used += weight
        self.placed += orders
        if self.used <= self.limit:
            return True
        self._warned += 1
        if self._warned > _WARNINGS:
            self.banned_until = now + _BAN_MS
        return False

    @property
    def banned(self) -> bool:
        """Whether nothing is served."""
        return self._clock.true() < self.banned_until

    @property
    def crowded(self) -> bool:
        """Whether too many orders were placed."""
        return self.placed > self.orders
