"""Zones and levels of a chart: each from the moment it was known to the moment it ended."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from cli.smc_story import (
    BLOCK,
    BREAKER,
    ENTRY,
    GAP,
    INDUCEMENT,
    INVERTED,
    PERIOD,
    POOL,
    RANGE,
    SESSION,
    Span,
)
from cli.smc_view import (
    DOWN,
    UP,
    Layer,
    Marks,
    Path,
    View,
    one_entry,
    safe,
    shape,
    source_of,
    when,
    word,
    words,
)


def zones(view: View) -> list[Layer]:
    """Gaps, blocks and what they turn into, and optimal trade entries."""
    gaps = {"fvg", "fvg_joined", "fvg_touched", "fvg_half_filled", "fvg_filled"}
    inverted = {"fvg_inverted", "flip_retested", "flip_failed"}
    blocks = {"block", "block_mitigated", "block_broken"}
    breakers = {"breaker", "mitigation_block", "flip_retested", "flip_failed"}
    return [
        _zones(view, GAP, "Fair value gaps", UP, DOWN, gaps),
        _zones(view, INVERTED, "Inverted gaps", "#8c8c2e", "#a3683a", inverted, off=True),
        _zones(view, BLOCK, "Order blocks", "#3b82f6", "#e08a1e", blocks),
        _zones(view, BREAKER, "Breakers, mitigation blocks", "#8b5cf6", "#d6408f", breakers),
        _zones(view, ENTRY, "Optimal trade entry", "#0e8fae", "#b3561d", {"ote"}, off=True),
    ]


def levels(view: View) -> list[Layer]:
    """Where liquidity rests, inducements, and the dealing range."""
    return [
        _levels(view, POOL, "Equal highs and lows", "#b7791f", {"pool", "pool_grown"}),
        _levels(view, PERIOD, "Previous day, week, month", "#6b7fa3", {"previous"}),
        _levels(view, SESSION, "Sessions", "#7c8b6f", {"session_closed"}, off=True),
        _levels(view, INDUCEMENT, "Inducement", "#a56a9e", {"inducement", "inducement_taken"}, off=True),
        _range(view),
    ]


def _zones(
    view: View, sort: str, name: str, up: str, down: str, kinds: set[str], off: bool = False
) -> Layer:  # fmt: skip
    """Boxes from the moment each was known to the moment it ended; living ones are stronger."""
    traces = []
    for side, colour in ((-1, down), (1, up)):
        for alive in (False, True):
            path = Path()
            for span in _visible(view, sort):
                if span.side == side and (not span.ended_at) == alive:
                    _box(view, path, span)
            traces.append(
                shape(path, name, off) | {
                    "mode": "lines", "fill": "toself", "fillcolor": colour + ("38" if alive else "1c"),
                    "line": {"color": colour + ("d0" if alive else "58"), "width": 1},
                }
            )  # fmt: skip
    return frozenset(kinds), one_entry(traces)


def _box(view: View, path: Path, span: Span) -> None:
    left, right = _extent(view, span)
    middle, half = (left + right) // 2, (span.top + span.bottom) / 2
    path.add(
        [left, middle, right, right, right, middle, left, left, left],
        [span.top, span.top, span.top, half, span.bottom, span.bottom, span.bottom, half, span.top],
        _said(view, span),
    )


def _levels(view: View, sort: str, name: str, colour: str, kinds: set[str], off: bool = False) -> Layer:
    """Lines from the moment each was known to the moment it ended, with a short name at the start."""
    path, labels = Path(), Marks()
    for span in _visible(view, sort):
        left, right = _extent(view, span)
        said = _said(view, span)
        path.add([left, (left + right) // 2, right], [span.level] * 3, said)
        if short := _short(span):
            labels.add(left, span.level, said, short)
    line = {"color": colour, "width": 1.4, "dash": "dot" if sort == INDUCEMENT else "dash"}
    trace = shape(path, name, off) | {"mode": "lines", "line": line}
    return frozenset(kinds), one_entry(
        [trace, words(labels, name, off, "top right", 10, colour, detail=sort == SESSION)]
    )


def _range(view: View) -> Layer:
    """Top, middle and bottom of the dealing range, as they were known when an event told them."""
    kinds = frozenset({"dealing_range", "premium", "discount", "equilibrium"})
    path, told = Path(), list(_visible(view, RANGE))
    for part in ("top", "level", "bottom") if told else ():
        xs = [x for span in told for x in _extent(view, span)]
        ys = [y for span in told for y in [getattr(span, part)] * 2]
        name = {"top": "Top", "level": "Equilibrium", "bottom": "Bottom"}[part]
        path.add(xs, ys, f"{name} of the dealing range")
    line = {"color": "#8a8f98", "width": 1, "dash": "longdash"}
    return kinds, one_entry([shape(path, "Dealing range", True) | {"mode": "lines", "line": line}])


def _visible(view: View, sort: str) -> Iterable[Span]:
    return (span for span in view.story.spans if span.sort == sort and view.shows(span.ended_at))


def _extent(view: View, span: Span) -> tuple[int, int]:
    return view.close(span.known_at), view.close(span.ended_at) if span.ended_at else view.edge


def _said(view: View, span: Span) -> str:
    steps = [
        f"{step.split('_', 1)[-1].replace('_', ' ')} {when(bar + view.length)}" for step, bar in span.steps
    ]
    if span.ended_at:
        steps.append(f"{span.ended.replace('_', ' ')} {when(span.ended_at + view.length)}")
    prices = view.price(span.level)
    if span.top != span.bottom:
        prices = f"{view.price(span.bottom)} – {view.price(span.top)}"
    title = " ".join(filter(None, (word(span.side), span.scope, span.kind.replace("_", " "))))
    if span.sort in (POOL, PERIOD, SESSION):
        title = f"{source_of(span.scope)} {'high' if span.side > 0 else 'low'}"
    known = f"lies {when(span.at)}<br>known {when(span.known_at + view.length)}"
    return "<br>".join([f"<b>{escape(title)}</b> {prices}", known, *steps])


def _short(span: Span) -> str:
    side = "H" if span.side > 0 else "L"
    if span.sort == POOL:
        return f"EQ{side}"
    if span.sort == PERIOD:
        return f"P{span.scope[0].upper()}{side}"
    return "" if span.sort == INDUCEMENT else f"{safe(span.scope)} {side}"
