"""What a trader wants to see at a glance: counts, the newest state, and what lies nearest to the price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from bus_schemas.timeframes import iso, length
from cli.smc_candles import printable
from cli.smc_story import BLOCK, BREAKER, GAP, INVERTED, Span, Story
from cli.smc_view import price, when, word
from strategy.smc import Candle, Parameters, SmcEngine, StructureEvent
from strategy.smc.kinds import KINDS, scopes
from strategy.smc.rules import names
from strategy.smc.state import Zone

WIDE = 100
"""Columns of a terminal from which on there is room for when a zone was known."""

NEAREST = 3
"""Zones and levels that are shown on each side of the price."""

_ZONES = {GAP: "FVG", INVERTED: "inverted FVG", BLOCK: "order block", BREAKER: ""}
_BREAKS = {"bos": "BOS", "choch": "CHoCH", "mss": "MSS"}
_LEVELS = {"internal": "internal ", "day": "previous day's ", "week": "previous week's ",
           "month": "previous month's "}  # fmt: skip


class Tally:
    """Counts of what is printed, and the newest break of each scope.

    Attributes:
        story: of everything, printed or not.
        candles, first, last: of what is printed; times of opening.
        holes, missing: in the data, and candles that they lack.
    """

    def __init__(self, params: Parameters) -> None:
        self.story = Story(params)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.breaks: dict[str, StructureEvent] = {}
        self.newest: Candle | None = None
        self.candles = self.first = self.last = self.holes = self.missing = 0

    def take(
        self, candle: Candle, events: list[StructureEvent], printed: list[StructureEvent] | None
    ) -> None:
        """Take a candle and what it made known; `printed` is None for one that only warms up."""
        self.story.see(candle)
        for event in events:
            self.story.add(event)
            if event.kind in _BREAKS and event.kind != "mss":
                self.breaks[event.scope] = event
        self.newest = candle
        if printed is None:
            return
        self.first = self.first if self.candles else candle.time
        self.last = candle.time
        self.candles += 1
        for event in events:
            if event.kind == "data_gap":
                self.holes += 1
                self.missing += int(event.value)
        self.counts.update((event.kind, event.scope) for event in printed)


def heading(name: str, timeframe: str, tally: Tally, incomplete: int) -> str:
    """File, candles, span and holes, in a line."""
    holes = (
        f"{tally.holes:,} hole{'s' * (tally.holes != 1)} ({tally.missing:,} candles missing)"
        if tally.holes
        else "no holes"
    )
    span = f"{iso(tally.first)} to {iso(tally.last + length(timeframe))}"
    parts = [name, f"{tally.candles:,} {timeframe} candles", span, holes]
    if incomplete:
        parts.append(f"{incomplete:,} incomplete candle{'s' * (incomplete != 1)} left out")
    return " · ".join(parts)


def summary(title: str, engine: SmcEngine, tally: Tally, wide: bool) -> RenderableType:
    """The whole of it, the newest last. At least one candle was taken.

    Args:
        wide: whether there is room to say since when each zone was known.
    """
    near = _near(engine, tally, wide)
    return Group(escape(title), "", _counts(tally), "", _now(engine, tally), "", near)


def _now(engine: SmcEngine, tally: Tally) -> Table:
    assert tally.newest is not None
    moment = when(tally.newest.time + length(engine.params.timeframe))
    table = Table(title=f"As of {moment}", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for row in _facts(engine, tally, tally.newest.close):
        table.add_row(*map(escape, row))
    return table


def _facts(engine: SmcEngine, tally: Tally, close: float) -> Iterator[tuple[str, str]]:
    state, averages = engine.state, engine.state.averages
    yield "price", price(close, close)
    for scope, trend in (("swing", state.swing_trend), ("internal", state.internal_trend)):
        yield f"{scope} trend", _trend(trend.side, tally.breaks.get(scope), close)
    yield "ATR", f"{price(averages.atr, close)} ({averages.atr / close:.2%} of the price)"
    if averages.trending:
        yield "ADX", f"{averages.adx:.1f}, {'trending' if averages.trending > 0 else 'ranging'}"
    if averages.above:
        fast, slow = engine.params.ema_fast, engine.params.ema_slow
        yield "EMA", f"{fast} {'above' if averages.above > 0 else 'below'} {slow}"
    known = state.range
    if known.part in (-1, 0, 1) and known.top > known.bottom:
        part = {1: "premium", 0: "equilibrium", -1: "discount"}[known.part]
        share = (close - known.bottom) / (known.top - known.bottom)
        span = f"{price(known.bottom, close)} to {price(known.top, close)}"
        yield "dealing range", f"{span}: the price is at {share:.0%}, in {part}"
    opened = [name for name, kill in zip(names(engine.params), state.kills, strict=True) if kill.id]
    if opened:
        yield "session", printable(", ".join(opened))


def _trend(side: int, newest: StructureEvent | None, close: float) -> str:
    if not side:
        return "none yet"
    said = "up" if side > 0 else "down"
    if newest is None:
        return said
    return f"{said}: {_BREAKS[newest.kind]} of {price(newest.level, close)} at {when(newest.at)}"


def _near(engine: SmcEngine, tally: Tally, wide: bool) -> Table:
    assert tally.newest is not None
    close, atr = tally.newest.close, engine.state.averages.atr
    table = Table(
        title="Nearest to the price",
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("zone or level", "price", "away", "ATR", "state", *(("known",) if wide else ())):
        table.add_column(name, justify="right" if name in ("price", "away", "ATR") else "left", no_wrap=True)
    rows = [*_zone_rows(tally.story), *_level_rows(engine)]
    above = sorted((row for row in rows if row[1] > close), key=lambda row: row[1])
    below = sorted((row for row in rows if row[2] < close), key=lambda row: -row[2])
    inside = [row for row in rows if row[1] <= close <= row[2]]
    for found in (_first(above)[::-1], inside, _first(below)):
        for name, bottom, top, state, known_at in found:
            gap = max(bottom - close, 0.0) - max(close - top, 0.0)
            away, measured = (
                (f"{gap / close:+.2%}", f"{gap / atr:+.1f}" if atr else "") if gap else ("here", "")
            )
            span = f"{price(bottom, close)} – {price(top, close)}" if top > bottom else price(bottom, close)
            cells = (name, span, away, measured, state, *((when(known_at),) if wide else ()))
            table.add_row(*map(escape, cells))
        table.add_section()
    return table


Row = tuple[str, float, float, str, int]
"""Name, bottom, top, state, when known."""


def _first(rows: list[Row]) -> list[Row]:
    """The nearest few zones and the nearest few levels."""
    zones = [row for row in rows if row[2] > row[1]][:NEAREST]
    levels = [row for row in rows if row[2] <= row[1]][:NEAREST]
    return [row for row in rows if row in zones or row in levels]


def _zone_rows(story: Story) -> Iterator[Row]:
    for span in story.live:
        if span.sort in _ZONES:
            yield (_name(span), span.bottom, span.top, _stage(span), span.known_at)


def _name(span: Span) -> str:
    name = _ZONES[span.sort] or span.kind.replace("_", " ")
    return " ".join(filter(None, (word(span.side), "swing" if span.scope == "swing" else "", name)))


def _stage(span: Span) -> str:
    return span.steps[-1][0].split("_", 1)[1].replace("_", " ") if span.steps else "fresh"


def _level_rows(engine: SmcEngine) -> Iterator[Row]:
    words = scopes(names(engine.params))
    for side, zones in (("high", engine.state.highs), ("low", engine.state.lows)):
        for zone in zones:
            name = _level(words[zone.scope], side, zone)
            yield (name, zone.next, zone.next, "gone beyond" if zone.stage else "untouched", zone.since)


def _level(scope: str, side: str, zone: Zone) -> str:
    if scope == "pool":
        return f"{zone.kind} equal {side}s"
    session = printable(scope.replace("_", " ")) + " "
    return f"{_LEVELS.get(scope, session)}{side}"


def _counts(tally: Tally) -> Table:
    table = Table(
        title="Events", title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("kind")
    for name in ("all", "swing", "internal", "other"):
        table.add_column(name, justify="right")
    other: Counter[str] = Counter()
    for (kind, scope), count in tally.counts.items():
        other[kind] += count if scope not in ("swing", "internal") else 0
    for kind in KINDS:
        parts = [tally.counts[kind, "swing"], tally.counts[kind, "internal"], other[kind]]
        if sum(parts):
            table.add_row(kind.replace("_", " "), f"{sum(parts):,}", *(f"{n:,}" if n else "" for n in parts))
    total = sum(tally.counts.values())
    table.add_section()
    table.add_row("all", f"{total:,}", "", "", "")
    return table
