"""The order manager under any reports, in any order, twice or not at all."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.errors import IllegalTransition
from bus_schemas.events import (
    Leg,
    Mismatch,
    OrderState,
    PlaceOrder,
    Target,
)
from execution.books import Book
from execution.records import Position
from execution.targets import Slice, allocate
from tests.unit.execution.desk import Desk
from tests.unit.execution.world import INSTRUMENTS, SYMBOL

D = Decimal
WORDS = ("ack", "fill", "reject", "would_trigger", "duplicate_id", "cancelled", "no_cancel", "not_found")

words = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(WORDS), st.integers(0, 12), st.integers(1, 20)),
        st.tuples(st.just("tick"), st.sampled_from([1, 11, 30]), st.just(0)),
    ),
    max_size=40,
)


def held(desk: Desk) -> Position | None:
    raw = desk.stored["manager"].get(f"position:{SYMBOL}")
    return msgspec.json.decode(raw, type=Position) if raw else None


def say(desk: Desk, word: str, which: int, size: int) -> None:
    if word == "tick":
        desk.tick(which)
        return
    commands = desk.bodies(PlaceOrder)
    name = commands[which % len(commands)].client_id.split("-")[1]  # type: ignore[attr-defined]
    if word == "fill":
        desk.fill(name, str(D(size) / 10))
    elif word == "cancelled":
        position = held(desk)
        order = position.orders.get(desk.command_of(name).client_id) if position else None
        desk.cancelled(name, str(order.filled if order else 0))
    elif word in ("would_trigger", "duplicate_id"):
        desk.reject(name, word)
    else:
        getattr(desk, word)(name)


def check(desk: Desk, position: Position | None, before: Position | None) -> None:
    if position is None:
        return
    assert 0 <= position.quantity <= position.planned
    assert position.book.opened - position.book.exited == position.quantity
    for order in position.orders.values():
        assert order.filled <= order.cap
    entered = sum((o.filled for o in position.of(Leg.ENTRY)), D(0))
    assert entered == position.book.opened
    targets = [
        o
        for o in position.of(Leg.TARGET_1, Leg.TARGET_2)
        if o.live and o.state not in (OrderState.CANCELLING, OrderState.UNKNOWN)
    ]
    assert sum((o.remaining for o in targets), D(0)) <= position.quantity
    if position.book.opened:
        assert any(isinstance(c, PlaceOrder) and c.leg is Leg.STOP for c in desk.bodies(PlaceOrder))
    if before is not None and before.signal_id == position.signal_id:
        assert (
            position.side.sign * (position.stop - before.stop) >= 0
            or position.mismatch_told
            or desk.bodies(Mismatch)
        )
    if position.quantity and position.exit is None:
        assert position.live(Leg.STOP), "an open position without a stop, and no exit under way"


@settings(max_examples=150, deadline=None)
@given(words, st.sampled_from(["long", "short"]))
def test_any_report_in_any_order_keeps_the_invariants(said: list[tuple[str, int, int]], side: str) -> None:
    desk = Desk()
    if side == "long":
        desk.approve()
    else:
        desk.approve(side="short", stop="105", targets="90:1 80:1")
    for word, which, size in said:
        before = held(desk)
        stored = dict(desk.stored["manager"])
        try:
            say(desk, word, which, size)
        except IllegalTransition:
            # The runtime puts the event aside and goes on from what was stored.
            desk.manager.load(stored)
            desk.stored["manager"] = stored
            continue
        check(desk, held(desk), before)


@settings(max_examples=60, deadline=None)
@given(words)
def test_a_restart_between_any_two_events_changes_nothing(said: list[tuple[str, int, int]]) -> None:
    logs = []
    for restore in (False, True):
        desk = Desk(restore=restore).approve()
        for word, which, size in said:
            stored = dict(desk.stored["manager"])
            try:
                say(desk, word, which, size)
            except IllegalTransition:
                desk.manager.load(stored)
                desk.stored["manager"] = stored
        logs.append((desk.log, desk.stored))
    assert logs[0] == logs[1]


slices = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40), st.booleans()), min_size=0, max_size=2)


@given(slices, st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))
def test_targets_never_exceed_what_remains(
    shapes: list[tuple[int, int, bool]], extra: int, opened: int, remaining: int
) -> None:
    tenth = D("0.1")
    planned = sum(quantity for quantity, _, _ in shapes) + extra
    if not planned:
        return
    pieces = [
        Slice(Target(price=D(100), quantity=quantity * tenth), taken * tenth, resting)
        for quantity, taken, resting in shapes
    ]
    goals = allocate(
        INSTRUMENTS[SYMBOL], pieces, planned * tenth, min(opened, planned) * tenth, remaining * tenth
    )
    assert sum(goals, D(0)) <= remaining * tenth
    assert all(goal >= 0 and not goal % tenth for goal in goals)
    for goal, piece in zip(goals, pieces, strict=True):
        assert not goal or piece.resting or INSTRUMENTS[SYMBOL].tradable(goal, piece.target.price)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 50), st.integers(900, 1100)), max_size=30),
    st.sampled_from([1, -1]),
    st.integers(900, 1100),
)
def test_a_book_keeps_every_digit(trades: list[tuple[bool, int, int]], sign: int, mark: int) -> None:
    book, cash, size = Book(), D(0), D("0.01")
    for enter, quantity, price in trades:
        amount, level = D(quantity) / 10, D(price) / 10
        if enter:
            book.enter(amount, level, size)
            cash -= sign * amount * level * size
        elif book.quantity:
            amount = min(amount, book.quantity)
            book.leave(amount, level, size, sign)
            cash += sign * amount * level * size
    level = D(mark) / 10
    assert book.profit + book.open_profit(level, size, sign) == cash + sign * book.quantity * level * size
    assert book.quantity == book.opened - book.exited >= 0
