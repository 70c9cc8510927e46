"""Limits on the order itself: its levels, its size, what it may earn, where it is liquidated."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.errors import InvalidOrder
from bus_schemas.events import Refusal
from risk.figures import ZERO, figure, money
from risk.limits.base import Context, Limit, Refused


class SoundLevels(Limit):
    """Levels are prices in the right order, and the mark has not passed the stop already."""

    code = Refusal.BAD_LEVELS

    def check(self, context: Context) -> Refused | None:
        try:
            levels = context.levels
        except InvalidOrder as error:
            return Refused(detail=str(error), numbers=_finite(context))
        mark = context.portfolio.quote(context.symbol).mark
        if (mark - levels.stop) * levels.side.sign > 0:
            return None
        return Refused(
            detail=f"the mark {mark} has passed the stop {levels.stop} already",
            numbers={"mark": mark, "stop": levels.stop, "entry": levels.entry},
        )


class MinimumSize(Limit):
    """The risk budget must buy at least the smallest order; a size is never raised to reach it. Nor may
    that be above the largest order, to which a larger size has been cut before."""

    code = Refusal.BELOW_MINIMUM

    def check(self, context: Context) -> Refused | None:
        plan = context.plan
        if plan.largest is not None and plan.largest < plan.smallest:
            return Refused(
                detail=(
                    f"one order may have {plan.largest} contracts at most; "
                    f"at these levels the venue takes no less than {plan.smallest}"
                ),
                numbers={"maximum": figure(plan.largest), "minimum": figure(plan.smallest)},
            )
        if plan.wanted >= plan.smallest:
            return None
        return Refused(
            detail=(
                f"the risk budget of {money(context.budget(context.settings.risk_per_trade_pct))} buys "
                f"{plan.wanted} contracts at this stop; the venue takes no less than {plan.smallest}"
            ),
            numbers={"quantity": figure(plan.wanted), "minimum": figure(plan.smallest)},
        )


class Leverage(Limit):
    """The smallest order must not need more leverage than allowed, were all equity its margin."""

    code = Refusal.LEVERAGE

    def check(self, context: Context) -> Refused | None:
        smallest = context.instrument.notional(context.plan.smallest, context.levels.entry)
        limit = context.settings.leverage
        if smallest <= context.equity * limit:
            return None
        needed = smallest / context.equity
        return Refused(
            detail=(
                f"the smallest order is worth {money(smallest)}, {needed:.2f} times the equity of "
                f"{money(context.equity)}; the limit is {limit}"
            ),
            numbers={"leverage": figure(needed), "limit": figure(limit), "notional": figure(smallest)},
        )


class PositionMargin(Limit):
    """What the margin of one position allows at the highest leverage must be at least the smallest
    order. A larger size than that has been cut to it before."""

    code = Refusal.POSITION_MARGIN

    def check(self, context: Context) -> Refused | None:
        plan, settings = context.plan, context.settings
        if plan.quantity >= plan.smallest:
            return None
        needed = context.instrument.notional(plan.smallest, context.levels.entry) / settings.leverage
        limit = context.budget(settings.position_margin_pct)
        return Refused(
            detail=(
                f"the smallest order needs {money(needed)} of margin at {settings.leverage} times leverage; "
                f"one position may have {money(limit)}, {settings.position_margin_pct} % of equity"
            ),
            numbers={"margin": figure(needed), "limit": figure(limit), "equity": figure(context.equity)},
        )


class RewardToRisk(Limit):
    """What the targets earn over what the stop loses, after all costs.

    Entry and stop pay the taker fee, targets the maker fee; the stop slips; funding is the last
    rate, for as many settlements as are expected, and counts only where we pay it.
    """

    code = Refusal.REWARD_TO_RISK

    def check(self, context: Context) -> Refused | None:
        plan, levels, costs = context.plan, context.levels, context.costs
        size = context.instrument.contract_size
        rate = context.portfolio.quote(context.symbol).funding * levels.side.sign
        funding = max(ZERO, rate) * context.settings.expected_fundings * plan.notional
        gross = sum(
            (abs(t.price - levels.entry) - t.price * costs.maker_fee) * t.quantity * size
            for t in plan.targets
        )
        reward = gross - plan.notional * costs.taker_fee - funding
        risk = plan.risk + funding
        ratio, limit = reward / risk, context.settings.reward_to_risk
        if ratio >= limit:
            return None
        return Refused(
            detail=(
                f"the targets earn {money(reward)} and the stop loses {money(risk)} after fees, slippage and "
                f"funding: {ratio:.2f} to 1; the limit is {limit}"
            ),
            numbers={
                "reward": figure(reward),
                "risk": figure(risk),
                "funding": figure(funding),
                "ratio": figure(ratio),
                "limit": limit,
            },
        )


class LiquidationDistance(Limit):
    """Liquidation must be far beyond the stop. Estimate for isolated margin: the loss that leaves
    only the maintenance margin, `entry * (1/leverage - maintenance rate)` away from the entry."""

    code = Refusal.LIQUIDATION

    def check(self, context: Context) -> Refused | None:
        levels, plan = context.levels, context.plan
        share = 1 / plan.leverage - context.instrument.maintenance_rate
        distance = levels.entry * share
        needed = levels.stop_distance * context.settings.liquidation_ratio
        if distance >= needed:
            return None
        price = levels.entry - distance * levels.side.sign
        return Refused(
            detail=(
                f"liquidation near {money(price)} is {money(distance)} away from the entry; with a stop "
                f"{money(levels.stop_distance)} away it must be at least {money(needed)}"
            ),
            numbers={
                "liquidation": figure(price),
                "distance": figure(distance),
                "stop_distance": levels.stop_distance,
                "needed": figure(needed),
                "leverage": plan.leverage,
            },
        )


def _finite(context: Context) -> dict[str, Decimal]:
    """The levels as they came, as far as they are numbers."""
    signal = context.signal
    named = {"entry": signal.entry, "stop": signal.stop}
    named |= {f"target{n}": level for n, level in enumerate(signal.targets, 1)}
    numbers = {name: Decimal(repr(float(level))) for name, level in named.items()}
    return {name: number for name, number in numbers.items() if number.is_finite()}
