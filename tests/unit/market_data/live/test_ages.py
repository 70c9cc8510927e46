"""Silence is the age of a symbol's data, told once when it begins and once when it ends."""

from __future__ import annotations

from market_data.live.ages import Age, Ages


def test_a_symbol_goes_silent_once_and_comes_back_once() -> None:
    ages = Ages(30.0)
    assert ages.look({"A": Age(1, 0), "B": Age(2, 0)}) == []
    (gone,) = ages.look({"A": Age(31, 0), "B": Age(2, 0)})
    assert (gone.symbol, gone.silent, gone.age.mark) == ("A", True, 31)
    assert ages.look({"A": Age(32, 0), "B": Age(2, 0)}) == []
    assert [(c.symbol, c.silent) for c in ages.look({"A": Age(1, 0), "B": Age(2, 40)})] == [
        ("A", False),
        ("B", True),
    ]


def test_gauges_tell_the_worst_and_each() -> None:
    ages = Ages(30.0)
    ages.look({"A": Age(31, 0), "B": Age(2, 7)})
    assert ages.gauges() == {
        "symbols": 2.0,
        "silent_symbols": 1.0,
        "mark_age_s": 31.0,
        "candle_late_s": 7.0,
        "mark_age_s.A": 31.0,
        "candle_late_s.A": 0.0,
        "mark_age_s.B": 2.0,
        "candle_late_s.B": 7.0,
    }


def test_a_symbol_that_is_not_watched_any_more_is_not_silent() -> None:
    ages = Ages(30.0)
    ages.look({"A": Age(31, 0)})
    assert ages.look({}) == []
    assert ages.gauges()["silent_symbols"] == 0
