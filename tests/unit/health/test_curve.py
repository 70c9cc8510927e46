from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from health.curve import Curve


@settings(max_examples=60)
@given(st.integers(0, 400), st.integers(2, 20))
def test_it_is_bounded_even_and_ends_with_the_newest(count: int, most: int) -> None:
    curve = Curve(most)
    for n in range(count):
        curve.add(n, Decimal(n))
    times = [time for time, _ in curve.points()]
    assert len(times) <= most + 1
    assert times == sorted(set(times))
    if count:
        assert (times[0], times[-1]) == (0, count - 1)
        assert len({b - a for a, b in pairwise(times[:-1])}) <= 1


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_points_are_all_there(count: int) -> None:
    curve = Curve(10)
    for n in range(count):
        curve.add(n, Decimal(n))
    assert curve.points() == [(n, Decimal(n)) for n in range(count)]
