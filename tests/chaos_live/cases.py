"""One case: a story, a fault, a moment to die at, and what came of it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from pathlib import Path

import msgspec

from bus_schemas.errors import CausewayError
from tests.chaos_live import story
from tests.chaos_live.judge import judge
from tests.chaos_live.lives import Supervised, Zygote
from tests.chaos_live.scene import Scene, Stuck
from tests.chaos_live.story import Ending
from tests.chaos_live.zygote import Request

KILLED = -signal.SIGKILL


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried.

    Attributes:
        label: the moment to die at; None for a recording.
        plant: a fault in the code, for controls.
    """

    protocol: str
    fault: str
    ending: Ending
    label: str | None = None
    plant: str | None = None

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
        folder: where timeline and the lives' words are; empty where nothing is wrong.
    """

    case: Case
    faults: list[str]
    killed: bool
    moments: list[str]
    seconds: float
    bare_s: float
    folder: str = ""


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

    async def run(self, case: Case) -> Result:
        """Run it and judge it."""
        self._count += 1
        folder = self._folder / f"{self._count:05}"
        folder.mkdir()
        began = time.monotonic()
        scene = Scene(case.protocol, case.fault, self._url, folder)
        await scene.open()
        try:
            faults, killed = await self._play(case, scene)
        finally:
            await scene.close()
        notes = folder / "moments"
        moments = notes.read_text().splitlines() if notes.exists() else []
        if faults:
            (folder / "timeline").write_text(scene.timeline())
        else:
            shutil.rmtree(folder)
        return Result(
            case=case,
            faults=faults,
            killed=killed,
            moments=moments,
            seconds=time.monotonic() - began,
            bare_s=scene.guard.bare_s,
            folder=str(folder) if faults else "",
        )

    async def _play(self, case: Case, scene: Scene) -> tuple[list[str], bool]:
        request = Request(
            number=0,
            settings=str(scene.folder / "settings.json"),
            log=str(scene.folder / "log"),
            notes=str(scene.folder / "moments"),
            target=case.label,
            plant=case.plant,
        )
        service = scene.service = Supervised(self._mother, request)
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
