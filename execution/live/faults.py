"""How a call to a venue can fail. The class tells what the venue may have done, which is all that counts.

Each adapter maps its client's errors to these and lets no other through.
"""

from __future__ import annotations

from bus_schemas.errors import CausewayError
from bus_schemas.events import VenueRefusal


class VenueFault(CausewayError):
    """Root. The message holds no key, secret or signature."""


class Refused(VenueFault):
    """The venue's own word that it did not do it. The order manager recovers.

    Attributes:
        reason: of the closed list.
        detail: the venue's words.
    """

    def __init__(self, reason: VenueRefusal, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class NotHeld(VenueFault):
    """The venue's explicit word that it has no such open order. The edge looks it up."""


class NotSent(VenueFault):
    """The venue has certainly not acted: no connection, a rate limit, an open breaker, maintenance, a
    request that was too old on arrival. The edge waits and tries again.

    Attributes:
        retry_s: how long the venue asks us to wait; 0 where it does not say.
        limited: it was a rate limit.
        banned: of the whole host, by the venue's word; not even a stop may try.
        apart: of a pool of its own, which the adapter minds: it says nothing of other calls.
        stale: the venue found the request too old, or from its future: our estimate of its clock is wrong.
    """

    def __init__(
        self,
        detail: str,
        retry_s: float = 0.0,
        *,
        limited: bool = False,
        banned: bool = False,
        apart: bool = False,
        stale: bool = False,
    ) -> None:
        super().__init__(detail)
        self.retry_s = retry_s
        self.limited = limited
        self.banned = banned
        self.apart = apart
        self.stale = stale


class Unclear(VenueFault):
    """The venue may have acted: a time-out, a lost reply, a server error. The edge looks up before it
    sends again; it is never evidence of anything."""


class Denied(VenueFault):
    """Key, secret or rights are wrong. A person mends it; nothing is sent before."""
