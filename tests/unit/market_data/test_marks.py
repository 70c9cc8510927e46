"""Mark prices, funding and gaps at a candle's close."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.events import Gap
from bus_schemas.timeframes import DAY, HOUR, MINUTE
from market_data.gaps import gap_before
from market_data.marks import MarkMaker
from market_data.rows import Bar, Settlement
from tests.unit.market_data.build import START

QUARTER = 15 * MINUTE


def _bar(time: int, close: str = "100") -> Bar:
    price = Decimal(close)
    return Bar(time, price, price, price, price, 1.0)


def test_inside_the_hour_the_basis_is_carried() -> None:
    marks = [_bar(START - HOUR, "99"), _bar(START, "110.123456789"), _bar(START + HOUR, "500")]
    maker = MarkMaker("BTCUSDT", QUARTER, marks, HOUR)
    maker.observe(_bar(START - QUARTER, "100"))
    closes = ["101", "102", "103.5", "100", "50", "300"]
    made = [maker.at_close(_bar(START + n * QUARTER, close), None) for n, close in enumerate(closes)]
    assert [mark.mark for mark in made] == [
        Decimal("99.99"),
        Decimal("100.98"),
        Decimal("102.465"),
        Decimal("110.12345679"),
        Decimal("55.06172839"),
        Decimal("330.37037037"),
    ]
    assert [mark.spot for mark in made] == [Decimal(close) for close in closes]


def test_without_a_known_basis_the_mark_is_the_close() -> None:
    maker = MarkMaker("BTCUSDT", QUARTER, [_bar(START, "110")], HOUR)
    made = [maker.at_close(_bar(START + n * QUARTER), None).mark for n in range(4)]
    assert made == [100, 100, 100, 110]
    assert MarkMaker("BTCUSDT", QUARTER).at_close(_bar(START, "7.50"), None).mark == Decimal("7.50")


def test_a_mark_without_a_candle_at_its_moment_gives_no_basis() -> None:
    maker = MarkMaker("BTCUSDT", QUARTER, [_bar(START, "110"), _bar(START + HOUR, "90")], HOUR)
    assert maker.at_close(_bar(START + 3 * QUARTER), None).mark == 110
    assert maker.at_close(_bar(START + 8 * QUARTER), None).mark == 110, "the candle at 02:00 is missing"


def test_a_basis_of_yesterday_is_forgotten() -> None:
    maker = MarkMaker("BTCUSDT", QUARTER, [_bar(START - HOUR, "110")], HOUR)
    maker.observe(_bar(START - QUARTER))
    assert maker.at_close(_bar(START + DAY - QUARTER), None).mark == 110
    assert maker.at_close(_bar(START + DAY), None).mark == 100


def test_a_tiny_price_keeps_its_precision() -> None:
    maker = MarkMaker("PEPEUSDT", QUARTER, [_bar(START - HOUR, "0.0000081234567")], HOUR)
    maker.observe(_bar(START - QUARTER, "0.00000812"))
    assert maker.at_close(_bar(START, "0.00000811"), None).mark == Decimal("0.0000081134524")


def test_prices_are_the_text_of_the_file() -> None:
    bar = Bar(START, Decimal("28465.360"), Decimal("28500.0"), Decimal("0.1"), Decimal("28500.0"))
    mark = MarkMaker("BTCUSDT", QUARTER).at_close(bar, None)
    assert mark.bar is not None
    assert (str(mark.bar.open), str(mark.bar.low), str(mark.spot)) == ("28465.360", "0.1", "28500.0")
    assert (mark.bar.open_time, mark.time) == (START, START + QUARTER)


@pytest.mark.parametrize(
    ("settled", "previous", "expected"),
    [
        ([START], None, None),
        ([START + 1], None, "0.0001"),
        ([START + QUARTER], None, "0.0001"),
        ([START + QUARTER + 1], None, None),
        ([START - HOUR, START + QUARTER], None, "0.0001"),
        ([START - HOUR, START + QUARTER], START - 2 * HOUR, "0.0002"),
        ([START - HOUR], START - HOUR, None),
    ],
)
def test_funding_stands_at_the_bar_that_holds_its_moment(
    settled: list[int], previous: int | None, expected: str | None
) -> None:
    rates = [Settlement(time, Decimal("0.0001")) for time in settled]
    mark = MarkMaker("BTCUSDT", QUARTER, funding=rates).at_close(_bar(START), previous)
    assert mark.funding == (None if expected is None else Decimal(expected))


def test_each_settlement_is_told_once() -> None:
    rates = [Settlement(START + n * HOUR, Decimal(n) / 10000) for n in range(5)]
    maker = MarkMaker("BTCUSDT", QUARTER, funding=rates)
    told, previous = [], None
    for n in range(16):
        told.append(maker.at_close(_bar(START + n * QUARTER), previous).funding)
        previous = START + (n + 1) * QUARTER
    assert [rate for rate in told if rate is not None] == [Decimal(n) / 10000 for n in (1, 2, 3, 4)]
    assert told.index(Decimal("0.0001")) == 3


def test_a_gap_is_what_lies_between_two_candles() -> None:
    def found(previous: int | None) -> Gap | None:
        return gap_before(START, previous, "BTCUSDT", "15m", QUARTER, hydration=True)

    assert found(None) is None
    assert found(START) is None
    assert found(START - 3 * QUARTER) == Gap(
        time=START,
        symbol="BTCUSDT",
        timeframe="15m",
        start=START - 3 * QUARTER,
        end=START,
        missing=3,
        hydration=True,
    )
