"""The venue's word beside ours, from any difference: one pass converges, a second changes nothing, the
order of what is heard does not matter, and every id is a function of what it stands for.

A pass is what the edge reports through a grace and the answers to it: five looks at orders and positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import (
    AccountReport,
    Body,
    CancelOrder,
    CancelRejected,
    Leg,
    LookUpOrder,
    Mismatch,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderNotFound,
    PlaceOrder,
    PositionState,
    Side,
    StrayOrder,
    VenueAlert,
)
from bus_schemas.events.venue import Liquidity
from execution.ids import client_id
from tests.unit.execution.desk import Desk
from tests.unit.execution.world import SYMBOL

D = Decimal
SYMBOLS = (SYMBOL, "YUSDT")
GRACE_S = 10
MARK = D(100)


class Lost(NamedTuple):
    """An order that rests at the venue and of which the bus lost every trace."""

    symbol: str
    leg: Leg
    signal: str


class Truth:
    """A venue that keeps its word, and the edge before it, as far as reports go.

    Attributes:
        resting: open orders by client id.
        commanded: what the edge knows a command for.
    """

    def __init__(self, desk: Desk, held: dict[str, int], lost: Sequence[Lost]) -> None:
        self.desk = desk
        self.held = {symbol: D(quantity) for symbol, quantity in held.items() if quantity}
        self.resting: dict[str, PlaceOrder] = {}
        self.commanded: set[str] = set()
        self.done = 0
        self.was_protected: set[str] = set()
        for one in lost:
            order = self._order(one)
            self.resting[order.client_id] = order

    def _order(self, one: Lost) -> PlaceOrder:
        long = self.held.get(one.symbol, D(1)) > 0
        entry = one.leg is Leg.ENTRY
        return PlaceOrder(
            time=1,
            client_id=client_id(one.signal, one.leg, 1),
            signal_id=one.signal,
            symbol=one.symbol,
            side=Side.LONG if entry == long else Side.SHORT,
            leg=one.leg,
            kind="limit",  # type: ignore[arg-type]
            quantity=abs(self.held.get(one.symbol, D(2))),
            reduce_only=not entry,
        )

    def look(self, shuffle: Callable[[list[Body]], list[Body]]) -> None:
        for body in shuffle(self.reports()):
            self.desk.report(body)
            self.answer()
        self.desk.tick()
        self.answer()

    def one_pass(self, shuffle: Callable[[list[Body]], list[Body]]) -> None:
        for _ in range(5):
            self.look(shuffle)
            self.desk.tick(GRACE_S)
            self.answer()

    def reports(self) -> list[Body]:
        time = self.desk.time
        held = tuple(
            PositionState(symbol=symbol, quantity=quantity, entry_price=MARK, mark=MARK)
            for symbol, quantity in sorted(self.held.items())
        )
        account = AccountReport(time=time, cash=D(1000), equity=D(1000), positions=held)
        return [
            account,
            *(self._stray(o) for o in self.resting.values() if o.client_id not in self.commanded),
        ]

    def _stray(self, order: PlaceOrder) -> StrayOrder:
        names = ("client_id", "symbol", "side", "quantity", "price", "trigger", "reduce_only")
        return StrayOrder(time=self.desk.time, **{name: getattr(order, name) for name in names})

    def answer(self) -> None:
        """Do what was commanded and say so, until nothing new is asked."""
        while self.done < len(self.desk.log):
            body = self.desk.log[self.done].body
            self.done += 1
            reply = self._reply(body)
            self._never_bare_again()
            if reply is not None:
                self.desk.report(reply)

    def _reply(self, body: Body) -> Body | None:
        about: dict[str, Any] = {"time": self.desk.time}
        if isinstance(body, PlaceOrder | CancelOrder | LookUpOrder):
            about |= {"client_id": body.client_id, "symbol": body.symbol}
        if isinstance(body, PlaceOrder):
            self.commanded.add(body.client_id)
            assert body.client_id not in self.resting, "an id was used twice"
            self.resting[body.client_id] = body
            return OrderAccepted(**about, venue_id="v")
        if isinstance(body, CancelOrder):
            known = self.resting.pop(body.client_id, None)
            return OrderCancelled(**about, filled=D(0)) if known else CancelRejected(**about)
        if isinstance(body, LookUpOrder):
            there = body.client_id in self.resting
            return OrderAccepted(**about, venue_id="v") if there else OrderNotFound(**about)
        return None

    def stops(self, symbol: str) -> list[PlaceOrder]:
        return [o for o in self.resting.values() if o.symbol == symbol and o.leg is Leg.STOP]

    def _never_bare_again(self) -> None:
        """What once had a stop over all of it has one ever after."""
        for symbol, quantity in self.held.items():
            covered = any(stop.quantity >= abs(quantity) for stop in self.stops(symbol))
            assert covered or symbol not in self.was_protected, f"{symbol} lost its stop"
            if covered:
                self.was_protected.add(symbol)


def converged(truth: Truth) -> None:
    """The venue holds what was decided and nothing else, and each position has one stop over all of it."""
    assert set(truth.resting) <= truth.commanded
    for symbol in SYMBOLS:
        quantities = [stop.quantity for stop in truth.stops(symbol)]
        assert quantities == ([abs(truth.held[symbol])] if symbol in truth.held else [])
    assert all(order.leg is Leg.STOP for order in truth.resting.values())


held = st.fixed_dictionaries({symbol: st.integers(-3, 3) for symbol in SYMBOLS})
lost = st.lists(
    st.builds(
        Lost, st.sampled_from(SYMBOLS), st.sampled_from([Leg.ENTRY, Leg.STOP]), st.sampled_from("abcd")
    ),
    max_size=5,
    unique=True,
)


def shuffler(data: st.DataObject) -> Callable[[list[Body]], list[Body]]:
    return lambda bodies: data.draw(st.permutations(bodies))


@settings(max_examples=80, deadline=None)
@given(held, lost, st.data())
def test_one_pass_converges_and_a_second_changes_nothing(
    positions: dict[str, int], orders: list[Lost], data: st.DataObject
) -> None:
    desk = Desk()
    truth = Truth(desk, positions, orders)
    truth.one_pass(shuffler(data))
    converged(truth)
    after, commands = dict(truth.resting), desk.bodies(PlaceOrder, CancelOrder, LookUpOrder)
    told = desk.bodies(Mismatch, VenueAlert)
    truth.one_pass(shuffler(data))
    assert truth.resting == after
    assert desk.bodies(PlaceOrder, CancelOrder, LookUpOrder) == commands
    assert desk.bodies(Mismatch, VenueAlert) == told
    assert "strays:" not in desk.stored["manager"]


@settings(max_examples=40, deadline=None)
@given(held, lost, st.data())
def test_a_bus_that_lost_everything_takes_over_what_the_venue_holds(
    positions: dict[str, int], orders: list[Lost], data: st.DataObject
) -> None:
    """Positions keep their stops while new ones are placed; of the old ones none is left in the end."""
    first = Truth(Desk(), positions, orders)
    first.one_pass(shuffler(data))
    desk = Desk()
    desk.time = first.desk.time + 3_600_000
    truth = Truth(desk, positions, [])
    truth.resting, truth.was_protected = dict(first.resting), first.was_protected
    truth.one_pass(shuffler(data))
    converged(truth)
    assert set(truth.resting).isdisjoint(first.resting)


@settings(max_examples=60, deadline=None)
@given(held, lost, st.data())
def test_the_order_in_which_a_look_is_heard_does_not_matter(
    positions: dict[str, int], orders: list[Lost], data: st.DataObject
) -> None:
    ends = []
    for shuffle in (shuffler(data), list[Body]):
        truth = Truth(Desk(), positions, orders)
        truth.one_pass(shuffle)
        ends.append((truth.resting, _decoded(truth.desk)))
    assert ends[0] == ends[1]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(20,), (5, 15), (1, 1, 18)]), lost, st.data())
def test_fills_account_and_strays_may_come_in_any_order(
    parts: tuple[int, ...], orders: list[Lost], data: st.DataObject
) -> None:
    """What is heard before its cause is known does no harm: the end is the same."""
    ends = []
    for at in (data.draw(st.lists(st.integers(0, len(parts)), min_size=9, max_size=9)), [len(parts)] * 9):
        desk = Desk().approve()
        truth = Truth(desk, {SYMBOL: 2}, orders)
        truth.answer()
        entry = truth.resting.pop(client_id("s1", Leg.ENTRY, 1))
        reports = truth.reports()
        for n in range(len(parts) + 1):
            for when, body in zip(at, reports, strict=False):
                if when == n:
                    desk.report(body)
                    truth.answer()
            if n < len(parts):
                desk.report(_fill(desk, entry, parts, n))
                truth.answer()
        truth.one_pass(list)
        ends.append((truth.resting, _decoded(desk)))
        assert not desk.bodies(Mismatch)
    assert ends[0] == ends[1]


@settings(max_examples=40, deadline=None)
@given(held, lost)
def test_ids_are_the_same_whoever_decides_and_however_often_it_restarts(
    positions: dict[str, int], orders: list[Lost]
) -> None:
    logs = []
    for restore in (False, True, False):
        truth = Truth(Desk(restore=restore), positions, orders)
        truth.one_pass(list)
        logs.append(truth.desk.log)
    assert logs[0] == logs[1] == logs[2]


def _fill(desk: Desk, entry: PlaceOrder, parts: tuple[int, ...], n: int) -> OrderFilled:
    return OrderFilled(
        time=desk.time,
        client_id=entry.client_id,
        symbol=entry.symbol,
        side=entry.side,
        fill_id=f"f{n}",
        price=MARK,
        quantity=D(parts[n]) / 10,
        remaining=D(sum(parts[n + 1 :])) / 10,
        fee=D(0),
        liquidity=Liquidity.MAKER,
    )


def _decoded(desk: Desk) -> dict[str, Any]:
    return {key: msgspec.json.decode(value) for key, value in desk.stored["manager"].items()}
