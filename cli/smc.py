"""`run.py smc`: what the Smart Money Concepts engine says about a candle file."""

from __future__ import annotations

import csv
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from bus_schemas.errors import CausewayError, ConfigurationError
from bus_schemas.timeframes import iso, length, parse_time
from cli import smc_chart, smc_params, smc_summary
from cli.smc_candles import CandleFile, Resampled, shown
from cli.smc_view import View
from strategy.smc import Candle, Parameters, SmcEngine, StructureEvent
from strategy.smc.events import plain
from strategy.smc.kinds import KINDS

BARS = 1_000
"""Candles of a chart where `--bars` does not say."""

_COLUMNS = ("id", "kind", "scope", "direction", "at", "known_at", "level", "top", "bottom", "value", "on")

Bar = tuple[Candle, list[StructureEvent], list[StructureEvent] | None]
"""A candle, what it made known, and what of that is printed; None where the candle only warms up."""


Data = Annotated[
    Path, typer.Option("--data", help="Candle file: .csv, .csv.gz or .parquet.", show_default=False)
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--params",
        metavar="FILE|N=V,N=V",
        help="Parameters: a TOML or JSON file, or such as swing_length=20,break_by=wick. "
        "May be repeated; later ones win.",
    ),
]
Timeframe = Annotated[
    str | None, typer.Option(help="Of the candles in the file; default what its name says.")
]
Resample = Annotated[
    str | None, typer.Option(help="Build candles of this timeframe from them: closed and complete ones only.")
]
Start = Annotated[
    str | None, typer.Option("--from", help="First candle printed; what comes before warms up.")
]
End = Annotated[str | None, typer.Option("--to", help="Last close that is looked at; default the newest.")]
Only = Annotated[str | None, typer.Option(help="Kinds to print or draw, such as bos,choch.")]
Json = Annotated[bool, typer.Option("--json", help="One event a line, as JSON.")]
Csv = Annotated[bool, typer.Option("--csv", help="One event a line, as CSV with a header.")]
Chart = Annotated[
    Path | None, typer.Option("--chart", help="Draw to this HTML file, which needs no network.")
]
Bars = Annotated[
    int | None, typer.Option(min=1, help=f"Last candles that the chart shows; default {BARS:,}.")
]


class Scan:
    """The engine over a file: iterate once.

    Args:
        candles: of the timeframe of the parameters.
        start, end: milliseconds; what is printed opens at the one or later and closes at the other or before.
        only: kinds that are printed; empty means all.

    Attributes:
        printed: candles that did not only warm up, so far.
    """

    def __init__(
        self,
        candles: Iterable[Candle],
        params: Parameters,
        start: int | None,
        end: int | None,
        only: frozenset[str],
    ) -> None:
        self._candles, self._only = candles, only
        self._start, self._end = start, end
        self.params, self.engine = params, SmcEngine(params)
        self.span = length(params.timeframe)
        self.printed = 0

    def __iter__(self) -> Iterator[Bar]:
        first = last = None
        for candle in self._candles:
            first = candle.time if first is None else first
            if self._end is not None and candle.time + self.span > self._end:
                break
            last = candle.time
            found = self.engine.update(candle)
            if self._start is not None and candle.time < self._start:
                yield candle, found, None
                continue
            self.printed += 1
            yield candle, found, [event for event in found if not self._only or event.kind in self._only]
        if not self.printed:
            raise ConfigurationError(self._nothing(first, last))

    def _nothing(self, first: int | None, last: int | None) -> str:
        if first is None:
            return f"there is no complete {self.params.timeframe} candle in the file"
        if last is None:
            return f"there is no candle before --to: the first opens at {iso(first)}"
        return f"there is no candle from --from on: the last opens at {iso(last)}"


def command(
    data: Data,
    params: Params = None,
    timeframe: Timeframe = None,
    resample: Resample = None,
    start: Start = None,
    end: End = None,
    only: Only = None,
    json: Json = False,
    as_csv: Csv = False,
    chart: Chart = None,
    bars: Bars = None,
) -> None:
    """Find market structure in a candle file: what happened, where, and when it could be known.

    Nothing is ever repainted: every event has the bar where it lies, `at`, and the bar at whose close it was
    known, `known_at`. Without `--json`, `--csv` or `--chart` a summary is shown.

    **Examples**

    - `run.py smc --data market_data/sample/BTCUSDT-15m.csv.gz`
    - `run.py smc --data BTCUSDT-15m.csv.gz --resample 1h --only bos,choch,mss --json`
    - `run.py smc --data BTCUSDT-15m.csv.gz --params swing_length=20,break_by=wick --chart chart.html`
    """
    ways = [name for name, on in (("--json", json), ("--csv", as_csv), ("--chart", chart is not None)) if on]
    if len(ways) > 1:
        raise ConfigurationError(f"{' and '.join(ways)} contradict each other: choose one")
    if bars is not None and chart is None:
        raise ConfigurationError("--bars is for --chart")
    source = smc_chart.plotly_source() if chart is not None else ""
    if chart is not None:
        _check_target(chart, data)
    candles, timeframe = _candles(data, timeframe, resample)
    scan = Scan(candles, smc_params.read(params or (), timeframe), *_span(start, end), only=_kinds(only))
    if json:
        _quietly(lambda: _print(map(_json_line, _printed(scan))))
    elif as_csv:
        _quietly(lambda: _print(_csv_lines(_printed(scan))))
    elif chart is not None:
        _quietly(lambda: _draw(chart, data, scan, candles, bars or BARS, _kinds(only), source))
    else:
        _quietly(lambda: _summarise(data, scan, candles))


def _candles(data: Path, timeframe: str | None, resample: str | None) -> tuple[CandleFile | Resampled, str]:
    found = CandleFile(data, timeframe, lambda sentence: print(f"note: {sentence}", file=sys.stderr))
    if resample is None or resample == found.timeframe:
        return found, found.timeframe
    return Resampled(found, found.timeframe, resample), resample


def _kinds(text: str | None) -> frozenset[str]:
    if text is None:
        return frozenset()
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise ConfigurationError(
            f"--only: {', '.join(map(repr, unknown))} is no kind; there are {', '.join(KINDS)}"
        )
    return frozenset(names)


def _span(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    since, until = _moment("--from", start), _moment("--to", end)
    if since is not None and until is not None and since >= until:
        raise ConfigurationError("--from must come before --to")
    return since, until


def _moment(option: str, text: str | None) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _printed(scan: Scan) -> Iterator[StructureEvent]:
    for _, _, printed in scan:
        yield from printed or ()


def _json_line(event: StructureEvent) -> bytes:
    return msgspec.json.encode(plain(event)) + b"\n"


def _csv_lines(events: Iterable[StructureEvent]) -> Iterator[bytes]:
    line = StringIO()
    writer = csv.writer(line, lineterminator="\n")

    def text(row: Iterable[Any]) -> bytes:
        line.seek(0)
        line.truncate()
        writer.writerow(row)
        return line.getvalue().encode()

    yield text(_COLUMNS)
    for event in events:
        fields = plain(event)
        fields["on"] = " ".join(map(str, event.on))
        yield text(fields[name] for name in _COLUMNS)


def _print(lines: Iterable[bytes]) -> None:
    stream = sys.stdout.buffer
    for line in lines:
        stream.write(line)


def _summarise(data: Path, scan: Scan, candles: CandleFile | Resampled) -> None:
    tally = smc_summary.Tally(scan.params)
    for candle, found, printed in scan:
        tally.take(candle, found, printed)
        tally.story.forget(candle.time)
    console, heading = Console(), _heading(data, scan, candles, tally)
    shown_ = smc_summary.summary(heading, scan.engine, tally, console.width >= smc_summary.WIDE)
    with console.capture() as text:  # rich would leave with 1 where a pipe is closed
        console.print(shown_, highlight=False, soft_wrap=True)
    _print([text.get().encode(errors="backslashreplace")])


def _draw(
    out: Path,
    data: Path,
    scan: Scan,
    candles: CandleFile | Resampled,
    bars: int,
    only: frozenset[str],
    source: str,
) -> None:
    tally = smc_summary.Tally(scan.params)
    kept: deque[tuple[Candle, list[StructureEvent]]] = deque(maxlen=bars)
    for candle, found, printed in scan:
        tally.take(candle, found, printed)
        if printed is not None:
            kept.append((candle, found))
            tally.story.forget(kept[0][0].time)
    view = View(
        [candle for candle, _ in kept], scan.span, [e for _, found in kept for e in found], tally.story
    )
    heading = _heading(data, scan, candles, tally)
    smc_chart.write(out, shown(Path(data.name)), heading.split(" · ", 1)[1], view, only, source)
    print(f"{shown(out)}: the last {len(kept):,} of {heading}")


def _heading(data: Path, scan: Scan, candles: CandleFile | Resampled, tally: smc_summary.Tally) -> str:
    left_out = candles.incomplete if isinstance(candles, Resampled) else 0
    return smc_summary.heading(shown(data), scan.params.timeframe, tally, left_out)


def _check_target(out: Path, data: Path) -> None:
    if not out.parent.is_dir():
        raise ConfigurationError(f"cannot write {shown(out)}: there is no folder {shown(out.parent)}")
    if out.is_dir():
        raise ConfigurationError(f"cannot write {shown(out)}: it is a folder")
    if out.exists() and data.exists() and out.samefile(data):
        raise ConfigurationError("--chart would overwrite the data file")


def _quietly(run: Callable[[], None]) -> None:
    """Run something that prints; a reader that has seen enough, such as `head`, ends it without a word.

    Raises:
        CausewayError: nothing can be written, as on a full disk.
    """
    try:
        run()
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CausewayError(f"cannot write to standard output: {error.strerror}") from None
