"""Why the simulated exchange refuses an order."""

from __future__ import annotations

import re
from decimal import Decimal

from bus_schemas.events import OrderKind, Side
from bus_schemas.instruments import Instrument
from execution.simulator.margin import Account
from execution.simulator.orders import (
    ZERO,
    Code,
    OrderRequest,
    Quote,
    SimOrder,
    SimRefusal,
    SimStatus,
    TriggerBy,
)
from execution.simulator.rules import Listing, Rules
from execution.simulator.store import OrderStore


def check_form(rules: Rules, listing: Listing, request: OrderRequest) -> None:
    """What can be said without the account: client id, tick, step, least and largest quantity.

    Raises:
        SimRefusal: the first fault.
    """
    instrument = listing.instrument
    if request.client_id and re.fullmatch(rules.client_id, request.client_id) is None:
        raise SimRefusal(Code.BAD_CLIENT_ID, f"client order id must match {rules.client_id}")
    check_quantity(instrument, request.quantity)
    check_largest(rules, listing, request.kind, request.quantity)
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


def check_largest(rules: Rules, listing: Listing, kind: OrderKind, quantity: Decimal) -> None:
    """A limit order may have more than an order at the market; a stop becomes one of those.

    Raises:
        SimRefusal: it is too large.
    """
    if rules.bounds_position:
        return
    most = listing.instrument.max_quantity
    if kind is OrderKind.LIMIT and listing.largest_limit is not None:
        most = listing.largest_limit
    if most is not None and quantity > most:
        raise SimRefusal(Code.ABOVE_MAXIMUM, f"{quantity} is above {most}")


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


def check_room(rules: Rules, store: OrderStore, request: OrderRequest) -> None:
    """The client id must be free, and the number of open orders has a limit.

    Raises:
        SimRefusal: DUPLICATE_ID, TOO_MANY_ORDERS.
    """
    used = store.by_client_id(request.client_id) if request.client_id else None
    if used is not None and (rules.client_id_once or used.alive):
        raise SimRefusal(Code.DUPLICATE_ID, "this client order id was used")
    if store.count(request.symbol) >= rules.max_open:
        raise SimRefusal(Code.TOO_MANY_ORDERS, f"more than {rules.max_open} open orders")


def check_prices(rules: Rules, instrument: Instrument, request: OrderRequest, quote: Quote) -> None:
    """Least notional (a reduce-only order may be smaller), price band, post-only, and triggers.

    Raises:
        SimRefusal: the first fault.
    """
    price = request.price or request.trigger or quote.last
    if not request.reduce_only and instrument.notional(request.quantity, price) < instrument.min_notional:
        raise SimRefusal(Code.BELOW_NOTIONAL, f"notional is below {instrument.min_notional}")
    if request.kind is OrderKind.LIMIT:
        check_band(rules, request.side, price, quote)
        if request.post_only and crosses(request.side, price, quote.last):
            raise SimRefusal(Code.WOULD_TAKE, f"last price {quote.last}")
    if request.kind is OrderKind.STOP and rules.refuse_would_trigger:
        against = quote.mark if request.trigger_by is TriggerBy.MARK else quote.last
        if released(request.side, price, against):
            raise SimRefusal(Code.WOULD_TRIGGER, f"{request.trigger_by.value} price {against}")


def check_means(
    account: Account, request: OrderRequest, quote: Quote, conditional: bool, available: Decimal
) -> None:
    """Something to reduce, or margin for the rest.

    Raises:
        SimRefusal: REDUCE_ONLY, MARGIN.
    """
    if request.reduce_only:
        reducible = account.holding(request.symbol).against(request.side)
        if not reducible and request.kind is not OrderKind.STOP:
            raise SimRefusal(Code.REDUCE_ONLY, "no position to reduce")
        return
    if conditional:
        return
    price = request.price or request.trigger or quote.last
    needed = account.needed(request.symbol, request.side, request.quantity, request.kind, price)
    if needed > available:
        raise SimRefusal(Code.MARGIN, f"needs {needed} of margin, there are {available}")


def check_position(
    rules: Rules, instrument: Instrument, order: OrderRequest | SimOrder, held: Decimal
) -> None:
    """With all of the order in it, the position may not become larger than the venue lets it.

    Args:
        held: signed contracts before it.

    Raises:
        SimRefusal: POSITION_LIMIT.
    """
    most = instrument.max_quantity
    if not rules.bounds_position or most is None or order.reduce_only:
        return
    after = abs(held + order.quantity * order.side.sign)
    if after > max(most, abs(held)):
        raise SimRefusal(Code.POSITION_LIMIT, f"a position of {after} is above {most}")


def check_change(
    rules: Rules,
    listing: Listing,
    order: SimOrder,
    quote: Quote,
    change: tuple[Decimal | None, Decimal | None, Decimal | None],
) -> None:
    """Whether a living order may take another quantity, price or trigger.

    Raises:
        SimRefusal: the first fault.
    """
    quantity, price, trigger = change
    instrument = listing.instrument
    if quantity is not None:
        check_quantity(instrument, quantity)
        check_largest(rules, listing, order.kind, quantity)
    if price is not None:
        if order.kind is not OrderKind.LIMIT:
            raise SimRefusal(Code.NOT_AMENDABLE, "only a limit order has a limit price")
        check_price(instrument, price)
        check_band(rules, order.side, price, quote)
    if trigger is not None:
        if order.status is not SimStatus.WAITING:
            raise SimRefusal(Code.NOT_AMENDABLE, "only a stop that waits has a trigger")
        check_price(instrument, trigger)


def crosses(side: Side, limit: Decimal, last: Decimal) -> bool:
    """Whether a limit order of this side can trade at this price."""
    return last <= limit if side is Side.LONG else last >= limit


def released(side: Side, trigger: Decimal, price: Decimal) -> bool:
    """Whether this price releases a stop order of this side."""
    return price >= trigger if side is Side.LONG else price <= trigger
