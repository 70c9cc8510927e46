"""Limits on how many positions there are. An open intent counts like a position."""

from __future__ import annotations

from bus_schemas.events import Refusal
from risk.figures import figure
from risk.limits.base import Context, Limit, Refused


class OnePerSymbol(Limit):
    """A symbol with a position, an open intent or exposure at the venue takes no other."""

    code = Refusal.POSITION_OPEN

    def check(self, context: Context) -> Refused | None:
        holding = context.portfolio.holding(context.symbol)
        if not holding.busy:
            return None
        reserved = holding.intent.reserved if holding.intent else figure(0)
        owner = f" for {holding.intent.signal_id}" if holding.intent else ""
        return Refused(
            detail=f"{context.symbol} is taken{owner}: position {holding.quantity}, to fill {reserved}",
            numbers={"position": figure(holding.quantity), "reserved": figure(reserved)},
        )


class MaxPositions(Limit):
    """Not more positions and open intents than allowed."""

    code = Refusal.MAX_POSITIONS

    def check(self, context: Context) -> Refused | None:
        taken, limit = len(context.portfolio.busy), context.settings.max_positions
        if taken < limit:
            return None
        return Refused(
            detail=f"{taken} positions and open intents; the limit is {limit}",
            numbers={"positions": figure(taken), "limit": figure(limit)},
        )
