"""How an assessment is put together: evidence step by step, up to the first that fails."""

from __future__ import annotations

import msgspec

from bus_schemas.events import Evidence, Millis, NoSignal
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
    """Collects the steps of one assessment, made at `time`."""

    def __init__(self, time: Millis, steps: tuple[Evidence, ...] = ()) -> None:
        self.time = time
        self._steps = list(steps)
        self._reason: NoSignal | None = None

    def step(
        self,
        name: str,
        failure: NoSignal | None,
        *,
        known_at: Millis | None = None,
        at: Millis | None = None,
        text: dict[str, str] | None = None,
        numbers: dict[str, float] | None = None,
        **more: float,
    ) -> bool:
        """Note a step; return whether it passed.

        Args:
            failure: the reason if the step failed, None if it passed.
            numbers, more: what was compared, by name.
            known_at: when what it rests on became known; the time of the assessment if not given.
        """
        self._steps.append(
            Evidence(
                step=name,
                passed=failure is None,
                known_at=self.time if known_at is None else known_at,
                at=at,
                numbers=(numbers or {}) | more,
                text=text or {},
            )
        )
        self._reason = failure
        return failure is None

    def fork(self) -> Trace:
        """A trace that goes on from here by itself."""
        return Trace(self.time, tuple(self._steps))

    @property
    def depth(self) -> int:
        """How many steps were looked at."""
        return len(self._steps)

    def verdict(self, plan: Plan | None = None) -> Verdict:
        """The result: with a plan, or with the reason of the step that failed."""
        return Verdict(plan, self._reason, tuple(self._steps))
