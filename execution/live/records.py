"""What the edge remembers, stored beside its position in the same commit. Mutable, JSON, bounded."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bus_schemas.codec import decode_body, encode_body, head
from bus_schemas.events import (
    AmendOrder,
    CancelOrder,
    LookUpOrder,
    Millis,
    OrderKind,
    PlaceOrder,
    Side,
)
from execution.live.port import OrderRef, VenueOrder

ZERO = Decimal(0)
SHOWN_FILLS = 256
"""Fills remembered of one order. Of more, those below a moment are known to have been told all."""

Command = PlaceOrder | AmendOrder | CancelOrder | LookUpOrder


class Pending(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A command that was read and is not answered yet: from here on the venue may have got it.

    Attributes:
        type, version, body: the command as it stands in the stream.
        trace: of the chain that led to it.
    """

    type: str
    version: str
    body: str
    cause: str = ""
    trace: str = ""

    @staticmethod
    def of(command: Command, cause: str, trace: str) -> Pending:
        """The record of a command."""
        type_, version = head(command)
        body = encode_body(command).decode()
        return Pending(type=type_.decode(), version=version.decode(), body=body, cause=cause, trace=trace)

    def command(self) -> Command:
        """The command again.

        Raises:
            CodecError: it was stored by a release that this one cannot read.
        """
        body = decode_body(self.type.encode(), self.version.encode(), self.body.encode())
        assert isinstance(body, Command)
        return body


class Held(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order, as far as the venue's answers and our reports about it go.

    Attributes:
        since: when it was decided: no older evidence can be about it.
        sent: first moment at which it may have been sent; 0 while it was not.
        told: that the venue holds it was reported.
        filled: contracts that were reported.
        fills: time and id of the fills that were reported, the newest.
        floor: every fill before this moment was reported.
        short: looks in a row at which the venue counted fills that it did not list.
        missing: when the venue's last word was that it knows no such order; 0 for no such word.
        ended: when its end was reported; 0 while it may still fill.
        stray: it was found at the venue and no command of ours is known for it, or it was found again after
            it was told as missing: whoever decided on it may have given it up.
        warned: the unlisted status that was warned of.
    """

    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    since: Millis = 0
    sent: Millis = 0
    venue_id: str = ""
    successor: str = ""
    told: bool = False
    filled: Decimal = ZERO
    fills: list[tuple[Millis, str]] = []
    floor: Millis = 0
    short: int = 0
    missing: Millis = 0
    ended: Millis = 0
    stray: bool = False
    warned: str = ""

    def seen(self) -> bool:
        """The venue tells the order: whether it was missing until now. Then it may have been given up."""
        missing, self.missing = bool(self.missing), 0
        self.stray = self.stray or missing
        return missing

    @staticmethod
    def of(order: PlaceOrder) -> Held:
        """Before anything was sent."""
        return Held(
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            quantity=order.quantity,
            price=order.price,
            trigger=order.trigger,
            reduce_only=order.reduce_only,
            since=order.time,
        )

    @staticmethod
    def found(order: VenueOrder) -> Held:
        """An order of ours that the venue has and the bus has forgotten."""
        return Held(
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            quantity=order.quantity,
            price=order.price,
            trigger=order.trigger,
            reduce_only=order.reduce_only,
            since=order.time,
            sent=order.time or 1,
            venue_id=order.venue_id,
            successor=order.successor,
            stray=True,
        )

    @property
    def ref(self) -> OrderRef:
        """What an adapter needs to find it."""
        return OrderRef(
            client_id=self.client_id,
            symbol=self.symbol,
            side=self.side,
            kind=self.kind,
            quantity=self.quantity,
            price=self.price,
            trigger=self.trigger,
            reduce_only=self.reduce_only,
            venue_id=self.venue_id,
            successor=self.successor,
            sent=min(self.since, self.sent) if self.sent else self.since,
        )

    def told_of(self, time: Millis, fill_id: str) -> bool:
        """Whether this fill was reported."""
        return time < self.floor or (time, fill_id) in self.fills

    def remember(self, time: Millis, fill_id: str, quantity: Decimal) -> None:
        """A fill is being reported. Fills of one moment are forgotten together or not at all."""
        self.fills = sorted([*self.fills, (time, fill_id)])
        self.filled += quantity
        if len(self.fills) > SHOWN_FILLS:
            self.floor = self.fills[SHOWN_FILLS // 2][0]
            self.fills = [fill for fill in self.fills if fill[0] >= self.floor]

    @property
    def live(self) -> bool:
        """It may still fill, by what was reported."""
        return bool(self.sent) and not self.ended and not self.missing


class Journal(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far what the venue tells in lists was taken over.

    Attributes:
        fills: by symbol, the moment up to which its fills were read.
        funding: by symbol, time of the newest settlement that was reported.
        positions: by symbol, signed contracts at the last look.
        strangers: ids of fills that belong to no order of ours, the newest.
    """

    fills: dict[str, Millis] = {}
    funding: dict[str, Millis] = {}
    positions: dict[str, Decimal] = {}
    strangers: list[str] = []
