"""Every reason for no signal, every step required, scored and off, and what a signal is made of."""

from __future__ import annotations

from typing import Any

import pytest

from bus_schemas.events import Evidence, NoSignal, Side
from bus_schemas.settings.strategy import ShiftKind, Step, StrategySettings, ZoneKind
from bus_schemas.timeframes import HOUR
from strategy.playbook import assess
from strategy.smc import kinds
from strategy.trace import Verdict
from tests.unit.strategy.check import ORDER, SWITCHED
from tests.unit.strategy.drawn import NOW, case, gap, push, shift, story, sweep, trend, zone

CHAIN = [name for name in ORDER if name not in ("warmup", "kill_zone", "inducement")]
"""Steps of a signal with the defaults."""

R, S, O = Step.REQUIRED, Step.SCORED, Step.OFF  # noqa: E741


def only(**modes: Any) -> StrategySettings:
    """Settings with which nothing but bias, shift and zone is looked at, unless told."""
    off = {f"{name}_step": O for name in SWITCHED if name not in ("bias", "shift", "zone")}
    return StrategySettings(**(off | {"min_score": 0.0} | modes))


REASONS: list[tuple[NoSignal, str, dict[str, Any], dict[str, Any]]] = [
    (NoSignal.DATA_GAP, "data", {}, {"gap": True}),
    (NoSignal.DATA_GAP, "sweep", {}, {"resumed": NOW - 8 * HOUR}),
    (NoSignal.DATA_GAP, "shift", {"sweep_step": O}, {"resumed": NOW - 8 * HOUR}),
    (NoSignal.WARMING_UP, "warmup", {}, {"bars": 39}),
    (NoSignal.WARMING_UP, "warmup", {}, {"bias_bars": 39}),
    (NoSignal.WARMING_UP, "warmup", {}, {"atr": 0.0}),
    (NoSignal.NO_BIAS, "bias", {}, {"trend": None}),
    (NoSignal.NO_BIAS, "bias", {}, {"trend": trend(hours=43 * 4)}),
    (NoSignal.NO_SWEEP, "sweep", {}, {"shift": shift(sweep=None)}),
    (NoSignal.NO_SWEEP, "sweep", {}, {"shift": shift(sweep=sweep(known_at=NOW - 29 * HOUR))}),
    (NoSignal.NO_SWEEP, "sweep", {}, {"shift": shift(sweep=sweep(extreme=998.5))}),
    (NoSignal.NO_SWEEP, "sweep", {}, {"shift": shift(sweep=sweep(reach=997.9))}),
    (NoSignal.NO_BREAK, "shift", {}, {"shift": None, "sweep_up": sweep()}),
    (NoSignal.NO_BREAK, "shift", {}, {"shift": shift(hours=25), "sweep_up": sweep()}),
    (NoSignal.NO_BREAK, "shift", {"bias_step": S}, {"shift": None}),
    (NoSignal.BREAK_AGAINST_BIAS, "shift", {}, {"shift": shift(side=-1), "sweep_up": sweep()}),
    (NoSignal.NO_SHIFT, "shift", {"shift_kind": "choch"}, {"shift": shift(kind="bos"), "sweep_up": sweep()}),
    (NoSignal.NO_SHIFT, "shift", {"shift_kind": "mss"}, {"shift": shift(kind="choch"), "sweep_up": sweep()}),
    (NoSignal.NO_DISPLACEMENT, "displacement", {"displacement_step": R}, {"push": None}),
    (NoSignal.NO_DISPLACEMENT, "displacement", {"displacement_step": R}, {"push": push(at=NOW - 10 * HOUR)}),
    (NoSignal.LOW_VOLUME, "volume", {"volume_step": R}, {"push": push(volume=1.49)}),
    (NoSignal.LOW_VOLUME, "volume", {"volume_step": R}, {"push": None}),
    (NoSignal.OUTSIDE_KILL_ZONE, "kill_zone", {"kill_zone_step": R}, {}),
    (NoSignal.OUTSIDE_KILL_ZONE, "kill_zone", {"kill_zone_step": R}, {"session": "asia"}),
    (NoSignal.NO_ZONE, "zone", {}, {"zones": ()}),
    (NoSignal.NO_ZONE, "zone", {}, {"zones": (zone(hours=10),)}),
    (NoSignal.NO_ZONE, "zone", {}, {"zones": (zone(side=-1),)}),
    (NoSignal.NO_ZONE, "zone", {"zones": ("breaker",)}, {}),
    (NoSignal.ZONE_SPOILED, "zone", {}, {"zones": (zone(stage=1),)}),
    (NoSignal.ALREADY_SIGNALLED, "repeat", {}, {"zones": (zone(used=1),)}),
    (NoSignal.PRICE_TOO_FAR, "entry", {}, {"close": 1035.1}),
    (NoSignal.NOT_IN_DISCOUNT, "discount", {"discount_step": R}, {"range": (1020.0, 990.0)}),
    (NoSignal.NOT_IN_DISCOUNT, "discount", {"discount_step": R}, {"known": 1}),
    (NoSignal.NOT_IN_OTE, "ote", {"ote_step": R}, {"end": 1050.0}),
    (NoSignal.NOT_IN_OTE, "ote", {"ote_step": R}, {"impulse": 0}),
    (NoSignal.NO_INDUCEMENT, "inducement", {"inducement_step": R}, {}),
    (NoSignal.NO_INDUCEMENT, "inducement", {"inducement_step": R}, {"zones": (zone(marked=40),)}),
    (NoSignal.STOP_TOO_WIDE, "stop", {}, {"zones": (zone(bottom=975.0),)}),
    (NoSignal.NO_TARGET, "targets", {"min_room_r": 2.0}, {"far_levels": (1014.0, 1020.0)}),
    (NoSignal.SCORE_TOO_LOW, "score", {"min_score": 0.99}, {}),
]


def test_every_reason_has_a_case() -> None:
    assert {reason for reason, *_ in REASONS} == set(NoSignal)


@pytest.mark.parametrize(("reason", "step", "options", "change"), REASONS)
def test_the_first_step_that_fails_is_the_reason(
    reason: NoSignal, step: str, options: dict[str, Any], change: dict[str, Any]
) -> None:
    verdict = assess(case(StrategySettings(**options), **change))
    assert (verdict.plan, verdict.reason) == (None, reason)
    last = verdict.evidence[-1]
    assert last.step == step
    assert [e.passed for e in verdict.evidence] == [True] * (len(verdict.evidence) - 1) + [False]
    assert last.numbers
    assert all(e.known_at <= NOW for e in verdict.evidence)


def signal(verdict: Verdict) -> tuple[float, float, tuple[float, float]]:
    assert verdict.reason is None
    assert verdict.plan is not None
    return verdict.plan.entry, verdict.plan.stop, verdict.plan.targets


def step_of(verdict: Verdict, name: str) -> Evidence | None:
    return next((e for e in verdict.evidence if e.step == name), None)


def test_a_signal_has_the_whole_chain_and_names_the_events_it_rests_on() -> None:
    verdict = assess(case())
    # 2.5 beyond the sweep at 998 would be nearer than one ATR, the least
    assert signal(verdict) == (1005.0, 995.0, (1025.0, 1040.0))
    assert [e.step for e in verdict.evidence] == CHAIN
    assert all(e.passed and e.numbers.get("met", 1) == 1 for e in verdict.evidence)
    events = {e.step: e.text["event"] for e in verdict.evidence if "event" in e.text}
    assert events == {
        "bias": "7",
        "sweep": "10",
        "shift": "30",
        "displacement": "20",
        "volume": "20",
        "zone": "31",
        "discount": "5",
        "ote": "30",
    }
    known = {e.step: (NOW - e.known_at) // HOUR for e in verdict.evidence}
    assert (known["bias"], known["sweep"], known["shift"]) == (12, 9, 3)
    assert (known["displacement"], known["zone"]) == (4, 3)
    assert verdict.plan is not None
    assert verdict.plan.side is Side.LONG
    assert verdict.plan.expires == NOW + 24 * HOUR


MISSED: dict[str, tuple[NoSignal, dict[str, Any]]] = {
    "bias": (NoSignal.NO_BIAS, {"trend": trend(side=-1)}),
    "sweep": (NoSignal.NO_SWEEP, {"shift": shift(sweep=None)}),
    "shift": (NoSignal.NO_BREAK, {"shift": shift(hours=25)}),
    "displacement": (NoSignal.NO_DISPLACEMENT, {"push": None}),
    "volume": (NoSignal.LOW_VOLUME, {"push": push(volume=0.5)}),
    "kill_zone": (NoSignal.OUTSIDE_KILL_ZONE, {}),
    "zone": (NoSignal.NO_ZONE, {"zones": ()}),
    "discount": (NoSignal.NOT_IN_DISCOUNT, {"range": (1006.0, 990.0)}),
    "ote": (NoSignal.NOT_IN_OTE, {"end": 1060.0}),
    "inducement": (NoSignal.NO_INDUCEMENT, {}),
}
"""For each step a situation that does not fulfil it, and nothing else that matters."""

MET: dict[str, dict[str, Any]] = {
    "kill_zone": {"session": "london"},
    "inducement": {"zones": (zone(marked=40, on=41),)},
}


def test_every_switched_step_has_a_situation() -> None:
    assert set(MISSED) == set(SWITCHED)


@pytest.mark.parametrize("name", SWITCHED)
def test_a_required_step_that_is_not_fulfilled_ends_it(name: str) -> None:
    reason, change = MISSED[name]
    settings = only(**{f"{name}_step": R})
    if name == "bias":  # the side of a required bias is the bias's: nothing else goes with it
        reason = NoSignal.BREAK_AGAINST_BIAS
    verdict = assess(case(settings, **change))
    assert verdict.reason is reason
    assert assess(case(settings, **MET.get(name, {}))).reason is None


@pytest.mark.parametrize("name", SWITCHED)
def test_a_scored_step_that_is_not_fulfilled_passes_without_its_points(name: str) -> None:
    _, change = MISSED[name]
    settings = only(**{f"{name}_step": S})
    with_it = assess(case(settings, **MET.get(name, {})))
    without = assess(case(settings, **change))
    for verdict, met in ((with_it, 1.0), (without, 0.0)):
        assert verdict.plan is not None, verdict.reason
        step = step_of(verdict, name)
        assert step is not None
        assert (step.passed, step.numbers["met"]) == (True, met)
        scored = step_of(verdict, "score")
        assert scored is not None
        assert (scored.numbers[name] > 0) == bool(met)
    assert with_it.plan is not None
    assert without.plan is not None
    assert with_it.plan.score > without.plan.score


@pytest.mark.parametrize("name", SWITCHED)
def test_a_step_that_is_off_is_not_looked_at(name: str) -> None:
    _, change = MISSED[name]
    for situation in (change, MET.get(name, {})):
        verdict = assess(case(only(**{f"{name}_step": O}), **situation))
        assert verdict.plan is not None, verdict.reason
        assert step_of(verdict, name) is None
        scored = step_of(verdict, "score")
        assert scored is not None
        assert name not in scored.numbers


@pytest.mark.parametrize("mode", list(Step))
def test_a_neutral_bias_searches_neither_side(mode: Step) -> None:
    """An earlier system took a neutral bias for a short one."""
    down = shift(side=-1, start=1030.0, start_at=NOW - 9 * HOUR)
    drawn = {"zones": (zone(1035.0, 1030.0, side=-1),), "shift": down, "impulse": 0}
    verdict = assess(case(only(bias_step=mode), trend=None, **drawn))
    if mode is R:
        assert (verdict.reason, verdict.evidence[-1].step) == (NoSignal.NO_BIAS, "bias")
    else:  # then the newest break tells the side, and says so
        assert verdict.plan is not None
        told = step_of(verdict, "shift")
        assert told is not None
        assert told.text["side"] == verdict.plan.side == "short"


@pytest.mark.parametrize(
    ("alone", "kind"),
    [
        (zone(), ZoneKind.ORDER_BLOCK),
        (gap(1005.0, 1000.0), ZoneKind.FAIR_VALUE_GAP),
        (zone(kind=kinds.BREAKER), ZoneKind.BREAKER),
        (zone(kind=kinds.MITIGATION_BLOCK), ZoneKind.MITIGATION_BLOCK),
        (zone(kind=kinds.FVG_INVERTED), ZoneKind.INVERTED_GAP),
    ],
)
def test_any_kind_of_zone_is_enough_alone(alone: Any, kind: ZoneKind) -> None:
    """An earlier system never traded a gap or a break without a block."""
    verdict = assess(case(zones=(alone,)))
    assert verdict.plan is not None
    assert verdict.plan.area.kind is kind
    others = tuple(other for other in ZoneKind if other is not kind)
    assert assess(case(StrategySettings(zones=others), zones=(alone,))).reason is NoSignal.NO_ZONE


def test_the_block_of_the_break_belongs_to_its_leg_though_it_lies_before_the_extreme() -> None:
    before = zone(hours=10)
    assert assess(case(zones=(before,))).reason is NoSignal.NO_ZONE
    assert assess(case(zones=(before,), shift=shift(block=before.id))).plan is not None


def test_without_a_zone_the_entry_waits_at_the_optimal_trade_entry() -> None:
    settings = only(zone_step=O)
    verdict = assess(case(settings))
    assert verdict.plan is not None
    assert verdict.plan.area.kind is ZoneKind.OPTIMAL_TRADE_ENTRY
    assert verdict.plan.entry == pytest.approx(1022 - 0.62 * 24)
    assert assess(case(settings, armed=0)).reason is NoSignal.ZONE_SPOILED
    assert assess(case(settings, impulse=0)).reason is NoSignal.NO_ZONE
    assert assess(case(settings, shift=shift(used=1))).reason is NoSignal.ALREADY_SIGNALLED


def test_fib_levels_are_measured_back_from_the_end_of_the_impulse_on_both_sides() -> None:
    """An earlier system measured both upwards from the low: in the premium for a long."""
    up = case().decision.impulse(1, StrategySettings().shift_scope)
    assert up is not None
    assert (up.near, up.far) == pytest.approx((1022 - 0.62 * 24, 1022 - 0.79 * 24))
    down = case(impulse=-1, end=974.0).decision.impulse(-1, StrategySettings().shift_scope)
    assert down is not None
    assert (down.near, down.far) == pytest.approx((974 + 0.62 * 24, 974 + 0.79 * 24))
    assert up.start < up.far < up.near < up.end
    assert down.start > down.far > down.near > down.end


def test_the_stop_is_beyond_the_sweep_or_the_zone() -> None:
    deep = {"shift": shift(start=990.0, sweep=sweep(extreme=990.0))}
    assert signal(assess(case(**deep)))[1] == 990.0 - 2.5
    assert signal(assess(case(StrategySettings(stop_beyond="zone"), **deep)))[1] == 995.0
    assert signal(assess(case(StrategySettings(sweep_step=O), **deep)))[1] == 995.0
    wide = {"zones": (zone(bottom=985.0),)}
    assert signal(assess(case(**wide)))[1] == 985.0 - 2.5


def test_levels_that_price_has_passed_are_no_targets() -> None:
    """The bias timeframe learns only with its next candle what the decision candle has taken."""
    passed, ahead = assess(case(far_levels=(1014.0,))), assess(case(far_levels=(1014.0, 1030.0)))
    assert passed.reason is None
    told = step_of(ahead, "targets")
    assert told
    assert told.numbers["liquidity"] == 1030.0


def test_an_entry_may_wait_in_the_middle_of_its_zone() -> None:
    assert signal(assess(case(StrategySettings(entry_at="middle"))))[0] == 1002.5


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
    assert signal(assess(case(far_levels=levels, levels=own)))[2] == targets


def test_of_zones_that_pass_the_best_is_taken_and_the_nearest_of_equals() -> None:
    plain = only()
    near, deep = zone(1010.0, 1008.0, id=32), zone(1004.0, 1001.0, id=33)
    verdict = assess(case(plain, zones=(deep, near)))
    assert verdict.plan is not None
    assert verdict.plan.area.id == near.id
    verdict = assess(case(only(ote_step=S), zones=(near, deep)))
    assert verdict.plan is not None
    assert verdict.plan.area.id == deep.id


def test_where_none_passes_the_one_that_came_farthest_is_told() -> None:
    verdict = assess(case(zones=(zone(1010.0, 1006.0, used=1), zone(1008.0, 960.0, id=32))))
    assert verdict.reason is NoSignal.STOP_TOO_WIDE
    assert [e.step for e in verdict.evidence] == CHAIN[: CHAIN.index("stop") + 1]


def test_a_newer_sweep_is_told_while_its_shift_is_still_to_come() -> None:
    newer = sweep(id=44, at=NOW - HOUR, known_at=NOW - HOUR, extreme=1001.0)
    verdict = assess(case(shift=shift(hours=30), sweep_up=newer))
    told = step_of(verdict, "sweep")
    assert (verdict.reason, told and told.text["event"]) == (NoSignal.NO_BREAK, "44")


def test_zones_from_before_missing_candles_are_not_fresh() -> None:
    old, new = zone(hours=9), gap(1006.0, 1003.0, hours=5)
    drawn = case(only(shift_step=O), zones=(old, new), resumed=NOW - 6 * HOUR)
    verdict = assess(drawn)
    assert verdict.plan is not None
    assert verdict.plan.area.id == new.id
    drawn = case(only(shift_step=O), zones=(old,), resumed=NOW - 6 * HOUR)
    assert assess(drawn).reason is NoSignal.ZONE_SPOILED


def test_a_level_beyond_zero_is_no_price() -> None:
    low = {"zones": (zone(5.0, 2.0),), "close": 12.0}
    assert assess(case(only(), **low)).reason is NoSignal.STOP_TOO_WIDE
    down = {"shift": shift(side=-1), "trend": trend(side=-1), "zones": (zone(35.0, 32.0, side=-1),)}
    assert assess(case(only(), **down, close=30.0)).reason is NoSignal.NO_TARGET


def test_shifts_and_sweeps_of_more_weight_score_more() -> None:
    def score(**change: Any) -> float:
        plan = assess(case(StrategySettings(min_score=0.0), **change)).plan
        assert plan is not None
        return plan.score

    best = score()
    assert best > score(shift=shift(kind="choch")) > score(shift=shift(kind="bos"))
    assert best > score(shift=shift(sweep=sweep(scope="internal")))
    assert score(zones=(zone(), gap(1004.0, 999.0))) > best
    assert score(far_levels=(1026.0, 1051.0)) > best


def test_ages_count_hours_that_are_missing_too() -> None:
    assert assess(case(shift=shift(hours=24))).reason is None
    assert assess(case(shift=shift(hours=25), sweep_up=sweep())).reason is NoSignal.NO_BREAK
    assert assess(case(trend=trend(hours=43 * 4 - 1))).reason is None


@pytest.mark.parametrize(("kind", "passing"), [("any", 3), ("choch", 2), ("mss", 1)])
def test_which_breaks_are_shifts(kind: str, passing: int) -> None:
    settings = StrategySettings(shift_kind=ShiftKind(kind), min_score=0.0)
    found = [assess(case(settings, shift=shift(kind=word))).reason for word in ("mss", "choch", "bos")]
    assert found == [None] * passing + [NoSignal.NO_SHIFT] * (3 - passing)


def test_the_swing_structure_may_be_asked_instead() -> None:
    told = story(shift(), scope="swing", push_up=push())
    assert assess(case(story=told)).reason is NoSignal.NO_SWEEP
    assert assess(case(StrategySettings(shift_scope="swing"), story=told)).reason is None
