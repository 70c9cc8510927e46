"""A fault plan at work: counts what passes by, and says which faults happen to it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bus_schemas.events import OrderKind
from execution.simulator.faults import (
    MARKET,
    PLACING_KINDS,
    REQUEST_KINDS,
    SOCKET_KINDS,
    STOP,
    FaultKind,
    Plan,
    Rule,
)
from execution.simulator.orders import SimOrder
from execution.simulator.protocol import Operation


class Counted:
    """A rule at work.

    Attributes:
        matched, fired: how often so far.
    """

    def __init__(self, rule: Rule, seed: str) -> None:
        self.rule = rule
        self.matched = 0
        self.fired = 0
        self._chance = random.Random(seed)  # edge: seeded by the plan, so that its faults repeat

    def fires(self) -> bool:
        """Count a match; whether the fault happens at it."""
        rule = self.rule
        self.matched += 1
        lucky = rule.probability is None or self._chance.random() < rule.probability
        most = rule.times if rule.times is not None else (1 if rule.nth is not None else None)
        due = (
            lucky
            and (rule.nth is None or self.matched >= rule.nth)
            and (rule.every is None or self.matched % rule.every == 0)
            and (most is None or self.fired < most)
        )
        self.fired += due
        return due


class Faults:
    """The faults that are at work.

    Args:
        monotonic: seconds of a clock that never jumps; windows count from the loading of a plan.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        monotonic: Callable[[], float] = time.monotonic,  # edge: windows of time
    ) -> None:
        self._monotonic = monotonic
        self.load(plan or Plan())

    def load(self, plan: Plan) -> None:
        """Take another plan; counters and windows begin again."""
        self.plan = plan
        self._loaded = self._monotonic()
        self.rules = [Counted(rule, f"{plan.seed}/{at}") for at, rule in enumerate(plan.fault)]

    def request(self, protocol: str, method: str, path: str, operation: Operation) -> list[Rule]:
        """Faults that happen to this request, in the order of the plan. Counts."""
        return [
            counted.rule
            for counted in self.rules
            if counted.rule.kind in REQUEST_KINDS
            and self._active(counted.rule)
            and fnmatchcase(protocol, counted.rule.protocol)
            and fnmatchcase(method, counted.rule.method)
            and fnmatchcase(path, counted.rule.path)
            and fnmatchcase(operation.value, counted.rule.operation)
            and (operation is Operation.PLACE or counted.rule.kind not in PLACING_KINDS)
            and counted.fires()
        ]

    def message(self, protocol: str, topic: str) -> list[Rule]:
        """Faults that happen to this websocket message, likewise. A protocol's own talk has no topic: only
        cutting and silencing meet it."""
        return [
            counted.rule
            for counted in self.rules
            if counted.rule.kind in SOCKET_KINDS
            and (topic or counted.rule.kind in (FaultKind.WS_CUT, FaultKind.SILENT_SOCKET))
            and self._active(counted.rule)
            and fnmatchcase(protocol, counted.rule.protocol)
            and fnmatchcase(topic, counted.rule.topic)
            and counted.fires()
        ]

    def liquidity(self, protocol: str, order: SimOrder) -> Decimal:
        """The share of an order that meets the price now which the market takes; 1 for all of it. Counts."""
        stop = order.kind is OrderKind.STOP or bool(order.origin)
        return min(
            (
                counted.rule.share
                for counted in self.rules
                if counted.rule.kind is FaultKind.THIN_MARKET
                and self._active(counted.rule)
                and fnmatchcase(protocol, counted.rule.protocol)
                and fnmatchcase(STOP if stop else MARKET, counted.rule.order)
                and counted.fires()
            ),
            default=Decimal(1),
        )

    def skew(self) -> int:
        """By how much the venue's clock is wrong now, milliseconds."""
        return sum(
            counted.rule.skew_ms
            for counted in self.rules
            if counted.rule.kind is FaultKind.CLOCK_SKEW and self._active(counted.rule)
        )

    def report(self) -> list[dict[str, Any]]:
        """Every rule with its counts."""
        return [{**msgspec.to_builtins(c.rule), "matched": c.matched, "fired": c.fired} for c in self.rules]

    def _active(self, rule: Rule) -> bool:
        passed = self._monotonic() - self._loaded
        return rule.from_s <= passed and (rule.until_s is None or passed < rule.until_s)
