"""Every reason for no signal, and what a signal is made of, on drawn situations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from bus_schemas.events import NoSignal, Side
from bus_schemas.settings.strategy import StrategySettings
from strategy.aggregate import Bar
from strategy.assess import Case, assess
from strategy.first.structure import Break, BreakKind
from strategy.first.swings import Pivot
from strategy.first.zones import Zone, ZoneKind, ZoneState
from strategy.trace import Verdict
from tests.unit.strategy.make import HOUR, START

NOW = START + 100 * HOUR
SETTINGS = StrategySettings()
STEPS = ["data", "bias", "break", "zone", "entry", "repeat", "stop", "targets", "score"]


class Drawn(msgspec.Struct):
    """A timeframe as a test draws it: the view without an engine."""

    bars: int = 100
    atr: float = 10.0
    last_break: Break | None = None
    drawn: tuple[Zone, ...] = ()
    levels: tuple[float, ...] = ()

    def zones(self, side: Side) -> Sequence[Zone]:
        return [zone for zone in self.drawn if zone.side is side]

    def liquidity(self, side: Side, price: float) -> Sequence[Pivot]:
        found = sorted(level * side.sign for level in self.levels if (level - price) * side.sign > 0)
        return [Pivot(level * side.sign, START, START + HOUR) for level in found]


def broken(side: Side = Side.LONG, hours: int = 3, body: float = 20.0) -> Break:
    return Break(
        side=side,
        kind=BreakKind.BOS,
        level=1010.0,
        pivot_at=START,
        at=NOW - (hours + 1) * HOUR,
        known_at=NOW - hours * HOUR,
        origin_at=NOW - 9 * HOUR,
        body=body,
    )


def zone(top: float = 1005.0, bottom: float = 1000.0, **more: Any) -> Zone:
    what: dict[str, Any] = {"kind": ZoneKind.ORDER_BLOCK, "side": Side.LONG, "at": NOW - 9 * HOUR}
    return Zone(**(what | {"known_at": NOW - 3 * HOUR, "top": top, "bottom": bottom} | more))


def case(**change: Any) -> Case:
    """A long signal, but for what a test changes."""
    bar = Bar(NOW - HOUR, NOW, 1015.0, 1020.0, 1012.0, 1018.0, 1.0, 4, change.get("gap", False))
    return Case(
        time=NOW,
        bar=bar,
        expected=4,
        length=HOUR,
        bias_length=4 * HOUR,
        decision=Drawn(
            change.get("bars", 100),
            last_break=change.get("last_break", broken()),
            drawn=change.get("zones", (zone(),)),
            levels=change.get("own_levels", ()),
        ),
        bias=Drawn(
            change.get("bias_bars", 100),
            last_break=change.get("bias", broken()),
            levels=change.get("levels", ()),
        ),
        settings=change.get("settings", SETTINGS),
    )


REASONS: list[tuple[NoSignal, str, dict[str, Any]]] = [
    (NoSignal.DATA_GAP, "data", {"gap": True}),
    (NoSignal.WARMING_UP, "warmup", {"bars": 39}),
    (NoSignal.WARMING_UP, "warmup", {"bias_bars": 39}),
    (NoSignal.NO_BIAS, "bias", {"bias": None}),
    (NoSignal.NO_BIAS, "bias", {"bias": broken(hours=43 * 4)}),
    (NoSignal.NO_BREAK, "break", {"last_break": None}),
    (NoSignal.NO_BREAK, "break", {"last_break": broken(hours=25)}),
    (NoSignal.BREAK_AGAINST_BIAS, "break", {"last_break": broken(Side.SHORT)}),
    (NoSignal.BREAK_AGAINST_BIAS, "break", {"bias": broken(Side.SHORT)}),
    (NoSignal.NO_ZONE, "zone", {"zones": ()}),
    (NoSignal.NO_ZONE, "zone", {"zones": (zone(at=NOW - 10 * HOUR),)}),
    (NoSignal.NO_ZONE, "zone", {"zones": (zone(side=Side.SHORT),)}),
    (NoSignal.ZONE_SPOILED, "zone", {"zones": (zone(state=ZoneState.TOUCHED, changed_at=NOW),)}),
    (NoSignal.ZONE_SPOILED, "zone", {"zones": (zone(state=ZoneState.SPENT, changed_at=NOW),)}),
    (NoSignal.PRICE_TOO_FAR, "entry", {"zones": (zone(987.0, 980.0),)}),
    (NoSignal.ALREADY_SIGNALLED, "repeat", {"zones": (zone(signalled=True),)}),
    (NoSignal.STOP_TOO_WIDE, "stop", {"zones": (zone(bottom=975.0),)}),
    (NoSignal.NO_TARGET, "targets", {"levels": (1014.0,)}),
]


def test_every_reason_has_a_case() -> None:
    assert {reason for reason, _, _ in REASONS} == set(NoSignal)


@pytest.mark.parametrize(("reason", "step", "change"), REASONS)
def test_the_first_step_that_fails_is_the_reason(reason: NoSignal, step: str, change: dict[str, Any]) -> None:
    verdict = assess(case(**change))
    assert (verdict.plan, verdict.reason) == (None, reason)
    assert verdict.evidence[-1].step == step
    assert [e.passed for e in verdict.evidence] == [True] * (len(verdict.evidence) - 1) + [False]
    assert verdict.evidence[-1].numbers
    assert all(e.known_at <= NOW for e in verdict.evidence)


def signal(verdict: Verdict) -> tuple[float, float, tuple[float, float]]:
    assert verdict.reason is None
    assert verdict.plan is not None
    return verdict.plan.entry, verdict.plan.stop, verdict.plan.targets


def test_entry_at_the_near_edge_stop_beyond_the_far_one_targets_in_r() -> None:
    verdict = assess(case(zones=(zone(bottom=990.0),)))
    # 15 from edge to edge and a quarter of ATR 10: R is 17.5
    assert signal(verdict) == (1005.0, 987.5, (1005 + 2 * 17.5, 1005 + 3.5 * 17.5))
    assert [e.step for e in verdict.evidence] == STEPS
    assert verdict.plan is not None
    assert verdict.plan.expires == NOW + 24 * HOUR


def test_the_stop_keeps_its_least_distance() -> None:
    assert signal(assess(case()))[1] == 995.0


@pytest.mark.parametrize(
    ("levels", "own", "targets"),
    [
        ((1026.0,), (), (1026.0, 1040.0)),
        ((), (1026.0, 1041.0), (1026.0, 1041.0)),
        ((1024.0,), (1056.0,), (1025.0, 1040.0)),
        ((1040.0,), (), (1040.0, 1045.0)),
        ((1016.0,), (1006.0,), (1025.0, 1040.0)),
    ],
)
def test_liquidity_that_is_far_enough_is_a_target(
    levels: tuple[float, ...], own: tuple[float, ...], targets: tuple[float, float]
) -> None:
    assert signal(assess(case(levels=levels, own_levels=own)))[2] == targets


def test_either_kind_of_zone_is_enough_alone() -> None:
    for kind in ZoneKind:
        verdict = assess(case(zones=(zone(kind=kind),)))
        assert verdict.plan is not None
        assert verdict.plan.zone.kind is kind


def test_the_nearest_zone_that_passes_is_taken() -> None:
    near = zone(1010.0, 1006.0, signalled=True)
    wide = zone(1008.0, 960.0)
    good = zone(1004.0, 1001.0)
    verdict = assess(case(zones=(good, near, wide)))
    assert verdict.plan is not None
    assert verdict.plan.zone is good


def test_where_none_passes_the_one_that_came_farthest_is_told() -> None:
    verdict = assess(case(zones=(zone(1010.0, 1006.0, signalled=True), zone(1008.0, 960.0))))
    assert verdict.reason is NoSignal.STOP_TOO_WIDE
    assert [e.step for e in verdict.evidence] == STEPS[:7]


def test_a_level_beyond_zero_is_no_price() -> None:
    short = broken(Side.SHORT)
    low = zone(45.0, 40.0, side=Side.SHORT)
    drawn = case(bias=short, last_break=short, zones=(low,))
    drawn = msgspec.structs.replace(drawn, bar=msgspec.structs.replace(drawn.bar, close=30.0))
    assert assess(drawn).reason is None
    low.top, low.bottom = 35.0, 32.0
    assert assess(drawn).reason is NoSignal.NO_TARGET
    long = zone(5.0, 2.0)
    drawn = msgspec.structs.replace(case(zones=(long,)), bar=msgspec.structs.replace(drawn.bar, close=12.0))
    assert assess(drawn).reason is NoSignal.STOP_TOO_WIDE


def test_the_score_grows_with_displacement_overlap_and_reward() -> None:
    def score(**change: Any) -> float:
        plan = assess(case(**change)).plan
        assert plan is not None
        return plan.score

    plain = score(last_break=broken(body=5.0))
    assert plain == pytest.approx(0.4 * 0.25 + 0.3 * 2.75 / 4)
    assert score(last_break=broken(body=-5.0)) == pytest.approx(0.3 * 2.75 / 4)
    assert score() > plain
    gap = zone(1004.0, 999.0, kind=ZoneKind.FAIR_VALUE_GAP)
    assert score(zones=(zone(), gap)) == pytest.approx(score() + 0.3)
    assert score(levels=(1026.0, 1051.0)) > score()


def test_ages_count_hours_that_are_missing_too() -> None:
    assert assess(case(last_break=broken(hours=24))).reason is None
    assert assess(case(last_break=broken(hours=25))).reason is NoSignal.NO_BREAK
    assert assess(case(bias=broken(hours=43 * 4 - 1))).reason is None
