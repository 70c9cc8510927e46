"""The venue's books beside what was told: orders, fills, money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from bus_schemas.events import (
    AccountSnapshot,
    Fill,
    FundingCharged,
    OrderChanged,
    OrderState,
    PlaceOrder,
    PositionChanged,
    TradeClosed,
)
from bus_schemas.topology import Stream
from execution.books import money as in_cash
from execution.simulator.orders import SimFill, SimFunding, SimOrder, SimStatus
from health.database import make_engine, parse_url
from health.schema import FACTS
from tests.soak.record import Record
from tests.soak.run import Truth
from tests.soak.verdict import Check

T = TypeVar("T")
ZERO = Decimal(0)
ROUNDING = Decimal("0.00000001")
"""Of one sum of money, in settle currency."""
_SAME = {
    OrderState.FILLED: {SimStatus.FILLED, SimStatus.TRIGGERED},
    OrderState.CANCELLED: {SimStatus.CANCELLED, SimStatus.EXPIRED, SimStatus.TRIGGERED},
}


class Books:
    """The venue's side, decoded.

    Attributes:
        orders: every order ever but successors, by client id.
        successors: orders that a triggered one became, by its id.
    """

    def __init__(self, truth: Truth) -> None:
        state = truth.state
        every = _all(state["orders"], SimOrder)
        self.every = every
        self.orders: dict[str, list[SimOrder]] = {}
        for order in every:
            if not order.origin:
                self.orders.setdefault(order.client_id, []).append(order)
        self.successors = {order.origin: order for order in every if order.origin}
        self.fills = _all(state["fills"], SimFill)
        self.funding = _all(state["funding"], SimFunding)
        self.cash = Decimal(state["account"]["cash"])
        self.start = Decimal(truth.start_cash)
        self.positions: list[Any] = state["positions"]

    def filled(self, order: SimOrder) -> Decimal:
        """Contracts that the order and what it became have filled."""
        names = {order.order_id, order.successor} - {""}
        return sum((fill.quantity for fill in self.fills if fill.order_id in names), ZERO)


def _all(raw: Any, kind: type[T]) -> list[T]:
    return [msgspec.convert(row, kind) for row in raw]


def orders(record: Record, books: Books) -> Check:
    """The venue holds exactly the orders that were decided, each once, and their ends agree."""
    decided = Counter(body.client_id for _, body in record.said(PlaceOrder, Stream.COMMANDS))
    last = {body.client_id: body for _, body in record.said(OrderChanged, Stream.EXECUTIONS)}
    check = Check(
        name="orders: decided once, placed at most once",
        seen=f"{len(decided)} decided, {sum(map(len, books.orders.values()))} at the venue",
    )
    wrong = check.wrong
    wrong += [f"{name} was decided {times} times" for name, times in decided.items() if times > 1]
    wrong += [f"the venue has {name}, which nobody decided" for name in sorted(books.orders.keys() - decided)]
    for name in decided:
        wrong += _order(name, last.get(name), books.orders.get(name, []), books)
    if not decided:
        wrong.append("nothing was decided: a soak without orders shows nothing")
    return check


def _order(name: str, ours: OrderChanged | None, taken: list[SimOrder], books: Books) -> Iterator[str]:
    if len(taken) > 1:
        yield f"the venue took {name} {len(taken)} times"
    if ours is None:
        yield f"{name} was decided and never told of"
        return
    if not ours.state.terminal:
        yield f"{ours.leg.value} {name} ends as {ours.state.value}"
    if not taken:
        if ours.filled or ours.state is OrderState.FILLED:
            yield f"{name} is {ours.state.value} for us, and the venue never had it"
        return
    theirs = taken[0]
    if theirs.alive:
        yield f"{name} still lives at the venue"
    if ours.state is OrderState.REJECTED or theirs.status not in _SAME.get(ours.state, {theirs.status}):
        yield (
            f"{ours.leg.value} {name} is {ours.state.value} ({ours.detail}) for us and "
            f"{theirs.status.value} ({theirs.reason}) at the venue"
        )
    if ours.filled != (filled := books.filled(theirs)):
        yield f"{name} has filled {ours.filled} for us and {filled} at the venue"


def fills(record: Record, books: Books) -> Check:
    """Each fill of the venue is told once, as it was."""
    said = [body for _, body in record.said(Fill, Stream.EXECUTIONS)]
    told = Counter(fill.fill_id for fill in said)
    theirs = {fill.fill_id: fill for fill in books.fills}
    check = Check(
        name="fills: each told exactly once, as it was", seen=f"{len(theirs)} at the venue, {len(said)} told"
    )
    check.wrong += [f"fill {name} was told {times} times" for name, times in told.items() if times > 1]
    for name in sorted(theirs.keys() - told.keys()):
        check.wrong.append(f"fill {name} of {theirs[name].client_id} was never told")
    for fill in said:
        real = theirs.get(fill.fill_id)
        if real is None:
            check.wrong.append(f"fill {fill.fill_id} of {fill.client_id} never happened")
            continue
        for word in ("side", "price", "quantity", "fee", "liquidity", "profit"):
            ours, its = getattr(fill, word), getattr(real, word)
            if word == "profit":  # the venue tells eight places, our books of a part of a position have ten
                ours, its = in_cash(ours), in_cash(its)
            if ours != its:
                check.wrong.append(f"fill {fill.fill_id} of {fill.client_id}: {word} {ours}, in truth {its}")
    if not said:
        check.wrong.append("nothing was filled: a soak without fills shows nothing")
    return check


def money(record: Record, books: Books) -> Check:
    """Cash is what it began with, and what was told of fills and funding. Funding that the venue lists after
    the position is closed is in the account's books and not in the trade's."""
    told = [body for _, body in record.said(Fill, Stream.EXECUTIONS)]
    charged = list(record.said(FundingCharged, Stream.EXECUTIONS))
    funded = [body.amount for _, body in charged]
    realised = sum((fill.profit for fill in told), ZERO)
    fees = sum((fill.fee for fill in told), ZERO)
    funding = sum(funded, ZERO)
    expected = books.start + realised - fees - funding
    check = Check(
        name="money: cash = start + realised − fees − funding",
        seen=f"{books.start} + {realised} − {fees} − {funding} = {expected}; the venue has {books.cash}",
    )
    room = ROUNDING * (len(funded) + 1)
    if abs(expected - books.cash) > room:
        check.wrong.append(f"{books.cash - expected} more at the venue than was told")
    paid = sum((row.amount for row in books.funding), ZERO)
    if abs(paid - funding) > room:
        check.wrong.append(
            f"funding: {paid} paid at the venue, {funding} told ({len(books.funding)}, {len(funded)})"
        )
    late = sum((body.amount for _, body in charged if not body.signal_id), ZERO)
    net = sum((body.net for _, body in record.said(TradeClosed, Stream.EXECUTIONS)), ZERO) - late
    if abs(net - (expected - books.start)) > room:
        check.wrong.append(f"closed trades and late funding made {net}, it is {expected - books.start}")
    last = record.newest.get(AccountSnapshot)
    if last is not None and isinstance(last.body, AccountSnapshot) and last.body.cash != books.cash:
        check.wrong.append(f"the last snapshot says {last.body.cash}")
    return check


def flat(record: Record, books: Books, truth: Truth) -> Check:
    """Nothing is open at the end, on either side."""
    last = {body.symbol: body for _, body in record.said(PositionChanged, Stream.EXECUTIONS)}
    alive = [order for order in books.every if order.alive]
    check = Check(name="the end: flat, nothing rests", seen=f"{len(last)} symbols traded")
    if not truth.flat:
        check.wrong.append("it was not flat and quiet in time after kill --flatten")
    check.wrong += [
        f"a position is left at the venue: {p['symbol']} {p['quantity']}" for p in books.positions
    ]
    check.wrong += [f"{o.kind.value} {o.client_id} still rests at the venue" for o in alive]
    for symbol, body in last.items():
        if body.quantity or body.phase.value not in ("closed", "abandoned"):
            check.wrong.append(f"{symbol} is {body.phase.value} with {body.quantity} for us")
    return check


def ledger(record: Record, truth: Truth) -> Check:
    """The SQL ledger has every fill, order change and closed trade that was told, once."""
    engine = make_engine(parse_url(f"sqlite:///{truth.database}"))
    check = Check(name="the SQL ledger has every fact")
    found = []
    try:
        with engine.connect() as connection:
            for name, kind in (("fills", Fill), ("order_changes", OrderChanged), ("trades", TradeClosed)):
                table = FACTS[name]
                query = sa.select(table.c.seq).where(table.c.namespace == truth.namespace)
                rows = sorted(row.seq for row in connection.execute(query))
                told = sorted(event.seq for event, _ in record.said(kind, Stream.EXECUTIONS))
                found.append(f"{len(rows)} {name}")
                if rows != told:
                    check.wrong.append(f"{len(rows)} {name}, {len(told)} were told")
    finally:
        engine.dispose()
    check.seen = ", ".join(found)
    return check
