"""When dead letters must stop the service: a bad release must not drain the market into them."""

from __future__ import annotations

from collections import deque

from bus_schemas.errors import Poisoned
from bus_schemas.settings.bus import RuntimeSettings


class DeadLetterLimit:
    """Fails closed when too many events in a row, or too large a share of the last ones, were dead.

    Args:
        settings: `dead_in_row`, `dead_share`, `dead_window`.
    """

    def __init__(self, settings: RuntimeSettings) -> None:
        self._in_row = settings.dead_in_row
        self._share = settings.dead_share
        self._recent: deque[bool] = deque(maxlen=settings.dead_window)

    def check(self, in_row: int, outcomes: list[bool]) -> int:
        """Take the outcomes of a batch, True for a dead letter.

        Args:
            in_row: dead letters in a row before this batch, as stored with the last commit.

        Returns:
            Dead letters in a row after it.

        Raises:
            Poisoned: the limit is passed; the batch must not be committed.
        """
        if True not in outcomes:
            self._recent.extend(outcomes)
            return 0 if outcomes else in_row
        for dead in outcomes:
            in_row = in_row + 1 if dead else 0
            if in_row >= self._in_row:
                raise Poisoned(f"{in_row} events in a row could not be handled")
        self._recent.extend(outcomes)
        full = len(self._recent) == self._recent.maxlen
        if full and sum(self._recent) / len(self._recent) > self._share:
            raise Poisoned(f"{sum(self._recent)} of the last {len(self._recent)} events could not be handled")
        return in_row
