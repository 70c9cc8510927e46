"""The chart: what it draws and when, and that a real browser shows it without a network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus_schemas.timeframes import MINUTE, iso
from cli.smc_candles import CandleFile
from cli.smc_chart import figure
from cli.smc_story import Story
from cli.smc_view import View
from market_data.files import SAMPLE
from strategy.smc import Parameters, Session, SmcEngine, StructureEvent
from tests.support.shell import invoke

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BTC = SAMPLE / "BTCUSDT-15m.csv.gz"
LENGTH = 15 * MINUTE
BARS = 1_500

LEGEND = {
    "Fair value gaps", "Inverted gaps", "Order blocks", "Breakers, mitigation blocks", "Optimal trade entry",
    "Equal highs and lows", "Previous day, week, month", "Sessions", "Inducement", "Dealing range",
    "BOS, swing", "CHoCH, swing", "MSS, swing", "Pivots, swing", "BOS, internal", "CHoCH, internal",
    "MSS, internal", "Pivots, internal", "Sweeps",
}  # fmt: skip


SPANS = sorted(LEGEND - {name for name in LEGEND if name.endswith(("swing", "internal"))} - {"Sweeps"})
"""Layers of what lasts: zones and levels."""


def drawn(bars: int, first: int = 0, **options: Any) -> tuple[View, list[dict[str, Any]]]:
    """A view of so many bars of the sample but the first ones, and the traces of its chart."""
    params = Parameters(timeframe="15m", swing_length=20, **options)
    engine, story, events = SmcEngine(params), Story(params), list[StructureEvent]()
    candles = list(islice(CandleFile(BTC, None, lambda _: None), bars))
    for number, candle in enumerate(candles):
        story.see(candle)
        for event in engine.update(candle):
            story.add(event)
            events += [event] if number >= first else []
    view = View(candles[first:], LENGTH, events, story)
    return view, figure(view, frozenset())["data"]


def pieces(traces: list[dict[str, Any]], name: str) -> list[tuple[list[int], list[float], str]]:
    """The pieces of a layer's lines and boxes."""
    found: list[tuple[list[int], list[float], str]] = []
    for trace in traces:
        if trace["name"] != name or trace.get("mode") != "lines":
            continue
        fresh = True
        for x, y, said in zip(trace["x"], trace["y"], trace["hovertext"], strict=True):
            if x is None:
                fresh = True
                continue
            if fresh:
                found.append(([], [], said))
                fresh = False
            found[-1][0].append(x)
            found[-1][1].append(y)
    return found


@pytest.fixture(scope="module")
def chart() -> tuple[View, list[dict[str, Any]]]:
    return drawn(BARS)


def test_a_box_begins_when_it_was_known_and_ends_when_it_did(
    chart: tuple[View, list[dict[str, Any]]],
) -> None:
    view, traces = chart
    for name, begin, end in (
        ("Fair value gaps", ("fvg", "fvg_joined"), ("fvg_filled", "fvg_joined", "expired")),
        ("Order blocks", ("block",), ("block_broken", "expired")),
        ("Breakers, mitigation blocks", ("breaker", "mitigation_block"), ("flip_failed", "expired")),
    ):
        ends = {on: e.known_at for e in view.events if e.kind in end for on in e.on[:1]}
        expected = sorted(
            (e.known_at + LENGTH, ends[e.id] + LENGTH if e.id in ends else view.edge, e.bottom, e.top)
            for e in view.events
            if e.kind in begin
        )
        boxes = pieces(traces, name)
        assert sorted((min(x), max(x), min(y), max(y)) for x, y, _ in boxes) == expected
        assert len(boxes) > 20


def test_a_break_goes_from_its_pivot_to_the_close_that_broke_it(
    chart: tuple[View, list[dict[str, Any]]],
) -> None:
    view, traces = chart
    at = {event.id: event.at for event in view.events}
    for scope in ("swing", "internal"):
        for kind, name in (("bos", "BOS"), ("choch", "CHoCH")):
            expected = sorted(
                (at[e.on[0]] + LENGTH // 2, e.known_at + LENGTH, e.level)
                for e in view.events
                if e.kind == kind and e.scope == scope
            )
            found = pieces(traces, f"{name}, {scope}")
            assert sorted((min(x), max(x), y[0]) for x, y, _ in found) == expected
            assert expected
    shifts = [t for t in traces if t["name"].startswith("MSS") and t["mode"] == "markers"]
    assert sum(len(t["x"]) for t in shifts) == sum(e.kind == "mss" for e in view.events) > 0


def test_a_pivot_lies_at_its_bar_and_tells_when_it_was_known(
    chart: tuple[View, list[dict[str, Any]]],
) -> None:
    view, traces = chart
    hollow, solid = _marked(traces, "Pivots, swing")
    pivots = [e for e in view.events if e.scope == "swing" and e.kind in ("pivot", "pivot_extended")]
    lies = [(e.at + LENGTH // 2, e.level) for e in pivots]
    known = [(e.known_at + LENGTH, e.level) for e in pivots]
    assert list(zip(hollow["x"], hollow["y"], strict=True)) == lies
    assert list(zip(solid["x"], solid["y"], strict=True)) == known
    assert (hollow["marker"]["symbol"], hollow["showlegend"], solid["showlegend"]) == (
        "circle-open", False, True,
    )  # fmt: skip
    assert {e.direction: symbol for e, symbol in zip(pivots, solid["marker"]["symbol"], strict=True)} == {
        1: "triangle-down", -1: "triangle-up",
    }  # fmt: skip
    threads = pieces(traces, "Pivots, swing")
    assert [(min(x), max(x)) for x, _, _ in threads] == [
        (left, right) for (left, _), (right, _) in zip(lies, known, strict=True)
    ]
    for trace in (hollow, solid):
        assert all(f"known {_minute(e)}" in said for e, said in zip(pivots, trace["hovertext"], strict=True))


def test_a_pivot_that_lies_before_the_window_is_marked_when_it_was_known() -> None:
    whole, _ = drawn(BARS)
    late = next(e for e in reversed(whole.events) if e.kind == "pivot" and e.scope == "swing")
    view, traces = drawn(BARS, first=(late.at - whole.start) // LENGTH + 1)
    assert view.start > late.at
    solid = _marked(traces, "Pivots, swing")[-1]
    assert (late.known_at + LENGTH, late.level) in zip(solid["x"], solid["y"], strict=True)
    assert ([view.start, late.known_at + LENGTH], [late.level] * 2) in [
        (x, y) for x, y, _ in pieces(traces, "Pivots, swing")
    ]


@pytest.mark.parametrize("sweep_bars", [1, 3])
def test_a_sweep_is_marked_where_it_was_known(sweep_bars: int) -> None:
    view, traces = drawn(900, sweep_bars=sweep_bars)
    (marks,) = _marked(traces, "Sweeps")
    swept = [event for event in view.events if event.kind == "swept"]
    assert list(zip(marks["x"], marks["y"], strict=True)) == [(e.known_at + LENGTH, e.level) for e in swept]
    for event, said in zip(swept, marks["hovertext"], strict=True):
        assert f"<br>beyond from {iso(event.at)[:16].replace('T', ' ')}<br>known {_minute(event)}" in said
    later = sum(event.at < event.known_at for event in swept)
    assert (later > 5) == (sweep_bars > 1), later


def _marked(traces: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [trace for trace in traces if trace["name"] == name and trace["mode"] == "markers"]


def _minute(event: StructureEvent) -> str:
    return iso(event.known_at + LENGTH)[:16].replace("T", " ")


def test_the_dealing_range_is_that_of_the_newest_event(chart: tuple[View, list[dict[str, Any]]]) -> None:
    view, traces = chart
    told = [e for e in view.events if e.kind in ("dealing_range", "premium", "discount", "equilibrium")]
    ends = [*(event.known_at + LENGTH for event in told[1:]), view.edge]
    steps = [x for event, end in zip(told, ends, strict=True) for x in (event.known_at + LENGTH, end)]
    top, middle, bottom = pieces(traces, "Dealing range")
    for (x, y, _), part in ((top, "top"), (middle, "level"), (bottom, "bottom")):
        assert x == steps
        assert y == [getattr(event, part) for event in told for _ in range(2)]
    assert len(told) > 20


def test_an_optimal_trade_entry_lasts_until_the_next_or_a_break(
    chart: tuple[View, list[dict[str, Any]]],
) -> None:
    view, traces = chart
    expected = []
    for number, event in enumerate(view.events):
        if event.kind == "ote":
            ends = (
                e.known_at + LENGTH
                for e in view.events[number + 1 :]
                if e.scope == event.scope and e.kind in ("ote", "bos", "choch")
            )
            expected.append((event.known_at + LENGTH, next(ends, view.edge), event.bottom, event.top))
    boxes = pieces(traces, "Optimal trade entry")
    assert sorted((min(x), max(x), min(y), max(y)) for x, y, _ in boxes) == sorted(expected)
    assert len(boxes) > 20


def test_an_older_chart_is_the_beginning_of_a_newer_one(chart: tuple[View, list[dict[str, Any]]]) -> None:
    """Nothing that was drawn moves: a piece of the older chart is in the newer one, or went on living."""
    older, before = drawn(900)
    _, after = chart
    for name in ("Fair value gaps", "Order blocks", "Breakers, mitigation blocks", "Equal highs and lows",
                 "Previous day, week, month", "BOS, internal", "CHoCH, swing"):  # fmt: skip
        newer = [(tuple(x), tuple(y)) for x, y, _ in pieces(after, name)]
        starts = {(min(x), min(y), max(y)) for x, y in newer}
        found = pieces(before, name)
        for x, y, _ in found:
            if max(x) == older.edge:
                assert (min(x), min(y), max(y)) in starts
            else:
                assert (tuple(x), tuple(y)) in newer
        assert found


def test_a_window_is_cut_from_the_whole(chart: tuple[View, list[dict[str, Any]]]) -> None:
    """What began before the window, the dealing range too, begins at its left edge; nothing lies outside."""
    before, whole = chart
    for first in (1_000, BARS - 1):
        view, traces = drawn(BARS, first=first)
        assert len(next(t for t in traces if t["type"] == "candlestick")["x"]) == BARS - first
        for name in SPANS:
            expected = [
                (max(left, view.start), view.edge if right == before.edge else right, low, high)
                for left, right, low, high in _extents(whole, name)
                if right > view.start
            ]
            assert _extents(traces, name) == sorted(expected), name
        for trace in traces:
            assert all(view.start <= x <= view.edge for x in trace["x"] if x is not None), trace["name"]
    assert _extents(traces, "Dealing range")
    assert _extents(traces, "Previous day, week, month")


def _extents(traces: list[dict[str, Any]], name: str) -> list[tuple[int, int, float, float]]:
    """Left, right, bottom and top of each box, line, or step of a line."""
    found = []
    for xs, ys, _ in pieces(traces, name):
        size = 2 if name == "Dealing range" else len(xs)
        for n in range(0, len(xs), size):
            x, y = xs[n : n + size], ys[n : n + size]
            found.append((min(x), max(x), min(y), max(y)))
    return sorted(found)


@pytest.mark.parametrize("bars", [1, 2, 60, 100])
def test_a_chart_of_few_candles(bars: int) -> None:
    """Nothing need have happened in it, not even a dealing range."""
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="pip install 'causeway[chart]'")
    view, traces = drawn(bars)
    assert len(pieces(traces, "Dealing range")) == (3 if bars == 100 else 0)
    assert len(next(t for t in traces if t["type"] == "candlestick")["x"]) == bars
    graph_objects.Figure(figure(view, frozenset()))


def test_the_name_of_a_session_is_only_a_name() -> None:
    """The engine refuses what does not print; markup and length are harmless."""
    session = Session("<b>x</b>&</script><!--<script>" + "y" * 200, "02:00", "05:00")
    view, traces = drawn(400, sessions=(session,))
    shown = next(t for t in traces if t["name"] == "Sessions" and t["mode"] == "text")["text"]
    assert {text.replace("…", "").rstrip(" HL") for text in shown} == {escape(session.name[:39])}
    bad = [
        msgspec.structs.replace(e, scope="a\x1b\x00\n\udcff\u202e")
        for e in view.events
        if e.scope == session.name
    ]
    story = Story(Parameters(timeframe="15m"))
    for event in bad:
        story.add(event)
    found = figure(View(view.candles, LENGTH, bad, story), frozenset())
    assert b"\\\\x1b\\\\x00\\\\n\\\\udcff\\\\u202e" in msgspec.json.encode(found)


def test_plotly_takes_every_property(chart: tuple[View, list[dict[str, Any]]]) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects", reason="pip install 'causeway[chart]'")
    view, traces = chart
    graph_objects.Figure(figure(view, frozenset()))  # it raises on a name or value that it does not know
    assert len(traces) < 60, "few traces, each a path of many pieces"
    assert {trace["name"] for trace in traces if trace["showlegend"]} == LEGEND


def test_layers_by_kinds(chart: tuple[View, list[dict[str, Any]]]) -> None:
    names = {trace["name"] for trace in figure(chart[0], frozenset({"bos", "fvg_filled", "block"}))["data"]}
    assert names == {"Candles", "BOS, swing", "BOS, internal", "Order blocks", "Fair value gaps"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("plotly", reason="pip install 'causeway[chart]'")
    folder = tmp_path_factory.mktemp("chart")
    out = folder / "a <b> & c.html"
    out.write_text("older")
    named = folder / "<script>alert(1)<script> 15m.csv.gz"
    named.symlink_to(BTC)
    code, said, err = invoke(
        "smc", "--data", named, "--chart", out, "--bars", 700, "--params", "swing_length=20"
    )
    assert (code, err) == (0, "")
    assert f"{out}: the last 700 of " in said
    assert sorted(folder.iterdir()) == sorted([out, named])
    return out


def test_the_page_asks_for_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text()
    own = re.sub(r"<script>/\*\*.*?</script>", "", text, count=1, flags=re.DOTALL)
    assert len(own) < len(text) / 2
    assert re.findall(r"https?://|//cdn|@import|<link|src=", own) == []
    assert "default-src 'none'" in own
    assert "alert(1)" in own
    assert "<script>alert" not in own
    body = own.partition('id="figure">')[2].partition("</script>")[0]
    assert len(json.loads(body)["data"]) > 30


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium")
def test_the_page_in_a_real_browser(page: Path, tmp_path: Path) -> None:
    """Drawn, with its legend, prices fitted to what is in view, and words where the pointer is."""
    looked = tmp_path / "looked.html"
    probe = """
      const sweeps = figure.data.findIndex(t => t.name === "Sweeps" && t.mode === "markers");
      Plotly.Fx.hover(chart, [{ curveNumber: sweeps, pointNumber: figure.data[sweeps].x.length - 1 }]);
      document.body.dataset.said = document.querySelector(".hoverlayer").textContent;
      document.body.dataset.ink = getComputedStyle(document.body).color;
      const before = chart.layout.yaxis.range.join();
      show(700);
      setTimeout(() => {
        document.body.dataset.refitted = String(before !== chart.layout.yaxis.range.join());
        document.body.dataset.range = String(
          (milliseconds(chart.layout.xaxis.range[1]) - milliseconds(chart.layout.xaxis.range[0])) / length);
      }, 100);
    """
    mark = 'document.body.dataset.drawn = "yes";'
    text = page.read_text()
    assert text.count(mark) == 1
    looked.write_text(text.replace(mark, mark + probe))
    dom = _browse(looked, tmp_path)
    found = re.search(r"<body[^>]*>", dom)
    assert found is not None
    assert 'data-drawn="yes"' in found[0]
    assert re.search(r'data-said="sweep of (highs|lows), .* ATR beyond.*known 20', found[0])
    assert 'data-refitted="true"' in found[0]
    assert 'data-range="71' in found[0], "all bars and a little room"
    shown = set(re.findall(r'<text class="legendtext"[^>]*>([^<]*)<', dom))
    assert shown == LEGEND
    assert dom.count('<path class="box"') == 700


def _browse(path: Path, profile: Path) -> str:
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}/chromium",
         "--virtual-time-budget=2500", "--window-size=1500,900", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return done.stdout
