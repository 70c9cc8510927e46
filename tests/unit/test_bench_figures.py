"""The benchmark's arithmetic: shares by round, aims either way, rounds in turn."""

from __future__ import annotations

import pytest

from tests.bench.figures import beside, in_turn, quantile, table


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        ({"least": 0.5}, True),
        ({"least": 0.6}, False),
        ({"most": 0.5}, True),
        ({"most": 0.4}, False),
        ({}, None),
    ],
)
def test_an_aim_is_for_the_median_of_the_rounds_shares(aim: dict[str, float], met: bool | None) -> None:
    figure = beside("loop", "x", "ev/s", [10, 50, 900], "peer", [20, 100, 1000], **aim)
    assert (figure.value, figure.peer_value, figure.share, figure.met) == (50, 100, 0.5, met)


def test_takes_go_in_turn() -> None:
    calls: list[str] = []

    def take(name: str) -> float:
        calls.append(name)
        return len(calls)

    assert in_turn(2, lambda: take("a"), lambda: take("b")) == [[1, 3], [2, 4]]
    assert calls == ["a", "b", "a", "b"]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_quantile(share: float, value: int) -> None:
    assert quantile(range(100, 0, -1), share) == value


def test_the_table_says_what_was_missed() -> None:
    rows = table([beside("loop", "x", "ev/s", [1], "peer", [2], least=0.6)]).splitlines()
    assert rows[2].split() == ["loop", "x", "1", "ev/s", "peer", "2", "ev/s", "0.50", "≥", "0.60", "MISSED"]
