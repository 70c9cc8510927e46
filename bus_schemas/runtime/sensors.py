"""What a service counts about itself: plain numbers, read by heartbeats and by the metrics endpoint."""

from __future__ import annotations

import msgspec


class Counters(msgspec.Struct):
    """Totals since the process started. Written by the main thread only; other threads look.

    Attributes:
        events: inputs handled.
        outputs: events written.
        commits: batches applied.
        reloads: times that memory was dropped and loaded again.
        fenced: commits refused because another owner holds the partition.
        dead_letters: events moved to the dead letters.
        retries: times that a handler failed and the batch was repeated.
        busy_us: time spent in deciding and committing, in microseconds.
    """

    events: int = 0
    outputs: int = 0
    commits: int = 0
    reloads: int = 0
    fenced: int = 0
    dead_letters: int = 0
    retries: int = 0
    busy_us: int = 0

    def as_dict(self) -> dict[str, int]:
        """By name, for a heartbeat."""
        return msgspec.structs.asdict(self)
