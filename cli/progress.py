"""What a run shows while it goes on, and its report as a table."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from bus_schemas.events import Candle, OrderApproved
from bus_schemas.timeframes import iso
from cli.report import Report, Tally
from market_data.plan import Plan
from risk.halts import Halt

LINE_EVERY_S = 5.0
RATE_LOOKS = 10
"""Looks that the plain display's ETA is measured over: hydration is much faster than trading."""


WIDE = 100
"""Columns of a terminal from which on there is room for a bar beside the figures."""


TOP_REASONS = 5
"""Reasons without a signal that the table names; `--json` has all."""


class Shown(NamedTuple):
    """What is known at a moment."""

    tally: Tally
    health: str = ""


class Teller(Protocol):
    """Where sentences of a run go."""

    def say(self, sentence: str) -> None:
        """Say that something happened."""


class Progress(Teller, Protocol):
    """Where a run's progress goes."""

    def begin(self, plan: Plan) -> None:
        """Say what the run will be."""

    def update(self, shown: Shown) -> None:
        """Show the state of the run."""

    def end(self) -> None:
        """Take the display away."""


def describe(plan: Plan) -> str:
    """The plan in words."""
    names = ", ".join(symbol.symbol for symbol in plan.symbols)
    return (
        f"{names}, {plan.timeframe} candles: {plan.hydrate:,} to hydrate from {iso(plan.first)}, "
        f"{plan.trade:,} to trade from {iso(plan.trade_from)} to {iso(plan.last)}"
    )


def figures(tally: Tally) -> str:
    """The counts of a moment in a line."""
    equity = "–" if tally.equity_start is None else f"{tally.equity:,.2f}"
    return (
        f"{tally.signals} signals · {tally.counts[OrderApproved]} orders · "
        f"{len(tally.positions)} open · equity {equity}"
    )


class LiveProgress:
    """A progress bar on a terminal.

    Args:
        console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        bar = (BarColumn(20),) if console.width >= WIDE else ()
        self._bar = Bar(
            *bar,
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self._task: TaskID | None = None
        self._console = console

    def begin(self, plan: Plan) -> None:
        self._console.print(describe(plan))
        self._bar.start()
        self._task = self._bar.add_task("paper", total=plan.hydrate + plan.trade, figures="")

    def update(self, shown: Shown) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=shown.tally.counts[Candle], figures=figures(shown.tally))

    def say(self, sentence: str) -> None:
        self._bar.console.print(
            sentence, style="dim", highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    def end(self) -> None:
        self._bar.stop()


class PlainProgress:
    """A line now and then, where there is no terminal.

    Args:
        console: the stream.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = 0
        self._line = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque(maxlen=RATE_LOOKS)

    def begin(self, plan: Plan) -> None:
        self._total = plan.hydrate + plan.trade
        self._line = time.monotonic()
        self.say(describe(plan))

    def update(self, shown: Shown) -> None:
        now, done = time.monotonic(), shown.tally.counts[Candle]
        self._seen.append((now, done))
        if now - self._line < LINE_EVERY_S and done < self._total:
            return
        self._line = now
        began, before = self._seen[0]
        left = (
            f"{(now - began) * max(0, self._total - done) / (done - before):.0f} s" if done > before else "–"
        )
        self.say(f"{done:,}/{self._total:,} candles · {figures(shown.tally)} · ETA {left}")

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def end(self) -> None:
        """Nothing to take away."""


def progress_on(console: Console) -> Progress:
    """The display that suits the stream."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)


def table(report: Report, halts: Sequence[Halt] = ()) -> Table:
    """The report for a person, with the halts that still hold."""
    shown = Table(title="Paper run", show_header=False, title_justify="left")
    shown.add_column(style="bold")
    shown.add_column(justify="right")
    change = report.equity_end - report.equity_start
    percent = 100 * change / report.equity_start if report.equity_start else 0
    latency = report.latency_ms
    rows = [
        ("candles", f"{report.candles:,}"),
        ("gaps", str(report.gaps)),
        ("assessments", f"{report.assessments:,}"),
        ("signals", str(report.signals)),
        *_no_signal(report),
        ("orders", str(report.orders)),
        ("refusals", str(sum(report.refusals.values()))),
        *((f"  {reason}", str(count)) for reason, count in report.refusals.items()),
        ("fills", str(report.fills)),
        ("trades", str(report.trades)),
        ("win rate", "–" if report.win_rate is None else f"{report.win_rate:.1%}"),
        ("profit factor", "–" if report.profit_factor is None else f"{report.profit_factor:.2f}"),
        ("equity", f"{report.equity_start:,.2f} → {report.equity_end:,.2f} ({percent:+.2f} %)"),
        ("most drawdown", f"{report.max_drawdown_pct:.2f} %"),
        ("fees paid", f"{report.fees:,.2f}"),
        ("funding paid", f"{report.funding:,.2f}"),
        ("positions open", str(report.positions_open)),
        *((("halts", ", ".join(f"{halt.symbol} {halt.reason.value}" for halt in halts)),) if halts else ()),
        ("duplicates", str(report.duplicates)),
        (
            "candle to order",
            "–" if latency is None else f"p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms",
        ),
        ("time", f"{report.elapsed_s:.1f} s"),
        ("digest", report.digest[:16] + "…"),
    ]
    for row in rows:
        shown.add_row(*map(escape, row))
    return shown


def _no_signal(report: Report) -> list[tuple[str, str]]:
    """Why there was no signal: the most frequent reasons, and how many assessments had others."""
    reasons = list(report.no_signal.items())
    top, others = reasons[:TOP_REASONS], sum(count for _, count in reasons[TOP_REASONS:])
    rows = [("why no signal", f"{sum(report.no_signal.values()):,}")]
    rows += [(f"  {reason}", f"{count:,}") for reason, count in top]
    return [*rows, ("  others", f"{others:,}")] if others else rows
