"""How many contracts each take-profit may hold. A take-profit may be dropped; a stop may not."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from bus_schemas.events import Target
from bus_schemas.instruments import Instrument
from execution.books import ZERO


class Slice(msgspec.Struct, frozen=True):
    """One take-profit as it stands: what it has taken, and whether an order of it rests."""

    target: Target
    taken: Decimal
    resting: bool


def allocate(
    instrument: Instrument, slices: Sequence[Slice], planned: Decimal, opened: Decimal, remaining: Decimal
) -> tuple[Decimal, ...]:
    """Contracts that each take-profit should still have open.

    Each gets the share of its plan that the entry has opened. Together they never exceed what
    remains. A slice that the venue would refuse as too small goes to its neighbour, or is dropped.

    Args:
        planned: contracts that the plan was made for.
        opened: contracts that the entry has filled.
        remaining: open contracts of the position.
    """
    part = min(opened, planned)
    goals = [max(_share(instrument, s.target.quantity, part, planned) - s.taken, ZERO) for s in slices]
    goals = _cut(goals, remaining)
    return tuple(_fold(instrument, slices, goals))


def _share(instrument: Instrument, quantity: Decimal, part: Decimal, planned: Decimal) -> Decimal:
    return quantity if part == planned else instrument.quantity(quantity * part / planned)


def _cut(goals: list[Decimal], remaining: Decimal) -> list[Decimal]:
    left = remaining
    out = []
    for goal in goals:
        out.append(min(goal, left))
        left -= out[-1]
    return out


def _fold(instrument: Instrument, slices: Sequence[Slice], goals: list[Decimal]) -> list[Decimal]:
    def small(i: int) -> bool:
        return (
            not slices[i].resting
            and goals[i] > ZERO
            and not instrument.tradable(goals[i], slices[i].target.price)
        )

    last = len(goals) - 1
    for i in range(last):
        if small(i):
            goals[i + 1] += goals[i]
            goals[i] = ZERO
    if goals and small(last):
        crumbs, goals[last] = goals[last], ZERO
        heir = next((i for i in range(last - 1, -1, -1) if goals[i]), None)
        if heir is not None:
            goals[heir] += crumbs
    return goals
