"""Bar arithmetic and the two ways to write a moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus_schemas.errors import ConfigurationError
from bus_schemas.timeframes import DAY, HOUR, TIMEFRAMES, iso, length, opening, parse_time

MOMENTS = st.integers(-62_135_596_800_000, 253_402_300_799_999)
"""Every millisecond of the years 1 to 9999."""


@pytest.mark.parametrize("timeframe", list(TIMEFRAMES))
def test_bars_divide_a_day(timeframe: str) -> None:
    assert DAY % length(timeframe) == 0
    assert opening(1724544000000, timeframe) == 1724544000000


@pytest.mark.parametrize(("timeframe", "expected"), [("15m", 15 * 60_000), ("4h", 4 * HOUR), ("1d", DAY)])
def test_length(timeframe: str, expected: int) -> None:
    assert length(timeframe) == expected


def test_an_unknown_timeframe_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'7m'; known are 1m, 3m"):
        length("7m")


@given(st.integers(-(10**15), 10**15), st.sampled_from(list(TIMEFRAMES)))
def test_a_bar_holds_its_moment(time: int, timeframe: str) -> None:
    start = opening(time, timeframe)
    assert start <= time < start + length(timeframe)
    assert start % length(timeframe) == 0
    assert opening(start, timeframe) == start


@given(MOMENTS)
def test_iso_and_parse_time_are_inverse(time: int) -> None:
    assert parse_time(iso(time)) == time
    assert iso(time).endswith("Z")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (1724544000000, "2024-08-25T00:00:00Z"),
        (1724544000123, "2024-08-25T00:00:00.123Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_iso(time: int, text: str) -> None:
    assert iso(time) == text


@pytest.mark.parametrize("time", [10**18, -(10**18), 253_402_300_800_000])
def test_iso_outside_the_calendar(time: int) -> None:
    with pytest.raises(ConfigurationError, match="not a moment"):
        iso(time)


@pytest.mark.parametrize(
    "text",
    [
        "2024-08-25",
        "20240825",
        "2024-08-25T00:00",
        "2024-08-25T00:00:00Z",
        "2024-08-25T02:00+02:00",
        "1724544000000",
    ],
)
def test_parse_time(text: str) -> None:
    assert parse_time(text) == 1724544000000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-13-01",
        "1724544000",
        "²" * 13,
        "9" * 16,
        "9" * 5000,
        "-1724544000000",
        "1724544000000.5",
        "25.8.2024",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time"):
        parse_time(text)


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:Z+. -]{8,30}", fullmatch=True))
def test_parse_time_raises_nothing_else(text: str) -> None:
    try:
        assert isinstance(parse_time(text), int)
    except ConfigurationError as error:
        assert repr(text) in str(error)  # noqa: PT017
