"""The venue port: what the edge may ask of an exchange account.

Symbols are canonical here (`BTCUSDT`), money is Decimal, times are the venue's milliseconds. A venue's
own spelling exists only inside its adapter. No method retries; each either answers, or raises one of
`execution.live.faults`, which say whether the venue may have acted.

One conformance suite runs over the paper venue and every proven adapter: `tests/contract/test_venue.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from bus_schemas.events import Liquidity, Millis, OrderKind, PlaceOrder, PositionState, Side
from bus_schemas.instruments import Instrument


class Standing(StrEnum):
    """What a venue's status means. Each adapter's map is total: what is not listed is `unlisted`.

    `live`: rests, or waits for its trigger, or was triggered and works.
    `unlisted`: a status that we do not know; the order counts as live, and a person is told.
    """

    LIVE = "live"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNLISTED = "unlisted"

    @property
    def alive(self) -> bool:
        """Whether the order may still trade."""
        return self in (Standing.LIVE, Standing.UNLISTED)


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue tells it.

    Attributes:
        client_id: empty where the venue does not tell it.
        venue_id: in the id space of its kind (Binance keeps conditional orders apart).
        status: the venue's own word.
        quantity, filled: contracts.
        successor: id of the order that a triggered conditional order became; empty for none.
        time: when it was placed, or last changed where the venue tells only that; 0 for neither.
    """

    client_id: str
    venue_id: str
    symbol: str
    side: Side
    kind: OrderKind
    standing: Standing
    status: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    successor: str = ""
    time: Millis = 0


class OrderRef(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an order that is to be found, amended or cancelled.

    Attributes:
        venue_id, successor: empty while not known.
        sent: earliest time at which it may have been sent.
    """

    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    venue_id: str = ""
    successor: str = ""
    sent: Millis = 0


class VenueFill(msgspec.Struct, frozen=True, kw_only=True):
    """A trade of ours.

    Attributes:
        venue_id: of the order; a triggered conditional order's successor where the venue has one.
        client_id: empty where the venue does not tell it.
        fee: in settle currency, above zero was paid; where the venue tells none, from its fee rates.
    """

    fill_id: str
    venue_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    liquidity: Liquidity
    time: Millis


class VenueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Balance in settle currency: without open profit, and with it."""

    cash: Decimal
    equity: Decimal


class KeyRights(msgspec.Struct, frozen=True, kw_only=True):
    """What the API key may do; None where the venue does not tell."""

    trade: bool | None = None
    withdraw: bool | None = None


class FundingFee(msgspec.Struct, frozen=True, kw_only=True):
    """Funding settled on a position; `amount` above zero was paid by us."""

    symbol: str
    amount: Decimal
    rate: Decimal
    time: Millis


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """A websocket message that concerns our orders: a reason to ask by REST now, never a fact.

    Attributes:
        symbol: `*` where it is not clear.
        client_id: empty where it does not tell.
    """

    symbol: str
    client_id: str = ""


class Venue(ABC):
    """An account at a venue.

    Every method may raise `NotSent`, `Unclear` or `Denied` of `execution.live.faults`. Reading methods
    have no effect, so that `Unclear` from them means only that there is no answer.

    Attributes:
        name: ccxt's id.
        used_weight: what the venue last said that this host has used of its budget, by whomever; None where
            it does not say.
        warning: what a person should know of the account as `open` found it; empty for nothing.
    """

    name: str
    used_weight: float | None = None
    warning: str = ""

    @abstractmethod
    async def open(self) -> None:
        """Load the markets and set the clock. Call it once, before anything else."""

    @abstractmethod
    async def close(self) -> None:
        """Give connections back. Does not raise."""

    @abstractmethod
    def now(self) -> Millis:
        """The venue's time by our estimate; never goes back."""

    @abstractmethod
    async def sync_clock(self) -> int:
        """Ask the venue's time, set the clock by it; returns venue minus ours, in milliseconds."""

    @abstractmethod
    def instruments(self) -> Mapping[str, Instrument]:
        """Every linear perpetual that the venue lists, by canonical symbol."""

    @abstractmethod
    async def rights(self) -> KeyRights:
        """What the key may do.

        Raises:
            Denied: the venue does not know the key.
        """

    async def room(self, method: str, protects: bool) -> None:  # noqa: B027
        """Wait until `place`, `amend` or `cancel` may be asked at once, where calls are rationed. So that
        whatever must hold when the request leaves can be looked at after the waiting.

        Args:
            protects: it makes a position smaller or safer.
        """

    @abstractmethod
    async def place(self, order: PlaceOrder, valid_ms: int) -> VenueOrder:
        """Place an order that the venue must refuse once it is older than `valid_ms`.

        Raises:
            Refused: the venue's word that it does not hold the order. `DUPLICATE_ID` means the reverse.
            NotSent: the venue has certainly not got it.
            Unclear: it may hold it.
        """

    @abstractmethod
    async def amend(self, ref: OrderRef, quantity: Decimal) -> None:
        """Change the whole quantity (filled and open) of a resting limit order.

        Raises:
            Refused: it stays as it was.
            NotHeld: the venue has no such open order.
        """

    @abstractmethod
    async def cancel(self, ref: OrderRef) -> None:
        """Ask for a cancellation. The final filled quantity decides: look up afterwards.

        Raises:
            NotHeld: the venue has no such open order: filled, cancelled, or never held.
        """

    @abstractmethod
    async def look_up(self, ref: OrderRef) -> VenueOrder | None:
        """The order's fate among open and closed orders and fills; None by the venue's explicit word
        that it knows no such order."""

    @abstractmethod
    async def open_orders(self) -> list[VenueOrder]:
        """Every open order of the account, conditional ones too."""

    @abstractmethod
    async def fills(self, symbol: str, since: Millis) -> list[VenueFill]:
        """Own trades of a symbol at `since` or later, in order of time. All of them: pages are followed."""

    @abstractmethod
    async def positions(self) -> list[PositionState]:
        """Open positions by symbol; the quantity is signed."""

    @abstractmethod
    async def account(self) -> VenueAccount:
        """The balance."""

    @abstractmethod
    async def funding(self, symbol: str, since: Millis) -> list[FundingFee]:
        """Funding settled at `since` or later, in order of time; empty where the venue does not tell."""

    @abstractmethod
    def hints(self) -> AsyncIterator[Hint]:
        """Websocket messages about our account, from the moment of the call. Ends or raises when the
        connection does; the caller asks by REST and calls again."""
