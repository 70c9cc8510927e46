"""The steps before any zone: is there a market that can be judged, a side, and a reason to trade it now?"""

from __future__ import annotations

import msgspec

from bus_schemas.events import NoSignal
from bus_schemas.settings.strategy import Scope, ShiftKind, Step
from strategy.case import Case
from strategy.story import BOS_WORD, CHOCH_WORD, MSS_WORD, Push, Shift, Sweep
from strategy.trace import Trace

LONE_BIAS = 0.5
PIVOT_SWEEP = 0.5
SHIFTS = {MSS_WORD: 1.0, CHOCH_WORD: 0.75, BOS_WORD: 0.5}
"""Grades, see `strategy.score`."""

_WANTED = {
    ShiftKind.ANY: (BOS_WORD, CHOCH_WORD, MSS_WORD),
    ShiftKind.CHOCH: (CHOCH_WORD, MSS_WORD),
    ShiftKind.MSS: (MSS_WORD,),
}
_SIDES = {1: "long", -1: "short"}


class Setup(msgspec.Struct, frozen=True):
    """What the market offers.

    Attributes:
        side: +1 long, -1 short.
        shift: whose leg the zone must belong to; None if that step is off or is not fulfilled.
        sweep: what the stop stands beyond; None if that step is off or is not fulfilled.
    """

    side: int
    shift: Shift | None
    sweep: Sweep | None


def judge(case: Case, trace: Trace) -> Setup | None:
    """Go through the steps; None if one failed."""
    if not (_whole(case, trace) and _warm(case, trace)):
        return None
    settings = case.settings
    trend = case.bias.story.newest(settings.bias_scope)
    last = case.decision.story.newest(settings.shift_scope)
    side = _side(case, trend, last)
    if not _bias(case, trend, side, trace):
        return None
    failure = _shift_failure(case, last, side)
    if side == 0:  # no break, so no side on which to look for a sweep
        _shift(case, last, failure, trace)
        return None
    looked_at = settings.shift_step is not Step.OFF
    begun = looked_at and failure not in (NoSignal.NO_BREAK, NoSignal.BREAK_AGAINST_BIAS)
    sweep = _sweep(case, side, last if begun else None, trace)
    if trace.failed or not _shift(case, last, failure, trace):
        return None
    shift = last if looked_at and failure is None else None
    push = _push(case, side, shift)
    passed = _displacement(case, push, trace) and _volume(case, push, trace) and _kill_zone(case, trace)
    return Setup(side, shift, sweep) if passed else None


def _whole(case: Case, trace: Trace) -> bool:
    bar = case.bar
    failure = NoSignal.DATA_GAP if bar.gap else None
    numbers = {"close": bar.close, "count": bar.count, "expected": case.expected}
    return trace.step("data", failure, numbers, None, bar.at)


def _warm(case: Case, trace: Trace) -> bool:
    need, have, bias, atr = case.settings.warmup_bars, case.decision.bars, case.bias.bars, case.decision.atr
    if have >= need and bias >= need and atr > 0:
        return True
    numbers = {"decision": have, "bias": bias, "need": need, "atr": atr}
    return trace.step("warmup", NoSignal.WARMING_UP, numbers)


def _side(case: Case, trend: Shift | None, last: Shift | None) -> int:
    """The side to look for, 0 for none: the bias's where that is required, else that of the newest shift."""
    settings = case.settings
    if settings.bias_step is not Step.REQUIRED:
        return 0 if last is None else last.side
    young = trend is not None and case.bias.age(trend.at, case.time) <= settings.bias_max_age
    return trend.side if trend is not None and young else 0


def _bias(case: Case, trend: Shift | None, side: int, trace: Trace) -> bool:
    """Age is time in candles, not candles counted: missing ones make a break older too."""
    settings, view = case.settings, case.bias
    mode, most = settings.bias_step, settings.bias_max_age
    if mode is Step.OFF:
        return True
    if trend is None:
        return trace.weigh("bias", mode, NoSignal.NO_BIAS, 0.0, {"bars": view.bars})
    age = view.age(trend.at, case.time)
    grade = 0.0
    if age <= most and trend.side == side:
        other = view.story.newest(Scope.SWING if settings.bias_scope is Scope.INTERNAL else Scope.INTERNAL)
        grade = 1.0 if other is not None and other.side == side else LONE_BIAS
    numbers = {"level": trend.level, "age": age, "max_age": most, "adx": view.adx}
    closed = view.closed(trend.at)
    return trace.weigh("bias", mode, NoSignal.NO_BIAS, grade, numbers, closed, trend.at, _text(trend))


def _text(shift: Shift) -> dict[str, str]:
    return {"side": _SIDES[shift.side], "kind": shift.kind, "event": str(shift.id)}


def _shift_failure(case: Case, last: Shift | None, side: int) -> NoSignal | None:
    """Why the leg of the newest break of the decision timeframe cannot be traded."""
    settings, view = case.settings, case.decision
    if last is None or view.age(last.at, case.time) > settings.break_max_age:
        return NoSignal.NO_BREAK
    if last.side != side:
        return NoSignal.BREAK_AGAINST_BIAS
    if last.kind not in _WANTED[settings.shift_kind]:
        return NoSignal.NO_SHIFT
    return None if view.whole(last) else NoSignal.DATA_GAP


def _sweep(case: Case, side: int, shift: Shift | None, trace: Trace) -> Sweep | None:
    """The sweep before a break to this side, or the newest one while that is still to come.

    It counts while it is young enough and holds: no price since then, and none in the leg of the shift, lies
    farther out than its extreme. Where candles are missing since it began nobody knows.
    """
    settings, view = case.settings, case.decision
    mode, most = settings.sweep_step, settings.sweep_max_age
    if mode is Step.OFF:
        return None
    sweep = view.story.sweep(side) if shift is None else shift.sweep
    if sweep is None:
        trace.weigh("sweep", mode, NoSignal.NO_SWEEP, 0.0, {"bars": view.bars, "max_age": most})
        return None
    closed = view.closed(sweep.known_at)
    reach = sweep.reach
    if shift is None:
        age = view.age(sweep.known_at, case.time)
    else:
        age = view.age(sweep.known_at, view.closed(shift.at))
        reach = min(reach * side, shift.start * side) * side
    holds = age <= most and (reach - sweep.extreme) * side >= 0
    reason = NoSignal.NO_SWEEP if sweep.at >= view.resumed else NoSignal.DATA_GAP
    met = holds and reason is NoSignal.NO_SWEEP
    grade = PIVOT_SWEEP if sweep.scope == Scope.INTERNAL else 1.0
    numbers = {
        "level": sweep.level,
        "extreme": sweep.extreme,
        "reach": reach,
        "age": age,
        "max_age": most,
        "resumed": view.resumed,
    }
    text = {"of": sweep.scope, "event": str(sweep.id)}
    trace.weigh(
        "sweep", mode, reason if holds else NoSignal.NO_SWEEP, grade if met else 0.0, numbers, closed,
        sweep.at, text,
    )  # fmt: skip
    return sweep if met else None


def _shift(case: Case, last: Shift | None, failure: NoSignal | None, trace: Trace) -> bool:
    settings, view = case.settings, case.decision
    mode, most = settings.shift_step, settings.break_max_age
    if mode is Step.OFF:
        return True
    if last is None:
        return trace.weigh("shift", mode, NoSignal.NO_BREAK, 0.0, {"bars": view.bars})
    numbers = {
        "level": last.level,
        "start": last.start,
        "started": last.start_at,
        "resumed": view.resumed,
        "body_atr": last.body,
        "age": view.age(last.at, case.time),
        "max_age": most,
    }
    grade = 0.0 if failure else SHIFTS[last.kind]
    reason = failure or NoSignal.NO_BREAK
    return trace.weigh("shift", mode, reason, grade, numbers, view.closed(last.at), last.at, _text(last))


def _push(case: Case, side: int, shift: Shift | None) -> Push | None:
    """The newest displacement in the leg of the shift, up to its break; or, without one, within its age."""
    view = case.decision
    push = view.story.push(side) if shift is None else shift.push
    if push is None or push.at < view.resumed:
        return None
    if shift is None:
        return push if view.age(push.at, case.time) <= case.settings.break_max_age else None
    return push if push.at >= shift.start_at else None


def _displacement(case: Case, push: Push | None, trace: Trace) -> bool:
    mode = case.settings.displacement_step
    if mode is Step.OFF:
        return True
    numbers: dict[str, float] = {"min_atr": case.settings.displacement_atr}
    if push is None:
        return trace.weigh("displacement", mode, NoSignal.NO_DISPLACEMENT, 0.0, numbers)
    numbers["body"] = push.body
    known_at, text = case.decision.closed(push.at), {"event": str(push.id)}
    return trace.weigh("displacement", mode, NoSignal.NO_DISPLACEMENT, 1.0, numbers, known_at, push.at, text)


def _volume(case: Case, push: Push | None, trace: Trace) -> bool:
    mode, least = case.settings.volume_step, case.settings.min_volume
    if mode is Step.OFF:
        return True
    if push is None:
        return trace.weigh("volume", mode, NoSignal.LOW_VOLUME, 0.0, {"min_volume": least})
    numbers = {"volume": push.volume, "min_volume": least}
    grade = 1.0 if push.volume >= least else 0.0
    known_at, text = case.decision.closed(push.at), {"event": str(push.id)}
    return trace.weigh("volume", mode, NoSignal.LOW_VOLUME, grade, numbers, known_at, push.at, text)


def _kill_zone(case: Case, trace: Trace) -> bool:
    mode = case.settings.kill_zone_step
    if mode is Step.OFF:
        return True
    found = case.decision.open_session(case.settings.kill_zones)
    text = {"session": found[0], "event": str(found[1])} if found else None
    grade = 1.0 if found else 0.0
    return trace.weigh("kill_zone", mode, NoSignal.OUTSIDE_KILL_ZONE, grade, {"time": case.time}, text=text)
