"""Death at any moment leaves nothing behind; and whoever says so can also say no.

The whole matrix is `make chaos-live`.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.chaos_live.cases import Case, Result
from tests.chaos_live.conftest import Theatre
from tests.chaos_live.matrix import PROTOCOLS, REDUCED, Outcome, Runner, every_fault, reduced
from tests.chaos_live.plants import PLANTS
from tests.chaos_live.story import Ending
from tests.chaos_live.table import summary, tables

JOBS = 8
SHORT_S = 6.0
SENT = "place entry: before answer"


def test_a_death_with_each_fault_on_each_protocol_leaves_nothing_behind(theatre: Theatre) -> None:
    runner = Runner(theatre.stage, JOBS, print)
    outcome = theatre.run(reduced(runner, PROTOCOLS, every_fault()))
    assert [(result.case.command, result.faults) for result in outcome.wrong] == []
    assert len(outcome.cases) == len(PROTOCOLS) * len(every_fault())
    assert outcome.killed >= len(outcome.cases) * 0.9  # a moment may not come by, for want of time
    assert Counter(result.case.ending for result in outcome.cases).keys() == set(Ending)
    assert {result.case.label for result in outcome.cases} == set(REDUCED)
    assert "everything held" in summary(outcome)


PLANTED = {
    "send_again_without_looking": (
        Case(protocol="binanceusdm", fault="filled_at_once", ending=Ending.STOP, label=SENT),
        "the venue took entry 2 times",
    ),
    "answer_before_the_call": (
        Case(
            protocol="binanceusdm",
            fault="none",
            ending=Ending.STOP,
            label="place entry: await 1 in positions",
        ),
        "the entry rests: not within",
    ),
    "forget_fills_of_a_target": (
        Case(protocol="krakenfutures", fault="none", ending=Ending.STOP),
        "of target1 1 was never told",
    ),
    "pay_no_fees": (
        Case(protocol="krakenfutures", fault="none", ending=Ending.FLATTEN),
        "the closed trade made",
    ),
    "say_fills_twice": (
        Case(protocol="binanceusdm", fault="none", ending=Ending.FLATTEN),
        "was told 2 times",
    ),
    "place_no_stops": (
        Case(protocol="krakenfutures", fault="none", ending=Ending.STOP),
        "the first part is covered: not within",
    ),
    "forget_old_stops": (
        Case(protocol="binanceusdm", fault="none", ending=Ending.STOP),
        "still lives at the venue",
    ),
}
"""For each plant: a case in which it shows, and words of the judge."""


@pytest.fixture(scope="module")
def spoilt(theatre: Theatre) -> dict[str, Result]:
    async def all_of_them() -> list[Result]:
        tried = [theatre.stage.run(planted(name)) for name in PLANTED]
        return list(await asyncio.gather(*tried))

    return dict(zip(PLANTED, theatre.run(all_of_them()), strict=True))


def planted(name: str) -> Case:
    case = PLANTED[name][0]
    return Case(
        protocol=case.protocol,
        fault=case.fault,
        ending=case.ending,
        label=case.label,
        plant=name,
        patience_s=SHORT_S,
    )


def test_every_plant_is_tried() -> None:
    assert PLANTED.keys() == PLANTS.keys()


@pytest.mark.parametrize("name", PLANTS)
def test_the_judge_sees_a_planted_fault(spoilt: dict[str, Result], name: str) -> None:
    result, words = spoilt[name], PLANTED[name][1]
    assert result.killed == (result.case.label is not None)
    assert any(words in fault for fault in result.faults), result.faults


def test_a_matrix_with_a_fault_says_so_and_how_to_run_it_alone(spoilt: dict[str, Result]) -> None:
    outcome = Outcome([], list(spoilt.values()))
    told = list(summary(outcome))
    assert f"{len(PLANTS)} CASES WENT WRONG" in told
    assert any(f'--ending stop --case "{SENT}"' in line for line in told)
    cells = [cell for table in tables(outcome) for column in table.columns for cell in column.cells]
    assert any("WRONG" in str(cell) for cell in cells)
