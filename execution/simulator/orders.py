"""What the simulated exchange knows: orders, fills, positions, refusals, and the events it tells."""

from __future__ import annotations

from contextvars import ContextVar
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from bus_schemas.events import Liquidity, Millis, OrderKind, Side

ZERO = Decimal(0)


class SimStatus(StrEnum):
    """Where an order stands.

    `open` rests in the book. `waiting` is a stop before its trigger. `triggered` is a conditional order
    that became another order (`successor`), where the venue keeps conditional orders apart. `expired` was
    taken out by the venue itself, `reason` says why. A refused order never exists.
    """

    OPEN = "open"
    WAITING = "waiting"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ALIVE = frozenset({SimStatus.OPEN, SimStatus.WAITING})


class TriggerBy(StrEnum):
    """Which price releases a stop."""

    MARK = "mark"
    LAST = "last"


class Code(StrEnum):
    """Why the exchange does not do as asked. Each protocol has its own code and words for each."""

    BELOW_MINIMUM = "below_minimum"
    BELOW_NOTIONAL = "below_notional"
    ABOVE_MAXIMUM = "above_maximum"
    POSITION_LIMIT = "position_limit"
    BAD_QUANTITY = "bad_quantity"
    BAD_TICK = "bad_tick"
    BAD_STEP = "bad_step"
    BAD_PRICE = "bad_price"
    PRICE_BAND = "price_band"
    MARGIN = "margin"
    LEVERAGE = "leverage"
    REDUCE_ONLY = "reduce_only"
    WOULD_TRIGGER = "would_trigger"
    WOULD_TAKE = "would_take"
    DUPLICATE_ID = "duplicate_id"
    BAD_CLIENT_ID = "bad_client_id"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNKNOWN_ORDER = "unknown_order"
    NOT_AMENDABLE = "not_amendable"
    NO_PRICE = "no_price"
    TOO_MANY_ORDERS = "too_many_orders"


class SimRefusal(Exception):
    """The exchange did nothing. The protocol turns it into the venue's answer.

    Attributes:
        code: of the closed list.
        detail: in words.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.value}: {detail}")
        self.code = code
        self.detail = detail


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for.

    Attributes:
        symbol: canonical, such as `BTCUSD`.
        client_id: empty where the client gives none; the exchange makes one then, if its rules say so.
        price: limit price; None unless kind is `limit`.
        trigger: None unless kind is `stop` (a stop-market order).
        post_only: refused where it would take.
    """

    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    client_id: str = ""
    price: Decimal | None = None
    trigger: Decimal | None = None
    trigger_by: TriggerBy = TriggerBy.MARK
    reduce_only: bool = False
    post_only: bool = False


class SimOrder(msgspec.Struct, kw_only=True):
    """One order. The exchange changes it in place; events carry copies.

    Attributes:
        order_id: the venue's; in an id space of its own where `conditional` ones are kept apart.
        quantity, filled: contracts.
        reason: why it ended, in a word of ours: `user`, `full_fill`, `triggered`, `reduce_only`, `margin`,
            `ioc` (what the market did not take at once).
        created, updated: venue's milliseconds.
        successor: id of the order that it became when it triggered; empty for none.
        origin: id of the conditional order that became this one; empty for none.
        value: sum of price × quantity of its fills.
        conditional: lives in the id space of conditional orders.
        visible: from when queries show it; 0 for always, whatever a wrong clock says.
        pieces: in how many fills the whole quantity comes.
    """

    order_id: str
    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    trigger_by: TriggerBy = TriggerBy.MARK
    reduce_only: bool = False
    post_only: bool = False
    filled: Decimal = ZERO
    status: SimStatus = SimStatus.OPEN
    reason: str = ""
    created: Millis = 0
    updated: Millis = 0
    successor: str = ""
    origin: str = ""
    value: Decimal = ZERO
    conditional: bool = False
    visible: Millis = 0
    pieces: int = 1

    @property
    def remaining(self) -> Decimal:
        """Contracts that are not filled."""
        return self.quantity - self.filled

    @property
    def alive(self) -> bool:
        """Whether it can still fill."""
        return self.status in ALIVE

    @property
    def average(self) -> Decimal:
        """Average price of its fills; 0 before the first."""
        return self.value / self.filled if self.filled else ZERO


class SimFill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of the account.

    Attributes:
        fill_id: unique in the exchange; a number as text, counted up.
        fee: settle currency, above zero was paid.
        profit: realised by it, before costs.
        position: signed contracts after it.
    """

    fill_id: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    liquidity: Liquidity
    profit: Decimal
    position: Decimal
    time: Millis
    visible: Millis = 0


class SimPosition(msgspec.Struct, frozen=True, kw_only=True):
    """An open position; `quantity` is signed, below zero is short."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark: Decimal
    profit: Decimal
    margin: Decimal
    leverage: int
    updated: Millis


class SimAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The balance, in settle currency.

    Attributes:
        cash: without open profit.
        equity: cash plus open profit at mark.
        position_margin, order_margin: initial margin in use.
        available: equity less both, never below zero.
    """

    cash: Decimal
    equity: Decimal
    position_margin: Decimal
    order_margin: Decimal
    available: Decimal


class SimFunding(msgspec.Struct, frozen=True, kw_only=True):
    """Funding settled on a position; `amount` above zero was paid by the account."""

    funding_id: str
    symbol: str
    amount: Decimal
    rate: Decimal
    position: Decimal
    mark: Decimal
    time: Millis


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a symbol at one moment.

    Attributes:
        volume: contracts that were traded by others at `last` since the quote before.
        trade_side: side of those who took.
        funding_rate: fraction of notional that longs pay at `next_funding`.
        next_funding: moment of the next settlement; 0 where none is planned.
    """

    symbol: str
    last: Decimal
    mark: Decimal
    index: Decimal
    time: Millis
    volume: Decimal = ZERO
    trade_side: Side = Side.LONG
    funding_rate: Decimal = ZERO
    next_funding: Millis = 0


class SimBar(msgspec.Struct, frozen=True):
    """A candle of [time, time + timeframe)."""

    time: Millis
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class OrderChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An order was taken, changed or ended. `order` is a copy.

    Attributes:
        cause: `placed`, `amended`, `triggered`, `filled`, `ended`.
    """

    order: SimOrder
    cause: str


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, told right before the `OrderChanged` of its order (a copy is here too)."""

    fill: SimFill
    order: SimOrder


class BalanceChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Cash or a position changed.

    Attributes:
        cause: `fill`, `funding`, or `set` by hand.
        symbol: whose position changed.
        amount: change of cash.
    """

    cause: str
    symbol: str
    amount: Decimal
    time: Millis


class Ticked(msgspec.Struct, frozen=True, kw_only=True):
    """The prices moved. Told after the orders that this filled."""

    quote: Quote


class CandleChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A candle that somebody watches (`Exchange.watch_candles`) moved, or closed for good."""

    symbol: str
    timeframe: str
    bar: SimBar
    closed: bool


class AccountReset(msgspec.Struct, frozen=True, kw_only=True):
    """The account began again, by hand: what a protocol remembers of it is void."""

    time: Millis


SimEvent = OrderChanged | Filled | BalanceChanged | Ticked | CandleChanged | AccountReset


class Treatment(NamedTuple):
    """What a fault does to the order that a request places.

    Attributes:
        hide_ms: how long queries do not show the order and its fills.
        pieces: in how many fills it comes; 0 leaves that to the rules.
        fill_now: a limit order fills at its price at once, before the request is answered.
        refuse: it is refused for this reason, whatever it is; None lets the rules decide.
    """

    hide_ms: int = 0
    pieces: int = 0
    fill_now: bool = False
    refuse: Code | None = None


UNTREATED = Treatment()
TREATMENT: ContextVar[Treatment] = ContextVar("treatment", default=UNTREATED)
"""Set around a request's handler by the server; read by `Exchange.place`."""
