"""Limits on losses. Each threshold that halts is also a gate: no order may be able to reach it."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import HaltReason, Refusal
from risk.figures import HUNDRED, figure, money, percent
from risk.halts import ACCOUNT
from risk.limits.base import Context, Limit, Refused
from risk.limits.switches import said


class LossStreak(Limit):
    """No entry in a symbol that is paused after losses in a row."""

    code = Refusal.LOSS_STREAK

    def check(self, context: Context) -> Refused | None:
        halt = context.halts.find(context.symbol, HaltReason.LOSS_STREAK)
        return said(halt, f"{context.symbol} is paused") if halt else None


class DailyLossHalt(Limit):
    """No entry for the rest of a UTC day that has lost its limit, realised and open."""

    code = Refusal.DAILY_LOSS

    def check(self, context: Context) -> Refused | None:
        halt = context.halts.find(ACCOUNT, HaltReason.DAILY_LOSS)
        return said(halt, "the day's loss has reached its limit") if halt else None


class DrawdownHalt(Limit):
    """No entry after a fall from the peak that reached its limit, believed yet or not."""

    code = Refusal.DRAWDOWN

    def check(self, context: Context) -> Refused | None:
        halt = context.halts.find(ACCOUNT, HaltReason.DRAWDOWN)
        if halt is not None:
            return said(halt, "the drawdown has reached its limit")
        drawdown = context.counters.drawdown(context.equity)
        limit = context.settings.drawdown_pct / HUNDRED
        if drawdown < limit:
            return None
        return Refused(
            detail=f"the drawdown of {percent(drawdown)} has reached its limit of {percent(limit)}",
            numbers={"drawdown_pct": figure(drawdown * HUNDRED), "limit_pct": context.settings.drawdown_pct},
        )


class DailyLossGate(Limit):
    """No order whose stop, with every open stop, would take the day's loss beyond its limit."""

    code = Refusal.DAILY_LOSS

    def check(self, context: Context) -> Refused | None:
        worst = context.counters.day_loss(context.worst_equity)
        return _gate(context, worst, context.settings.daily_loss_pct, "day's loss")


class DrawdownGate(Limit):
    """No order whose stop, with every open stop, would take the drawdown beyond its limit."""

    code = Refusal.DRAWDOWN

    def check(self, context: Context) -> Refused | None:
        worst = context.counters.drawdown(context.worst_equity)
        return _gate(context, worst, context.settings.drawdown_pct, "drawdown")


def _gate(context: Context, worst: Decimal, limit_pct: Decimal, what: str) -> Refused | None:
    if worst <= limit_pct / HUNDRED:
        return None
    return Refused(
        detail=(
            f"if every stop is hit, this one's {money(context.plan.risk)} included, the {what} would be "
            f"{percent(worst)}; the limit is {percent(limit_pct / HUNDRED)}"
        ),
        numbers={
            "worst_pct": figure(worst * HUNDRED),
            "limit_pct": limit_pct,
            "risk": figure(context.plan.risk),
            "worst_equity": figure(context.worst_equity),
            "equity": figure(context.equity),
        },
    )
