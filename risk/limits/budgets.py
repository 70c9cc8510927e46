"""Limits on the account as a whole: margin and notional of everything open and intended."""

from __future__ import annotations

from bus_schemas.events import Refusal
from risk.figures import figure, money
from risk.limits.base import Context, Limit, Refused


class TotalMargin(Limit):
    """Margin of all positions and open intents, this one included. The gate of the margin halt."""

    code = Refusal.TOTAL_MARGIN

    def check(self, context: Context) -> Refused | None:
        used, more = context.portfolio.margin, context.plan.margin
        limit = context.budget(context.settings.total_margin_pct)
        if used + more <= limit:
            return None
        return Refused(
            detail=(
                f"margin in use {money(used)} and {money(more)} more are above {money(limit)}, "
                f"{context.settings.total_margin_pct} % of equity"
            ),
            numbers={"used": figure(used), "margin": figure(more), "limit": figure(limit)},
        )


class TotalNotional(Limit):
    """Value of all positions at mark and of open intents, this one included."""

    code = Refusal.TOTAL_NOTIONAL

    def check(self, context: Context) -> Refused | None:
        used, more = context.portfolio.notional, context.plan.notional
        limit = context.budget(context.settings.total_notional_pct)
        if used + more <= limit:
            return None
        return Refused(
            detail=(
                f"positions worth {money(used)} and {money(more)} more are above {money(limit)}, "
                f"{context.settings.total_notional_pct} % of equity"
            ),
            numbers={"used": figure(used), "notional": figure(more), "limit": figure(limit)},
        )
