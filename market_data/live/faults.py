"""How asking a venue for market data can fail."""

from __future__ import annotations

import logging
from collections import Counter

from bus_schemas.errors import CausewayError

log = logging.getLogger("causeway.collector")

LOUD = 2
"""Failures in a row that are worth a line in the log."""


class Trouble(CausewayError):
    """No answer now: unreachable, overloaded, limited, or not to be read. Whoever asked asks again, later.

    Attributes:
        limited: it was a rate limit.
        refused: there is no such market, or no such thing at this venue: asking again does not help.
    """

    def __init__(self, detail: str, *, limited: bool = False, refused: bool = False) -> None:
        super().__init__(detail)
        self.limited = limited
        self.refused = refused


class Troubles:
    """What does not answer: said once when it begins and once when it ends, not for a single lost answer.

    Attributes:
        count: questions that got no answer, ever.
    """

    def __init__(self) -> None:
        self.count = 0
        self._in_row: Counter[str] = Counter()

    def note(self, what: str, trouble: Trouble, weight: int = 1) -> None:
        """There was no answer."""
        self.count += 1
        before = self._in_row[what]
        self._in_row[what] = before + weight
        if before < LOUD <= before + weight:
            log.warning("no answer", extra={"what": what, "reason": str(trouble)})

    def fine(self, what: str) -> None:
        """There was one."""
        if self._in_row.pop(what, 0) >= LOUD:
            log.info("answers again", extra={"what": what})
