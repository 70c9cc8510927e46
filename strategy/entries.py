"""The steps of each zone: is it a good place, and is the trade from it worth its risk?"""

from __future__ import annotations

from collections.abc import Sequence

from bus_schemas.events import NoSignal, Side
from bus_schemas.settings.strategy import Step, StopBeyond, ZoneKind
from strategy.case import Case
from strategy.context import Setup
from strategy.plan import Plan, entry_of, same_side_of_zero, stop_of, targets_of
from strategy.score import score
from strategy.trace import Trace
from strategy.view import Area

LONE_ZONE = 0.5
FULL_REWARD = 4.0
"""Grades, see `strategy.score`."""

_OTE = ZoneKind.OPTIMAL_TRADE_ENTRY


def find(case: Case, setup: Setup, trace: Trace) -> list[Area]:
    """Where an entry may wait, the nearest to the price first; notes the failure if there is no place.

    An order block or a fair value gap is enough by itself. Where a zone is not required, the optimal trade
    entry of the shift's impulse is a place too. The candle must have closed ahead of it.
    """
    settings, view, side = case.settings, case.decision, setup.side
    found = 0
    fresh: list[Area] = []
    if settings.zone_step is not Step.OFF:
        found, fresh = view.leg_zones(setup.shift, side, settings.zones)
    if settings.zone_step is not Step.REQUIRED:
        retrace = _retrace(case, setup)
        found += len(retrace)
        fresh += [area for area in retrace if area.ahead]
    close = case.bar.close
    fresh = [area for area in fresh if (close - area.near) * side > 0]
    if not fresh:
        known_at = None if setup.shift is None else view.closed(setup.shift.at)
        failure = NoSignal.ZONE_SPOILED if found else NoSignal.NO_ZONE
        trace.step("zone", failure, {"met": 0.0, "found": found, "fresh": 0.0}, known_at)
    if len(fresh) > 1:
        fresh.sort(key=lambda area: (-side * area.near, area.id, area.kind))
    return fresh


def _retrace(case: Case, setup: Setup) -> list[Area]:
    shift = setup.shift
    band = case.decision.impulse(setup.side, case.settings.shift_scope)
    if shift is None or band is None or band.id != shift.id:
        return []
    ahead = band.ahead
    return [Area(shift.id, _OTE, shift.side, band.near, band.far, shift.at, case.time, shift, 0, ahead)]


def plan(case: Case, setup: Setup, area: Area, fresh: Sequence[Area], trace: Trace) -> Plan | None:
    """Follow one place to a trade, or to the step that fails. What refuses most is asked first."""
    settings, side, atr = case.settings, setup.side, case.decision.atr
    entry = entry_of(area, settings)
    passed = (
        _zone(case, area, fresh, trace)
        and _unsignalled(area, entry, trace)
        and _near(case, side, entry, trace)
        and _discount(case, side, entry, trace)
        and _ote(case, area, trace)
        and _inducement(case, area, trace)
    )
    if not passed:
        return None
    beyond = [setup.sweep.extreme] if setup.sweep and settings.stop_beyond is StopBeyond.SWEEP else []
    stop = stop_of(area, entry, beyond, atr, settings)
    risk = (entry - stop) * side
    if not _stop(case, entry, stop, risk, trace):
        return None
    targets = _targets(case, side, entry, risk, trace)
    if targets is None:
        return None
    trace.grades["reward"] = min((sum(targets) / 2 - entry) * side / risk / FULL_REWARD, 1.0)
    total = score(trace.grades)
    if not _score(case, total, trace):
        return None
    expires = case.bar.at + (1 + settings.expiry_bars) * case.decision.length
    named = Side.LONG if side > 0 else Side.SHORT
    return Plan(named, entry, stop, targets, risk, area, expires, total)


def _zone(case: Case, area: Area, fresh: Sequence[Area], trace: Trace) -> bool:
    """Not fulfilled where there is only the optimal trade entry, which is no zone of its own."""
    mode = case.settings.zone_step
    if mode is Step.OFF:
        return True
    grade = 0.0
    if area.kind is not _OTE:
        grade = 1.0 if any(area.overlaps(other) for other in fresh) else LONE_ZONE
    numbers = {"near": area.near, "far": area.far, "fresh": len(fresh)}
    text = {"kind": str(area.kind), "event": str(area.id)}
    return trace.weigh("zone", mode, NoSignal.NO_ZONE, grade, numbers, area.known_at, area.at, text)


def _unsignalled(area: Area, entry: float, trace: Trace) -> bool:
    used = area.source.used
    failure = NoSignal.ALREADY_SIGNALLED if used else None
    return trace.step("repeat", failure, {"price": entry, "used": used}, None, area.at)


def _near(case: Case, side: int, entry: float, trace: Trace) -> bool:
    close, atr, most = case.bar.close, case.decision.atr, case.settings.max_entry_atr
    distance = (close - entry) * side / atr
    failure = NoSignal.PRICE_TOO_FAR if distance > most else None
    numbers = {"price": entry, "close": close, "atr": atr, "distance_atr": distance, "max_atr": most}
    return trace.step("entry", failure, numbers)


def _discount(case: Case, side: int, entry: float, trace: Trace) -> bool:
    """Below the middle of the dealing range for a long, above it for a short."""
    mode = case.settings.discount_step
    if mode is Step.OFF:
        return True
    known = case.decision.dealing_range
    if known is None:
        return trace.weigh("discount", mode, NoSignal.NOT_IN_DISCOUNT, 0.0, {"price": entry})
    middle = (known.top + known.bottom) / 2
    numbers = {"price": entry, "top": known.top, "bottom": known.bottom, "middle": middle}
    grade = 1.0 if (entry - middle) * side < 0 else 0.0
    text = {"event": str(known.id)}
    return trace.weigh("discount", mode, NoSignal.NOT_IN_DISCOUNT, grade, numbers, text=text)


def _ote(case: Case, area: Area, trace: Trace) -> bool:
    """The zone has a price in common with the optimal trade entry of the living impulse."""
    mode = case.settings.ote_step
    if mode is Step.OFF:
        return True
    band = case.decision.impulse(area.side, case.settings.shift_scope)
    if band is None:
        return trace.weigh("ote", mode, NoSignal.NOT_IN_OTE, 0.0, {"zone_near": area.near})
    numbers = {"near": band.near, "far": band.far, "start": band.start, "end": band.end}
    grade = 1.0 if area.meets(band.near, band.far) else 0.0
    return trace.weigh("ote", mode, NoSignal.NOT_IN_OTE, grade, numbers, text={"event": str(band.id)})


def _inducement(case: Case, area: Area, trace: Trace) -> bool:
    mode, taken = case.settings.inducement_step, area.inducement
    if mode is Step.OFF:
        return True
    text = {"event": str(taken)} if taken else None
    grade = 1.0 if taken else 0.0
    return trace.weigh("inducement", mode, NoSignal.NO_INDUCEMENT, grade, {"price": area.near}, text=text)


def _stop(case: Case, entry: float, stop: float, risk: float, trace: Trace) -> bool:
    atr, most = case.decision.atr, case.settings.max_stop_atr
    wide = not 0 < risk <= most * atr or not same_side_of_zero(entry, stop)
    failure = NoSignal.STOP_TOO_WIDE if wide else None
    return trace.step("stop", failure, {"price": stop, "risk_atr": risk / atr, "max_atr": most})


def _targets(case: Case, side: int, entry: float, risk: float, trace: Trace) -> tuple[float, float] | None:
    """Two targets, if the bias timeframe's next opposite liquidity leaves room and both are prices.

    The bias's levels are those of its last candle: what the price has passed since is taken, although that
    timeframe does not know it yet.
    """
    least = case.settings.min_room_r
    above = case.bias.liquidity(side, max(entry * side, case.bar.close * side) * side)
    levels = [*above, *case.decision.liquidity(side, entry)]
    first, second = targets_of(side, entry, risk, [level.price for level in levels], case.settings)
    numbers = {"first": first, "second": second, "min_room_r": least}
    text, failure = None, None
    if above:
        room = (above[0].price - entry) * side / risk
        numbers |= {"liquidity": above[0].price, "room_r": room}
        text = {"event": str(above[0].id)}
        if room < least:
            failure = NoSignal.NO_TARGET
    if not same_side_of_zero(entry, first, second):
        failure = NoSignal.NO_TARGET
    return (first, second) if trace.step("targets", failure, numbers, text=text) else None


def _score(case: Case, total: float, trace: Trace) -> bool:
    least = case.settings.min_score
    failure = NoSignal.SCORE_TOO_LOW if total < least else None
    return trace.step("score", failure, {**trace.grades, "total": total, "minimum": least})
