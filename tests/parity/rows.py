"""Rows of the table: what was compared, how much is equal, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One comparison.

    Attributes:
        length: of the pivots, 0 where there are none.
        theirs, ours: rows that each has.
        equal: rows that are the same in every column.
        why: causes of the others, with how many rows each was shown to be the cause of.
        unexplained: rows that differ and have no such cause.
    """

    concept: str
    market: str
    length: int
    theirs: int
    ours: int
    equal: int
    why: dict[str, int]
    unexplained: list[int]


def differing(theirs: Mapping[int, Any], ours: Mapping[int, Any]) -> list[int]:
    """Rows that only one has, or that differ in a column."""
    return sorted(row for row in theirs.keys() | ours.keys() if theirs.get(row) != ours.get(row))


def compared(
    concept: str,
    market: str,
    length: int,
    theirs: Mapping[int, Any],
    ours: Mapping[int, Any],
    causes: Mapping[int, str],
) -> Row:
    """Set one beside the other.

    Args:
        causes: of the rows for which a cause was shown. A cause of a row that does not differ is not counted.
    """
    differ = differing(theirs, ours)
    why: dict[str, int] = {}
    for row in differ:
        if row in causes:
            why[causes[row]] = why.get(causes[row], 0) + 1
    equal = len(theirs.keys() | ours.keys()) - len(differ)
    unexplained = [row for row in differ if row not in causes]
    return Row(concept, market, length, len(theirs), len(ours), equal, why, unexplained)


_HEADS = ("concept", "market", "L", "theirs", "ours", "equal", "differing", "why")


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [_HEADS, *map(_cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEADS))]
    told = []
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if 2 <= n <= 6 else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        told.append("  ".join(cells).rstrip())
        if number == 0:
            told.append("  ".join("-" * width for width in widths))
    return "\n".join(told)


def _cells(row: Row) -> tuple[str, ...]:
    why = [f"{count:,} {cause}" for cause, count in row.why.items()]
    if row.unexplained:
        why.append(f"{len(row.unexplained):,} UNEXPLAINED, first at row {row.unexplained[0]}")
    count = sum(row.why.values()) + len(row.unexplained)
    numbers = (row.theirs, row.ours, row.equal, count)
    length = str(row.length) if row.length else ""
    return (row.concept, row.market, length, *(f"{number:,}" for number in numbers), "; ".join(why))
