"""What is published of a venue's candles, and what is not."""

from __future__ import annotations

import pytest

from bus_schemas.events import Candle, Gap
from bus_schemas.timeframes import MINUTE
from market_data.live.bars import Page, Row, is_sound, page_of
from market_data.live.track import Track
from tests.unit.market_data.live.build import START, at, page, row, track


def published(own: Track, now: float = 100) -> list[str]:
    """Numbers of the candles that are ready, `-` before hydration, `gap` with how many; committed."""
    ready = own.ready(at(now), 1000)
    if ready is None:
        return []
    own.advance(ready)
    return [
        f"gap{body.missing}"
        if isinstance(body, Gap)
        else f"{'-' if body.hydration else ''}{(body.open_time - START) // MINUTE}"
        for body in ready.bodies
    ]


def test_a_forming_candle_is_never_published() -> None:
    own = track()
    own.take(page([0, 1, 2], asked=2.99))
    assert published(own, 5) == ["0", "1"]
    assert own.wanted == at(2)


def test_time_alone_is_not_enough() -> None:
    """The venue's clock has passed the close, but its answer has no later candle: it may be behind."""
    own = track()
    own.take(page([0, 1], asked=2.05))
    assert published(own, 5) == ["0"]
    own.take(page([1, 2], asked=2.06, since=1))
    assert published(own, 5) == ["1"]


def test_a_later_candle_alone_is_not_enough() -> None:
    """By the venue's clock the candle is still open: a candle that began too early closes nothing."""
    own = track()
    own.take(page([0, 1], asked=1.01))
    assert published(own, 5) == []
    own.take(page([0, 1], asked=1.02))
    assert published(own, 5) == ["0"]


def test_the_whole_candle_replaces_what_was_seen_of_it_while_it_formed() -> None:
    own = track()
    early = page_of("BTCUSDT", START, 10, MINUTE, at(0.5), [row(0, close=99.5)])
    late = page([0, 1], asked=1.5)
    own.take(late)
    own.take(early)
    ready = own.ready(at(2), 10)
    assert ready is not None
    assert isinstance(ready.bodies[0], Candle)
    assert ready.bodies[0].close == row(0).close


def test_a_missing_candle_holds_what_follows_until_enough_answers_lack_it() -> None:
    own = track()
    answer = page([0, 1, 3, 4], asked=5)
    own.take(answer)
    assert published(own, 6) == ["0", "1"]
    assert own.wanted == at(2)
    own.take(answer)
    assert published(own, 6) == ["gap1", "3"]


def test_an_answer_that_came_too_early_is_no_evidence_of_a_gap() -> None:
    own = track()
    for _ in range(5):
        own.take(page([0, 1, 3, 4], asked=3.05))  # a twentieth of a minute is less than `gap_ms`
    own.take(page([0, 1, 3, 4], asked=5))
    assert published(own, 6) == ["0", "1"]


def test_a_missing_candle_that_appears_in_time_is_no_gap() -> None:
    own = track()
    own.take(page([0, 1, 3, 4], asked=5))
    own.take(page([2, 3, 4], asked=5, since=2))
    assert published(own, 6) == ["0", "1", "2", "3"]


def test_a_late_candle_is_told_and_dropped() -> None:
    own = track()
    for _ in range(2):
        own.take(page([0, 2, 3], asked=5))
    assert published(own) == ["-0", "gap1", "-2"]
    assert own.take(page([1, 2, 3], asked=6)) == [row(1)]
    assert own.take(page([1, 2, 3], asked=6)) == []
    assert published(own) == []


def test_what_lies_before_a_markets_first_candle_is_no_gap() -> None:
    own = track()
    own.take(page([7, 8, 9], asked=10))
    own.take(page([], asked=10, limit=7))
    assert published(own, 11) == ["7", "8"]


def test_an_outage_longer_than_an_answer_does_not_hold_its_last_candle_for_ever() -> None:
    own = track()
    own.take(page([0, 1], asked=300, limit=50))
    own.take(page([200, 201], asked=300, since=100))
    for _ in range(2):
        own.take(page([], asked=300, since=2, limit=198))
    assert published(own, 300) == ["-0", "-1", "gap198", "-200"]


def test_what_is_older_than_data_may_be_is_hydration() -> None:
    own = track()
    own.take(page(range(20), asked=20))
    assert published(own, 19) == [*(f"-{n}" for n in range(8)), *(f"{n}" for n in range(8, 19))]


def test_a_restart_goes_on_after_what_is_committed() -> None:
    own = track(closed=3)
    own.take(page(range(6), asked=6))
    assert published(own, 6) == ["3", "4"]
    own.resume(at(2), START)  # the bus has lost its last moments
    assert own.wanted == at(2)
    own.take(page(range(2, 6), asked=6, since=2))
    assert published(own, 6) == ["2", "3", "4"]


def test_ready_changes_nothing_and_obeys_its_limit() -> None:
    own = track()
    own.take(page(range(10), asked=20))
    first = own.ready(at(20), 4)
    assert first is not None
    assert len(first.bodies) == 4
    assert own.ready(at(20), 4) == first


@pytest.mark.parametrize(
    "wrong",
    [
        Row(START + 1, 2, 3, 1, 2, 1),
        Row(START, 2, 1, 1, 2, 1),
        Row(START, 2, 3, 2.5, 2, 1),
        Row(START, 0, 3, 0, 2, 1),
        Row(START, 2, float("nan"), 1, 2, 1),
        Row(START, 2, float("inf"), 1, 2, 1),
        Row(START, 2, 3, 1, 2, -1),
        Row(START, 2, 3, 1, 2, float("nan")),
    ],
)
def test_what_cannot_be_a_candle_counts_as_missing(wrong: Row) -> None:
    assert not is_sound(wrong, MINUTE)
    found = page_of("BTCUSDT", START, 10, MINUTE, at(9), [wrong, row(1), row(2)])
    assert [one.time for one in found.rows] == [at(1), at(2)]


def test_how_far_an_answer_reaches() -> None:
    def until(answer: Page) -> float:
        return (answer.until - START) / MINUTE

    assert until(page([0, 1], asked=50)) == 2
    assert until(page([], asked=50, limit=20)) == 20
    assert until(page([], asked=5, limit=20)) == 5
