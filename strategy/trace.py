"""How an assessment is put together: evidence step by step, up to the first that fails."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Evidence, Millis, NoSignal
from bus_schemas.settings.strategy import Step
from strategy.plan import Plan


class Verdict(msgspec.Struct, frozen=True):
    """What an assessment says.

    Attributes:
        plan: the trade; None when a step failed.
        reason: why there is none.
        evidence: every step that was looked at, in order. Without a plan the last one failed, and
            only that one.
    """

    plan: Plan | None
    reason: NoSignal | None
    evidence: tuple[Evidence, ...]


class Trace:
    """Collects the steps of one assessment, made at `time`.

    Attributes:
        grades: how well each step was fulfilled, 0 to 1, of those that count in the score.
    """

    def __init__(
        self, time: Millis, steps: Sequence[Evidence] = (), grades: dict[str, float] | None = None
    ) -> None:
        self.time = time
        self.grades = {} if grades is None else grades
        self._steps = list(steps)
        self._reason: NoSignal | None = None

    def step(
        self,
        name: str,
        failure: NoSignal | None,
        numbers: dict[str, float],
        known_at: Millis | None = None,
        at: Millis | None = None,
        text: dict[str, str] | None = None,
    ) -> bool:
        """Note a step that every signal needs; return whether it passed.

        Args:
            failure: the reason if the step failed, None if it passed.
            numbers: what was compared, by name.
            known_at: when what it rests on became known; the time of the assessment if not given.
        """
        passed = failure is None
        self._steps.append(
            Evidence(
                step=name,
                passed=passed,
                known_at=self.time if known_at is None else known_at,
                at=at,
                numbers=numbers,
                text=text or {},
            )
        )
        self._reason = failure
        return passed

    def weigh(
        self,
        name: str,
        mode: Step,
        failure: NoSignal,
        grade: float,
        numbers: dict[str, float],
        known_at: Millis | None = None,
        at: Millis | None = None,
        text: dict[str, str] | None = None,
    ) -> bool:
        """Note a step that may be required or scored; return whether a signal is still possible.

        The number `met` tells whether it is fulfilled: a scored step that is not passes all the same.

        Args:
            grade: 0 if it is not fulfilled, else how well, up to 1.
        """
        self.grades[name] = grade
        met = grade > 0
        numbers["met"] = 1.0 if met else 0.0
        missed = None if met or mode is Step.SCORED else failure
        return self.step(name, missed, numbers, known_at, at, text)

    def fork(self) -> Trace:
        """A trace that goes on from here by itself."""
        return Trace(self.time, self._steps, self.grades.copy())

    @property
    def failed(self) -> bool:
        """Whether the last step failed."""
        return self._reason is not None

    @property
    def depth(self) -> int:
        """How many steps were looked at."""
        return len(self._steps)

    def verdict(self, plan: Plan | None = None) -> Verdict:
        """The result: with a plan, or with the reason of the step that failed."""
        return Verdict(plan, self._reason, tuple(self._steps))
