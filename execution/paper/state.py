"""What the paper venue remembers. Mutable, encoded as JSON, bounded."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bus_schemas.events import (
    Leg,
    Liquidity,
    Mark,
    Millis,
    OrderKind,
    OrderState,
    PlaceOrder,
    Side,
    VenueRefusal,
)
from execution.books import ZERO, Book

MEMORY = 32
"""Ended orders of a symbol that can still be looked up."""


class Ledger(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The account's cash, the last tick, and whether the account was ever reported."""

    cash: Decimal
    tick: Millis = 0
    started: bool = False


class Quote(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The last range of a symbol. `start` is the event time from which an order could meet it."""

    time: Millis = 0
    start: Millis = 0
    open: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    last: Decimal = ZERO
    mark: Decimal = ZERO
    bar: bool = False

    @staticmethod
    def of(mark: Mark) -> Quote:
        """The range that this mark tells."""
        bar = mark.bar
        if bar is None:
            price = mark.mark
            return Quote(
                time=mark.time, start=mark.time, open=price, high=price, low=price, last=price, mark=price
            )
        return Quote(
            time=mark.time,
            start=bar.open_time,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            last=bar.close,
            mark=mark.mark,
            bar=True,
        )


class PastFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill as it was reported, so that a look-up repeats it with the same id."""

    fill_id: str
    price: Decimal
    quantity: Decimal
    remaining: Decimal
    fee: Decimal
    liquidity: Liquidity


class Resting(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order in the book.

    Attributes:
        taker: it crossed the last price when it was placed.
        cancel_at: event time of a cancellation that waits for the bar that ends then.
    """

    client_id: str
    side: Side
    leg: Leg
    kind: OrderKind
    quantity: Decimal
    time: Millis
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    filled: Decimal = ZERO
    taker: bool = False
    cancel_at: Millis | None = None
    fills: list[PastFill] = []

    @staticmethod
    def of(body: PlaceOrder, taker: bool) -> Resting:
        """The order that this command places."""
        return Resting(
            client_id=body.client_id,
            side=body.side,
            leg=body.leg,
            kind=body.kind,
            quantity=body.quantity,
            time=body.time,
            price=body.price,
            trigger=body.trigger,
            reduce_only=body.reduce_only,
            taker=taker,
        )

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


class Desk(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Position and book of one symbol.

    Attributes:
        side: of the position; means nothing while the book is empty.
        enlarged: event time at which a fill last opened or enlarged the position.
        limit: limit price of the order that did.
        orders: by client id, in the order of arrival.
    """

    side: Side = Side.LONG
    book: Book = msgspec.field(default_factory=Book)
    enlarged: Millis = -1
    limit: Decimal | None = None
    orders: dict[str, Resting] = {}

    @property
    def signed(self) -> Decimal:
        """Open contracts, below zero for a short position."""
        return self.side.sign * self.book.quantity

    @property
    def idle(self) -> bool:
        return not self.orders and not self.book.quantity


class Ended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fate of an order that has left the book: `filled`, `cancelled` or `rejected`."""

    client_id: str
    side: Side
    state: OrderState
    filled: Decimal = ZERO
    fills: tuple[PastFill, ...] = ()
    reason: VenueRefusal = VenueRefusal.OTHER
    detail: str = ""


class Past(msgspec.Struct, kw_only=True):
    """Ended orders of one symbol, oldest first."""

    orders: list[Ended] = []

    def find(self, client_id: str) -> Ended | None:
        return next((order for order in self.orders if order.client_id == client_id), None)

    def add(self, order: Ended) -> None:
        self.orders = [*self.orders[1 - MEMORY :], order]
