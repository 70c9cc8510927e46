"""What a chart shows at a bar: candles, breaks, pivots, sweeps and holes in the data."""

from __future__ import annotations

from cli.smc_view import (
    DOWN,
    UP,
    Layer,
    Marks,
    Path,
    Trace,
    View,
    one_entry,
    shape,
    source_of,
    when,
    word,
    words,
)
from strategy.smc import StructureEvent


def candles(view: View) -> Layer:
    """The candles themselves."""
    bars = view.candles
    said = [
        f"{when(bar.time)} · open {view.price(bar.open)}<br>high {view.price(bar.high)} · low "
        f"{view.price(bar.low)}<br>close <b>{view.price(bar.close)}</b> · volume {bar.volume:,.6g}"
        for bar in bars
    ]
    return frozenset(), [
        {
            "type": "candlestick", "name": "Candles", "x": [view.middle(bar.time) for bar in bars],
            "open": [bar.open for bar in bars], "high": [bar.high for bar in bars],
            "low": [bar.low for bar in bars], "close": [bar.close for bar in bars],
            "text": said, "hoverinfo": "text", "increasing": _coloured(UP), "decreasing": _coloured(DOWN),
            "showlegend": False,
        }
    ]  # fmt: skip


def _coloured(colour: str) -> Trace:
    return {"line": {"color": colour, "width": 1}, "fillcolor": colour}


def breaks(view: View, scope: str, kind: str, name: str) -> Layer:
    """A line from the pivot to the close of the bar that broke it."""
    traces, swing, title = [], scope == "swing", f"{name}, {scope}"
    for side, colour in ((-1, DOWN), (1, UP)):
        path, labels = Path(), Marks()
        for event in _breaks(view, scope, kind, side):
            left = view.middle(view.story.places.get(event.on[0], event.at))
            right = view.close(event.known_at)
            middle, said = (left + right) // 2, _break_said(view, name, event)
            path.add([left, middle, right], [event.level] * 3, said)
            labels.add(middle, event.level, said, name)
        line = {"color": colour, "width": 2.2 if swing else 1, "dash": "solid" if swing else "dot"}
        where = "top center" if side > 0 else "bottom center"
        traces += [
            shape(path, title, False) | {"mode": "lines", "line": line},
            words(labels, title, False, where, 12 if swing else 9, colour, detail=not swing),
        ]
    return frozenset({kind}), one_entry(traces)


def shifts(view: View, scope: str) -> Layer:
    """A diamond where a CHoCH is a market structure shift; the line is the CHoCH's."""
    traces, swing, title = [], scope == "swing", f"MSS, {scope}"
    for side, colour in ((-1, DOWN), (1, UP)):
        marks = Marks()
        for event in _breaks(view, scope, "mss", side):
            marks.add(view.close(event.known_at), event.level, _break_said(view, "MSS", event), "MSS")
        marker = {"symbol": "diamond", "size": 10 if swing else 7, "color": colour}
        traces += [
            shape(marks, title, False) | {"mode": "markers", "marker": marker},
            words(marks, title, False, "middle right", 12 if swing else 9, colour, detail=not swing),
        ]
    return frozenset({"mss"}), one_entry(traces)


def _breaks(view: View, scope: str, kind: str, side: int) -> list[StructureEvent]:
    return [e for e in view.events if e.kind == kind and e.scope == scope and e.direction == side]


def _break_said(view: View, name: str, event: StructureEvent) -> str:
    title = f"<b>{name}</b> {event.scope} {word(event.direction)} {view.price(event.level)}"
    return f"{title}<br>body {abs(event.value):.2f} ATR<br>known {_known(view, event)}"


def pivots(view: View, scope: str) -> Layer:
    """A hollow mark at the bar where a pivot lies, and a thread to a solid one at the moment by which it was
    known."""
    swing, name = scope == "swing", f"Pivots, {scope}"
    places, marks, threads, symbols = Marks(), Marks(), Path(), {1: "triangle-down", -1: "triangle-up"}
    found = [e for e in view.events if e.kind in ("pivot", "pivot_extended") and e.scope == scope]
    for event in found:
        at, known = view.middle(event.at), view.close(event.known_at)
        later = view.story.extended.get(event.id)
        said = (
            f"<b>{scope} {'high' if event.direction > 0 else 'low'}</b> {view.price(event.level)}<br>"
            f"lies {when(event.at)}<br>known {_known(view, event)}"
            + (f"<br>extended {when(later + view.length)}" if later else "")
        )
        marks.add(known, event.level, said)
        if event.at >= view.start:
            places.add(at, event.level, said)
        threads.add([at, known], [event.level] * 2, said)
    colour, size = ("#c026d3", 9) if swing else ("#8a8f98", 5)
    line = {"color": colour + "90", "width": 1, "dash": "dot"}
    known_marks = {"symbol": [symbols[e.direction] for e in found], "size": size, "color": colour}
    hollow = {"symbol": "circle-open", "size": size - 1, "color": colour, "line": {"width": 1}}
    return frozenset({"pivot", "pivot_extended"}), one_entry(
        [
            shape(threads, name, False) | {"mode": "lines", "line": line, "hoverinfo": "skip"},
            shape(places, name, False) | {"mode": "markers", "marker": hollow},
            shape(marks, name, False) | {"mode": "markers", "marker": known_marks},
        ]
    )


def sweeps(view: View) -> Layer:
    """A cross at the close that was back inside, and a line at the level that was taken."""
    marks, lines = Marks(), Path()
    for event in view.events:
        if event.kind != "swept":
            continue
        beyond = event.top if event.direction < 0 else event.bottom
        said = (
            f"<b>sweep</b> of {'highs' if event.direction < 0 else 'lows'}, {source_of(event.scope)} "
            f"{view.price(event.level)}<br>as far as {view.price(beyond)}, {event.value:.2f} ATR beyond"
            f"<br>beyond from {when(event.at)}<br>known {_known(view, event)}"
        )
        known = view.close(event.known_at)
        marks.add(known, event.level, said)
        left = view.middle(view.story.places.get(event.on[0], event.at))
        lines.add([left, known], [event.level] * 2, said)
    colour = "#d97706"
    marker = {"symbol": "x-thin", "size": 7, "color": colour, "line": {"width": 1.6, "color": colour}}
    line = {"color": colour + "60", "width": 1, "dash": "dot"}
    return frozenset({"swept"}), one_entry(
        [
            shape(marks, "Sweeps", False) | {"mode": "markers", "marker": marker},
            shape(lines, "Sweeps", False) | {"mode": "lines", "line": line, "hoverinfo": "skip"},
        ]
    )


def holes(view: View) -> Layer:
    """A line across the chart where candles are missing."""
    path = Path()
    low, high = min(bar.low for bar in view.candles), max(bar.high for bar in view.candles)
    for event in view.events:
        if event.kind == "data_gap":
            said = f"<b>{event.value:,.0f} candles missing</b> before {when(event.at)}"
            path.add([event.at, event.at, event.at], [low, event.level, high], said)
    line = {"color": "#8a8f98", "width": 1, "dash": "dashdot"}
    return frozenset({"data_gap"}), one_entry([shape(path, "Holes", False) | {"mode": "lines", "line": line}])


def _known(view: View, event: StructureEvent) -> str:
    return when(event.known_at + view.length)
