"""The order of the steps, where trading begins, and what a plan says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import Candle, Gap, Mark
from bus_schemas.timeframes import DAY, HOUR, MINUTE, iso
from bus_schemas.topology import Stream
from market_data.feed import Progress
from tests.unit.market_data.build import (
    FUNDING,
    MARKS,
    START,
    candle,
    candles,
    events,
    feed,
    gaps,
    mark,
    marks,
    write,
)

QUARTER = 15 * MINUTE


def test_history_first_then_marks_and_candles_bar_by_bar(tmp_path: Path) -> None:
    candles(tmp_path, "ETHUSDT", [candle(n) for n in range(4)])
    candles(tmp_path, "BTCUSDT", [candle(n) for n in range(4)])
    steps = list(feed(tmp_path, trade_from=START + 2 * QUARTER).steps({}))
    assert [(step.phase, step.symbol, (step.time - START) // QUARTER) for step in steps] == [
        ("hydrate", "BTCUSDT", 2),
        ("hydrate", "ETHUSDT", 2),
        ("mark", "BTCUSDT", 3),
        ("candle", "BTCUSDT", 3),
        ("mark", "ETHUSDT", 3),
        ("candle", "ETHUSDT", 3),
        ("mark", "BTCUSDT", 4),
        ("candle", "BTCUSDT", 4),
        ("mark", "ETHUSDT", 4),
        ("candle", "ETHUSDT", 4),
    ]
    for step in steps:
        stream = Stream.MARKS if step.phase == "mark" else Stream.CANDLES
        assert {(output.stream, output.key) for output in step.outputs} == {(stream, step.symbol)}
        for output in step.outputs:
            assert isinstance(output.body, Candle | Mark)
            if isinstance(output.body, Candle):
                assert output.body.hydration is (step.phase == "hydrate")
    assert [step.candles for step in steps] == [2, 2, 0, 1, 0, 1, 0, 1, 0, 1]


def test_history_comes_in_chunks_and_its_gaps_with_it(tmp_path: Path) -> None:
    kept = [n for n in range(700) if n not in (100, 250, 600)]
    candles(tmp_path, "BTCUSDT", [candle(n) for n in kept])
    steps = list(feed(tmp_path, trade_from=START + 650 * QUARTER).steps({}))
    history = [step for step in steps if step.phase == "hydrate"]
    assert [step.candles for step in history] == [250, 250, 147]
    assert [gap.hydration for gap in gaps(history)] == [True] * 3
    assert sum(step.candles for step in steps) == len(kept)
    assert gaps(steps[len(history) :]) == []


def test_a_gap_comes_before_the_candle_that_ends_it_and_has_no_mark(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(0), candle(3)])
    steps = list(feed(tmp_path, trade_from=START).steps({}))
    assert [type(body) for body in events(steps)] == [Mark, Candle, Mark, Gap, Candle]
    gap = gaps(steps)[0]
    assert (gap.start, gap.end, gap.missing, gap.hydration) == (
        START + QUARTER,
        START + 3 * QUARTER,
        2,
        False,
    )
    assert steps[-1].progress == Progress(
        trade_from=START, closed=START + 4 * QUARTER, marked=START + 4 * QUARTER
    )


def test_a_gap_at_the_start_of_trading_is_told(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(0), candle(1), candle(5), candle(6)])
    steps = list(feed(tmp_path, trade_from=START + 3 * QUARTER).steps({}))
    assert [step.phase for step in steps] == ["hydrate", "mark", "candle", "mark", "candle"]
    assert [(gap.missing, gap.hydration) for gap in gaps(steps)] == [(3, False)]


def test_thirty_days_are_traded_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n, timeframe="4h") for n in range(40 * 6)], "4h")
    candles(tmp_path, "ETHUSDT", [candle(n, timeframe="4h") for n in range(39 * 6)], "4h")
    plan = feed(tmp_path, "4h").plan()
    assert iso(plan.trade_from) == "2024-01-11T00:00:00Z"
    assert (plan.hydrate, plan.trade) == (2 * 60, 30 * 6 + 29 * 6)
    assert (plan.first, plan.last) == (START, START + 40 * DAY)
    early = feed(tmp_path, "4h", end=START + 35 * DAY, symbols=["ETHUSDT"]).plan()
    assert (iso(early.trade_from), early.hydrate, early.trade) == ("2024-01-06T00:00:00Z", 30, 180)
    short = feed(tmp_path, "4h", start=START + 20 * DAY).plan()
    assert (short.trade_from, short.hydrate) == (START + 20 * DAY, 0)


def test_start_and_end_bound_what_is_published(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n) for n in range(20)])
    bounds = {"start": START + QUARTER + 1, "trade_from": START + 5 * QUARTER, "end": START + 9 * QUARTER + 1}
    run = feed(tmp_path, **bounds)
    published = [body for body in events(run.steps({})) if isinstance(body, Candle)]
    assert [(body.open_time - START) // QUARTER for body in published] == [2, 3, 4, 5, 6, 7, 8]
    assert [body.hydration for body in published] == [True] * 3 + [False] * 4
    assert (run.plan().hydrate, run.plan().trade) == (3, 4)


def test_the_first_mark_knows_the_basis_from_before_the_start(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n, "100") for n in range(12)])
    write(tmp_path, "BTCUSDT-1h-mark.csv.gz", MARKS, [mark(0, "110"), mark(1, "120")])
    write(tmp_path, "BTCUSDT-funding.csv", FUNDING, [f"{iso(START + n * QUARTER)},1e-4" for n in (5, 6)])
    at = START + HOUR + QUARTER
    made = marks(feed(tmp_path, start=at, trade_from=at).steps({}))
    assert [int(mark.mark) for mark in made] == [110, 110, 120, 120, 120, 120, 120]
    assert [mark.funding is not None for mark in made] == [True, *[False] * 6]


def test_a_basis_of_a_day_ago_is_found_at_the_start_of_trading(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n, "100") for n in range(110)])
    write(tmp_path, "BTCUSDT-1h-mark.csv", MARKS, [mark(0, "110")])
    made = marks(feed(tmp_path, trade_from=START + HOUR + DAY - QUARTER).steps({}))
    assert [int(mark.mark) for mark in made[:3]] == [110, 100, 100]


def test_funding_settled_while_candles_are_missing_is_told_by_the_next_mark(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n) for n in (0, 1, 8, 9, 20)])
    rates = [f"{iso(START + n * QUARTER)},{n}e-5" for n in (1, 3, 5, 12, 22)]
    write(tmp_path, "BTCUSDT-funding.csv", FUNDING, rates)
    run = feed(tmp_path, trade_from=START + 4 * QUARTER)
    steps = list(run.steps({}))
    assert [mark.funding for mark in marks(steps)] == [Decimal("0.00008"), None, Decimal("0.00012")]
    assert marks(run.steps({"BTCUSDT": steps[4].progress})) == marks(steps)[2:]


def test_a_restart_keeps_the_start_of_trading_of_its_run(tmp_path: Path) -> None:
    rows = [candle(n, timeframe="4h") for n in range(40 * 6)]
    candles(tmp_path, "BTCUSDT", rows, "4h")
    steps = list(feed(tmp_path, "4h").steps({}))
    candles(tmp_path, "BTCUSDT", [*rows, candle(240, timeframe="4h")], "4h")
    later = list(feed(tmp_path, "4h").steps({"BTCUSDT": steps[0].progress}))
    assert later[: len(steps) - 1] == steps[1:]
    assert len(later) == len(steps) + 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"start": "2025-01-01"}, "has no candles in the chosen time; it has 2024-01-01T00:00:00Z to"),
        ({"end": "2023-01-01"}, "has no candles in the chosen time"),
        (
            {"trade_from": "2025-01-01"},
            "nothing to trade: the last candle closes at 2024-01-01T01:00:00Z",
        ),
    ],
)
def test_a_time_with_nothing_in_it_is_said(
    tmp_path: Path, settings: dict[str, object], sentence: str
) -> None:
    candles(tmp_path, "BTCUSDT", [candle(n) for n in range(4)])
    with pytest.raises(ConfigurationError, match=sentence):
        next(feed(tmp_path, **settings).steps({}))


def test_a_file_without_rows_is_said(tmp_path: Path) -> None:
    candles(tmp_path, "BTCUSDT", [])
    with pytest.raises(ConfigurationError, match=r"BTCUSDT-15m\.csv has no candles"):
        feed(tmp_path).plan()
