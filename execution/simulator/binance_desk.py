"""What the desks for orders share: finding, paging and placing, in the venue's manner."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

from bus_schemas.events import Millis
from execution.simulator.binance_public import listed, page
from execution.simulator.binance_sign import Params
from execution.simulator.binance_views import digits
from execution.simulator.binance_words import Trouble, trouble
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.orders import OrderRequest, SimFill, SimOrder, SimRefusal
from execution.simulator.rules import Listing

_WEEK_MS = 7 * 24 * 3_600_000
_LATER = 1 << 62
_PRECISION = Trouble(-1111, "Precision is over the maximum defined for this asset.")
_EITHER = "Param '{0}' or '{1}' must be sent, but both were empty/null!"

T = TypeVar("T", SimOrder, SimFill)


class PositionMode:
    """One-way, or both sides apart; kept because clients ask and set it. Orders are one-way only.

    Attributes:
        dual: hedge mode.
    """

    def __init__(self) -> None:
        self.dual = False

    def check(self, params: Params) -> None:
        """Look at an order's side of position.

        Raises:
            Trouble: it does not fit the mode.
        """
        if (params.get("positionSide", "BOTH") != "BOTH") or self.dual:
            raise Trouble(-4061, "Order's position side does not match user's setting.")


class Desk:
    """Orders of one id space.

    Args:
        mode: of positions.
    """

    conditional = False
    number, client = "orderId", "origClientOrderId"

    def __init__(self, exchange: Exchange, clock: SimClock, mode: PositionMode) -> None:
        self.exchange = exchange
        self.clock = clock
        self.mode = mode
        self._made = 0

    def take(self, request: OrderRequest, listing: Listing) -> SimOrder:
        """Place an order.

        Raises:
            Trouble: it was refused.
        """
        try:
            return self.exchange.place(request)
        except SimRefusal as refusal:
            raise self.words(refusal, listing, request) from None

    def words(self, refusal: SimRefusal, listing: Listing, order: OrderRequest | SimOrder) -> Trouble:
        """The venue's words for a refusal of an order."""
        return trouble(refusal, order.side, order.client_id, listing.instrument.min_notional)

    def made_id(self) -> str:
        """A client id where the client gave none."""
        self._made += 1
        return f"sim_{'algo_' if self.conditional else ''}{self._made:018d}"

    def symbol(self, params: Params) -> str | None:
        """Canonical; None where the request names none."""
        return listed(self.exchange, params).symbol if params.get("symbol") else None

    def find(self, params: Params, listing: Listing | None = None) -> SimOrder | None:
        """By the venue's id, else by the client's."""
        if params.get(self.number):
            order = self.exchange.order(params.get(self.number), self.conditional)
        elif params.get(self.client):
            order = self.exchange.by_client_id(params.get(self.client), self.conditional)
        else:
            raise Trouble(-1102, _EITHER.format(self.client, self.number))
        return None if order is None or listing not in (None, self.listing(order)) else order

    def living(self, params: Params, unknown: Trouble, listing: Listing | None = None) -> SimOrder:
        """An order that can still fill.

        Raises:
            Trouble: `unknown`: there is none.
        """
        order = self.find(params, listing)
        if order is None or not order.alive:
            raise unknown
        return order

    def listing(self, order: SimOrder) -> Listing:
        """Its contract."""
        return self.exchange.listing(order.symbol)

    def paged(self, params: Params, rows: Sequence[T], first: str = "") -> list[T]:
        """From an id on; or of at most a week; the oldest where a beginning is named, else the newest.

        Args:
            first: name of the parameter with the id; default that of the orders.
        """
        limit = page(params, 500, 1000)
        first = first or self.number
        if params.get(first):
            at = params.whole(first, 0)
            return [row for row in rows if _number(row) >= at][:limit]
        since, until = params.whole("startTime", -1), params.whole("endTime", _LATER)
        if since >= 0 and until != _LATER and until - since > _WEEK_MS:
            raise Trouble(-4165, "Search window is restricted to recent 7 days only.")
        if since < 0:
            begin = (self.clock.now() if until == _LATER else until) - _WEEK_MS
            return [row for row in rows if begin <= _moment(row) <= until][-limit:]
        return [row for row in rows if since <= _moment(row) <= min(until, since + _WEEK_MS)][:limit]


def _number(row: SimOrder | SimFill) -> int:
    return int(row.fill_id if isinstance(row, SimFill) else row.order_id)


def _moment(row: SimOrder | SimFill) -> Millis:
    return row.time if isinstance(row, SimFill) else row.created


def precise(params: Params, name: str, unit: Decimal) -> Decimal:
    """A number with no more digits than the venue takes.

    Raises:
        Trouble: it has more, or is no number.
    """
    value = params.number(name)
    if digits(value.normalize()) > digits(unit):
        raise _PRECISION
    return value
