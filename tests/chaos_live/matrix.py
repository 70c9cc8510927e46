"""Every case there is: each moment of each story, with each fault, on each protocol."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from bus_schemas.bus.embedded import EmbeddedServer
from tests.chaos_live.cases import Case, Result, Stage
from tests.chaos_live.faults import FAULTS
from tests.chaos_live.lives import zygote
from tests.chaos_live.story import Ending

PROTOCOLS = ("krakenfutures", "binanceusdm")
TRIES = 3
"""A moment that depends on timing may not come by; then the case is tried again, so often in all."""
STARVED_S = 0.4
"""A case that went wrong while the machine kept us from running for so long is tried again, too: a service
that cannot run closes positions, as it should."""

REDUCED = (
    "place entry: await 1 in place",
    "place stop 1: await 1 in place",
    "manager takes fill of entry: before commit",
    "cancel stop 1: await 1 in cancel",
    "place stop 1: before answer",
    "place stop 3: await 1 in place",
    "place target1 1: await 1 in place",
    "manager takes fill of entry: after commit",
    "cancel stop 2: before answer",
    "place entry: before answer",
    "edge tells fill of target1 1: before commit",
    "amend target2 1: await 1 in amend",
    "place stop 2: after intake",
    "place entry: after answer",
    "manager takes acceptance of stop 3: before commit",
)
"""Moments of the reduced matrix: one for each fault and protocol, in turn."""

Say = Callable[[str], None]


class Outcome(msgspec.Struct):
    """Everything that was run.

    Attributes:
        calm: the recordings, without a death.
        cases: with one.
        jobs: cases at a time.
    """

    calm: list[Result] = []
    cases: list[Result] = []
    seconds: float = 0.0
    jobs: int = 0

    @property
    def wrong(self) -> list[Result]:
        """Those after which something was wrong."""
        return [result for result in (*self.calm, *self.cases) if result.faults]

    @property
    def killed(self) -> int:
        """Deaths that happened, under way."""
        return sum(result.killed for result in self.cases)


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A server, a zygote and a folder for cases. The folder stays where a case in it went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="causeway-chaos-", dir="/tmp"))
    try:
        with EmbeddedServer(fsync="everysec") as server:
            async with zygote() as mother:
                where = Stage(mother, server.url, folder)
                yield where
                where.close()
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


class Runner:
    """Runs cases, some at a time.

    Args:
        stage: where.
        jobs: how many at a time.
        say: gets a line for each case that went wrong, and now and then one about the progress.
    """

    def __init__(self, stage: Stage, jobs: int, say: Say) -> None:
        self._stage = stage
        self._jobs = jobs
        self._say = say

    async def run(self, cases: Iterable[Case]) -> list[Result]:
        """Run them all; results in the order of the cases."""
        todo = list(cases)
        gate, done = asyncio.Semaphore(self._jobs), 0

        async def one(case: Case) -> Result:
            nonlocal done
            async with gate:
                result = await self._insist(case)
            done += 1
            if result.faults:
                self._say(f"WRONG {case.command}\n" + "\n".join(f"    {each}" for each in result.faults))
            if done % 50 == 0:
                self._say(f"{done:,} of {len(todo):,}")
            return result

        return list(await asyncio.gather(*(one(case) for case in todo)))

    async def _insist(self, case: Case) -> Result:
        """Again where the death did not happen, or where the machine was not there."""
        for _ in range(TRIES):
            result = await self._stage.run(case)
            starved = result.faults and result.starved_s > STARVED_S
            if not starved and (result.faults or result.killed or case.label is None):
                break
        return result


async def full(
    runner: Runner, protocols: Sequence[str], faults: Sequence[str], part: tuple[int, int] = (1, 1)
) -> Outcome:
    """Record each story without a death, then die at each moment that came by.

    Args:
        part: (k, n) takes every n-th case, beginning with the k-th: n machines share the matrix.
    """
    began = time.monotonic()
    stories = [
        Case(protocol=protocol, fault=fault, ending=ending)
        for protocol in protocols
        for fault in faults
        for ending in Ending
    ]
    calm = await runner.run(stories)
    seen: set[tuple[str, str, str]] = set()
    cases = []
    for result in calm:
        for label in result.moments:
            key = (result.case.protocol, result.case.fault, label)
            if key not in seen:
                seen.add(key)
                cases.append(msgspec.structs.replace(result.case, label=label))
    first, of = part
    return Outcome(calm, await runner.run(cases[first - 1 :: of]), time.monotonic() - began)


async def reduced(runner: Runner, protocols: Sequence[str], faults: Sequence[str]) -> Outcome:
    """One moment for each fault and protocol."""
    began = time.monotonic()
    endings = list(Ending)
    cases = [
        Case(
            protocol=protocol,
            fault=fault,
            ending=endings[(at + number) % 2],
            label=REDUCED[(at * 7 + number * 4) % len(REDUCED)],
        )
        for at, protocol in enumerate(protocols)
        for number, fault in enumerate(faults)
    ]
    return Outcome([], await runner.run(cases), time.monotonic() - began)


def every_fault() -> tuple[str, ...]:
    """Names, in the order of the columns."""
    return tuple(FAULTS)
