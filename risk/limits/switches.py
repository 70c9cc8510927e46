"""Limits that a person or a halt has set: they look at latches, not at the order."""

from __future__ import annotations

from bus_schemas.events import HaltReason, Refusal
from bus_schemas.timeframes import iso
from risk.halts import ACCOUNT, Halt
from risk.limits.base import Context, Limit, Refused

_OWN_CODE = {HaltReason.OPERATOR, HaltReason.DAILY_LOSS, HaltReason.DRAWDOWN}


class KillSwitchOff(Limit):
    """No entry while the kill switch is latched."""

    code = Refusal.KILL_SWITCH

    def check(self, context: Context) -> Refused | None:
        halt = context.halts.find(ACCOUNT, HaltReason.OPERATOR)
        return said(halt, "the kill switch is latched") if halt else None


class AccountTrading(Limit):
    """No entry while the account is halted for a reason that has no code of its own."""

    code = Refusal.HALTED

    def check(self, context: Context) -> Refused | None:
        halts = [halt for halt in context.halts.of(ACCOUNT) if halt.reason not in _OWN_CODE]
        return said(halts[0], "the account is halted") if halts else None


class EntriesAllowed(Limit):
    """No entry while trading is reduce-only."""

    code = Refusal.REDUCE_ONLY

    def check(self, context: Context) -> Refused | None:
        if not context.halts.reduce_only:
            return None
        return Refused(detail="trading is reduce-only: positions may shrink, none may open")


class SymbolTrading(Limit):
    """No entry in a symbol that waits for a person."""

    code = Refusal.SYMBOL_HALTED

    def check(self, context: Context) -> Refused | None:
        halts = [h for h in context.halts.of(context.symbol) if h.reason is not HaltReason.LOSS_STREAK]
        return said(halts[0], f"{context.symbol} is halted") if halts else None


def said(halt: Halt, what: str) -> Refused:
    """A refusal that names the halt, why it was latched and when it ends."""
    end = "until a person acknowledges" if halt.until is None else f"until {iso(halt.until)}"
    return Refused(detail=f"{what} since {iso(halt.since)}, {end}: {halt.detail}")
