"""What a run shows, on a terminal of any width and where there is none."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from bus_schemas.envelope import Event
from bus_schemas.events import Assessment, Candle, HaltReason, NoSignal, OrderApproved
from bus_schemas.settings import load
from bus_schemas.topology import Place, Stream
from cli.inline import InlineRun
from cli.progress import LiveProgress, PlainProgress, Shown, figures, progress_on, table
from cli.report import Follower, Tally
from market_data.feed import FileFeed
from market_data.plan import Plan
from risk.halts import Halt


@pytest.fixture(scope="module")
def plan() -> Plan:
    return FileFeed(load().market_data, "15m").plan()


def shown_on(width: int, terminal: bool, plan: Plan, sentence: str) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None)
    show = progress_on(console)
    assert isinstance(show, LiveProgress if terminal else PlainProgress)
    show.begin(plan)
    show.say(sentence)
    tally = Tally()
    tally.counts.update({Candle: 20_496, OrderApproved: 46})
    tally.signals, tally.equity = 146, Decimal(10_000)
    tally.equity_start = tally.equity
    show.update(Shown(tally))
    show.end()
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_terminal_shows_everything_in_its_width(plan: Plan, width: int) -> None:
    text = shown_on(width, True, plan, "health is served")
    line = [line for line in text.splitlines() if "ETA" in line][-1]
    for part in ("20,496/21,651", "ETA", "146 signals", "46 orders", "0 open", "equity 10,000.00"):
        assert part in line
    assert "…" not in line


@pytest.mark.parametrize("terminal", [True, False])
def test_a_sentence_is_no_markup(plan: Plan, terminal: bool) -> None:
    assert "[/bus] died [bold]" in shown_on(80, terminal, plan, "[/bus] died [bold]")


def test_the_plan_is_told_first(plan: Plan) -> None:
    assert shown_on(200, False, plan, "x").startswith(
        "BTCUSDT, ETHUSDT, SOLUSDT, 15m candles: 13,011 to hydrate from 2024-07-11T00:00:00Z, 8,640 to trade"
    )


def test_before_the_first_snapshot_there_is_no_equity() -> None:
    assert figures(Tally()).endswith("equity –")


def test_halts_that_hold_are_a_row() -> None:
    report = Tally().report(0, "d" * 64)
    for halts in ([], [Halt(symbol="*", reason=HaltReason.DRAWDOWN, detail="", since=1)]):
        out = io.StringIO()
        Console(file=out, width=80).print(table(report, halts))
        assert ("* drawdown" in out.getvalue()) is ("halts" in out.getvalue()) is bool(halts)


def test_the_most_frequent_reasons_without_a_signal_are_rows() -> None:
    tally = Tally()
    for count, reason in enumerate(list(NoSignal)[:7], 1):
        for time in range(count):
            place, at = Place(Stream.SIGNALS, "p0"), 100 * count + time
            body = Assessment(time=at, symbol="X", timeframe="1h", signal=None, reason=reason, evidence=())
            tally.add(Event(place, at, "X", body))
    out = io.StringIO()
    Console(file=out, width=80).print(table(tally.report(0, "d" * 64)))
    rows = [line.strip("│ ").split("│") for line in out.getvalue().splitlines() if "│" in line]
    shown = {name.strip(): value.strip() for name, value in (row for row in rows if len(row) == 2)}
    reasons = [reason.value for reason in list(NoSignal)[:7]]
    assert shown["why no signal"] == str(sum(range(1, 8)))
    assert [shown[reason] for reason in reversed(reasons[2:])] == ["7", "6", "5", "4", "3"]
    assert shown["others"] == str(2 + 1)
    assert not set(reasons[:2]) & set(shown)


def test_a_run_without_trades_has_a_table_too() -> None:
    run = InlineRun(load())
    out = io.StringIO()
    Console(file=out, width=80).print(table(Follower(run.bus).catch_up().report(0, "d" * 64)))
    for text in ("profit factor", "win rate", "candle to order", "–"):
        assert text in out.getvalue()
