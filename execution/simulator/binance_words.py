"""Binance's codes and words for what the simulated exchange refuses, and how it writes numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from aiohttp import web

from bus_schemas.events import OrderKind, Side
from execution.books import tidy
from execution.simulator.orders import Code, SimOrder, SimRefusal, SimStatus


class Trouble(Exception):
    """A refused request, in the venue's words.

    Args:
        code: the venue's, below zero.
        words: the venue's.
        status: of HTTP.
    """

    def __init__(self, code: int, words: str, status: int = 400) -> None:
        super().__init__(f"{code} {words}")
        self.code = code
        self.words = words
        self.status = status

    def answer(self) -> web.Response:
        """As JSON."""
        return reply({"code": self.code, "msg": self.words}, self.status)


def reply(body: object, status: int = 200) -> web.Response:
    """JSON; Decimals become text."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


_CODES: Mapping[Code, tuple[int, str]] = {
    Code.BELOW_MINIMUM: (-4004, "Quantity less than min quantity."),
    Code.ABOVE_MAXIMUM: (-4005, "Quantity greater than max quantity."),
    Code.POSITION_LIMIT: (-2027, "Exceeded the maximum allowable position at current leverage."),
    Code.BAD_QUANTITY: (-4003, "Quantity less than or equal to zero."),
    Code.BAD_TICK: (-4014, "Price not increased by tick size."),
    Code.BAD_STEP: (-4023, "Qty not increased by step size."),
    Code.BAD_PRICE: (-4001, "Price less than 0."),
    Code.MARGIN: (-2019, "Margin is insufficient."),
    Code.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Code.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    Code.WOULD_TAKE: (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    Code.DUPLICATE_ID: (-4116, "ClientOrderId is duplicated."),
    Code.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Code.UNKNOWN_ORDER: (-2013, "Order does not exist."),
    Code.NOT_AMENDABLE: (-5025, "Only limit order is supported."),
    Code.NO_PRICE: (-1122, "Invalid symbol status."),
    Code.TOO_MANY_ORDERS: (-2025, "Reach max open order limit."),
}

NO_SUCH_ORDER = Trouble(-2013, "Order does not exist.")
UNKNOWN_ORDER = Trouble(-2011, "Unknown order sent.")
BAD_SYMBOL = Trouble(-1121, "Invalid symbol.")
_CLIENT_ID_LENGTH = 36


def trouble(
    refusal: SimRefusal, side: Side | None = None, client_id: str = "", notional: object = ""
) -> Trouble:
    """The venue's answer to a refusal of the exchange.

    Args:
        side, client_id: of the order.
        notional: the least that its instrument takes.
    """
    code = refusal.code
    if code is Code.BELOW_NOTIONAL:
        words = f"Order's notional must be no smaller than {notional} (unless you choose reduce only)."
        return Trouble(-4164, words)
    if code is Code.PRICE_BAND:
        if side is Side.LONG:
            return Trouble(-4016, "Limit price can't be higher than the cap over the mark price.")
        return Trouble(-4024, "Limit price can't be lower than the floor under the mark price.")
    if code is Code.LEVERAGE:
        return Trouble(-4028, "Leverage is not valid.")
    if code is Code.BAD_CLIENT_ID:
        if len(client_id) > _CLIENT_ID_LENGTH:
            return Trouble(-4015, "Client order id length should be less than 36 chars.")
        legal = "legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'"
        return Trouble(-1100, f"Illegal characters found in parameter 'newClientOrderId'; {legal}.")
    return Trouble(*_CODES[code])


def missing(name: str) -> Trouble:
    """A parameter that must be there."""
    return Trouble(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def too_many(limit: int) -> Trouble:
    """The request weight of the minute is used up."""
    return Trouble(
        -1003,
        f"Too many requests; current limit is {limit} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API.",
        429,
    )


def banned(until: int) -> Trouble:
    """The address asked on and on after that. When it ends is told in words only."""
    words = f"Way too many requests; IP banned until {until}. Please use the websocket for live updates"
    return Trouble(-1003, f"{words} to avoid bans.", 418)


ORDER_STATUS: Mapping[SimStatus, str] = {
    SimStatus.OPEN: "NEW",
    SimStatus.WAITING: "NEW",
    SimStatus.TRIGGERED: "TRIGGERED",
    SimStatus.FILLED: "FILLED",
    SimStatus.CANCELLED: "CANCELED",
    SimStatus.EXPIRED: "EXPIRED",
}

FINISHED = "FINISHED"
"""Of a conditional order: it was triggered, and what it became has ended."""

KINDS: Mapping[OrderKind, str] = {
    OrderKind.LIMIT: "LIMIT",
    OrderKind.MARKET: "MARKET",
    OrderKind.STOP: "STOP_MARKET",
}


def order_status(order: SimOrder) -> str:
    """Of an order in the matching engine."""
    if order.status is SimStatus.OPEN and order.filled:
        return "PARTIALLY_FILLED"
    return ORDER_STATUS[order.status]


def algo_status(order: SimOrder, became: SimOrder | None) -> str:
    """Of a conditional order, given its successor."""
    if order.status is SimStatus.TRIGGERED and became is not None and not became.alive:
        return FINISHED
    return ORDER_STATUS[order.status]


def side_word(side: Side) -> str:
    """`BUY` or `SELL`."""
    return "BUY" if side is Side.LONG else "SELL"


def text(value: Decimal) -> str:
    """A number as the venue writes it: no exponent, no zeros at the end."""
    return format(tidy(value), "f")
