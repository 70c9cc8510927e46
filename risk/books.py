"""What is remembered of the account and of each symbol, and the arithmetic of one fill."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bus_schemas.errors import DecisionError
from bus_schemas.events import Side
from risk.figures import ZERO

_PLACES = Decimal("1e-10")


class Ledger(msgspec.Struct, kw_only=True):
    """Money of the account, in settle currency.

    Attributes:
        cash: balance without open profit; None until the first snapshot.
        realised: profit of what was closed, before costs.
        fees, funding: above zero were paid.
        corrected: what snapshots changed the cash by, in all, beyond what was folded.
    """

    cash: Decimal | None = None
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    corrected: Decimal = ZERO


class Intent(msgspec.Struct, kw_only=True):
    """An approved order, or an adopted position: it reserves its symbol until execution ends it.

    Attributes:
        reserved: contracts of the entry that may still fill.
        entry: limit price of the entry.
        stop: trigger of the live stop, the planned one before it is live; None if none is known.
        leverage: notional over margin.
        unit_risk: loss of one contract at the planned stop after fees and slippage.
        known: execution has spoken of it; until then the order may have been lost on its way.
    """

    signal_id: str
    side: Side
    reserved: Decimal
    entry: Decimal
    stop: Decimal | None
    leverage: Decimal
    unit_risk: Decimal
    known: bool = False


class Holding(msgspec.Struct, kw_only=True):
    """One symbol's position and intent.

    Attributes:
        quantity: signed contracts, below zero is short.
        cost: signed value of it at the prices that it was opened at, in settle currency.
        intent: what reserves the symbol; None when it is free.
        naked_since: event time since when the position has had no acknowledged stop.
        fills: ids of the last fills: a fill that comes twice counts once.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    intent: Intent | None = None
    naked_since: int | None = None
    fills: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether the symbol is taken."""
        return self.intent is not None or self.quantity != 0


class Quote(msgspec.Struct, kw_only=True):
    """The last mark of a symbol. `time` is 0 while there was none; `funding` is the last rate settled."""

    time: int = 0
    mark: Decimal = ZERO
    spot: Decimal = ZERO
    funding: Decimal = ZERO


def apply(holding: Holding, signed: Decimal, value: Decimal) -> Decimal:
    """Change a position by signed contracts worth `value` each; the profit that this realises."""
    closing = ZERO
    if holding.quantity * signed < 0:
        closing = -signed if abs(signed) <= abs(holding.quantity) else holding.quantity
    profit = ZERO
    if closing:
        whole = closing == holding.quantity
        part = holding.cost if whole else (holding.cost * closing / holding.quantity).quantize(_PLACES)
        profit = closing * value - part
        holding.cost -= part
    holding.cost += (signed + closing) * value
    holding.quantity += signed
    return profit


def positive(value: Decimal, what: str) -> None:
    """Refuse what can only be an error.

    Raises:
        DecisionError: the value is not a number above zero.
    """
    if not value.is_finite() or value <= 0:
        raise DecisionError(f"{what} is {value}, not above zero")
