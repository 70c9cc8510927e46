"""The edge's register: evidence in any order, as often as you like, is told once and in full."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus_schemas.events import (
    Body,
    Leg,
    Liquidity,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    PlaceOrder,
    PositionState,
    Side,
    StrayOrder,
)
from execution.ids import client_id
from execution.live.port import FundingFee, Standing, VenueFill, VenueOrder
from execution.live.register import Register

NOW = 1_700_000_000_000
SYMBOL = "BTCUSDT"
D = Decimal


class Past:
    """What has really happened at the venue: orders that filled in parts and may have ended."""

    def __init__(self, plans: list[tuple[int, list[int], bool]]) -> None:
        self.orders: list[VenueOrder] = []
        self.fills: list[VenueFill] = []
        for number, (quantity, parts, cancelled) in enumerate(plans):
            name = client_id(f"signal-{number}", Leg.ENTRY, 1)
            filled = 0
            for part in parts:
                take = min(part, quantity - filled)
                if take:
                    self.fills.append(_fill(name, f"v{number}", len(self.fills), take))
                    filled += take
            standing = Standing.FILLED if filled == quantity else Standing.LIVE
            if cancelled and filled < quantity:
                standing = Standing.CANCELLED
            self.orders.append(_order(name, f"v{number}", quantity, filled, standing))

    @property
    def position(self) -> list[PositionState]:
        total = sum((fill.quantity for fill in self.fills), D(0))
        return (
            [PositionState(symbol=SYMBOL, quantity=total, entry_price=D(100), mark=D(100))] if total else []
        )


def _order(name: str, venue_id: str, quantity: int, filled: int, standing: Standing) -> VenueOrder:
    return VenueOrder(
        client_id=name, venue_id=venue_id, symbol=SYMBOL, side=Side.LONG, kind=OrderKind.LIMIT,
        standing=standing, status=standing.value, quantity=D(quantity), filled=D(filled), price=D(100),
        time=NOW,
    )  # fmt: skip


def _fill(name: str, venue_id: str, number: int, quantity: int) -> VenueFill:
    return VenueFill(
        fill_id=f"f{number}", venue_id=venue_id, client_id=name, symbol=SYMBOL, side=Side.LONG, price=D(100),
        quantity=D(quantity), fee=D(0), liquidity=Liquidity.MAKER, time=NOW + number,
    )  # fmt: skip


def _place(order: VenueOrder) -> PlaceOrder:
    return PlaceOrder(
        time=NOW, client_id=order.client_id, signal_id="s", symbol=SYMBOL, side=Side.LONG, leg=Leg.ENTRY,
        kind=OrderKind.LIMIT, quantity=order.quantity, price=D(100),
    )  # fmt: skip


def _register(past: Past) -> Register:
    register = Register()
    for seq, order in enumerate(past.orders, 1):
        register.intake(seq, _place(order), "", "")
        register.sending(order.client_id, NOW)
    return register


def _one_pass(register: Register, past: Past, time: int) -> list[Body]:
    """What a look at the account leads to, with every question answered."""
    resting = [order for order in past.orders if order.standing is Standing.LIVE]
    found = register.look(resting, past.position, time)
    said = list(found.reports)
    if found.suspects:
        said += register.traded(past.fills, time)
    for name in found.vanished:
        order = next(order for order in past.orders if order.client_id == name)
        said += register.learn(name, order, time)
    return said


plans = st.lists(
    st.tuples(st.integers(1, 6), st.lists(st.integers(1, 4), max_size=4), st.booleans()),
    min_size=1,
    max_size=5,
)


def _summary(said: list[Body]) -> Counter[tuple[str, ...]]:
    def name(body: Body) -> tuple[str, ...]:
        words = [type(body).__name__, getattr(body, "client_id", "")]
        if isinstance(body, OrderFilled):
            words += [body.fill_id, str(body.quantity)]
        if isinstance(body, OrderCancelled):
            words.append(str(body.filled))
        return tuple(words)

    return Counter(map(name, said))


def _expected(past: Past) -> Counter[tuple[str, ...]]:
    out = Counter(("OrderAccepted", order.client_id) for order in past.orders)
    for fill in past.fills:
        out["OrderFilled", fill.client_id, fill.fill_id, str(fill.quantity)] = 1
    for order in past.orders:
        if order.standing is Standing.CANCELLED:
            out["OrderCancelled", order.client_id, str(order.filled)] = 1
    return out


@given(plans)
def test_one_pass_converges_and_a_second_says_nothing(plan: list[tuple[int, list[int], bool]]) -> None:
    past = Past(plan)
    register = _register(past)
    assert _summary(_one_pass(register, past, NOW + 1000)) == _expected(past)
    assert _one_pass(register, past, NOW + 2000) == []


@given(plans, st.data())
@settings(max_examples=60)
def test_the_order_and_number_of_pieces_of_evidence_do_not_matter(
    plan: list[tuple[int, list[int], bool]], data: st.DataObject
) -> None:
    past = Past(plan)
    pieces: list[object] = [*past.orders, *past.fills]
    drawn = data.draw(st.permutations(pieces + pieces))
    register = _register(past)
    said: list[Body] = []
    for piece in drawn:
        if isinstance(piece, VenueOrder):
            said += register.learn(piece.client_id, piece, NOW + 1000)
        else:
            assert isinstance(piece, VenueFill)
            said += register.traded([piece], NOW + 1000)
    said += _one_pass(register, past, NOW + 2000)
    assert _summary(said) == _expected(past)
    for order in past.orders:
        ends = [b for b in said if isinstance(b, OrderCancelled) and b.client_id == order.client_id]
        fills = [b for b in said if isinstance(b, OrderFilled) and b.client_id == order.client_id]
        assert sum((b.quantity for b in fills), D(0)) == order.filled
        assert not ends or said.index(ends[0]) > max((said.index(b) for b in fills), default=-1)


@given(plans, st.data())
@settings(max_examples=60)
def test_a_restart_after_any_piece_tells_the_rest_and_nothing_twice(
    plan: list[tuple[int, list[int], bool]], data: st.DataObject
) -> None:
    past = Past(plan)
    register = _register(past)
    state: dict[str, bytes] = {}
    said: list[Body] = []
    for piece in data.draw(st.permutations(past.fills)):
        said += register.traded([piece], NOW + 1000)
        state |= {key: value for key, value in register.drain().items() if value is not None}
        if data.draw(st.booleans()):
            register = Register()
            register.load(state)
    said += _one_pass(register, past, NOW + 2000) if state or not past.fills else []
    assert _summary(said) == _expected(past)


def test_an_order_of_ours_without_a_command_is_a_stray_until_one_comes() -> None:
    past = Past([(2, [], False)])
    register = Register()
    assert register.look(past.orders, [], NOW).reports == []
    strays = register.strays(NOW)
    assert [type(body) for body in strays] == [StrayOrder]
    register.intake(1, _place(past.orders[0]), "", "")
    assert register.strays(NOW) == []
    said = register.learn(past.orders[0].client_id, past.orders[0], NOW)
    assert [type(body) for body in said] == [OrderAccepted]


def test_an_order_of_many_fills_is_told_once_however_often_they_are_read() -> None:
    past = Past([(600, [1] * 599, False)])
    register = _register(past)
    said = register.traded(past.fills, NOW + 1000)
    assert len([body for body in said if isinstance(body, OrderFilled)]) == 599
    for _ in range(3):
        assert register.traded(past.fills, NOW + 2000) == []
    late = _fill(past.orders[0].client_id, "v0", 900, 1)
    (filled,) = register.traded([*past.fills, late], NOW + 3000)
    assert isinstance(filled, OrderFilled)
    assert (filled.fill_id, filled.remaining) == ("f900", 0)


def test_an_order_that_the_venue_cut_and_filled_has_ended() -> None:
    past = Past([(5, [3], False)])
    register = _register(past)
    register.traded(past.fills, NOW + 1000)
    name = past.orders[0].client_id
    cut = _order(name, "v0", 3, 3, Standing.FILLED)
    said = register.learn(name, cut, NOW + 2000)
    assert [(type(body), getattr(body, "filled", None)) for body in said] == [(OrderCancelled, D(3))]
    assert register.live() == []


def test_a_filled_order_whose_fills_are_not_listed_yet_has_not_ended() -> None:
    past = Past([(5, [3], False)])
    register = _register(past)
    name = past.orders[0].client_id
    said = register.learn(name, _order(name, "v0", 5, 3, Standing.FILLED), NOW + 2000)
    assert [type(body) for body in said] == [OrderAccepted]
    assert [held.client_id for held in register.live()] == [name]


def test_funding_from_before_our_first_order_is_not_ours() -> None:
    past = Past([(2, [], False)])
    register = Register()
    assert register.funding_from(SYMBOL, NOW + 5000) == NOW + 5000
    register = _register(past)
    assert register.funding_from(SYMBOL, NOW + 5000) == NOW
    fee = FundingFee(symbol=SYMBOL, amount=D(1), rate=D("0.0001"), time=NOW + 1000)
    later = FundingFee(symbol=SYMBOL, amount=D(1), rate=D("0.0001"), time=NOW + 2000)
    assert register.lists.charged([later, fee, fee]) == [fee, later]
    assert register.lists.charged([fee, later]) == []
    assert register.funding_from(SYMBOL, NOW + 5000) == NOW + 2000


def test_an_order_that_comes_up_after_it_was_missing_is_told_again_and_may_count_for_nobody() -> None:
    past = Past([(5, [2], False)])
    (order,) = past.orders
    register = _register(past)
    _one_pass(register, past, NOW + 100)
    assert register.strays(NOW + 100) == []
    register.not_found(order.client_id, SYMBOL, NOW + 200)
    assert register.look([order], past.position, NOW + 210, asked=NOW + 190).reports == []  # from before
    assert register.strays(NOW + 210) == []
    found = register.look([order], past.position, NOW + 310, asked=NOW + 300)
    assert [type(body) for body in found.reports] == [OrderAccepted]
    assert register.look([order], past.position, NOW + 400).reports == []
    assert [type(body) for body in register.strays(NOW + 400)] == [StrayOrder]


def test_an_order_that_comes_up_by_a_fill_may_count_for_nobody() -> None:
    past = Past([(5, [2, 1], False)])
    (order,) = past.orders
    register = _register(past)
    register.traded(past.fills[:1], NOW + 100)
    register.not_found(order.client_id, SYMBOL, NOW + 200)
    assert [type(body) for body in register.traded(past.fills, NOW + 300)] == [OrderFilled]
    assert [type(body) for body in register.strays(NOW + 400)] == [StrayOrder]
    assert register.look([order], past.position, NOW + 400).reports == []


def test_an_order_that_rests_after_its_end_was_told_is_a_stray_until_it_ends_again() -> None:
    past = Past([(5, [2], False), (3, [3], False)])
    order, whole = past.orders
    ended = replace(order, standing=Standing.CANCELLED)
    register = _register(past)
    register.traded(past.fills, NOW + 100)
    register.learn(order.client_id, ended, NOW + 200)
    before = register.look([order], past.position, NOW + 210, asked=NOW + 190)
    assert before.vanished == [order.client_id]
    register.risen(order.client_id, order, NOW + 190)  # its question was put before the end
    assert register.strays(NOW + 210) == []
    register.risen(order.client_id, order, NOW + 300)
    assert register.learn(order.client_id, order, NOW + 310) == []
    assert [type(body) for body in register.strays(NOW + 310)] == [StrayOrder]
    said = register.learn(order.client_id, ended, NOW + 400)
    assert [(type(body), getattr(body, "filled", None)) for body in said] == [(OrderCancelled, D(2))]
    assert register.strays(NOW + 410) == []
    register.risen(
        whole.client_id, replace(whole, standing=Standing.LIVE), NOW + 500
    )  # told in full: an old list
    assert register.strays(NOW + 510) == []
