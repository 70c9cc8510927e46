"""One case: a story, a fault, a moment to die at, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bus_schemas.errors import CausewayError
from tests.chaos_live import story
from tests.chaos_live.judge import judge
from tests.chaos_live.lives import Supervised, Zygote
from tests.chaos_live.scene import PATIENCE_S, Scene, Stuck
from tests.chaos_live.story import Ending
from tests.chaos_live.zygote import Request

KILLED = -signal.SIGKILL
_BEAT_S = 0.05


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried.

    Attributes:
        label: the moment to die at; None for a recording.
        plant: a fault in the code, for controls.
        patience_s: how long each step of the story may take.
    """

    protocol: str
    fault: str
    ending: Ending
    label: str | None = None
    plant: str | None = None
    patience_s: float = PATIENCE_S

    @property
    def command(self) -> str:
        """How to run it alone."""
        text = f"python -m tests.chaos_live --protocol {self.protocol} --fault {self.fault}"
        text += f" --ending {self.ending.value}"
        return text + (f' --case "{self.label}"' if self.label else " --calm")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        faults: everything that is wrong, in words.
        killed: whether the death happened, and under way.
        moments: every moment that came by, in order, over all lives.
        bare_s: the longest time for which the position had no stop over all of it.
        starved_s: the longest time for which this machine kept the test itself from running.
        folder: where timeline and the lives' words are; empty where nothing is wrong.
    """

    case: Case
    faults: list[str]
    killed: bool
    moments: list[str]
    seconds: float
    bare_s: float
    starved_s: float
    folder: str = ""


class Lag:
    """Measures for how long the machine keeps us from running: what it does to the test it does to the
    service, whose patience is short here."""

    def __init__(self) -> None:
        self._found: deque[tuple[float, float]] = deque(maxlen=10_000)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(_BEAT_S)
            after = time.monotonic()
            self._found.append((after, after - before - _BEAT_S))

    def worst_since(self, moment: float) -> float:
        """The longest such time since then, in seconds."""
        return max((lag for at, lag in self._found if at >= moment), default=0.0)

    def stop(self) -> None:
        """Measure no more."""
        self._task.cancel()


class Stage:
    """Where cases are run.

    Args:
        mother: forks lives.
        url: of the server of the bus.
        folder: for the cases' folders.
    """

    def __init__(self, mother: Zygote, url: str, folder: Path) -> None:
        self._mother = mother
        self._url = url
        self._folder = folder
        self._count = 0
        self._lag = Lag()

    def close(self) -> None:
        """Nothing is run here any more."""
        self._lag.stop()

    async def run(self, case: Case) -> Result:
        """Run it and judge it."""
        began = time.monotonic()
        async with self.scene(case) as scene:
            faults, killed = await _play(case, scene)
            notes = scene.folder / "moments"
            moments = notes.read_text().splitlines() if notes.exists() else []
            if faults and not case.plant:
                scene.keep = True
                (scene.folder / "timeline").write_text(scene.timeline())
        return Result(
            case=case,
            faults=faults,
            killed=killed,
            moments=moments,
            seconds=time.monotonic() - began,
            bare_s=scene.guard.bare_s,
            starved_s=self._lag.worst_since(began),
            folder=str(scene.folder) if scene.keep else "",
        )

    @contextlib.asynccontextmanager
    async def scene(self, case: Case) -> AsyncIterator[Scene]:
        """A world of its own with the service in it."""
        self._count += 1
        folder = self._folder / f"{self._count:05}"
        folder.mkdir()
        scene = Scene(case.protocol, case.fault, self._url, folder, case.patience_s)
        await scene.open()
        request = Request(
            number=0,
            settings=str(folder / "settings.json"),
            log=str(folder / "log"),
            notes=str(folder / "moments"),
            target=case.label,
            plant=case.plant,
        )
        service = scene.service = Supervised(self._mother, request)
        try:
            yield scene
        finally:
            await service.stop(signal.SIGKILL)
            await scene.close()
            if not scene.keep:
                shutil.rmtree(folder)


async def _play(case: Case, scene: Scene) -> tuple[list[str], bool]:
    """Tell the story; what was wrong, and whether the death happened."""
    service = scene.service
    assert service is not None
    faults: list[str] = []
    try:
        await story.tell(scene, case.ending)
    except (Stuck, RuntimeError, CausewayError) as error:
        faults.append(str(error))
    deaths = list(service.deaths)
    code = await service.stop(signal.SIGTERM if case.label is None else signal.SIGKILL)
    with contextlib.suppress(CausewayError):
        scene.look()
    faults += judge(scene)
    if case.label is None and code != 0:
        faults.append(f"the service left with {code} when it was told to stop")
    killed = case.label is not None and deaths[:1] == [KILLED]
    if unasked := deaths[1:] if killed else deaths:
        faults.append(f"the service ended by itself: {unasked}")
    return faults, killed
