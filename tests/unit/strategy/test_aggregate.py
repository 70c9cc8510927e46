from __future__ import annotations

import pytest

from strategy.aggregate import NOTHING, Bar, Forming, pass_by, take
from tests.unit.strategy.make import HOUR, QUARTER, START, candle


def feed(forming: Forming, *numbers: int) -> list[Bar]:
    """Give quarter-hour candles by number; candle n has close n and range n-1 to n+1."""
    out: list[Bar] = []
    for n in numbers:
        out += take(forming, candle(START + n * QUARTER, n, n + 1, n - 1, n), QUARTER, HOUR)
    return out


def test_a_whole_bar_closes_with_its_last_candle() -> None:
    forming = Forming()
    assert feed(forming, 4, 5, 6) == []
    assert feed(forming, 7) == [Bar(START + HOUR, START + 2 * HOUR, 4, 8, 3, 7, 4.0, 4)]
    assert forming.at == NOTHING


@pytest.mark.parametrize(
    ("numbers", "bars"),
    [
        ((0, 1, 2, 3), [(0, 4, False)]),
        ((1, 2, 3), [(0, 3, True)]),
        ((0, 1, 3), [(0, 3, True)]),
        ((3,), [(0, 1, True)]),
        ((0, 1, 2), []),
        ((0, 1, 2, 4), [(0, 3, True)]),
        ((0, 7), [(0, 1, True), (1, 1, True)]),
        ((0, 30), [(0, 1, True)]),
        ((0, 1, 2, 3, 20, 21, 22, 23), [(0, 4, False), (5, 4, False)]),
    ],
)
def test_missing_candles_are_counted_and_never_invented(
    numbers: tuple[int, ...], bars: list[tuple[int, int, bool]]
) -> None:
    closed = feed(Forming(), *numbers)
    assert [((b.at - START) // HOUR, b.count, b.gap) for b in closed] == bars


def test_a_bar_cut_short_is_known_when_the_next_event_says_so() -> None:
    forming = Forming()
    feed(forming, 0, 1)
    assert pass_by(forming, START + 3 * QUARTER, START + 3 * QUARTER, QUARTER, HOUR) == ()
    (cut,) = pass_by(forming, START + 9 * QUARTER, START + 9 * QUARTER, QUARTER, HOUR)
    assert (cut.at, cut.known_at, cut.count, cut.gap) == (START, START + 9 * QUARTER, 2, True)
    assert pass_by(forming, START + 90 * QUARTER, START + 90 * QUARTER, QUARTER, HOUR) == ()


def test_bars_align_to_the_utc_day() -> None:
    four, forming = 4 * HOUR, Forming()
    closed: list[Bar] = []
    for n in range(-5, 32):
        closed += take(forming, candle(START + n * QUARTER, 1, 1, 1, 1), QUARTER, four)
    assert [(b.at, b.gap) for b in closed] == [(START - four, True), (START, False), (START + four, False)]


def test_one_base_candle_can_be_a_bar() -> None:
    (only,) = take(Forming(), candle(START, 2, 3, 1, 2), QUARTER, QUARTER)
    assert (only.at, only.known_at, only.count, only.gap) == (START, START + QUARTER, 1, False)
