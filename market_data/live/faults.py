"""How asking a venue for market data can fail."""

from __future__ import annotations

from bus_schemas.errors import CausewayError


class Trouble(CausewayError):
    """No answer now: unreachable, overloaded, limited, or not to be read. Whoever asked asks again, later.

    Attributes:
        limited: it was a rate limit.
        refused: the venue's word that there is no such market.
    """

    def __init__(self, detail: str, *, limited: bool = False, refused: bool = False) -> None:
        super().__init__(detail)
        self.limited = limited
        self.refused = refused
