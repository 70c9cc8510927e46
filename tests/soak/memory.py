"""Whether memory levels off: a slope over the second half, in which every process has a level of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tests.soak.record import Sample

WARM_S = 60.0
"""A process may grow for so long after its start: it imports, fills caches, reads history."""
LEAST_S = 600.0
"""Less of a second half than this says nothing about a slope: streams still fill up to what is kept."""


class Growth(msgspec.Struct, frozen=True):
    """Memory of one service.

    Attributes:
        most: highest seen, bytes.
        slope: bytes an hour over the second half; None where there is too little of it.
        spanned_s: how long it was watched for that.
    """

    name: str
    most: int
    slope: float | None
    spanned_s: float


def growths(samples: Sequence[Sample], begin: float, end: float) -> list[Growth]:
    """One row for each name, in order of names."""
    half = begin + (end - begin) / 2
    first = {pid: min(s.at for s in samples if s.pid == pid) for pid in {s.pid for s in samples}}
    found = []
    for name in sorted({sample.name for sample in samples}):
        own = [sample for sample in samples if sample.name == name]
        late = [s for s in own if half <= s.at <= end and s.at - first[s.pid] >= WARM_S]
        slope, spanned = _slope(late)
        found.append(Growth(name, max(s.memory for s in own), slope, spanned))
    return found


def _slope(samples: Iterable[Sample]) -> tuple[float | None, float]:
    """Least squares with one slope for all processes and a level for each."""
    by_pid: dict[int, list[Sample]] = {}
    for sample in samples:
        by_pid.setdefault(sample.pid, []).append(sample)
    above, below, spanned = 0.0, 0.0, 0.0
    for own in by_pid.values():
        at = sum(s.at for s in own) / len(own)
        level = sum(s.memory for s in own) / len(own)
        above += sum((s.at - at) * (s.memory - level) for s in own)
        below += sum((s.at - at) ** 2 for s in own)
        spanned += own[-1].at - own[0].at
    if spanned < LEAST_S or not below:
        return None, spanned
    return above / below * 3600, spanned
