"""Days, weeks, months and sessions by the standard library's calendar and clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from bus_schemas.timeframes import HOUR
from strategy.smc import Session, StructureEvent
from tests.unit.strategy.smc.history import Fact, History, flat

_DAY = timedelta(days=1)


def _utc(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _span(time: int, scope: str) -> tuple[int, int]:
    """Start and end of the day, week from Monday, or month."""
    day = _utc(time).replace(hour=0, minute=0, second=0, microsecond=0)
    if scope == "day":
        start, end = day, day + _DAY
    elif scope == "week":
        start = day - day.weekday() * _DAY
        end = start + 7 * _DAY
    else:
        start = day.replace(day=1)
        end = (start + 31 * _DAY).replace(day=1)
    return _milliseconds(start), _milliseconds(end)


def periods(h: History, scope: str) -> Iterator[Fact]:
    """Known at the close of the last candle of the period, or of the first after it where that is missing."""
    before = 0
    for (start, end), group in groupby(range(len(h.bars)), lambda i: _span(h.bars[i].time, scope)):
        inside = list(group)
        coverage = len(inside) * h.step / (end - start)
        index = inside[-1] if h.bars[inside[-1]].time + h.step == end else inside[-1] + 1
        if coverage < h.params.period_coverage or index == len(h.bars):
            continue
        high, low = max(h.bars[i].high for i in inside), min(h.bars[i].low for i in inside)
        known, on = h.bars[index].time, (before,) if before else ()
        yield Fact(known, "previous", scope, 0, start, (high + low) / 2, high, low, coverage, on)
        before = h.id_of("previous", index, 0, scope, at=start)


def ended(event: StructureEvent) -> bool:
    """Whether a period was told in time, by a candle of its own: a late one leaves no levels."""
    return event.known_at < _span(event.at, event.scope)[1]


def _minutes(text: str) -> int:
    return int(text[:-3]) * 60 + int(text[-2:])


def begun(time: int, session: Session, zone: str) -> datetime | None:
    """Local start of the session that a bar belongs to, None if it is in none."""
    local = _utc(time).astimezone(ZoneInfo(zone))
    now = local.hour * 60 + local.minute
    start, end = _minutes(session.start), _minutes(session.end)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if (now >= start) if start > end else (start <= now < end):
        day = midnight
    elif start > end and now < end:
        day = (midnight.replace(tzinfo=None) - _DAY).replace(tzinfo=midnight.tzinfo)
    else:
        return None
    return day.replace(hour=start // 60, minute=start % 60)


def sessions(h: History) -> Iterator[Fact]:
    if h.step > HOUR:
        return
    for session in h.params.sessions:
        yield from _session(h, session)


def _session(h: History, session: Session) -> Iterator[Fact]:
    zone, name = h.params.session_zone, session.name
    runs: list[list[int]] = []
    starts = [begun(bar.time, session, zone) for bar in h.bars]
    for index, start in enumerate(starts):
        if start is None:
            continue
        if runs and runs[-1][-1] == index - 1 and starts[index - 1] == start:
            runs[-1].append(index)
        else:
            runs.append([index])
    closed = 0
    for run in runs:
        first, last = run[0], run[-1]
        opening = h.bars[first]
        on = (closed,) if closed else ()
        yield flat(opening.time, "session_opened", name, 0, opening.time, opening.open, 0.0, on)
        begin = _milliseconds(starts[first] or _utc(0))
        begin += -begin % h.step
        end = h.bars[last].time + h.step
        whole = begun(end, session, zone) is None
        if not whole and last + 1 == len(h.bars):
            return
        known = h.bars[last if whole else last + 1].time
        high, low = max(h.bars[i].high for i in run), min(h.bars[i].low for i in run)
        coverage = min(len(run) * h.step / (end - begin), 1.0) if whole else None
        opened = h.id_of("session_opened", first, 0, name)
        where = (begin, (high + low) / 2, high, low, coverage, (opened,))
        yield Fact(known, "session_closed", name, 0, *where)
        closed = h.id_of("session_closed", h.index[known], 0, name, opened)


def counts(h: History, event: StructureEvent) -> bool:
    """Whether a session that was closed leaves levels: its last bar was there, and enough of the others."""
    session = next(one for one in h.params.sessions if one.name == event.scope)
    last = begun(event.known_at, session, h.params.session_zone)
    after = begun(event.known_at + h.step, session, h.params.session_zone)
    return bool(last) and not after and event.value >= h.params.period_coverage
