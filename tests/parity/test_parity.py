"""Agreement with the reference library, and what differs by design: counted, each with its cause."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from strategy.smc import StructureEvent
from strategy.smc.params import By
from tests.parity import candles, reference, view
from tests.parity.compare import THEIRS, Comparison, events
from tests.parity.expected import EXPECTED
from tests.parity.repaint import of_library, of_ours
from tests.parity.rows import Row, differing, table


def _agreement(one: Comparison) -> list[Row]:
    return [*one.pivots(), *one.gaps(), *one.breaks()]


def _by_design(one: Comparison) -> list[Row]:
    return [*one.breaks(By.WICK), *one.days(), *one.defaults(), *one.last_pivot()]


def _check(rows: list[Row], market: str) -> None:
    assert [row for row in rows if row.unexplained] == []
    found = [(row.concept, row.length, row.theirs, row.ours, row.equal, row.why) for row in rows]
    assert found == EXPECTED[market], table(rows)


def test_the_sample_agrees_row_for_row_and_differs_only_by_design() -> None:
    one = Comparison(candles.sample())
    _check(_agreement(one) + _by_design(one), "BTC 15m, sample")


@pytest.mark.parametrize("number", range(3), ids=["15m", "1h", "1h-2021"])
def test_years_agree_row_for_row_and_differ_only_by_design(number: int) -> None:
    histories = candles.longer()
    if histories is None:
        pytest.skip("no longer files beside this checkout (../shared/data); the sample was compared")
    history = candles.newest(histories[0], 135) if number == 0 else histories[number]
    one = Comparison(history)
    _check(_agreement(one) + (_by_design(one) if number == 1 else []), history.name)


def test_labels_of_the_library_vanish_after_they_were_seen_and_ours_do_not() -> None:
    sample = candles.sample()
    theirs, ours = of_library(sample, 2_160, 20), of_ours(sample, 2_000, 200)
    assert theirs.vanished >= 1
    assert ours.seen >= 5
    assert ours.vanished == 0


@cache
def _sampled() -> tuple[candles.History, list[StructureEvent], dict[int, int]]:
    sample = candles.sample()
    return sample, events(sample, THEIRS), {time: row for row, time in enumerate(sample.times)}


Fold = Callable[[list[StructureEvent], dict[int, int]], dict[int, tuple[float, ...]]]
_FOLDS: dict[str, Fold] = {
    "pivot": lambda found, rows: dict(view.pivots(found, "internal", rows)),
    "fvg": lambda found, rows: dict(view.gaps(found, rows)),
    "fvg_touched": lambda found, rows: dict(view.gaps(found, rows)),
    "bos": lambda found, rows: dict(view.breaks(found, "internal", rows)),
    "choch": lambda found, rows: dict(view.breaks(found, "internal", rows)),
}


@pytest.mark.parametrize("kind", _FOLDS)
def test_the_view_shows_what_the_events_say_and_nothing_else(kind: str) -> None:
    """Were an event one bar later or at another price, the comparison would see it."""
    _, found, rows = _sampled()
    victim = next(event for event in found[2_000:] if event.kind == kind and event.scope in ("", "internal"))
    fields = {name: getattr(victim, name) for name in victim.__struct_fields__}
    later = victim.at + (1 if kind in ("pivot", "fvg") else 2) * 900_000
    changed = {"at": later, "known_at": later, "level": victim.level + 1.0, "top": victim.top + 1.0}
    forged = StructureEvent(**{**fields, **changed})
    spoilt = [forged if event is victim else event for event in found]
    assert differing(_FOLDS[kind](found, rows), _FOLDS[kind](spoilt, rows))


def test_a_difference_without_a_cause_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    true = reference.gaps
    monkeypatch.setattr(reference, "gaps", lambda frame, joined: dict(list(true(frame, joined).items())[:-1]))
    rows = list(Comparison(candles.sample()).gaps())
    assert [len(row.unexplained) for row in rows] == [1, 1]
    assert "1 UNEXPLAINED" in table(rows)
