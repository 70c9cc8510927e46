"""Why the simulated exchange refuses an order."""

from __future__ import annotations

import re
from decimal import Decimal

from bus_schemas.events import OrderKind, Side
from bus_schemas.instruments import Instrument
from execution.simulator.orders import ZERO, Code, OrderRequest, Quote, SimRefusal
from execution.simulator.rules import Rules


def check_form(rules: Rules, instrument: Instrument, request: OrderRequest) -> None:
    """What can be said without the account: client id, tick, step, least quantity.

    Raises:
        SimRefusal: the first fault.
    """
    if request.client_id and re.fullmatch(rules.client_id, request.client_id) is None:
        raise SimRefusal(Code.BAD_CLIENT_ID, f"client order id must match {rules.client_id}")
    check_quantity(instrument, request.quantity)
    if request.kind is OrderKind.LIMIT:
        check_price(instrument, request.price)
    elif request.kind is OrderKind.STOP:
        check_price(instrument, request.trigger)


def check_quantity(instrument: Instrument, quantity: Decimal) -> None:
    """Step and least quantity.

    Raises:
        SimRefusal: it breaks one of them.
    """
    if not quantity.is_finite() or quantity <= ZERO:
        raise SimRefusal(Code.BAD_QUANTITY, f"quantity {quantity}")
    if quantity % instrument.step:
        raise SimRefusal(Code.BAD_STEP, f"{quantity} is not on the step of {instrument.step}")
    if quantity < instrument.min_quantity:
        raise SimRefusal(Code.BELOW_MINIMUM, f"{quantity} is below {instrument.min_quantity}")


def check_price(instrument: Instrument, price: Decimal | None) -> None:
    """A price must be there, above zero, on the tick.

    Raises:
        SimRefusal: it is not.
    """
    if price is None or not price.is_finite() or price <= ZERO:
        raise SimRefusal(Code.BAD_PRICE, f"price {price}")
    if price % instrument.tick:
        raise SimRefusal(Code.BAD_TICK, f"{price} is not on the tick of {instrument.tick}")


def check_band(rules: Rules, side: Side, price: Decimal, quote: Quote) -> None:
    """A limit price may not lie too far on the bad side of the mark.

    Raises:
        SimRefusal: it does.
    """
    if not rules.price_band:
        return
    limit = quote.mark * (1 + side.sign * rules.price_band)
    if (price > limit) if side is Side.LONG else (price < limit):
        raise SimRefusal(Code.PRICE_BAND, f"{price} is beyond {limit}, mark price {quote.mark}")


def check_notional(instrument: Instrument, request: OrderRequest, price: Decimal) -> None:
    """Least notional; a reduce-only order may be smaller.

    Raises:
        SimRefusal: it is too small.
    """
    if not request.reduce_only and instrument.notional(request.quantity, price) < instrument.min_notional:
        raise SimRefusal(Code.BELOW_NOTIONAL, f"notional is below {instrument.min_notional}")


def crosses(side: Side, limit: Decimal, last: Decimal) -> bool:
    """Whether a limit order of this side can trade at this price."""
    return last <= limit if side is Side.LONG else last >= limit


def released(side: Side, trigger: Decimal, price: Decimal) -> bool:
    """Whether this price releases a stop order of this side."""
    return price >= trigger if side is Side.LONG else price <= trigger
