"""At which price, and how much of it, an order fills inside a range. Pure; see the package docstring."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import Side
from bus_schemas.instruments import Instrument, Rounding
from execution.books import ZERO
from execution.paper.state import Quote, Resting


def slipped(instrument: Instrument, price: Decimal, side: Side, bps: Decimal) -> Decimal:
    """The price after slippage, on the tick, worse for an order of this side."""
    return instrument.price(price * (1 + side.sign * bps / 10_000), _against(side))


def limit_fill(
    instrument: Instrument, order: Resting, quote: Quote, touch_share: Decimal
) -> tuple[Decimal, Decimal] | None:
    """Price and quantity of a limit order's fill; None where the range does not reach its price."""
    price = order.price
    if price is None:
        return None
    long = order.side is Side.LONG
    beyond = price - quote.low if long else quote.high - price
    if beyond < ZERO:
        return None
    quantity = order.remaining
    if beyond < instrument.tick:
        quantity = instrument.quantity(quantity * touch_share) or quantity
    better = quote.open < price if long else quote.open > price
    if not better:
        return price, quantity
    at_open = instrument.price(quote.open, _against(order.side))
    return (min(at_open, price) if long else max(at_open, price)), quantity


def reached(order_side: Side, trigger: Decimal, quote: Quote) -> bool:
    """Whether the range releases a stop order of this side."""
    return quote.low <= trigger if order_side is Side.SHORT else quote.high >= trigger


def passed(order_side: Side, trigger: Decimal, price: Decimal) -> bool:
    """Whether this price alone releases a stop order of this side."""
    return price <= trigger if order_side is Side.SHORT else price >= trigger


def stop_price(instrument: Instrument, side: Side, trigger: Decimal, quote: Quote, bps: Decimal) -> Decimal:
    """Fill price of a released stop: the trigger, or the open where it lies beyond, with slippage."""
    worse = min(trigger, quote.open) if side is Side.SHORT else max(trigger, quote.open)
    return slipped(instrument, worse, side, bps)


def _against(side: Side) -> Rounding:
    return Rounding.UP if side is Side.LONG else Rounding.DOWN
