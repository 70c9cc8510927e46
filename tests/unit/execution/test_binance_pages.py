"""Reading Binance's histories to their end, from a history that answers as documented."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from execution.live import binance_pages as pages

DAY = 24 * 3_600_000
NOW = 1_000 * DAY


class History:
    """Rows in order of time, and what was asked of it."""

    def __init__(self, *times: int) -> None:
        self.rows = [{"id": n, "tranId": n, "time": time} for n, time in enumerate(times)]
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(request)
        if "fromId" in request:
            found = [row for row in self.rows if row["id"] >= request["fromId"]]
        else:
            first, last = request["startTime"], request.get("endTime", NOW)
            assert last - first < pages.WEEK_MS or "endTime" not in request
            found = [row for row in self.rows if first <= row["time"] <= last]
        return found[: request["limit"]]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 3)


def read_trades(history: History, since: int) -> list[int]:
    return [row["id"] for row in asyncio.run(pages.trades(history, "BTCUSDT", since, NOW))]


def read_incomes(history: History, since: int) -> list[int]:
    found = asyncio.run(pages.incomes(history, "BTCUSDT", "FUNDING_FEE", since))
    return [row["tranId"] for row in found.values()]


def test_weeks_follow_one_another_without_a_gap() -> None:
    since = NOW - 20 * DAY
    history = History(since, since + pages.WEEK_MS - 1, since + pages.WEEK_MS, NOW)
    assert read_trades(history, since) == [0, 1, 2, 3]
    assert len(history.asked) == 3


def test_after_a_full_page_ids_lead_to_the_present() -> None:
    since = NOW - 20 * DAY
    history = History(*[since] * 7, NOW - 1)
    assert read_trades(history, since) == list(range(8))
    assert [request.get("fromId") for request in history.asked] == [None, 3, 6]


def test_nothing_is_asked_of_before_what_the_venue_keeps() -> None:
    history = History(NOW - 200 * DAY, NOW - 80 * DAY)
    assert read_trades(history, 0) == [1]
    assert min(request["startTime"] for request in history.asked) == NOW - 89 * DAY


def test_incomes_of_one_time_on_two_pages_are_read_once_each() -> None:
    history = History(NOW - 9, NOW - 8, NOW - 7, NOW - 7, NOW - 6, NOW - 5, NOW - 4)
    assert read_incomes(history, NOW - 9) == list(range(7))
    assert {request["incomeType"] for request in history.asked} == {"FUNDING_FEE"}


def test_a_whole_page_of_one_time_does_not_go_round_for_ever() -> None:
    history = History(*[NOW - 9] * 3)
    assert read_incomes(history, NOW - 9) == [0, 1, 2]
    assert len(history.asked) == 1
