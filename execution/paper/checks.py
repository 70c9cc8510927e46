"""Why the paper venue refuses an order, as a venue would."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import OrderKind, PlaceOrder, VenueRefusal
from bus_schemas.instruments import Instrument
from execution.books import ZERO
from execution.paper.matching import passed
from execution.paper.state import Desk, Quote

Refused = tuple[VenueRefusal, str]


def refusal(
    instrument: Instrument, body: PlaceOrder, desk: Desk, quote: Quote | None, room: Decimal
) -> Refused | None:
    """Reason and detail of a refusal, or None where the order is taken.

    Args:
        quote: the last range; None before the first.
        room: notional that may still be added, in settle currency.
    """
    price, expected = _level(body)
    if price is None or not price.is_finite() or price <= ZERO:
        if expected:
            return VenueRefusal.BAD_TICK, f"{body.kind.value} order without a price above zero"
        price = quote.last if quote else ZERO
    elif price % instrument.tick:
        return VenueRefusal.BAD_TICK, f"{price} is not on the tick of {instrument.tick}"
    size = _size(instrument, body.quantity, price, body.reduce_only, desk)
    if size:
        return size
    if body.reduce_only:
        if desk.signed * body.side.sign >= ZERO:
            return VenueRefusal.REDUCE_ONLY, "no position to reduce"
    elif instrument.notional(body.quantity, price) > room:
        return VenueRefusal.MARGIN, f"room for {room} of notional"
    if body.kind is OrderKind.STOP and quote is not None and passed(body.side, price, quote.last):
        return VenueRefusal.WOULD_TRIGGER, f"last price {quote.last}"
    return None


def resized(instrument: Instrument, desk: Desk, client_id: str, quantity: Decimal) -> Refused | None:
    """Why an amendment is refused, or None where it is made. `quantity` counts what was filled."""
    order = desk.orders.get(client_id)
    if order is None:
        return VenueRefusal.OTHER, "no such order"
    if quantity <= order.filled:
        return VenueRefusal.OTHER, f"{order.filled} were filled already"
    price = order.price or order.trigger or ZERO
    return _size(instrument, quantity, price, order.reduce_only, desk)


def _level(body: PlaceOrder) -> tuple[Decimal | None, bool]:
    if body.kind is OrderKind.LIMIT:
        return body.price, True
    return (body.trigger, True) if body.kind is OrderKind.STOP else (None, False)


def _size(
    instrument: Instrument, quantity: Decimal, price: Decimal, reduce_only: bool, desk: Desk
) -> Refused | None:
    if not quantity.is_finite() or quantity <= ZERO:
        return VenueRefusal.BELOW_MINIMUM, f"quantity {quantity}"
    if quantity % instrument.step:
        return VenueRefusal.BAD_STEP, f"{quantity} is not on the step of {instrument.step}"
    if quantity < instrument.min_quantity and not (reduce_only and quantity >= desk.book.quantity):
        return VenueRefusal.BELOW_MINIMUM, f"{quantity} is below {instrument.min_quantity}"
    if instrument.max_quantity is not None and quantity > instrument.max_quantity:
        return VenueRefusal.OTHER, f"{quantity} is above {instrument.max_quantity}"
    if not reduce_only and not instrument.tradable(quantity, price):
        return VenueRefusal.BELOW_MINIMUM, f"notional is below {instrument.min_notional}"
    return None
