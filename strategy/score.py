"""One number to rank signals by, 0 to 1: not a probability.

Each step that is not off has points and a grade from 0, not fulfilled, to 1. The score is the share of the
points that are reached: the sum of points times grades over the sum of points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POINTS: Final[Mapping[str, int]] = {
    "bias": 2,
    "sweep": 3,
    "shift": 2,
    "displacement": 3,
    "volume": 1,
    "kill_zone": 1,
    "zone": 2,
    "discount": 2,
    "ote": 2,
    "inducement": 1,
    "reward": 2,
}
"""Points of each step. Most for what the method calls its cause: a sweep, and the displacement that answers
it. Least for what is said to help. Grades between 0 and 1:

bias: 1 where internal and swing structure of the bias timeframe agree, else a half.
sweep: 1 for a pool, a session's, day's, week's or month's level; a half for a single pivot.
shift: 1 for a market structure shift, three quarters for a change of character, a half for a break of
    structure.
zone: 1 where a fresh zone of another kind overlaps it, else a half.
reward: R to the mean of the targets, in quarters: full at 4 R.

All others are fulfilled or not."""


def score(grades: Mapping[str, float]) -> float:
    """The share of the points that were reached.

    Args:
        grades: of every step that counts, by name.
    """
    most = sum(POINTS[name] for name in grades)
    return sum(POINTS[name] * grade for name, grade in grades.items()) / most if most else 0.0
