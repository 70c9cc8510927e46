"""What came back for one request to a venue, and what a failed one proves.

The rule: a network error is never evidence. Only a complete answer can be a refusal.

Errors of ccxt and aiohttp are told by the names of their classes, so that nothing here imports ccxt.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from bus_schemas.events import VenueRefusal
from bus_schemas.venues.rate_limits import retry_after
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault

_WORDS = 300


class Reply:
    """The answer to one request, as far as it came.

    Attributes:
        status: of HTTP; 0 while no complete answer came.
        headers: names in lower case.
        body: as text.
        asked, answered: moments of the venue clock's `mark`.
    """

    __slots__ = ("answered", "asked", "body", "headers", "status")

    def __init__(self, asked: float) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.body = ""
        self.asked = asked
        self.answered = asked

    def take(self, status: int, headers: Mapping[str, str], body: str, answered: float) -> None:
        """The complete answer."""
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        self.answered = answered

    @property
    def words(self) -> str:
        """The beginning of the body on one line."""
        return " ".join(self.body.split())[:_WORDS]


CURRENT: ContextVar[Reply | None] = ContextVar("reply", default=None)
"""The request that this task waits for."""

_UNCONNECTED = {"ClientConnectorError", "ClientSSLError", "ConnectionTimeoutError", "gaierror"}

_REFUSALS: Mapping[str, VenueRefusal] = {
    "InsufficientFunds": VenueRefusal.MARGIN,
    "DuplicateOrderId": VenueRefusal.DUPLICATE_ID,
    "BadSymbol": VenueRefusal.UNKNOWN_SYMBOL,
    "ContractUnavailable": VenueRefusal.UNKNOWN_SYMBOL,
    "ExchangeError": VenueRefusal.OTHER,
}


def fault(error: BaseException, reply: Reply) -> VenueFault:
    """What a failed request proves, by the answer if one came and by ccxt's class of error.

    An adapter looks for its venue's own words before it asks here.
    """
    if not reply.status:
        return _unanswered(error)
    return by_status(reply) or _answered(error, reply)


def by_status(reply: Reply) -> VenueFault | None:
    """What the status of HTTP alone says; None where the words decide."""
    status, said = reply.status, f"HTTP {reply.status}: {reply.words}"
    if status in (418, 429):
        return NotSent(said, retry_after(reply.headers), limited=True, banned=status == 418)
    if status == 401:
        return Denied(said)
    if status == 403:  # a firewall's answer, not the exchange's
        return NotSent(said, retry_after(reply.headers))
    if status >= 500 or status == 408:
        return Unclear(said)
    return None


def _unanswered(error: BaseException) -> VenueFault:
    kinds = _kinds(error)
    name = type(error).__name__
    if "AuthenticationError" in kinds:
        return Denied("key or secret is missing")
    cause = error.__cause__
    if cause is not None:
        said = f"{name}: {type(cause).__name__}"
        return NotSent(said) if _kinds(cause) & _UNCONNECTED else Unclear(said)
    if "ExchangeError" in kinds:  # raised before anything was sent
        return Refused(VenueRefusal.OTHER, f"ccxt: {name}")
    return Unclear(name)


def _answered(error: BaseException, reply: Reply) -> VenueFault:
    kinds, said = _kinds(error), reply.words
    if kinds & {"RateLimitExceeded", "DDoSProtection"}:
        return NotSent(said, retry_after(reply.headers), limited=True)
    if kinds & {"OnMaintenance", "InvalidNonce"}:
        return NotSent(said, retry_after(reply.headers), stale="InvalidNonce" in kinds)
    if "AuthenticationError" in kinds:
        return Denied(said)
    if "OrderNotFound" in kinds:
        return NotHeld(said)
    for kind in type(error).__mro__:
        if kind.__name__ in _REFUSALS:
            return Refused(_REFUSALS[kind.__name__], said)
    return Unclear(f"{type(error).__name__}: {said}")


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
