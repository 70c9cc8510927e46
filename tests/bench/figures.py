"""What a benchmark hands back: figures, each beside its limit or peer, and what they must reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        bench: which benchmark.
        what: what was measured, with what it was measured on.
        value: median over the rounds.
        unit: of value and peer.
        peer: what it stands beside, empty for nothing.
        peer_value: median over the same rounds, taken in turn with the others.
        share: value over peer, where that says something.
        aim: in words, empty for none.
        met: whether the aim was reached.
    """

    bench: str
    what: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    share: float | None = None
    aim: str = ""
    met: bool | None = None


def beside(
    bench: str,
    what: str,
    unit: str,
    ours: Sequence[float],
    peer: str,
    peers: Sequence[float],
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    """A figure beside its peer. The share is the median of each round's, so a noisy round counts once.

    Args:
        least, most: the aim for the share.
    """
    share = median(a / b for a, b in zip(ours, peers, strict=True))
    aim, met = "", None
    if least is not None:
        aim, met = f"≥ {least:.2f}", share >= least
    elif most is not None:
        aim, met = f"≤ {most:.2f}", share <= most
    return Figure(
        bench=bench,
        what=what,
        value=median(ours),
        unit=unit,
        peer=peer,
        peer_value=median(peers),
        share=share,
        aim=aim,
        met=met,
    )


def in_turn(rounds: int, *takes: Callable[[], float]) -> list[list[float]]:
    """Measure A B C, A B C, ...: what disturbs the machine disturbs them all."""
    found: list[list[float]] = [[] for _ in takes]
    for _ in range(rounds):
        for took, take in zip(found, takes, strict=True):
            took.append(take())
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies; nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


_HEADS = ("bench", "what", "figure", "beside", "its figure", "ratio", "aim", "")


def table(figures: Sequence[Figure]) -> str:
    """The figures as text."""
    rows = [_HEADS, *map(_row, figures)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEADS))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.rjust(width) if n in (2, 4, 5) else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.bench,
        figure.what,
        f"{_number(figure.value)} {figure.unit}",
        figure.peer,
        "" if figure.peer_value is None else f"{_number(figure.peer_value)} {figure.unit}",
        "" if figure.share is None else f"{figure.share:.2f}",
        figure.aim,
        "" if figure.met is None else ("met" if figure.met else "MISSED"),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
