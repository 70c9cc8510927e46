"""What one simulated exchange takes, refuses and fills."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bus_schemas.events import Liquidity, OrderKind
from execution.simulator.orders import (
    TREATMENT,
    BalanceChanged,
    Code,
    Filled,
    OrderChanged,
    SimRefusal,
    SimStatus,
    Treatment,
    TriggerBy,
)
from execution.simulator.rules import BINANCE_USDM
from execution.simulator.store import OrderStore
from tests.unit.execution.simulator.bench import BOTH, BUY, SELL, Bench, binance, kraken

Make = Callable[..., Bench]
D = Decimal

LIMIT, MARKET, STOP = OrderKind.LIMIT, OrderKind.MARKET, OrderKind.STOP

REFUSALS: list[tuple[Code, Make, OrderKind, str, dict[str, Any]]] = [
    (Code.BAD_STEP, binance, LIMIT, "0.0015", {"price": 59_000}),
    (Code.BELOW_MINIMUM, binance, LIMIT, "0.001", {"price": 59_000, "symbol": "ETHUSDT"}),
    (Code.BELOW_NOTIONAL, binance, LIMIT, "0.001", {"price": 59_000}),
    (Code.BELOW_NOTIONAL, binance, MARKET, "0.001", {}),
    (Code.ABOVE_MAXIMUM, binance, LIMIT, "1000.001", {"price": 59_000}),
    (Code.ABOVE_MAXIMUM, binance, MARKET, "120.001", {}),
    (Code.ABOVE_MAXIMUM, binance, STOP, "120.001", {"trigger": 59_000, "reduce_only": True}),
    (Code.POSITION_LIMIT, kraken, LIMIT, "1000.0001", {"price": 59_000}),
    (Code.POSITION_LIMIT, kraken, MARKET, "1000.0001", {}),
    (Code.POSITION_LIMIT, kraken, STOP, "1000.0001", {"trigger": 61_000}),
    (Code.BAD_TICK, binance, LIMIT, "0.01", {"price": "59000.05"}),
    (Code.BAD_TICK, kraken, LIMIT, "0.01", {"price": "59000.5"}),
    (Code.BAD_TICK, kraken, STOP, "0.01", {"trigger": "59000.5"}),
    (Code.BAD_PRICE, binance, LIMIT, "0.01", {}),
    (Code.BAD_PRICE, binance, STOP, "0.01", {}),
    (Code.BAD_PRICE, binance, LIMIT, "0.01", {"price": -1}),
    (Code.BAD_QUANTITY, binance, MARKET, "0", {}),
    (Code.BAD_QUANTITY, binance, MARKET, "NaN", {}),
    (Code.PRICE_BAND, binance, LIMIT, "0.01", {"price": 64_000}),
    (Code.PRICE_BAND, kraken, LIMIT, "0.01", {"price": 73_000}),
    (Code.WOULD_TAKE, kraken, LIMIT, "0.01", {"price": 60_000, "post_only": True}),
    (Code.MARGIN, binance, MARKET, "34", {}),
    (Code.MARGIN, kraken, LIMIT, "17", {"price": 59_000}),
    (Code.REDUCE_ONLY, kraken, MARKET, "0.01", {"reduce_only": True}),
    (Code.REDUCE_ONLY, binance, LIMIT, "0.01", {"price": 59_000, "reduce_only": True}),
    (Code.WOULD_TRIGGER, binance, STOP, "0.01", {"trigger": 60_000}),
    (Code.BAD_CLIENT_ID, binance, LIMIT, "0.01", {"price": 59_000, "client_id": "a" * 37}),
    (Code.BAD_CLIENT_ID, binance, LIMIT, "0.01", {"price": 59_000, "client_id": "no space"}),
    (Code.BAD_CLIENT_ID, kraken, LIMIT, "0.01", {"price": 59_000, "client_id": "a" * 101}),
    (Code.UNKNOWN_SYMBOL, kraken, MARKET, "0.01", {"symbol": "BTCUSDT"}),
    (Code.NO_PRICE, kraken, MARKET, "0.01", {"symbol": "ETHUSD"}),
]


@pytest.mark.parametrize(("code", "make", "kind", "quantity", "more"), REFUSALS)
def test_a_refusal_leaves_nothing_behind(
    code: Code, make: Make, kind: OrderKind, quantity: str, more: dict[str, Any]
) -> None:
    bench = make()
    if code is Code.BELOW_MINIMUM:
        listing = bench.exchange.listings["ETHUSDT"]
        terms = msgspec.structs.replace(listing.instrument, min_quantity=D("0.01"))
        bench.exchange.listings["ETHUSDT"] = msgspec.structs.replace(listing, instrument=terms)
    bench.refused(code, bench.request(BUY, kind, quantity, **more))


def test_binance_takes_an_entry_that_no_stop_protects_and_no_order_closes() -> None:
    bench = binance(cash=10_000_000)
    bench.limit(BUY, "150", 59_000)
    bench.price(58_990)
    assert bench.position == 150
    bench.refused(Code.ABOVE_MAXIMUM, bench.request(SELL, STOP, "150", trigger=58_000, reduce_only=True))
    bench.refused(Code.ABOVE_MAXIMUM, bench.request(SELL, MARKET, "150", reduce_only=True))
    for quantity in ("120", "30"):
        bench.market(SELL, quantity, reduce_only=True)
    assert bench.position == 0


def test_binance_amends_no_order_beyond_its_largest() -> None:
    bench = binance(cash=10_000_000)
    order = bench.limit(BUY, "1", 59_000)
    with pytest.raises(SimRefusal) as caught:
        bench.exchange.amend(order.order_id, quantity=D("1000.001"))
    assert (caught.value.code, bench.now(order).quantity) == (Code.ABOVE_MAXIMUM, 1)


def test_kraken_bounds_the_position_and_nothing_that_reduces_it() -> None:
    bench = kraken(cash=20_000_000)
    bench.market(BUY, "600")
    bench.refused(Code.POSITION_LIMIT, bench.request(BUY, LIMIT, "400.0001", price=59_000))
    rest = bench.limit(BUY, "400", 59_000)
    with pytest.raises(SimRefusal) as caught:
        bench.exchange.amend(rest.order_id, quantity=D("400.0001"))
    assert (caught.value.code, bench.now(rest).quantity) == (Code.POSITION_LIMIT, 400)
    bench.price(58_990)
    assert bench.position == 1000
    bench.stop(SELL, "1000", 58_000)
    bench.market(SELL, "1000", reduce_only=True)
    assert bench.position == 0


def test_binance_takes_an_id_again_once_its_order_is_gone() -> None:
    bench = binance()
    first = bench.limit(BUY, "0.01", 59_000, client_id="same")
    bench.refused(Code.DUPLICATE_ID, bench.request(BUY, LIMIT, "0.01", price=59_000, client_id="same"))
    bench.exchange.cancel(first.order_id)
    second = bench.limit(BUY, "0.01", 59_000, client_id="same")
    found = bench.exchange.by_client_id("same")
    assert found is not None
    assert found.order_id == second.order_id != first.order_id


def test_kraken_never_takes_an_id_again() -> None:
    bench = kraken()
    first = bench.limit(BUY, "0.01", 59_000, client_id="same")
    bench.exchange.cancel(first.order_id)
    bench.refused(Code.DUPLICATE_ID, bench.request(BUY, LIMIT, "0.01", price=59_000, client_id="same"))


def test_binance_keeps_conditional_ids_apart() -> None:
    bench = binance()
    entry = bench.limit(BUY, "0.01", 59_000, client_id="same")
    stop = bench.stop(SELL, "0.01", 58_000, client_id="same")
    assert bench.exchange.order(stop.order_id) is None
    assert [o.order_id for o in bench.exchange.open_orders()] == [entry.order_id]
    assert [o.order_id for o in bench.exchange.open_orders(conditional=True)] == [stop.order_id]


@BOTH
def test_a_limit_order_fills_at_its_price_as_maker(make: Make) -> None:
    bench = make()
    order = bench.limit(BUY, "0.1", 59_000)
    bench.price(59_001)
    assert bench.now(order).filled == 0
    bench.price(58_500)
    (fill,) = bench.exchange.fills()
    assert (fill.price, fill.quantity, fill.liquidity) == (D(59_000), D("0.1"), Liquidity.MAKER)
    assert fill.fee == D("1.18")
    assert bench.now(order).status is SimStatus.FILLED
    assert bench.exchange.account().cash == D(100_000) - D("1.18")
    assert bench.exchange.account().equity == D(100_000) - D("1.18") - D(50)


@BOTH
def test_a_limit_order_that_crosses_takes_at_the_price_of_now(make: Make) -> None:
    bench = make()
    order = bench.limit(BUY, "0.1", 61_000)
    (fill,) = bench.exchange.fills()
    assert (fill.price, fill.liquidity) == (D(60_000), Liquidity.TAKER)
    assert order.status is SimStatus.FILLED


@BOTH
def test_a_market_order_slips(make: Make) -> None:
    bench = make()
    assert bench.market(BUY, "0.1").average == D(60_006)
    assert bench.market(SELL, "0.1").average == D(59_994)


@BOTH
def test_positions_are_netted_and_can_turn(make: Make) -> None:
    bench = make()
    bench.market(BUY, "0.1")
    bench.market(SELL, "0.3")
    (position,) = bench.exchange.positions()
    assert (position.quantity, position.entry_price) == (D("-0.2"), D(59_994))
    bench.price(59_000)
    assert bench.exchange.positions()[0].profit == D("198.8")


@BOTH
def test_what_reduces_needs_no_margin(make: Make) -> None:
    bench = make(cash=1_300)
    bench.market(BUY, "0.2")
    bench.refused(Code.MARGIN, bench.request(BUY, MARKET, "0.3"))
    bench.market(SELL, "0.2")
    assert bench.position == 0


def test_resting_orders_hold_margin() -> None:
    bench = kraken(cash=1_000)
    bench.limit(BUY, "0.1", 59_000)
    assert bench.exchange.account().order_margin == D(590)
    bench.refused(Code.MARGIN, bench.request(BUY, LIMIT, "0.1", price=59_000))


@BOTH
def test_leverage_has_bounds_and_must_carry_what_is_open(make: Make) -> None:
    bench = make(cash=700)
    bench.market(BUY, "0.1")
    for leverage, code in ((0, Code.LEVERAGE), (1_000, Code.LEVERAGE), (2, Code.MARGIN)):
        with pytest.raises(SimRefusal) as caught:
            bench.exchange.set_leverage(bench.symbol, leverage)
        assert caught.value.code is code
    bench.exchange.set_leverage(bench.symbol, 50)
    assert bench.exchange.positions()[0].margin == D(120)


def test_kraken_s_stop_stays_the_same_order() -> None:
    bench = kraken()
    bench.market(BUY, "0.1")
    stop = bench.stop(SELL, "0.1", 59_000, client_id="stop")
    assert stop.status is SimStatus.WAITING
    bench.price(58_000, mark=59_001)
    assert bench.now(stop).status is SimStatus.WAITING, "it listens to the mark"
    bench.price(58_000, mark=59_000)
    ended = bench.now(stop)
    assert (ended.status, ended.successor, ended.average) == (SimStatus.FILLED, "", D(57_994))
    assert bench.position == 0
    causes = [e.cause for e in bench.events if isinstance(e, OrderChanged) and e.order.client_id == "stop"]
    assert causes == ["placed", "triggered", "filled"]


def test_binance_s_stop_becomes_another_order() -> None:
    bench = binance()
    bench.market(BUY, "0.1")
    stop = bench.stop(SELL, "0.1", 59_000, client_id="stop")
    bench.price(59_000)
    ended = bench.now(stop)
    assert (ended.status, ended.filled) == (SimStatus.TRIGGERED, 0)
    became = bench.exchange.order(ended.successor)
    assert became is not None
    assert (became.origin, became.client_id, became.status) == (stop.order_id, "stop", SimStatus.FILLED)
    assert bench.exchange.fills()[-1].order_id == became.order_id


def test_a_stop_may_listen_to_the_last_price() -> None:
    bench = kraken()
    bench.market(BUY, "0.1")
    stop = bench.stop(SELL, "0.1", 59_000, trigger_by=TriggerBy.LAST)
    bench.price(59_000, mark=60_000)
    assert bench.now(stop).status is SimStatus.FILLED


def test_kraken_takes_a_stop_that_triggers_at_once() -> None:
    bench = kraken()
    bench.market(BUY, "0.1")
    assert bench.stop(SELL, "0.1", 61_000).status is SimStatus.FILLED


@BOTH
def test_a_stop_with_nothing_to_reduce_expires_when_it_triggers(make: Make) -> None:
    bench = make()
    stop = bench.stop(SELL, "0.1", 59_000)
    bench.price(58_000)
    last = bench.exchange.order(bench.now(stop).successor) if stop.conditional else bench.now(stop)
    assert last is not None
    assert (last.status, last.reason, last.filled) == (SimStatus.EXPIRED, "reduce_only", 0)
    assert bench.position == 0


@BOTH
def test_reduce_only_is_cut_to_the_position(make: Make) -> None:
    bench = make()
    bench.market(BUY, "0.1")
    order = bench.market(SELL, "0.3", reduce_only=True)
    assert (order.status, order.filled, order.reason) == (SimStatus.EXPIRED, D("0.1"), "reduce_only")
    assert bench.position == 0


@BOTH
def test_resting_reduce_only_orders_end_with_the_position(make: Make) -> None:
    bench = make()
    bench.market(BUY, "0.1")
    target = bench.limit(SELL, "0.1", 61_000, reduce_only=True)
    stop = bench.stop(SELL, "0.1", 59_000)
    bench.market(SELL, "0.1")
    assert bench.now(target).status is SimStatus.EXPIRED
    assert bench.now(stop).status is SimStatus.WAITING


@BOTH
def test_an_order_in_pieces_fills_one_a_tick(make: Make) -> None:
    bench = make()
    token = TREATMENT.set(Treatment(pieces=3))
    order = bench.limit(BUY, "0.1", 59_000)
    TREATMENT.reset(token)
    filled = []
    for price in (59_500, 58_900, 58_900, 59_100, 58_900, 58_900):
        bench.price(price)
        filled.append(bench.now(order).filled)
    part = (D("0.1") / 3).quantize(bench.exchange.listings[bench.symbol].instrument.step, "ROUND_DOWN")
    assert filled == [0, part, 2 * part, 2 * part, D("0.1"), D("0.1")]
    assert len({fill.fill_id for fill in bench.exchange.fills()}) == 3


@BOTH
@pytest.mark.parametrize(("share", "filled"), [("0.4", "0.004"), ("0.40009", "0.004"), ("0", "0")])
def test_what_a_thin_market_does_not_take_ends_at_once(make: Make, share: str, filled: str) -> None:
    bench = make()
    bench.market(BUY, "0.01")
    ended = SimStatus.EXPIRED if bench.exchange.rules.rest_expires else SimStatus.CANCELLED
    bench.exchange.liquidity = lambda _order: Decimal(share)
    stop = bench.stop(SELL, "0.01", 59_000)
    bench.price(58_900)
    placed = bench.now(stop)
    became = bench.exchange.order(placed.successor) if placed.successor else placed
    assert became is not None
    assert (became.status, became.filled, became.reason) == (ended, Decimal(filled), "ioc")
    assert bench.position == Decimal("0.01") - Decimal(filled)
    assert not bench.exchange.open_orders()
    close = bench.market(SELL, "0.02", reduce_only=True)  # the share is of what it can reduce
    assert (close.status, bench.position) == (ended, Decimal("0.01") - Decimal(filled) - close.filled)
    assert close.filled == bench.exchange.listings[bench.symbol].instrument.quantity(
        (Decimal("0.01") - Decimal(filled)) * Decimal(share)
    )


@BOTH
def test_a_thin_market_takes_the_whole_of_a_limit_order(make: Make) -> None:
    bench = make()
    bench.exchange.liquidity = lambda _order: Decimal(0)
    assert bench.limit(BUY, "0.01", 60_100).status is SimStatus.FILLED


def test_a_hidden_order_works_but_is_not_shown() -> None:
    bench = binance()
    token = TREATMENT.set(Treatment(hide_ms=5_000))
    order = bench.limit(BUY, "0.01", 59_000, client_id="hidden")
    TREATMENT.reset(token)
    bench.price(58_000)
    assert bench.position == D("0.01")
    assert bench.exchange.order(order.order_id) is None
    assert bench.exchange.by_client_id("hidden") is None
    assert bench.exchange.orders() == bench.exchange.fills() == []
    bench.time += 5_000
    found = bench.exchange.by_client_id("hidden")
    assert found is not None
    assert found.status is SimStatus.FILLED
    assert len(bench.exchange.fills()) == 1


def test_a_fill_before_the_answer() -> None:
    bench = kraken()
    token = TREATMENT.set(Treatment(fill_now=True))
    order = bench.limit(BUY, "0.01", 59_000)
    TREATMENT.reset(token)
    assert (order.status, order.average) == (SimStatus.FILLED, D(59_000))


@BOTH
def test_amending_changes_in_place(make: Make) -> None:
    bench = make()
    order = bench.limit(BUY, "0.1", 59_000)
    changed = bench.exchange.amend(order.order_id, quantity=D("0.05"), price=D(59_500))
    assert (changed.order_id, changed.quantity, changed.price) == (order.order_id, D("0.05"), D(59_500))
    with pytest.raises(SimRefusal, match="bad_tick"):
        bench.exchange.amend(order.order_id, price=D("59000.01"))
    with pytest.raises(SimRefusal, match="margin"):
        bench.exchange.amend(order.order_id, quantity=D(1_000))
    assert bench.now(order) == changed
    bench.exchange.amend(order.order_id, price=D(60_000))
    assert bench.now(order).status is SimStatus.FILLED


def test_amending_to_what_is_filled_ends_the_order() -> None:
    bench = binance()
    token = TREATMENT.set(Treatment(pieces=2))
    order = bench.limit(BUY, "0.1", 59_000)
    TREATMENT.reset(token)
    bench.price(59_000)
    bench.exchange.amend(order.order_id, quantity=D("0.04"))
    ended = bench.now(order)
    assert (ended.status, ended.filled, ended.quantity) == (SimStatus.CANCELLED, D("0.05"), D("0.05"))


@BOTH
def test_only_a_living_order_can_be_cancelled(make: Make) -> None:
    bench = make()
    order = bench.limit(BUY, "0.1", 59_000)
    assert bench.exchange.cancel(order.order_id).status is SimStatus.CANCELLED
    for order_id in (order.order_id, "unheard-of"):
        with pytest.raises(SimRefusal) as caught:
            bench.exchange.cancel(order_id)
        assert caught.value.code is Code.UNKNOWN_ORDER


@BOTH
def test_funding_is_paid_by_longs(make: Make) -> None:
    bench = make()
    bench.exchange.settle_funding(bench.symbol, D("0.001"))
    assert bench.exchange.funding() == []
    bench.market(BUY, "0.1")
    before = bench.exchange.account().cash
    bench.exchange.settle_funding(bench.symbol, D("0.001"))
    assert bench.exchange.account().cash == before - 6
    assert bench.exchange.funding()[0].amount == 6
    told = bench.events[-1]
    assert isinstance(told, BalanceChanged)
    assert (told.cause, told.amount) == ("funding", D(-6))


@BOTH
def test_a_fill_is_told_before_its_order_changes(make: Make) -> None:
    bench = make()
    bench.market(BUY, "0.1")
    kinds = [type(e).__name__ for e in bench.events]
    assert kinds == ["Ticked", "OrderChanged", "Filled", "OrderChanged", "BalanceChanged"]
    told = bench.events[2]
    assert isinstance(told, Filled)
    assert told.order.filled == told.fill.quantity == D("0.1")


@BOTH
def test_a_reset_forgets_everything_but_never_gives_an_id_twice(make: Make) -> None:
    bench = make()
    first = bench.market(BUY, "0.1", client_id="same")
    bench.exchange.reset(D(500))
    assert bench.exchange.account().equity == 500
    assert bench.exchange.orders() == bench.exchange.fills() == bench.exchange.positions() == []
    assert bench.limit(BUY, "0.01", 59_000, client_id="same").order_id != first.order_id


def test_memory_is_bounded_and_living_orders_are_never_forgotten() -> None:
    bench = binance()
    store = OrderStore(kept=5)
    template = bench.limit(BUY, "0.01", 59_000)
    for number in range(50):
        order = msgspec.structs.replace(template, order_id=str(number), client_id=f"c{number}")
        store.add(order)
        if number % 10:
            order.status = SimStatus.CANCELLED
            store.ended(order)
    assert [o.order_id for o in store.alive()] == ["0", "10", "20", "30", "40"]
    assert len(store) <= 5 + 5 + 1
    assert store.by_client_id("c1") is None
    assert store.by_client_id("c0") is not None
    assert store.get("49") is not None


def test_the_venue_limits_open_orders() -> None:
    bench = Bench(msgspec.structs.replace(BINANCE_USDM, max_open=2))
    bench.limit(BUY, "0.01", 59_000)
    bench.limit(BUY, "0.01", 59_000)
    bench.refused(Code.TOO_MANY_ORDERS, bench.request(BUY, LIMIT, "0.01", price=59_000))
