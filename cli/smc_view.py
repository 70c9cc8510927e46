"""What the layers of a chart are made of: the bars in view, paths of many pieces, words.

A trace is a dictionary as Plotly reads it. The time axis is real time: a candle is drawn in the middle of its
bar, and what became known at its close begins at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, log10
from typing import Any

import msgspec

from bus_schemas.timeframes import iso
from cli.smc_candles import printable
from cli.smc_story import Story
from strategy.smc import Candle, StructureEvent

Trace = dict[str, Any]

Layer = tuple[frozenset[str], list[Trace]]
"""The kinds of events that it shows, and its traces, one of them with the entry in the legend."""

MOST_LETTERS = 40
"""Of a session's name in a label."""

UP, DOWN = "#1f9d87", "#e5534b"
"""Colours that can be read on white and on black."""


class View(msgspec.Struct, frozen=True):
    """What is drawn.

    Attributes:
        candles: oldest first, at least one.
        length: milliseconds of a candle.
        events: what became known at these candles.
        story: of everything up to the last candle.
    """

    candles: Sequence[Candle]
    length: int
    events: Sequence[StructureEvent]
    story: Story

    @property
    def start(self) -> int:
        """Open time of the first candle."""
        return self.candles[0].time

    @property
    def end(self) -> int:
        """Close time of the last candle."""
        return self.candles[-1].time + self.length

    @property
    def edge(self) -> int:
        """How far what still lives is drawn: a little beyond the last candle."""
        return self.end + self.length * max(3, len(self.candles) // 50)

    def shows(self, ended_at: int) -> bool:
        """Whether something that ended at a bar, or lives on where that is 0, reaches into the view."""
        return ended_at == 0 or ended_at >= self.start

    def middle(self, bar: int) -> int:
        """Where a candle is drawn, or the left edge if it is not."""
        return max(bar + self.length // 2, self.start)

    def close(self, bar: int) -> int:
        """Where what a candle makes known begins, or the left edge."""
        return max(bar + self.length, self.start)

    def price(self, value: float) -> str:
        """A price with about six figures."""
        return price(value, self.candles[-1].close)


class Path:
    """Pieces of one trace, with what is said where the pointer comes near."""

    def __init__(self) -> None:
        self.x: list[int | None] = []
        self.y: list[float | None] = []
        self.said: list[str] = []

    def add(self, xs: Sequence[int], ys: Sequence[float], said: str) -> None:
        """A piece, apart from the one before."""
        if self.x:
            self.x.append(None)
            self.y.append(None)
            self.said.append("")
        self.x += xs
        self.y += ys
        self.said += [said] * len(xs)


class Marks:
    """Points of one trace: marks, or words. Apart from paths, since Plotly loses words among blank ones."""

    def __init__(self) -> None:
        self.x: list[int] = []
        self.y: list[float] = []
        self.said: list[str] = []
        self.text: list[str] = []

    def add(self, x: int, y: float, said: str, text: str = "") -> None:
        """A point."""
        self.x.append(x)
        self.y.append(y)
        self.said.append(said)
        self.text.append(text)


def price(value: float, like: float) -> str:
    """A price with as many places as suit another one of the market: six figures, two places or more."""
    places = 2 if like <= 0 else min(12, max(2, 5 - floor(log10(like))))
    return f"{value:,.{places}f}"


def shape(path: Path | Marks, name: str, off: bool) -> Trace:
    """The trace of a path.

    Args:
        off: whether it is shown only after a click on its entry in the legend.
    """
    trace: Trace = {
        "type": "scatter", "name": name, "legendgroup": name, "x": path.x, "y": path.y,
        "hovertext": path.said, "hoverinfo": "text", "connectgaps": False,
    }  # fmt: skip
    return trace | ({"visible": "legendonly"} if off else {})


def words(marks: Marks, name: str, off: bool, where: str, size: int, colour: str, detail: bool) -> Trace:
    """A trace of words only.

    Args:
        where: on which side of its point each stands.
        detail: whether they are hidden while very many bars are in view.
    """
    font = {"size": size, "color": colour}
    how = {"mode": "text", "text": marks.text, "textposition": where, "textfont": font, "hoverinfo": "skip"}
    return shape(marks, name, off) | how | ({"meta": "detail"} if detail else {})


def one_entry(traces: list[Trace]) -> list[Trace]:
    """Traces that have something; the last that is more than threads or words has the entry in the legend."""
    full = [trace for trace in traces if trace["x"]]
    told = [trace for trace in full if trace["hoverinfo"] != "skip"]
    return [trace | {"showlegend": trace is told[-1]} for trace in full]


def source_of(scope: str) -> str:
    """What kind of level a scope is, in words."""
    return {"internal": "internal pivot", "pool": "equal", "day": "previous day", "week": "previous week",
            "month": "previous month"}.get(scope, safe(scope.replace("_", " ")))  # fmt: skip


def safe(name: str) -> str:
    """A user's name as it can stand in a label: short, no markup, nothing that cannot be printed."""
    short = name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"
    return escape(printable(short))


def word(side: int) -> str:
    """A side in a word."""
    return "bullish" if side > 0 else "bearish" if side < 0 else ""


def when(time: int) -> str:
    """A moment, to the minute, UTC."""
    return iso(time)[:16].replace("T", " ")
