"""`run.py lookahead`: does any assessment depend on what came after it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.progress import TaskID
from rich.table import Table

from bus_schemas.envelope import Event
from bus_schemas.events import Candle, Gap
from bus_schemas.settings import Settings
from bus_schemas.timeframes import iso, parse_time
from bus_schemas.topology import Place, Stream
from cli.planted import PeekingDecider, Plant
from cli.truncation import Check, Found, Make
from market_data.feed import FileFeed, Progress
from strategy.decider import StrategyDecider

CUTS = 200
"""Cuts of each symbol that are spread evenly; at most as many again lie right after signals."""

_NEVER = parse_time("2100-01-01") - 1
_TIMES = {"first": ("time", "cut"), "first_early": ("time", "known"), "first_misdated": ("time", "caused")}
_PLACE = Place(Stream.CANDLES, "p0")


def examine(settings: Settings, cuts: int, plant: Plant | None, json: bool) -> bool:
    """Check every symbol and print what came out. Whether assessments were compared and none differs.

    Raises:
        ConfigurationError: the folder does not have the candles, or the fault cannot be planted.
        DataError: a row is impossible.
    """
    console = Console(stderr=json, soft_wrap=True)
    make: Make = lambda _data: StrategyDecider(settings.strategy)  # noqa: E731
    if plant is Plant.FORMING_CANDLE:
        make = partial(PeekingDecider, settings.strategy)
    found = []
    market = dict(candles(settings))
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        for symbol, events in market.items():
            shown = partial(_show, bar, bar.add_task(symbol, total=None))
            found.append(Check(make, symbol, events, settings.strategy, cuts).run(shown))
    passed = all(map(_sound, found))
    if json:
        print(msgspec.json.encode(_plain(settings, plant, found, passed)).decode())
    console.print(_counts(found))
    if any(one.first for one in found):
        console.print(_differences(found))
    for one in found:
        for sentence in _faults(one):
            console.print(f"{one.symbol}: {sentence}", highlight=False, markup=False)
    console.print(_verdict(found, plant), highlight=False, markup=False, style="green" if passed else "red")
    return passed


def candles(settings: Settings) -> Iterator[tuple[str, list[Event]]]:
    """Each symbol with its candles and gaps as a run publishes them, but all of them to be judged aloud.

    Raises:
        ConfigurationError: the folder does not have them, or none in the chosen time.
        DataError: a row is impossible.
    """
    market = settings.market_data.model_copy(update={"trade_from": None})
    feed = FileFeed(market, settings.strategy.entry_timeframe)
    feed.plan()
    # as history that never becomes trading: the same candles and gaps, and no marks to compute
    steps = feed.steps({symbol: Progress(trade_from=_NEVER) for symbol in feed.symbols})
    symbol, events = "", list[Event]()
    for step in steps:
        if step.symbol != symbol and events:
            yield symbol, events
            events = []
        symbol = step.symbol
        for output in step.outputs:
            if isinstance(output.body, Candle | Gap):
                body = msgspec.structs.replace(output.body, hydration=False)
                events.append(Event(_PLACE, len(events) + 1, symbol, body))
    if events:
        yield symbol, events


def _show(bar: Bar, task: TaskID, done: int, of: int) -> None:
    bar.update(task, completed=done, total=of)


def _sound(found: Found) -> bool:
    return found.judged > 0 and not (found.differing or found.early or found.misdated)


def _faults(found: Found) -> Iterator[str]:
    """What is wrong with a symbol beside differences, in sentences."""
    early = found.first_early
    if early is not None:
        yield (
            f"the assessment of {iso(early.time)} knew too early: its step {early.step} rests on what was "
            f"known only at {iso(early.known)}"
        )
    misdated = found.first_misdated
    if misdated is not None:
        yield (
            f"{found.misdated:,} assessments bear another time than the event that caused them: the first "
            f"says {iso(misdated.time)} and was caused at {iso(misdated.caused)}"
        )
    if found.judged == 0:
        yield (
            f"nothing to compare: {found.candles:,} candles give {found.assessments:,} assessments, and of "
            f"the {found.compared:,} that were compared none is past the warm-up; more candles are needed"
        )


def _verdict(found: Sequence[Found], plant: Plant | None) -> str:
    compared, runs, scratch, differing, early, misdated, after_signal = (
        sum(getattr(one, name) for one in found)
        for name in ("compared", "runs", "scratch", "differing", "early", "misdated", "after_signal")
    )
    blind = [one.symbol for one in found if one.judged == 0]
    if differing or early or misdated:
        planted = f" The planted fault, {plant}, was found." if plant else ""
        return (
            f"LOOK-AHEAD: {differing:,} of {compared:,} assessments compared differ, "
            f"{early:,} knew too early, {misdated:,} bear a wrong time.{planted}"
        )
    if blind:
        return f"NOTHING SHOWN: too few candles to compare any assessment of {', '.join(blind)}."
    missed = f" But {plant} was planted: these candles do not show it." if plant else ""
    return (
        f"No look-ahead: {compared:,} assessments compared in {runs:,} truncated runs, {scratch:,} of them "
        f"from the first candle, and at {after_signal:,} signals; none differs, none knew too early.{missed}"
    )


def _counts(found: Sequence[Found]) -> Table:
    shown = Table(title="Look-ahead", title_justify="left")
    shown.add_column("symbol", no_wrap=True)
    for name in ("candles", "assessments", "cuts", "compared", "differing", "too early"):
        shown.add_column(name, justify="right")
    for one in found:
        counts = (one.candles, one.assessments, one.cuts, one.compared)
        faults = (one.differing, one.early)
        cells = [f"{count:,}" for count in counts]
        cells += [f"[bold red]{count:,}[/]" if count else "0" for count in faults]
        shown.add_row(escape(one.symbol), *cells)
    return shown


def _differences(found: Sequence[Found]) -> Table:
    """The first assessment of each symbol that is not the same."""
    shown = Table(title="First difference", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("symbol", "assessment", "step", "whole run", "cut run", "cut at", "future"):
        shown.add_column(name, no_wrap=name in ("symbol", "assessment", "cut at"), overflow="fold")
    for one in found:
        if one.first is not None:
            of = one.first
            step = f"{of.step}: {of.name}"
            cells = (one.symbol, _short(of.time), step, of.whole, of.truncated, _short(of.cut), of.future)
            shown.add_row(*map(escape, cells))
    return shown


def _short(time: int) -> str:
    return iso(time)[:16].replace("T", " ")


def _plain(
    settings: Settings, plant: Plant | None, found: Sequence[Found], passed: bool
) -> dict[str, object]:
    """What `--json` prints; times in ISO 8601 UTC."""
    chosen = settings.strategy
    symbols = msgspec.to_builtins(found)
    for one in symbols:
        for name, times in _TIMES.items():
            if one[name] is not None:
                one[name] |= {time: iso(one[name][time]) for time in times}
    return {
        "passed": passed,
        "verdict": _verdict(found, plant),
        "plant": plant,
        "timeframes": [chosen.entry_timeframe, chosen.decision_timeframe, chosen.bias_timeframe],
        "symbols": symbols,
    }
