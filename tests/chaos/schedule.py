"""What is done to a run, and when: a pure function of the number of disturbances and a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

SHARES = ("kill", "freeze", "kill", "server", "kill", "cut")
"""Kinds in turn, before they are shuffled: half are kills of a service, a sixth each of the others."""

FIRST, LAST = 0.04, 0.96
LONGEST_CUT = 16_384
"""Bytes. A commit of the busiest unit is a few hundred to a few thousand bytes of log."""
JITTER_S = 0.02
ON_THE_HEELS = 0.2
"""Share that comes right after the one before, so that one fault meets the recovery from another."""
FREEZE = (1.1, 1.6)
"""Length of a freeze, as a multiple of the lease's expiry."""


class Kind(StrEnum):
    """What is done."""

    KILL = "kill"
    FREEZE = "freeze"
    SERVER = "server"
    CUT = "cut"


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    Attributes:
        victim: slot of the supervisor, such as `strategy/1`; `server` for the server.
        moment: share of the feed's work that is done when it happens, from 0 to 1.
        jitter_s: seconds to wait then, so that it falls anywhere in a turn.
        freeze_s: length of a freeze in seconds.
        cut: bytes to take off the end of the append-only file.
    """

    kind: Kind
    victim: str
    moment: float
    jitter_s: float
    freeze_s: float = 0.0
    cut: int = 0


def schedule(number: int, seed: int, slots: Sequence[str], lease_s: float) -> list[Disturbance]:
    """So many disturbances in the order of their moments.

    Args:
        slots: names of the processes that may be killed or frozen.
        lease_s: expiry of a lease in seconds; freezes are longer.
    """
    chance = random.Random(seed)
    kinds = [Kind(SHARES[n % len(SHARES)]) for n in range(number)]
    chance.shuffle(kinds)
    moments = sorted(chance.uniform(FIRST, LAST) for _ in kinds)
    for n in range(1, number):
        if chance.random() < ON_THE_HEELS:
            moments[n] = moments[n - 1]
    victims = {kind: _cycles(chance, slots) for kind in (Kind.KILL, Kind.FREEZE)}
    return [
        Disturbance(
            kind=kind,
            victim=next(victims[kind]) if kind in victims else "server",
            moment=moment,
            jitter_s=chance.uniform(0, JITTER_S),
            freeze_s=lease_s * chance.uniform(*FREEZE) if kind is Kind.FREEZE else 0.0,
            cut=round(LONGEST_CUT ** chance.random()) if kind is Kind.CUT else 0,
        )
        for kind, moment in zip(kinds, moments, strict=True)
    ]


def _cycles(chance: random.Random, slots: Sequence[str]) -> Iterator[str]:
    """Every slot once in a shuffled order, then again in another: none is spared."""
    while True:
        yield from chance.sample(slots, len(slots))
