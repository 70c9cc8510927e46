"""Whatever is done to an exchange: its books are the sum of its fills."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import OrderKind, Side
from execution.books import money
from execution.simulator.orders import TREATMENT, SimFill, SimRefusal, Treatment, TriggerBy
from execution.simulator.rules import BINANCE_USDM, KRAKEN_FUTURES
from tests.unit.execution.simulator.bench import Bench

CASH = 20_000

_PRICES = st.integers(55_000, 65_000).map(Decimal)
_PLACING = st.fixed_dictionaries(
    {
        "side": st.sampled_from(Side),
        "kind": st.sampled_from(OrderKind),
        "quantity": st.integers(2, 300).map(lambda n: Decimal(n) / 1000),
        "level": _PRICES,
        "reduce_only": st.booleans(),
        "trigger_by": st.sampled_from(TriggerBy),
        "pieces": st.integers(1, 4),
    }
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), _PLACING),
        st.tuples(st.just("price"), st.tuples(_PRICES, _PRICES)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("amend"), st.tuples(st.integers(0, 20), st.integers(1, 300))),
        st.tuples(st.just("fund"), st.integers(-10, 10)),
    ),
    min_size=5,
    max_size=60,
)


def _do(bench: Bench, name: str, what: Any) -> None:
    exchange = bench.exchange
    if name == "price":
        bench.price(*what)
    elif name == "fund":
        exchange.settle_funding(bench.symbol, Decimal(what) / 10_000)
    elif name == "place":
        level, pieces = what["level"], what["pieces"]
        request = {k: v for k, v in what.items() if k not in ("level", "pieces")}
        if what["kind"] is OrderKind.LIMIT:
            request["price"] = level
        elif what["kind"] is OrderKind.STOP:
            request["trigger"] = level
        token = TREATMENT.set(Treatment(pieces=pieces))
        with contextlib.suppress(SimRefusal):
            bench.exchange.place(
                msgspec.structs.replace(bench.request(Side.LONG, OrderKind.MARKET, "1"), **request)
            )
        TREATMENT.reset(token)
    else:
        orders = exchange.open_orders() + (
            exchange.open_orders(conditional=True) if exchange.rules.conditional_apart else []
        )
        at = what if name == "cancel" else what[0]
        if at < len(orders):
            order = orders[at]
            with contextlib.suppress(SimRefusal):
                if name == "cancel":
                    exchange.cancel(order.order_id, order.conditional)
                else:
                    exchange.amend(order.order_id, Decimal(what[1]) / 1000, conditional=order.conditional)


@settings(max_examples=120, deadline=None)
@given(rules=st.sampled_from([KRAKEN_FUTURES, BINANCE_USDM]), steps=_STEPS)
def test_books_are_the_sum_of_fills(rules: Any, steps: list[tuple[str, Any]]) -> None:
    bench = Bench(rules, cash=CASH)
    for name, what in steps:
        before = bench.position
        _do(bench, name, what)
        _check_orders(bench)
        _check_reduce_only(bench, before)
        before = bench.position
    exchange, fills = bench.exchange, bench.exchange.fills()
    assert bench.position == sum((f.quantity * f.side.sign for f in fills), Decimal(0))
    paid = sum((f.profit - f.fee for f in fills), Decimal(0))
    funding = sum((f.amount for f in exchange.funding()), Decimal(0))
    assert exchange.account().cash == CASH + paid - funding
    assert abs(exchange.account().equity - _equity_by_value(bench, fills, funding)) < Decimal("0.0001")
    assert len({f.fill_id for f in fills}) == len(fills)


def _equity_by_value(bench: Bench, fills: list[SimFill], funding: Decimal) -> Decimal:
    """Money in minus money out, and what is held at the mark: no average price, no realised profit."""
    traded = sum((f.quantity * f.price * -f.side.sign - f.fee for f in fills), Decimal(0))
    mark = bench.exchange.quote_of(bench.symbol).mark
    return CASH + traded - funding + money(bench.position * mark)


def _check_orders(bench: Bench) -> None:
    exchange = bench.exchange
    orders = exchange.orders()
    for order in orders:
        mine = [f for f in exchange.fills() if f.order_id == order.order_id]
        assert sum((f.quantity for f in mine), Decimal(0)) == order.filled <= order.quantity
        assert all(f.time >= order.created for f in mine)
        assert order.alive == (order.order_id in {o.order_id for o in exchange.open_orders()})
    for order in exchange.orders(conditional=True) if exchange.rules.conditional_apart else []:
        assert order.filled == 0
        assert bool(order.successor) == (order.status.value == "triggered")


def _check_reduce_only(bench: Bench, before: Decimal) -> None:
    """No fill of a reduce-only order opened, enlarged or turned the position."""
    by_id = {o.order_id: o for o in bench.exchange.orders()}
    position = Decimal(0)
    for fill in bench.exchange.fills():
        after = position + fill.quantity * fill.side.sign
        assert after == fill.position
        if by_id[fill.order_id].reduce_only:
            assert position * fill.side.sign < 0
            assert abs(after) < abs(position)
            assert after * position >= 0
        position = after
    assert position == bench.position
