from __future__ import annotations

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.stop_times import BUCKETS_S, StopTimes


def test_each_position_counts_once_from_its_first_fill() -> None:
    times = StopTimes()
    times.filled("a", 1000)
    times.filled("a", 1400)
    times.protected("a", 2500)
    times.filled("a", 3000)
    times.protected("a", 9000)
    times.ended("a")
    assert (times.count, times.total_s, times.worst_s, times.never, times.since) == (1, 1.5, 1.5, 0, {})


def test_a_position_that_never_had_a_stop_is_counted_apart() -> None:
    times = StopTimes()
    times.filled("a", 1000)
    times.ended("a")
    times.ended("b")  # never filled
    assert (times.count, times.never) == (0, 1)


def test_a_stop_of_what_was_never_seen_filled_does_not_count() -> None:
    times = StopTimes()
    times.protected("adopted", 5000)
    assert (times.count, times.quantile(0.5)) == (0, None)


@pytest.mark.parametrize(("seconds", "bound"), [(0, "0.05"), (0.05, "0.05"), (0.051, "0.1"), (61, "+Inf")])
def test_a_bucket_holds_its_upper_bound(seconds: float, bound: str) -> None:
    times = StopTimes()
    times.observe(seconds)
    assert next(le for le, count in times.cumulative() if count) == bound


@given(st.lists(st.floats(0, 200), min_size=1, max_size=60), st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_within_the_bucket_of_the_true_one(waits: list[float], share: float) -> None:
    times = StopTimes()
    for wait in waits:
        times.observe(wait)
    found = times.quantile(share)
    true = sorted(waits)[math.ceil(share * len(waits)) - 1]
    bounds = (0.0, *BUCKETS_S, max(waits))
    low, high = next((a, b) for a, b in pairwise(bounds) if true <= b or b == bounds[-1])
    assert found is not None
    assert min(low, true) - 0.001 <= found <= max(high, true) + 0.001
    assert found <= max(waits) + 0.001
    assert times.total_s == pytest.approx(statistics.fsum(waits))
