"""A dozen disturbances in the middle of a run change nothing; and whoever says so can also say no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from bus_schemas.topology import SERVICES, Place, Stream, Unit
from health.database import make_engine, parse_url
from health.schema import FACTS, STREAM_POSITIONS
from tests.chaos import ledgers
from tests.chaos.evidence import Picture, compare
from tests.chaos.runs import ChaosRun, Outcome, Undisturbed, chaos_settings, in_memory
from tests.chaos.schedule import FIRST, LAST, Kind, schedule
from tests.chaos.table import outcome_table

KILLS, SEED = 12, 7
SLOTS = (*SERVICES, "strategy/1", "strategy/2")
RISK, EXECUTIONS = Unit("risk", "MAIN"), Place(Stream.EXECUTIONS, "MAIN")


@pytest.fixture(scope="module")
def calm() -> Undisturbed:
    return in_memory(chaos_settings(KILLS))


def test_a_dozen_disturbances_change_nothing(calm: Undisturbed) -> None:
    outcome = ChaosRun(chaos_settings(KILLS), KILLS, SEED, calm, print).outcome()
    assert outcome.difference.faults == []
    assert (outcome.difference.missing, outcome.difference.surplus) == (0, 0)
    assert outcome.report.duplicates == 0
    assert outcome.report.digest == calm.report.digest
    assert outcome.in_the_middle == len(outcome.hits) == KILLS
    assert {hit.what.kind for hit in outcome.hits} == set(Kind)
    assert sum(outcome.reloads.values()) >= 5  # every service noticed that its server was gone
    assert outcome.report.trades > 0
    assert outcome.good
    assert outcome_table(outcome, SEED, None).row_count > 10


def test_the_schedule_follows_from_its_seed_and_spares_nobody() -> None:
    todo = schedule(200, SEED, SLOTS, 1.0)
    assert todo == schedule(200, SEED, SLOTS, 1.0) != schedule(200, SEED + 1, SLOTS, 1.0)
    assert [d.moment for d in todo] == sorted(d.moment for d in todo)
    assert all(FIRST <= d.moment <= LAST for d in todo)
    kinds = Counter(d.kind for d in todo)
    assert kinds == {Kind.KILL: 100, Kind.FREEZE: 34, Kind.SERVER: 33, Kind.CUT: 33}
    for kind in (Kind.KILL, Kind.FREEZE):
        by = Counter(d.victim for d in todo if d.kind is kind)
        assert set(by) == set(SLOTS)
        assert max(by.values()) - min(by.values()) <= 1
    assert all((d.freeze_s > 1.0) == (d.kind is Kind.FREEZE) for d in todo)
    assert all((d.cut > 0) == (d.kind is Kind.CUT) for d in todo)


def _lose_the_last(picture: Picture) -> None:
    picture.streams[EXECUTIONS].pop()


def _lose_one(picture: Picture) -> None:
    del picture.streams[EXECUTIONS][5]


def _write_one_twice(picture: Picture) -> None:
    seq, fields = picture.streams[EXECUTIONS][-1]
    picture.streams[EXECUTIONS].append((seq + 1, fields))


def _change_one(picture: Picture) -> None:
    seq, fields = picture.streams[EXECUTIONS][5]
    picture.streams[EXECUTIONS][5] = (seq, {**fields, b"body": b"{}"})


def _swap_in_the_journal(picture: Picture) -> None:
    order = picture.journals[RISK]
    at = next(n for n in range(len(order) - 1) if order[n][0] != order[n + 1][0])
    order[at], order[at + 1] = order[at + 1], order[at]


def _skip_in_the_journal(picture: Picture) -> None:
    del picture.journals[RISK][9]


def _end_the_journal_early(picture: Picture) -> None:
    picture.journals[RISK].pop()


def _take_one_twice(picture: Picture) -> None:
    picture.journals[RISK].insert(9, picture.journals[RISK][9])


def _change_a_state(picture: Picture) -> None:
    state = picture.states[RISK]
    state[next(iter(state))] = b"{}"


def _leave_one_unread(picture: Picture) -> None:
    picture.unread[RISK] = 1


WRONG: tuple[Callable[[Picture], None], ...] = (
    *(_lose_the_last, _lose_one, _write_one_twice, _change_one),
    *(_swap_in_the_journal, _skip_in_the_journal, _end_the_journal_early, _take_one_twice),
    *(_change_a_state, _leave_one_unread),
)


def _copy(picture: Picture) -> Picture:
    return Picture(
        {place: list(entries) for place, entries in picture.streams.items()},
        {unit: list(order) for unit, order in picture.journals.items()},
        {unit: dict(state) for unit, state in picture.states.items()},
        dict(picture.unread),
        picture.dead,
    )


def test_equal_runs_have_no_difference(calm: Undisturbed) -> None:
    told = compare(_copy(calm.picture), calm.picture)
    assert (told.missing, told.surplus, told.faults) == (0, 0, [])


@pytest.mark.parametrize("spoil", WRONG)
def test_each_kind_of_difference_is_found(calm: Undisturbed, spoil: Callable[[Picture], None]) -> None:
    spoilt = _copy(calm.picture)
    spoil(spoilt)
    assert compare(spoilt, calm.picture).faults


def test_a_dead_letter_is_a_difference(calm: Undisturbed) -> None:
    whole = _copy(calm.picture)
    dead = Picture(whole.streams, whole.journals, whole.states, whole.unread, 1)
    assert compare(dead, calm.picture).faults == ["1 dead letters"]


def test_a_late_disturbance_another_digest_or_a_duplicate_is_not_good(calm: Undisturbed) -> None:
    good = Outcome(
        report=calm.report,
        undisturbed=calm.report,
        hits=[],
        total=1,
        left=0,
        takeovers={},
        reloads={},
        fenced={},
        difference=compare(calm.picture, calm.picture),
        folder="",
    )
    assert good.good
    assert not replace(good, left=1).good
    assert not replace(good, report=replace(calm.report, digest="0")).good
    assert not replace(good, report=replace(calm.report, duplicates=1)).good


@pytest.mark.parametrize("name", ["fills", "events", "equity", STREAM_POSITIONS.name])
def test_a_ledger_without_its_last_row_is_found(calm: Undisturbed, tmp_path: Path, name: str) -> None:
    url = ledgers.rebuilt("chaos", calm.bus, tmp_path / "kept")
    assert ledgers.behind(url, "chaos", calm.bus) == 0
    assert ledgers.faults(url, "chaos", calm.bus, tmp_path / "fresh") == []
    table = (FACTS | {STREAM_POSITIONS.name: STREAM_POSITIONS})[name]
    order = table.c.position if name == STREAM_POSITIONS.name else table.c.seq
    engine = make_engine(parse_url(url))
    with engine.begin() as connection:
        last = sa.select(sa.func.max(order)).scalar_subquery()
        assert connection.execute(table.delete().where(order == last)).rowcount >= 1
    engine.dispose()
    assert ledgers.faults(url, "chaos", calm.bus, tmp_path / "again")
