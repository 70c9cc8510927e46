"""What happens to a trader's orders, in words: one event of risk or of the order manager, one short line.

Each fact is told once, by the manager's word and not by the venue's report of it. Halts are not told here:
`cli.live_watch` has them from risk's own state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from bus_schemas.events import (
    Body,
    Fill,
    FundingCharged,
    Leg,
    Mismatch,
    OrderApproved,
    OrderChanged,
    OrderKind,
    OrderRefused,
    OrderState,
    Refusal,
    Side,
    TradeClosed,
    VenueAlert,
    VenueRefusal,
)
from execution.records import Position

ACCOUNT = "*"
LONGEST = 220
"""Characters of a line: what a venue says of an error may be a page."""
HELD = 8
"""Positions that are named one by one."""

_NAMES = {
    Leg.ENTRY: "entry",
    Leg.STOP: "stop",
    Leg.TARGET_1: "target 1",
    Leg.TARGET_2: "target 2",
    Leg.CLOSE: "closing order",
}
_FILLED = {
    Leg.ENTRY: "entry filled",
    Leg.STOP: "stop filled",
    Leg.TARGET_1: "target 1 hit",
    Leg.TARGET_2: "target 2 hit",
    Leg.CLOSE: "closed at market",
}
_REFUSALS = tuple(f"{reason.value}: " for reason in VenueRefusal)
_REPEATED = "duplicate fill "
"""How the manager marks an order that is told once more because a fill was: nothing has changed."""
_SINCE = re.compile(r"since (\d{12,14})$")
_TAKEN = re.compile(r"position \S+ is open").fullmatch


def sentence(body: Body) -> str | None:
    """The line for an event, with its UTC time and its symbol first; None where a person needs none."""
    tell = _SENTENCES.get(type(body))
    words = tell(body) if tell else None
    if words is None:
        return None
    moment = getattr(body, "traded", None) or body.time
    return line(moment, getattr(body, "symbol", ACCOUNT), words)


def line(moment: int, symbol: str, words: str) -> str:
    """Time, symbol and words as one line of plain text, whatever a venue has put into the words."""
    text = f"{_clock(moment)} {'venue' if symbol == ACCOUNT else symbol} {words}"
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _clock(moment: int) -> str:
    seconds = moment // 1000 % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def held(positions: Iterable[Position]) -> str:
    """What is held, with its stops, in one sentence."""
    told = [_held(p) for p in sorted(positions, key=lambda p: p.symbol) if not p.ended]
    if not told:
        return "no positions"
    more = f"; and {len(told) - HELD} more" if len(told) > HELD else ""
    return f"held: {'; '.join(told[:HELD])}{more}"


def _held(position: Position) -> str:
    name, side = position.symbol, position.side.value
    if not position.quantity:
        waiting = sum((order.remaining for order in position.live(Leg.ENTRY)), Decimal(0))
        return f"{name} waits to enter, {side} {_number(waiting)}" if waiting else f"{name} flat, orders end"
    stop = position.live_stop()
    if stop is None or stop.trigger is None:
        return f"{name} {side} {_number(position.quantity)} without a stop, which is being placed"
    part = "" if position.protected() else " for a part of it"
    return f"{name} {side} {_number(position.quantity)}, stop at {_number(stop.trigger)}{part}"


# Risk -----------------------------------------------------------------------------------------------


def _approved(body: OrderApproved) -> str:
    targets = " and ".join(_number(target.price) for target in body.targets)
    aims = f", target{'s' if len(body.targets) > 1 else ''} {targets}" if targets else ""
    return (
        f"signal taken: {body.side.value} {_number(body.quantity)} at {_number(body.entry)}, "
        f"stop {_number(body.stop)}{aims}, {_money(body.risk)} at risk"
    )


def _refused(body: OrderRefused) -> str:
    return f"{body.side.value} signal refused ({_words(body.reason.value)}): {_why(body)}"


def _why(body: OrderRefused) -> str:
    """Risk's comparison; in words of our own where its own names a signal, which is an id of the bus."""
    match body.reason:
        case Refusal.POSITION_OPEN:
            held, reserved = (body.numbers.get(name, Decimal(0)) for name in ("position", "reserved"))
            return f"the symbol is taken, position {_number(held)}, to fill {_number(reserved)}"
        case Refusal.DUPLICATE_SIGNAL:
            return "it has been answered before"
        case _:
            return body.detail


# Orders ---------------------------------------------------------------------------------------------


def _order(body: OrderChanged) -> str | None:
    if body.detail.startswith(_REPEATED):
        return None
    name, what = _NAMES[body.leg], _ordered(body)
    match body.state:
        case OrderState.ACCEPTED if body.kind is OrderKind.STOP:
            return f"stop is live at the venue: {what}"
        case OrderState.ACCEPTED:
            return f"{name} acknowledged: {what}"
        case OrderState.UNKNOWN:
            return f"{name}, {what}: no clear answer, the venue is asked about {body.client_id}"
        case OrderState.CANCELLED:
            part = f", after {_number(body.filled)} of it was filled" if body.filled else ""
            why = " (the venue no longer has it)" if body.detail else ""
            return f"{name} cancelled: {what}{part}{why}"
        case OrderState.REJECTED:
            return _rejected(body, name, what)
        case _:
            return None


def _rejected(body: OrderChanged, name: str, what: str) -> str:
    if body.detail == "not found":
        return f"{name} never reached the venue: {what}, {body.client_id}"
    if body.detail.startswith(_REFUSALS):
        reason, _, theirs = body.detail.partition(": ")
        if reason == VenueRefusal.OTHER.value:  # the venue's words, or our own veto
            return f"{name} not taken: {what}, {body.client_id}: {theirs}"
        return f"{name} rejected by the venue ({_words(reason)}): {what}, {body.client_id}: {theirs}"
    why = "a position is open" if _TAKEN(body.detail) else body.detail
    return f"{name} not sent ({why}): {what}"


def _ordered(body: OrderChanged) -> str:
    verb = "buy" if body.side is Side.LONG else "sell"
    return f"{verb} {_number(body.quantity)} {_where(body)}"


def _where(body: OrderChanged) -> str:
    if body.trigger is not None:
        return f"at a mark of {_number(body.trigger)}"
    return "at market" if body.price is None else f"at {_number(body.price)}"


# Fills and what they come to ------------------------------------------------------------------------


def _fill(body: Fill) -> str:
    verb = "bought" if body.side is Side.LONG else "sold"
    profit = "" if body.leg is Leg.ENTRY else f", profit {_signed(body.profit)}"
    side = "long" if body.position > 0 else "short"
    now = f"now {side} {_number(abs(body.position))}" if body.position else "now flat"
    return (
        f"{_FILLED[body.leg]}: {verb} {_number(body.quantity)} at {_number(body.price)}, "
        f"{body.liquidity.value}, fee {_money(body.fee)}{profit}, {now}"
    )


def _trade(body: TradeClosed) -> str:
    return (
        f"trade closed by {_words(body.reason.value)}: net {_signed(body.net)} "
        f"(profit {_signed(body.profit)}, fees {_money(body.fees)}, funding {_money(body.funding)}), "
        f"{body.side.value} {_number(body.quantity)} from {_average(body.entry_price)} "
        f"to {_average(body.exit_price)} in {_span(body.time - body.opened)}"
    )


def _funding(body: FundingCharged) -> str | None:
    if not body.amount:
        return None
    return f"funding {'paid' if body.amount > 0 else 'received'}: {_money(abs(body.amount))}"


def _mismatch(body: Mismatch) -> str:
    said = _SINCE.sub(lambda found: f"since {_clock(int(found[1]))}", body.detail)
    return f"attention: {said}"


def _alert(body: VenueAlert) -> str:
    return f"{_words(body.code.value)}: {body.detail}"


# Numbers --------------------------------------------------------------------------------------------


def _number(value: Decimal) -> str:
    """A price or a quantity, without zeros that say nothing."""
    return f"{value.normalize():f}"


def _average(price: Decimal) -> str:
    """Of several fills: no tick bounds its digits."""
    return _number(Decimal(f"{price:.8g}"))


def _money(value: Decimal) -> str:
    """An amount to the hundredth; a smaller one to its first digits, so that a fee is never told as none."""
    if not value:
        return "0.00"
    rounded = value.quantize(Decimal("0.01")) if value.adjusted() < 20 else value
    return f"{rounded:,.2f}" if rounded else f"{Decimal(f'{value:.1g}'):f}"


def _signed(value: Decimal) -> str:
    return f"{'+' if value > 0 else ''}{_money(value)}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _span(milliseconds: int) -> str:
    """A length of time in its largest unit and the one below."""
    seconds = max(0, milliseconds) // 1000
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    for (name, size), (below, part) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {name}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"


_SENTENCES: dict[type[Body], Callable[[Any], str | None]] = {
    OrderApproved: _approved,
    OrderRefused: _refused,
    OrderChanged: _order,
    Fill: _fill,
    TradeClosed: _trade,
    FundingCharged: _funding,
    Mismatch: _mismatch,
    VenueAlert: _alert,
}
