"""Weight, breakers and rate limits, with the moment passed in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.settings import VenueSettings
from execution.live.faults import NotSent, Unclear
from execution.live.guarded import ENTRIES, PROTECTION, QUERIES, Guarded
from execution.live.limits import ALL, Breaker, Budget
from execution.live.port import Venue


def _budget() -> Budget:
    return Budget(weight=100, seconds=10, reserve=0.3, now=0.0)


def test_the_reserve_is_left_to_what_is_urgent() -> None:
    budget = _budget()
    assert budget.wait(70, urgent=False, now=0) == 0
    assert budget.wait(1, urgent=False, now=0) == pytest.approx(0.1)
    assert budget.wait(30, urgent=True, now=0) == 0
    assert budget.wait(10, urgent=True, now=0) == pytest.approx(1.0)
    assert budget.wait(10, urgent=True, now=1.0) == 0


def test_a_call_heavier_than_the_budget_goes_when_it_is_full() -> None:
    budget = _budget()
    assert budget.wait(500, urgent=False, now=0) == 0
    assert budget.wait(1, urgent=True, now=0) > 0


@pytest.mark.parametrize(("closed", "waits"), [(QUERIES, [QUERIES]), (ALL, [PROTECTION, ENTRIES, QUERIES])])
def test_a_rate_limit_closes_what_it_is_about_and_a_ban_everything(closed: str, waits: list[str]) -> None:
    budget = _budget()
    budget.close(20, now=0, group=closed)
    groups = (PROTECTION, ENTRIES, QUERIES)
    for group in groups:
        wait = budget.wait(1, urgent=True, now=1, group=group)
        assert wait == (pytest.approx(19) if group in waits else 0)
    assert [budget.wait(1, urgent=True, now=20.5, group=group) for group in groups] == [0, 0, 0]


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try() -> None:
    breaker = Breaker(failures=3, rest_s=10)
    for moment in (0.0, 1.0, 2.0):
        breaker.check("queries", moment)
        breaker.failed(moment)
    with pytest.raises(NotSent, match=r"failed 3 times in a row; next try in 9\.0 s"):
        breaker.check("queries", 3.0)
    breaker.check("queries", 12.5)
    with pytest.raises(NotSent):
        breaker.check("queries", 12.6)
    breaker.answered()
    breaker.check("queries", 12.7)


class _Failing(Venue):
    """Answers every call with the fault."""

    name = "krakenfutures"

    def __init__(self, fault: Exception) -> None:
        self.fault = fault
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("look_up", "cancel", "place", "positions", "open"):
            return object.__getattribute__(self, "_fail")(name)
        return object.__getattribute__(self, name)

    def _fail(self, name: str) -> Callable[..., Awaitable[None]]:
        async def call(*_: object) -> None:
            self.calls.append(name)
            raise self.fault

        return call


_Failing.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def _guarded(fault: Exception) -> tuple[Guarded, _Failing]:
    inner = _Failing(fault)  # type: ignore[abstract]
    return Guarded(inner, VenueSettings(breaker_failures=2, reserve_pct=Decimal(30))), inner


def _refused(guarded: Guarded, method: str) -> type[Exception] | None:
    try:
        asyncio.run(asyncio.wait_for(getattr(guarded, method)(None), 0.05))
    except Exception as error:
        return type(error)
    return None


def test_failing_queries_keep_no_cancel_from_the_venue() -> None:
    guarded, inner = _guarded(Unclear("HTTP 503"))
    assert [_refused(guarded, "look_up") for _ in range(3)] == [Unclear, Unclear, NotSent]
    assert _refused(guarded, "cancel") is Unclear
    assert inner.calls == ["look_up", "look_up", "cancel"]


def test_a_limit_on_queries_keeps_no_cancel_from_the_venue() -> None:
    guarded, inner = _guarded(NotSent("apiLimitExceeded", 20, limited=True))
    assert _refused(guarded, "look_up") is NotSent
    assert _refused(guarded, "look_up") is TimeoutError  # waits for its twenty seconds
    assert _refused(guarded, "cancel") is NotSent
    assert inner.calls == ["look_up", "cancel"]


def test_a_ban_keeps_everything_from_the_venue() -> None:
    guarded, inner = _guarded(NotSent("-1003", 20, limited=True, banned=True))
    assert _refused(guarded, "look_up") is NotSent
    assert inner.calls == ["look_up"]
    room = guarded.room("cancel", protects=True)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(room, 0.05))


@pytest.mark.parametrize(("banned", "least"), [(True, 119), (False, 0.5)])
def test_a_ban_that_names_no_time_is_two_minutes(banned: bool, least: float) -> None:
    guarded, _ = _guarded(NotSent("418", limited=True, banned=banned))
    assert _refused(guarded, "look_up") is NotSent
    wait = guarded._budget.wait(1, True, time.monotonic(), QUERIES)
    assert least < wait <= least + 1


def test_a_venue_that_bans_is_not_opened_again_before_its_end() -> None:
    guarded, inner = _guarded(NotSent("418", 30, limited=True, banned=True))
    for _ in range(3):
        with pytest.raises(NotSent):
            asyncio.run(guarded.open())
    assert inner.calls == ["open"]


def test_what_the_venue_counts_is_used_whoever_used_it() -> None:
    budget = _budget()
    budget.spent(95, now=0)
    assert budget.used(now=0) == pytest.approx(0.95)
    assert budget.wait(10, urgent=True, now=0) == pytest.approx(0.5)
    budget.spent(0, now=0.5)
    assert budget.wait(10, urgent=True, now=0.5) == 0, "it lowers what is left and never raises it"
    assert budget.used(now=0.5) == 1
