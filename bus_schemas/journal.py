"""The journal's text: the order in which a unit took its inputs, as runs of numbers.

`marks.p3:17-20,signals.p3:5` says: marks 17 to 20 of partition 3, then signal 5. Batch boundaries
carry no meaning, so journals are compared flattened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bus_schemas.bus.records import place_of
from bus_schemas.topology import Place


def written(taken: Iterable[tuple[Place, int]]) -> str:
    """The runs of a batch."""
    runs: list[str] = []
    place: Place | None = None
    first = last = 0
    for where, seq in taken:
        if where == place and seq == last + 1:
            last = seq
            continue
        if place is not None:
            runs.append(_run(place, first, last))
        place, first, last = where, seq, seq
    if place is not None:
        runs.append(_run(place, first, last))
    return ",".join(runs)


def flattened(entries: Iterable[str]) -> Iterator[tuple[Place, int]]:
    """Every input in the order in which it was taken."""
    for text in entries:
        for run in text.split(","):
            where, _, numbers = run.partition(":")
            first, _, last = numbers.partition("-")
            place = place_of(where)
            for seq in range(int(first), int(last or first) + 1):
                yield place, seq


def _run(place: Place, first: int, last: int) -> str:
    return f"{place}:{first}" if first == last else f"{place}:{first}-{last}"
