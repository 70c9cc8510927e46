"""The reasoning behind one decision candle: bias, break, zone, entry, stop, targets.

Pure: looks at two engines through `View` and at the candle, changes nothing. Every step leaves
evidence; the first that fails ends it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus_schemas.events import Millis, NoSignal, Side
from bus_schemas.settings.strategy import StrategySettings
from strategy.aggregate import Bar
from strategy.first.engine import View
from strategy.first.structure import Break
from strategy.first.zones import Zone, ZoneState
from strategy.plan import Plan, same_side_of_zero, stop_of, targets_of
from strategy.trace import Trace, Verdict


class Case(msgspec.Struct, frozen=True):
    """Everything that one assessment may look at.

    Attributes:
        time: event time of the event that closed the decision candle.
        bar: the decision candle.
        expected: base candles that it should hold.
        length, bias_length: milliseconds of a candle of the decision and of the bias timeframe.
        decision, bias: the engines, which have taken every bar that had closed by `time`.
    """

    time: Millis
    bar: Bar
    expected: int
    length: int
    bias_length: int
    decision: View
    bias: View
    settings: StrategySettings


def assess(case: Case) -> Verdict:
    """Judge a decision candle. Exactly one of plan and reason is set in what is returned."""
    trace = Trace(case.time)
    if not (_whole(case, trace) and _warm(case, trace)):
        return trace.verdict()
    side = _bias(case, trace)
    if side is None:
        return trace.verdict()
    broken = _break(case, side, trace)
    if broken is None:
        return trace.verdict()
    zones = _zones(case, side, broken, trace)
    farthest: Trace | None = None
    for zone in zones:
        attempt = trace.fork()
        plan = _trade(case, broken, zone, zones, attempt)
        if plan is not None:
            return attempt.verdict(plan)
        if farthest is None or attempt.depth > farthest.depth:
            farthest = attempt
    return (farthest or trace).verdict()


def _whole(case: Case, trace: Trace) -> bool:
    bar = case.bar
    failure = NoSignal.DATA_GAP if bar.gap else None
    return trace.step("data", failure, at=bar.at, close=bar.close, count=bar.count, expected=case.expected)


def _warm(case: Case, trace: Trace) -> bool:
    need = case.settings.warmup_bars
    if min(case.decision.bars, case.bias.bars) >= need and case.decision.atr > 0:
        return True
    numbers = {"decision": case.decision.bars, "bias": case.bias.bars, "need": need, "atr": case.decision.atr}
    return trace.step("warmup", NoSignal.WARMING_UP, numbers=numbers)


def _bias(case: Case, trace: Trace) -> Side | None:
    """The side of the newest break on the bias timeframe, while it is not too old.

    Age is time in candles, not candles counted: missing ones make a break older too.
    """
    last, most = case.bias.last_break, case.settings.bias_max_age
    if last is None:
        trace.step("bias", NoSignal.NO_BIAS, bars=case.bias.bars)
        return None
    age = (case.time - last.known_at) // case.bias_length
    failure = NoSignal.NO_BIAS if age > most else None
    passed = trace.step(
        "bias",
        failure,
        known_at=last.known_at,
        at=last.at,
        text={"side": last.side.value, "kind": last.kind.value},
        level=last.level,
        age=age,
        max_age=most,
    )
    return last.side if passed else None


def _break(case: Case, side: Side, trace: Trace) -> Break | None:
    """The newest break on the decision timeframe, if it is young enough and goes with the bias."""
    last, most = case.decision.last_break, case.settings.break_max_age
    if last is None:
        trace.step("break", NoSignal.NO_BREAK, bars=case.decision.bars)
        return None
    age = (case.time - last.known_at) // case.length
    failure = None
    if age > most:
        failure = NoSignal.NO_BREAK
    elif last.side is not side:
        failure = NoSignal.BREAK_AGAINST_BIAS
    passed = trace.step(
        "break",
        failure,
        known_at=last.known_at,
        at=last.at,
        text={"side": last.side.value, "kind": last.kind.value},
        level=last.level,
        age=age,
        max_age=most,
        body=last.body,
    )
    return last if passed else None


def _zones(case: Case, side: Side, broken: Break, trace: Trace) -> Sequence[Zone]:
    """Fresh zones of the leg that made the break, the nearest to the price first.

    A zone belongs to the leg if it lies at the leg's extreme or after. An order block or a fair
    value gap is enough by itself.
    """
    leg = [zone for zone in case.decision.zones(side) if zone.at >= broken.origin_at]
    fresh = [zone for zone in leg if zone.state is ZoneState.FRESH]
    if not fresh:
        failure = NoSignal.ZONE_SPOILED if leg else NoSignal.NO_ZONE
        since = max((zone.changed_at for zone in leg), default=broken.known_at)
        trace.step("zone", failure, known_at=since, at=broken.origin_at, found=len(leg), spoiled=len(leg))
    return sorted(fresh, key=lambda zone: (-side.sign * zone.near, zone.known_at, zone.kind))


def _trade(case: Case, broken: Break, zone: Zone, fresh: Sequence[Zone], trace: Trace) -> Plan | None:
    """Follow one zone to a trade, or to the step that fails."""
    side, settings, atr = zone.side, case.settings, case.decision.atr
    trace.step(
        "zone",
        None,
        known_at=zone.known_at,
        at=zone.at,
        text={"kind": zone.kind.value, "side": side.value},
        top=zone.top,
        bottom=zone.bottom,
        fresh=len(fresh),
    )
    if not (_entry(case, zone, trace) and _unsignalled(zone, trace)):
        return None
    entry, stop = zone.near, stop_of(zone, atr, settings)
    risk = (entry - stop) * side.sign
    if not _stop(entry, stop, risk, atr, settings, trace):
        return None
    targets = _targets(case, side, entry, risk, trace)
    if targets is None:
        return None
    return Plan(
        side=side,
        entry=entry,
        stop=stop,
        targets=targets,
        risk=risk,
        zone=zone,
        expires=case.bar.at + (1 + settings.expiry_bars) * case.length,
        score=_score(case, broken, zone, fresh, (sum(targets) / 2 - entry) * side.sign / risk, trace),
    )


def _entry(case: Case, zone: Zone, trace: Trace) -> bool:
    close, atr, most = case.bar.close, case.decision.atr, case.settings.max_entry_atr
    distance = (close - zone.near) * zone.side.sign / atr
    failure = NoSignal.PRICE_TOO_FAR if distance > most else None
    return trace.step(
        "entry", failure, price=zone.near, close=close, atr=atr, distance_atr=distance, max_atr=most
    )


def _unsignalled(zone: Zone, trace: Trace) -> bool:
    failure = NoSignal.ALREADY_SIGNALLED if zone.signalled else None
    return trace.step("repeat", failure, at=zone.at, price=zone.near)


def _stop(
    entry: float, stop: float, risk: float, atr: float, settings: StrategySettings, trace: Trace
) -> bool:
    wide = risk > settings.max_stop_atr * atr or not same_side_of_zero(entry, stop)
    failure = NoSignal.STOP_TOO_WIDE if wide else None
    return trace.step("stop", failure, price=stop, risk_atr=risk / atr, max_atr=settings.max_stop_atr)


def _targets(case: Case, side: Side, entry: float, risk: float, trace: Trace) -> tuple[float, float] | None:
    """Two targets, if the bias timeframe's next opposite liquidity leaves room and both are prices."""
    least = case.settings.min_room_r
    above = [pivot.price for pivot in case.bias.liquidity(side, entry)]
    own = [pivot.price for pivot in case.decision.liquidity(side, entry)]
    first, second = targets_of(side, entry, risk, above + own, case.settings)
    numbers = {"first": first, "second": second, "min_room_r": least}
    failure = None
    if above:
        room = (above[0] - entry) * side.sign / risk
        numbers |= {"liquidity": above[0], "room_r": room}
        if room < least:
            failure = NoSignal.NO_TARGET
    if not same_side_of_zero(entry, first, second):
        failure = NoSignal.NO_TARGET
    return (first, second) if trace.step("targets", failure, numbers=numbers) else None


def _score(
    case: Case, broken: Break, zone: Zone, fresh: Sequence[Zone], reward_r: float, trace: Trace
) -> float:
    """A number to rank signals by, 0 to 1; not a probability.

    Four parts in ten for the break's displacement (its body, full at two ATR), three for another
    kind of fresh zone that overlaps this one, three for the reward to the mean target (full at 4 R).
    """
    displacement = min(max(broken.body / case.decision.atr, 0.0) / 2, 1.0)
    overlap = any(
        other.kind is not zone.kind and other.bottom <= zone.top and other.top >= zone.bottom
        for other in fresh
    )
    score = 0.4 * displacement + 0.3 * overlap + 0.3 * min(reward_r / 4, 1.0)
    trace.step("score", None, displacement=displacement, overlap=float(overlap), reward_r=reward_r)
    return score
