"""Days, weeks, months and sessions roll exactly at the boundary: tables with real dates and UTC times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bus_schemas.timeframes import HOUR, iso, length, parse_time
from strategy.smc import Candle, Parameters, Session, SmcEngine, StructureEvent
from tests.support.candles import sample

MINUTE = 60_000


def run(params: Parameters, first: str, count: int, *missing: str) -> list[StructureEvent]:
    """Candles whose high and low tell their number, without those that are missing."""
    step, start, absent = length(params.timeframe), parse_time(first), {parse_time(one) for one in missing}
    engine, said = SmcEngine(params), list[StructureEvent]()
    for n in range(count):
        if start + n * step not in absent:
            said += engine.update(Candle(start + n * step, 0.0, float(n), float(-n), 0.0, 1.0))
    return said


def spans(said: list[StructureEvent], scope: str) -> list[tuple[str, str, float, float]]:
    """Of each period: start, bar at which it was known, high, low."""
    return [
        (iso(e.at), iso(e.known_at), e.top, e.bottom)
        for e in said
        if (e.kind, e.scope) == ("previous", scope)
    ]


def sessions(said: list[StructureEvent], name: str) -> list[tuple[str, str, str, float]]:
    """Of each session: the opening bar, the start, the bar at which it closed, its share seen."""
    opened = [e for e in said if (e.kind, e.scope) == ("session_opened", name)]
    closed = [e for e in said if (e.kind, e.scope) == ("session_closed", name)]
    assert [e.on for e in closed] == [(e.id,) for e in opened[: len(closed)]]
    return [
        (iso(one.at), iso(two.at), iso(two.known_at), two.value)
        for one, two in zip(opened, closed, strict=False)
    ]


def test_a_day_is_known_at_the_close_of_its_last_candle_and_met_by_the_first_of_the_next() -> None:
    said = run(Parameters(timeframe="1h"), "2024-02-28T00:00:00Z", 49)
    assert spans(said, "day") == [
        ("2024-02-28T00:00:00Z", "2024-02-28T23:00:00Z", 23.0, -23.0),
        ("2024-02-29T00:00:00Z", "2024-02-29T23:00:00Z", 47.0, -47.0),
    ]
    met = [e for e in said if e.kind in ("run", "swept") and e.known_at == parse_time("2024-02-29T00:00:00Z")]
    first = next(e for e in said if e.kind == "previous")
    assert {(e.scope, e.level, e.on) for e in met} == {
        ("day", 23.0, (first.id,)),
        ("day", -23.0, (first.id,)),
    }


def test_a_day_that_began_before_the_first_candle_is_none() -> None:
    said = run(Parameters(timeframe="15m"), "2024-02-28T00:15:00Z", 2 * 96 - 1)
    assert [start for start, *_ in spans(said, "day")] == ["2024-02-29T00:00:00Z"]


def test_weeks_begin_on_monday() -> None:
    said = run(Parameters(timeframe="4h"), "2024-02-25T00:00:00Z", 6 * 15)
    assert spans(said, "week") == [
        ("2024-02-26T00:00:00Z", "2024-03-03T20:00:00Z", 47.0, -47.0),
        ("2024-03-04T00:00:00Z", "2024-03-10T20:00:00Z", 89.0, -89.0),
    ]


def test_months_have_their_lengths_and_leap_days() -> None:
    for year in (1970, 1999, 2000, 2023, 2024, 2096):
        start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 3, 1, tzinfo=UTC)
        days = (end - start).days
        found = spans(run(Parameters(timeframe="1d"), start.isoformat(), days), "month")
        expected, month = [], start
        while month < end:
            later = (month + timedelta(days=31)).replace(day=1)
            last = later - timedelta(days=1)
            high = float((last - start).days)
            expected.append((f"{month:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}", high, -high))
            month = later
        assert found == expected
    assert len(expected) == 14


def test_a_candle_a_day_is_a_day() -> None:
    said = run(Parameters(timeframe="1d"), "2024-02-28T00:00:00Z", 3)
    assert [known for _, known, *_ in spans(said, "day")] == [
        f"2024-{day}T00:00:00Z" for day in ("02-28", "02-29", "03-01")
    ]


def test_a_day_with_a_hole_counts_only_if_that_is_allowed() -> None:
    missing = [f"2024-02-28T{hour:02}:00:00Z" for hour in range(12, 24)]
    assert spans(run(Parameters(), "2024-02-28T00:00:00Z", 36, *missing), "day") == []
    half = Parameters(period_coverage=0.5)
    assert spans(run(half, "2024-02-28T00:00:00Z", 36, *missing), "day") == [
        ("2024-02-28T00:00:00Z", "2024-02-29T00:00:00Z", 11.0, -11.0)
    ]
    more = Parameters(period_coverage=0.51)
    assert spans(run(more, "2024-02-28T00:00:00Z", 36, *missing), "day") == []


def test_a_week_that_ended_in_a_hole_of_whole_days_is_told_by_the_first_candle_after() -> None:
    missing = [f"1970-01-{day}T00:00:00Z" for day in (10, 11, 12)]
    said = run(Parameters(timeframe="1d", period_coverage=0.5), "1970-01-05T00:00:00Z", 9, *missing)
    assert spans(said, "week") == [("1970-01-05T00:00:00Z", "1970-01-13T00:00:00Z", 4.0, -4.0)]


def test_periods_name_the_one_before() -> None:
    said = [e for e in run(Parameters(), "2024-02-28T00:00:00Z", 72) if e.kind == "previous"]
    assert [e.on for e in said] == [(), (said[0].id,), (said[1].id,)]


KILL_ZONES = [
    # Winter: New York is five hours behind UTC.
    ("2024-01-15", "asia", "2024-01-16T01:00", "2024-01-16T04:45"),
    ("2024-01-15", "london", "2024-01-15T07:00", "2024-01-15T09:45"),
    ("2024-01-15", "new_york", "2024-01-15T12:00", "2024-01-15T14:45"),
    ("2024-01-15", "london_close", "2024-01-15T15:00", "2024-01-15T16:45"),
    # The clock goes forward on 10 March at 07:00 UTC: 02:00 does not exist, London begins at 03:00.
    ("2024-03-09", "asia", "2024-03-10T01:00", "2024-03-10T04:45"),
    ("2024-03-10", "london", "2024-03-10T07:00", "2024-03-10T08:45"),
    ("2024-03-10", "new_york", "2024-03-10T11:00", "2024-03-10T13:45"),
    ("2024-03-10", "asia", "2024-03-11T00:00", "2024-03-11T03:45"),
    ("2024-03-11", "london", "2024-03-11T06:00", "2024-03-11T08:45"),
    # Summer: four hours.
    ("2024-07-15", "asia", "2024-07-16T00:00", "2024-07-16T03:45"),
    ("2024-07-15", "london", "2024-07-15T06:00", "2024-07-15T08:45"),
    ("2024-07-15", "new_york", "2024-07-15T11:00", "2024-07-15T13:45"),
    ("2024-07-15", "london_close", "2024-07-15T14:00", "2024-07-15T15:45"),
    # It goes back on 3 November at 06:00 UTC: 01:00 to 02:00 comes twice.
    ("2024-11-02", "asia", "2024-11-03T00:00", "2024-11-03T03:45"),
    ("2024-11-03", "london", "2024-11-03T07:00", "2024-11-03T09:45"),
    ("2024-11-03", "new_york", "2024-11-03T12:00", "2024-11-03T14:45"),
    ("2024-11-03", "asia", "2024-11-04T01:00", "2024-11-04T04:45"),
    # Years with other dates: 2018-03-11 and 2022-11-06.
    ("2018-03-11", "london", "2018-03-11T07:00", "2018-03-11T08:45"),
    ("2022-11-06", "london", "2022-11-06T07:00", "2022-11-06T09:45"),
]


@pytest.mark.parametrize(("day", "name", "first", "last"), KILL_ZONES)
def test_kill_zones_follow_new_yorks_clock(day: str, name: str, first: str, last: str) -> None:
    said = run(Parameters(timeframe="15m"), f"{day}T05:00:00Z", 100)
    if name == "asia":
        assert (f"{first}:00Z", f"{first}:00Z", f"{last}:00Z", 1.0) in sessions(said, name)
    else:
        assert sessions(said, name)[0] == (f"{first}:00Z", f"{first}:00Z", f"{last}:00Z", 1.0)


def test_the_start_belongs_to_a_session_and_the_end_does_not() -> None:
    said = run(Parameters(timeframe="1m"), "2024-07-15T05:30:00Z", 400)
    closed = next(e for e in said if e.kind == "session_closed")
    assert iso(closed.known_at) == "2024-07-15T08:59:00Z"
    assert (closed.top, closed.bottom) == (209.0, -209.0)
    levels = [e for e in said if e.kind == "swept" and e.scope == "london"]
    assert {e.known_at for e in levels} == {closed.known_at + MINUTE}
    assert {e.on for e in levels} == {(closed.id,)}


def test_a_session_seen_from_its_middle_has_its_true_start_and_leaves_no_level() -> None:
    said = run(Parameters(timeframe="15m"), "2024-07-15T07:30:00Z", 40)
    where = ("2024-07-15T07:30:00Z", "2024-07-15T06:00:00Z", "2024-07-15T08:45:00Z", 0.5)
    assert sessions(said, "london") == [where]
    assert not [e for e in said if e.kind in ("run", "swept") and e.scope == "london"]
    half = run(Parameters(timeframe="15m", period_coverage=0.5), "2024-07-15T07:30:00Z", 40)
    assert len([e for e in half if e.kind == "swept" and e.scope == "london"]) == 2


def test_the_first_candle_after_the_clock_went_forward_is_a_whole_session() -> None:
    said = run(Parameters(timeframe="15m"), "2024-03-10T07:00:00Z", 40)
    where = ("2024-03-10T07:00:00Z", "2024-03-10T07:00:00Z", "2024-03-10T08:45:00Z", 1.0)
    assert sessions(said, "london") == [where]


def test_the_clock_may_change_while_nothing_is_open() -> None:
    morning = (Session("morning", "07:00", "08:00"),)
    for first, seven in (
        ("2024-03-09T15:00:00Z", "2024-03-10T11"),
        ("2024-11-02T15:00:00Z", "2024-11-03T12"),
    ):
        said = run(Parameters(timeframe="15m", sessions=morning), first, 96)
        where = (f"{seven}:00:00Z", f"{seven}:00:00Z", f"{seven}:45:00Z", 1.0)
        assert sessions(said, "morning") == [where]


def test_two_evenings_with_nothing_between_are_two_sessions_though_the_day_had_23_hours() -> None:
    night = [iso(parse_time("2024-03-10T02:00:00Z") + n * HOUR) for n in range(22)]
    said = run(Parameters(), "2024-03-10T01:00:00Z", 27, *night)
    assert [(first, close) for first, _, close, _ in sessions(said, "asia")] == [
        ("2024-03-10T01:00:00Z", "2024-03-11T00:00:00Z"),
        ("2024-03-11T00:00:00Z", "2024-03-11T03:00:00Z"),
    ]


def test_a_session_longer_than_a_day_of_23_hours_is_one_on_a_day_of_25() -> None:
    params = Parameters(timeframe="15m", sessions=(Session("long", "03:00", "02:30"),))
    said = run(params, "2024-11-02T07:00:00Z", 100)
    where = ("2024-11-02T07:00:00Z", "2024-11-02T07:00:00Z", "2024-11-03T07:15:00Z", 1.0)
    assert sessions(said, "long") == [where]


def test_a_session_off_the_grid_of_candles_begins_with_its_first_candle() -> None:
    params = Parameters(sessions=(Session("night", "22:30", "03:15"),))
    where = ("2024-01-02T04:00:00Z", "2024-01-02T04:00:00Z", "2024-01-02T08:00:00Z", 1.0)
    for first in ("2024-01-02T00:00:00Z", "2024-01-02T03:00:00Z", "2024-01-02T04:00:00Z"):
        assert sessions(run(params, first, 12), "night")[0] == where


def test_a_session_that_ended_in_a_hole_is_closed_by_the_first_candle_after_it() -> None:
    missing = [f"2024-07-15T{hour:02}:00:00Z" for hour in (8, 9, 10)]
    said = run(Parameters(), "2024-07-15T05:00:00Z", 12, *missing)
    opened, start, closed, _ = sessions(said, "london")[0]
    assert (opened, start, closed) == ("2024-07-15T06:00:00Z", "2024-07-15T06:00:00Z", "2024-07-15T11:00:00Z")
    assert not [e for e in said if e.kind in ("run", "swept") and e.scope == "london"]


@pytest.mark.parametrize("timeframe", ["2h", "4h", "1d"])
def test_there_are_no_sessions_above_one_hour(timeframe: str) -> None:
    said = run(Parameters(timeframe=timeframe), "2024-07-15T00:00:00Z", 60)
    assert not [e for e in said if e.kind.startswith("session")]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("UTC", "2024-07-15T09:30:00Z"),
        ("Asia/Kolkata", "2024-07-15T04:00:00Z"),
        ("Asia/Kathmandu", "2024-07-15T03:45:00Z"),
        ("Australia/Lord_Howe", "2024-07-14T23:00:00Z"),
        ("Pacific/Kiritimati", "2024-07-14T19:30:00Z"),
        ("Europe/London", "2024-07-15T08:30:00Z"),
    ],
)
def test_other_clocks(zone: str, first: str) -> None:
    params = Parameters(timeframe="15m", session_zone=zone, sessions=(Session("open", "09:30", "10:00"),))
    found = sessions(run(params, "2024-07-14T12:00:00Z", 96), "open")
    assert [start for _, start, _, _ in found] == [first]


def test_real_days_have_the_highs_and_lows_that_their_candles_have() -> None:
    candles, engine = sample("SOLUSDT-15m"), SmcEngine(Parameters(timeframe="15m"))
    said = [event for candle in candles for event in engine.update(candle)]
    found = {e.at: (e.top, e.bottom) for e in said if (e.kind, e.scope) == ("previous", "day")}
    assert len(found) == 75
    for start, (high, low) in found.items():
        day = [candle for candle in candles if start <= candle.time < start + 24 * HOUR]
        assert (high, low) == (max(c.high for c in day), min(c.low for c in day))
