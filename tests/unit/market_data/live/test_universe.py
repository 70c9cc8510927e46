"""Which symbols are traded where nobody names them, and that a universe does not collapse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from bus_schemas.settings import MarketDataSettings
from market_data.live.collector import Collector
from market_data.live.faults import Trouble
from market_data.live.mailbox import Mailbox
from market_data.live.universe import Candidate, choose, shrinks_too_much
from market_data.live.venue import VenueSource

D = Decimal


def candidate(symbol: str, volume: int, bid: str = "100", ask: str = "100.05") -> Candidate:
    return Candidate(symbol=symbol, volume=D(volume), bid=D(bid), ask=D(ask))


def test_the_largest_with_a_small_spread() -> None:
    found = [
        candidate("AUSDT", 5),
        candidate("BUSDT", 9, ask="100.2"),
        candidate("CUSDT", 7),
        candidate("DUSDT", 5),
        candidate("EUSDT", 8, ask="99"),
        candidate("FUSDT", 8, bid="0", ask="0"),
    ]
    assert choose(found, 2, D("0.1")) == ("AUSDT", "CUSDT")
    assert choose(reversed(found), 2, D("0.1")) == ("AUSDT", "CUSDT")
    assert choose(found, 2, D(1)) == ("BUSDT", "CUSDT")


@pytest.mark.parametrize(
    ("before", "after", "refused"), [(4, 1, True), (4, 2, False), (3, 1, True), (0, 0, False)]
)
def test_more_than_half_must_not_go(before: int, after: int, refused: bool) -> None:
    assert shrinks_too_much(["X"] * before, ["X"] * after) is refused


class Source:
    """A venue that lists four symbols and answers in turn."""

    rate = 1.0

    def __init__(self, *answers: list[str] | Trouble) -> None:
        self.answers = list(answers)
        self.listings = dict.fromkeys("ABCD")

    async def candidates(self) -> list[Candidate]:
        answer = self.answers.pop(0)
        if isinstance(answer, Trouble):
            raise answer
        return [candidate(symbol, 1) for symbol in answer]


def chosen(before: Sequence[str], *answers: list[str] | Trouble) -> tuple[str, ...]:
    settings = MarketDataSettings(source="venue", universe_top=4)
    source = cast(VenueSource, Source(*answers))
    collector: Any = Collector(source, settings, "15m", Mailbox(), before)
    try:
        return asyncio.run(collector._chosen())  # type: ignore[no-any-return]
    finally:
        collector._loop.close()


def test_a_universe_that_would_collapse_stays_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert chosen("ABCD", ["A"]) == ("A", "B", "C", "D")
    assert "1 of 4 symbols would be left" in str(caplog.records[0].__dict__)
    assert chosen("ABCD", ["A", "B"]) == ("A", "B")


def test_without_an_answer_it_stays_as_it_was() -> None:
    assert chosen("AB", Trouble("away")) == ("A", "B")


def test_what_the_venue_lists_no_more_leaves() -> None:
    assert chosen("ABX", Trouble("away")) == ("A", "B")
