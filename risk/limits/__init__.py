"""The limits, in the order in which a signal meets them. The first that refuses gives the reason.

To add one: a class with a code from `Refusal` and a `check`, a place in `LIMITS`, a row in
`tests/unit/risk/test_limits.py`.
"""

from __future__ import annotations

from risk.limits.base import Context, Limit, Refused
from risk.limits.budgets import TotalMargin, TotalNotional
from risk.limits.data import Basis, FirstAnswer, FreshData, KnownInstrument
from risk.limits.losses import DailyLossGate, DailyLossHalt, DrawdownGate, DrawdownHalt, LossStreak
from risk.limits.order import (
    Leverage,
    LiquidationDistance,
    MinimumSize,
    PositionMargin,
    RewardToRisk,
    SoundLevels,
)
from risk.limits.slots import MaxPositions, OnePerSymbol
from risk.limits.switches import AccountTrading, EntriesAllowed, KillSwitchOff, SymbolTrading

__all__ = ["LIMITS", "Context", "Limit", "Refused"]

LIMITS: tuple[Limit, ...] = (
    # is it a signal that we can answer
    *(KnownInstrument(), FirstAnswer()),
    # has anyone forbidden entries
    *(KillSwitchOff(), AccountTrading(), EntriesAllowed(), SymbolTrading(), LossStreak(), DailyLossHalt()),
    # do we know enough; from here on the equity is known
    *(FreshData(), Basis(), DrawdownHalt()),
    # is there room for another position
    *(OnePerSymbol(), MaxPositions()),
    # is the order sound; after the levels there is a plan
    *(SoundLevels(), MinimumSize(), Leverage(), PositionMargin(), RewardToRisk(), LiquidationDistance()),
    # can the account bear it, also if every stop is hit
    *(DailyLossGate(), DrawdownGate(), TotalMargin(), TotalNotional()),
)
"""Also the order of the table in the documentation."""
