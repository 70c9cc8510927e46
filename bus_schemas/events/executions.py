"""What execution says: changes of orders, positions and protection, and account snapshots."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bus_schemas.events.base import Body, Millis
from bus_schemas.events.signals import Side
from bus_schemas.events.venue import Leg, Liquidity, OrderKind, PositionState


class OrderState(StrEnum):
    """States of an order. `unknown` keeps its exposure reserved until the venue gives evidence."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def terminal(self) -> bool:
        return self in (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED)


class PositionPhase(StrEnum):
    """States of a position, from intent to archive."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    ABANDONED = "abandoned"


class ExitReason(StrEnum):
    """What closed a position."""

    STOP = "stop"
    BREAK_EVEN = "break_even"
    TARGETS = "targets"
    FLATTEN = "flatten"
    EMERGENCY = "emergency"


class OrderChanged(Body, frozen=True, kw_only=True):
    """An order changed its state.

    Attributes:
        filled: contracts filled in all.
        detail: the venue's word on a rejection.
    """

    client_id: str
    signal_id: str
    symbol: str
    side: Side
    leg: Leg
    kind: OrderKind
    state: OrderState
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    detail: str = ""


class Fill(Body, frozen=True, kw_only=True):
    """A fill that belongs to a position of ours.

    Attributes:
        profit: realised by this fill before fees, in settle currency; 0 for an entry.
        position: signed contracts after it.
        traded: the venue's time of the trade, where it was heard of later than it happened.
    """

    client_id: str
    signal_id: str
    symbol: str
    side: Side
    leg: Leg
    fill_id: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    liquidity: Liquidity
    profit: Decimal
    position: Decimal
    traded: Millis | None = None


class PositionChanged(Body, frozen=True, kw_only=True):
    """A position after a change of size, phase or protection.

    Attributes:
        quantity: signed contracts, below zero is short.
        entry_price: average, in quote currency; 0 while nothing is filled.
        reserved: contracts of the entry that may still fill.
        stop: trigger of the live protective stop; None while there is none acknowledged.
        protected: whether acknowledged stops cover the whole quantity.
    """

    signal_id: str
    symbol: str
    side: Side
    phase: PositionPhase
    quantity: Decimal
    entry_price: Decimal
    reserved: Decimal
    stop: Decimal | None
    protected: bool


class TradeClosed(Body, frozen=True, kw_only=True):
    """A position is closed and its books are final.

    Attributes:
        quantity: contracts that were opened in all.
        entry_price, exit_price: averages.
        profit: price difference times quantity, before costs.
        fees, funding: above zero were paid.
        net: profit minus fees minus funding, in settle currency.
        opened: event time of the first fill.
    """

    signal_id: str
    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    reason: ExitReason
    opened: Millis


class FundingCharged(Body, frozen=True, kw_only=True):
    """Funding settled on a position of ours; the sign is as in `FundingPaid`."""

    signal_id: str
    symbol: str
    amount: Decimal
    rate: Decimal


class AccountSnapshot(Body, frozen=True, kw_only=True):
    """The account as the venue reported it."""

    cash: Decimal
    equity: Decimal
    positions: tuple[PositionState, ...] = ()


class Mismatch(Body, frozen=True, kw_only=True):
    """What the venue says and what we hold differ. Risk halts the symbol."""

    symbol: str
    detail: str
