"""What risk says: exactly one decision per signal, and halts. Money is Decimal from here on."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bus_schemas.events.base import Body, Millis, Part
from bus_schemas.events.signals import Side


class Refusal(StrEnum):
    """Closed list of reasons why risk refused a signal. Each is the code of one limit."""

    KILL_SWITCH = "kill_switch"
    HALTED = "halted"
    REDUCE_ONLY = "reduce_only"
    SYMBOL_HALTED = "symbol_halted"
    LOSS_STREAK = "loss_streak"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    STALE_DATA = "stale_data"
    BASIS = "basis"
    POSITION_OPEN = "position_open"
    MAX_POSITIONS = "max_positions"
    BAD_LEVELS = "bad_levels"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    REWARD_TO_RISK = "reward_to_risk"
    BELOW_MINIMUM = "below_minimum"
    LEVERAGE = "leverage"
    POSITION_MARGIN = "position_margin"
    TOTAL_MARGIN = "total_margin"
    TOTAL_NOTIONAL = "total_notional"
    LIQUIDATION = "liquidation"
    DUPLICATE_SIGNAL = "duplicate_signal"


class Target(Part, frozen=True, kw_only=True):
    """A take-profit: a reduce-only limit order. The sum of quantities is at most the position."""

    price: Decimal
    quantity: Decimal


class OrderApproved(Body, frozen=True, kw_only=True):
    """A sized, checked intent. Execution places the entry, then the stop, then the targets.

    Attributes:
        signal_id: the signal that this answers; client order ids derive from it.
        quantity: contracts, on the step.
        entry, stop: prices on the tick.
        leverage: notional over the margin set aside for it.
        margin: margin reserved, in settle currency.
        risk: loss at the stop after fees and slippage, in settle currency.
        expires: event time after which what is unfilled of the entry is cancelled.
    """

    signal_id: str
    symbol: str
    side: Side
    quantity: Decimal
    entry: Decimal
    stop: Decimal
    targets: tuple[Target, ...]
    leverage: Decimal
    margin: Decimal
    risk: Decimal
    expires: Millis


class OrderRefused(Body, frozen=True, kw_only=True):
    """The signal is not traded.

    Attributes:
        reason: code of the first limit that refused.
        detail: the comparison in words.
        numbers: the figures that were compared, by name.
    """

    signal_id: str
    symbol: str
    side: Side
    reason: Refusal
    detail: str
    numbers: dict[str, Decimal] = {}


class HaltReason(StrEnum):
    """Why trading was halted."""

    OPERATOR = "operator"
    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily_loss"
    TOTAL_MARGIN = "total_margin"
    LOSS_STREAK = "loss_streak"
    DEAD_LETTER = "dead_letter"
    MISMATCH = "mismatch"
    UNPROTECTED = "unprotected"


class TradingHalted(Body, frozen=True, kw_only=True):
    """No entry is approved any more, and resting entries are cancelled. Stops are left alone.

    Attributes:
        symbol: the halted symbol; `*` for the whole account.
        until: event time at which it ends by itself; None where a person must acknowledge.
    """

    symbol: str
    reason: HaltReason
    detail: str
    until: Millis | None = None


class TradingResumed(Body, frozen=True, kw_only=True):
    """A halt has ended.

    Attributes:
        symbol: `*` for the account.
        by: who acknowledged, or `clock`.
        detail: what the acknowledgement changed, such as the equity peak; empty where nothing.
    """

    symbol: str
    by: str
    detail: str = ""


class FlattenApproved(Body, frozen=True, kw_only=True):
    """An operator asked to close positions at market by reduce-only orders.

    Attributes:
        symbol: `*` for all.
        request_id: id of the control event; client order ids derive from it.
    """

    symbol: str
    request_id: str
