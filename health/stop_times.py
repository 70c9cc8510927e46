"""How long positions were without a stop: from the first fill to the first acknowledged stop over all of it.

Event time; a fill that was heard of late counts from its trade. Bounded: buckets, and one entry for each
open position.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Upper bounds in seconds; what took longer stands in one more."""


class StopTimes(msgspec.Struct):
    """A histogram.

    Attributes:
        counts: by bucket; the last is for everything beyond the highest bound.
        total_s: sum of all.
        worst_s: the longest.
        never: positions that ended without ever having had a stop; they are in no bucket.
        since: by signal of an open position: time of its first fill, None once it has had its stop.
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0
    worst_s: float = 0.0
    never: int = 0
    since: dict[str, int | None] = {}

    @property
    def count(self) -> int:
        return sum(self.counts)

    def filled(self, signal_id: str, time: int) -> None:
        """An entry of this signal was filled."""
        self.since.setdefault(signal_id, time)

    def protected(self, signal_id: str, time: int) -> None:
        """The signal's position has a stop over all of it."""
        since = self.since.get(signal_id)
        if since is not None:
            self.since[signal_id] = None
            self.observe(max(0, time - since) / 1000)

    def ended(self, signal_id: str) -> None:
        """The signal's position is closed."""
        if self.since.pop(signal_id, None) is not None:
            self.never += 1

    def observe(self, seconds: float) -> None:
        """Count one position."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds
        self.worst_s = max(self.worst_s, seconds)

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and count up to it, as Prometheus has them."""
        seen, found = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self.counts, strict=True):
            seen += count
            found.append((bound, float(seen)))
        return found

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the positions had their stop, by their buckets: even within
        one, and never above the worst. None where there are none."""
        if not self.count:
            return None
        rank, seen, low = share * self.count, 0, 0.0
        for bound, count in zip((*BUCKETS_S, self.worst_s), self.counts, strict=True):
            if count and seen + count >= rank:
                return round(min(low + (bound - low) * (rank - seen) / count, self.worst_s), 3)
            seen, low = seen + count, bound
        return self.worst_s
