"""Commands to a venue and everything that it says back."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bus_schemas.events.base import Body, Millis, Part
from bus_schemas.events.signals import Side


class Leg(StrEnum):
    """What an order is for. With signal id and attempt it makes the client order id."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET_1 = "target1"
    TARGET_2 = "target2"
    CLOSE = "close"


class OrderKind(StrEnum):
    """`stop` is a stop-market order that triggers on the mark price."""

    LIMIT = "limit"
    MARKET = "market"
    STOP = "stop"


class PlaceOrder(Body, frozen=True, kw_only=True):
    """Place an order. Committed before the venue is called.

    Attributes:
        client_id: function of (signal, leg, attempt); see `execution.ids`.
        signal_id: the signal whose position this belongs to.
        side: of the order. A reduce-only order never opens or turns a position.
        price: limit price; None unless kind is `limit`.
        trigger: mark price that releases a stop; None unless kind is `stop`.
    """

    client_id: str
    signal_id: str
    symbol: str
    side: Side
    leg: Leg
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False


class AmendOrder(Body, frozen=True, kw_only=True):
    """Change the quantity of a resting order, where the venue can; else the edge replaces it."""

    client_id: str
    symbol: str
    quantity: Decimal


class CancelOrder(Body, frozen=True, kw_only=True):
    """Cancel an order. A request: the final filled quantity decides."""

    client_id: str
    symbol: str


class LookUpOrder(Body, frozen=True, kw_only=True):
    """Ask for an order's fate: open, closed and fills. Used before any resend."""

    client_id: str
    symbol: str


class OrderAccepted(Body, frozen=True, kw_only=True):
    """The venue holds the order."""

    client_id: str
    symbol: str
    venue_id: str


class VenueRefusal(StrEnum):
    """Why a venue refused. Only `would_trigger` lets a protective stop become a market close; a closing order
    for which the market has nothing (`no_liquidity`) is asked again soon."""

    BELOW_MINIMUM = "below_minimum"
    BAD_TICK = "bad_tick"
    BAD_STEP = "bad_step"
    MARGIN = "margin"
    REDUCE_ONLY = "reduce_only"
    WOULD_TRIGGER = "would_trigger"
    DUPLICATE_ID = "duplicate_id"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN_SYMBOL = "unknown_symbol"
    OTHER = "other"


class OrderRejected(Body, frozen=True, kw_only=True):
    """The venue's own word that it does not hold the order. A network error is never this."""

    client_id: str
    symbol: str
    reason: VenueRefusal
    detail: str


class Liquidity(StrEnum):
    """Whether a fill gave or took liquidity; decides the fee."""

    MAKER = "maker"
    TAKER = "taker"


class OrderFilled(Body, frozen=True, kw_only=True):
    """A fill.

    Attributes:
        fill_id: the venue's id; in the paper venue a function of (client id, time, part).
        price: in quote currency, on the tick.
        quantity: contracts filled now.
        remaining: contracts of the order that are still open.
        fee: in settle currency; above zero is paid.
        traded: the venue's time of the trade, where it was heard of later than it happened.
    """

    client_id: str
    symbol: str
    side: Side
    fill_id: str
    price: Decimal
    quantity: Decimal
    remaining: Decimal
    fee: Decimal
    liquidity: Liquidity
    traded: Millis | None = None


class OrderCancelled(Body, frozen=True, kw_only=True):
    """The order is gone from the book; `filled` contracts of it were filled in all."""

    client_id: str
    symbol: str
    filled: Decimal


class CancelRejected(Body, frozen=True, kw_only=True):
    """The order could not be cancelled because it is no longer open: already filled or cancelled."""

    client_id: str
    symbol: str


class OrderNotFound(Body, frozen=True, kw_only=True):
    """The venue's explicit word, after a look-up, that it has never held the order."""

    client_id: str
    symbol: str


class FundingPaid(Body, frozen=True, kw_only=True):
    """Funding settled on an open position.

    Attributes:
        amount: settle currency; above zero was paid by us, below zero received.
        rate: fraction of notional.
    """

    symbol: str
    amount: Decimal
    rate: Decimal


class PositionState(Part, frozen=True, kw_only=True):
    """One open position as the venue sees it; quantity is signed, below zero is short."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark: Decimal


class AccountReport(Body, frozen=True, kw_only=True):
    """The account as the venue sees it.

    Attributes:
        cash: balance without open profit, in settle currency.
        equity: cash plus open profit at mark.
        positions: open positions, by symbol.
    """

    cash: Decimal
    equity: Decimal
    positions: tuple[PositionState, ...] = ()


class ClockTick(Body, frozen=True, kw_only=True):
    """The time moved on at the venue. The order manager has no other clock."""


class StrayOrder(Body, frozen=True, kw_only=True):
    """An order of ours rests at the venue, by the form of its client id, and the edge knows no command
    for it: the bus has lost its last moments, the venue has not. The order manager decides its end.

    Attributes:
        price: limit price; None unless it is a limit order.
        trigger: of a stop; else None.
    """

    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False


class AlertCode(StrEnum):
    """Closed list of what a venue edge warns of. Nothing is decided by it; a person should know."""

    UNLISTED_STATUS = "unlisted_status"
    FOREIGN_ORDER = "foreign_order"
    STRAY_ORDER = "stray_order"
    FOREIGN_FILL = "foreign_fill"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    CLOCK = "clock"
    SILENT_SOCKET = "silent_socket"
    DENIED = "denied"


class VenueAlert(Body, frozen=True, kw_only=True):
    """The edge warns. The order manager hands it on, so that ledger and metrics have it.

    Attributes:
        symbol: `*` for the account.
        detail: in words; never a key, a secret or a signature.
    """

    symbol: str
    code: AlertCode
    detail: str
