"""The paper venue alone: every assumption of its docstring, by small candles."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.events import (
    AccountReport,
    AmendOrder,
    CancelOrder,
    CancelRejected,
    ClockTick,
    FundingPaid,
    Leg,
    LookUpOrder,
    Mark,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    Side,
)
from bus_schemas.settings import PaperSettings
from bus_schemas.timeframes import HOUR, MINUTE
from tests.unit.execution.world import BAR, INSTRUMENTS, START, SYMBOL, World, candle, instrument

D = Decimal


class Alone(World):
    """The venue without the manager."""

    def put(self, stream, to, body):  # type: ignore[no-untyped-def]
        if to == "venue":
            super().put(stream, to, body)

    def place(self, id_: str, text: str, *, reduce: bool = False, time: int | None = None) -> Alone:
        """`text` is such as `long limit 2 100`, `short stop 2 95`, `short market 2`."""
        side, kind, quantity, *level = text.split()
        value = D(level[0]) if level else None
        self.command(
            PlaceOrder(
                time=self.time if time is None else time,
                client_id=id_,
                signal_id="s",
                symbol=SYMBOL,
                side=Side(side),
                leg=Leg.ENTRY if not reduce else Leg.STOP,
                kind=OrderKind(kind),
                quantity=D(quantity),
                price=value if kind == "limit" else None,
                trigger=value if kind == "stop" else None,
                reduce_only=reduce,
            )
        )
        return self

    def fills(self) -> list[str]:
        return [f"{f.client_id} {f.quantity}@{f.price} {f.liquidity.value}" for f in self.bodies(OrderFilled)]

    def last(self, *types):  # type: ignore[no-untyped-def]
        return self.bodies(*types)[-1]


@pytest.mark.parametrize(
    ("order", "bars", "fill"),
    [
        ("long limit 2 100", ["101 102 100.1 101"], None),
        ("long limit 2 100", ["101 102 99.9 101"], "2@100 maker"),
        ("long limit 2 100", ["101 102 100 101"], "1.0@100 maker"),  # touched: half of it
        ("long limit 2 100", ["101 102 99.95 101"], "1.0@100 maker"),  # less than a tick beyond
        ("long limit 0.1 100", ["101 102 100 101"], "0.1@100 maker"),  # half rounds to nothing: all
        ("long limit 2 100", ["98.03 99 97 98"], "2@98.1 maker"),  # gapped through: the open, rounded up
        ("short limit 2 104", ["101 103.9 100 101"], None),
        ("short limit 2 104", ["101 104.1 100 101"], "2@104 maker"),
        ("short limit 2 104", ["106.08 107 105 106"], "2@106.0 maker"),
        ("long limit 2 103", ["101 102 100 101"], "2@101.0 taker"),  # crossed when it was placed
        ("long market 2", ["101 102 100 101"], "2@101.0 taker"),
        ("short market 2", ["101.07 102 100 101"], "2@101.0 taker"),
        ("long stop 2 103", ["101 102.9 100 101"], None),
        ("long stop 2 103", ["101 103 100 101"], "2@103 taker"),
        ("long stop 2 103", ["105 106 104 105"], "2@105 taker"),  # gapped past
    ],
)
def test_fill_prices(order: str, bars: list[str], fill: str | None) -> None:
    world = Alone().bars("102 102 102 102")
    world.place("a", order).bars(*bars)
    assert [D(f.split()[1].split("@")[1]) for f in world.fills()] == (
        [] if fill is None else [D(fill.split("@")[1].split()[0])]
    )
    if fill:
        assert world.fills()[0].split()[2] == fill.split()[1]
        assert world.bodies(OrderFilled)[0].quantity == D(fill.split("@")[0])


def test_slippage_and_fees_are_taken_from_market_orders_and_stops() -> None:
    settings = PaperSettings(slippage_bps=D(10), maker_fee=D("0.001"), taker_fee=D("0.002"))
    world = Alone(paper=settings).bars("100 100 100 100")
    world.place("a", "long market 1").bars("100 100 100 100")
    assert world.bodies(OrderFilled)[0].price == D("100.1")
    assert world.bodies(OrderFilled)[0].fee == D("0.2002")
    world.place("b", "short stop 1 95", reduce=True).bars("99 99 94 96")
    assert world.bodies(OrderFilled)[1].price == D("94.9")  # 94.905, against the trader
    cash = D(10_000) - D("0.2002") - D("0.1898") + D("94.9") - D("100.1")
    assert world.last(AccountReport).cash == cash


def test_orders_are_active_from_their_event_time_only() -> None:
    world = Alone().bars("102 102 102 102").place("a", "long limit 1 100", time=START + BAR + 1)
    world.bars("102 102 90 102")
    assert not world.fills()
    world.bars("102 102 90 102")
    assert world.fills() == ["a 1@100 maker"]


def test_a_single_price_is_a_range() -> None:
    world = Alone()
    for second, price in enumerate(("102", "100", "99.9", "94")):
        world.mark(Mark(time=START + second, symbol=SYMBOL, mark=D(price), spot=D(price)))
        if second == 0:
            world.place("a", "long limit 2 100", time=START)
        if second == 2:
            world.place("s", "short stop 2 95", reduce=True, time=START + 2)
    assert [f.split()[1] for f in world.fills()] == ["1.0@100", "1.0@99.9", "2@94.0"]


def test_stop_and_target_in_one_bar_give_the_stop() -> None:
    world = Alone().bars("100 100 100 100").place("e", "long market 2").bars("100 100 100 100")
    world.place("t", "short limit 2 110", reduce=True).place("s", "short stop 2 95", reduce=True)
    world.bars("100 115 90 112")
    assert [f.split()[0] for f in world.fills()] == ["e", "s"]
    assert world.last(OrderCancelled).client_id == "t"  # nothing left to reduce


def test_a_stop_of_the_entry_bar_is_held_against_that_bar() -> None:
    world = Alone().bars("102 102 102 102").place("e", "long limit 2 100").bars("102 103 94 101")
    world.place("t", "short limit 1 102.5", reduce=True).place("s", "short stop 2 95", reduce=True)
    assert world.fills() == ["e 2@100 maker", "s 2@95.0 taker"]


def test_an_entry_that_gapped_past_its_stop_loses_from_the_open() -> None:
    world = Alone().bars("102 102 102 102").place("e", "long limit 2 100").bars("93 99 92 98")
    world.place("s", "short stop 2 95", reduce=True)
    assert world.fills() == ["e 2@93.0 maker", "s 2@93.0 taker"]


def test_a_later_stop_is_not_held_against_the_entry_bar() -> None:
    world = (
        Alone()
        .bars("102 102 102 102")
        .place("e", "long limit 2 100")
        .bars("102 103 94 101", "101 102 99 101")
    )
    world.place("s", "short stop 2 95", reduce=True)
    assert world.fills() == ["e 2@100 maker"]


def test_a_stop_that_the_last_price_has_reached_is_refused() -> None:
    world = Alone().bars("100 100 100 100").place("e", "long market 2").bars("100 100 100 100")
    world.place("s", "short stop 2 100", reduce=True)
    assert world.last(OrderRejected).reason.value == "would_trigger"


@pytest.mark.parametrize(
    ("text", "reduce", "reason"),
    [
        ("long limit 0.1 40", False, "below_minimum"),
        ("long limit 0.05 100", False, "bad_step"),
        ("long limit 0 100", False, "below_minimum"),
        ("long limit -1 100", False, "below_minimum"),
        ("long limit 1 100.05", False, "bad_tick"),
        ("long limit 1 0", False, "bad_tick"),
        ("long limit 1 NaN", False, "bad_tick"),
        ("long limit 1000.1 100", False, "margin"),
        ("short limit 1 110", True, "reduce_only"),
        ("long stop 1 102", False, "would_trigger"),
    ],
)
def test_refusals(text: str, reduce: bool, reason: str) -> None:
    world = Alone().bars("102 102 102 102").place("a", text, reduce=reduce)
    assert world.last(OrderRejected).reason.value == reason
    assert world.last(OrderRejected).detail
    world.command(LookUpOrder(time=world.time, client_id="a", symbol=SYMBOL))
    assert len(world.bodies(OrderRejected)) == 2  # the look-up tells the same


def test_ids_are_used_once_and_unknown_symbols_refused() -> None:
    world = Alone().bars("102 102 102 102").place("a", "long limit 1 90").place("a", "long limit 1 90")
    assert world.last(OrderRejected).reason.value == "duplicate_id"
    world.command(
        PlaceOrder(
            time=world.time, client_id="z", signal_id="s", symbol="ZZZUSDT", side=Side.LONG, leg=Leg.ENTRY,
            kind=OrderKind.MARKET, quantity=D(1),
        )
    )  # fmt: skip
    assert world.last(OrderRejected).reason.value == "unknown_symbol"


def test_minimum_quantity_does_not_bind_an_order_that_closes_all() -> None:
    world = Alone(instruments={SYMBOL: instrument(min_quantity="1")}).bars("100 100 100 100")
    world.place("e", "long market 1.5").bars("100 100 100 100")
    world.place("x", "short market 0.5", reduce=True)
    assert world.last(OrderRejected).reason.value == "below_minimum"
    world.place("y", "short market 1", reduce=True).bars("100 100 100 100")
    world.place("z", "short market 0.5", reduce=True).bars("100 100 100 100")
    assert [f.split()[0] for f in world.fills()] == ["e", "y", "z"]


def test_no_order_is_larger_than_the_largest() -> None:
    world = Alone(instruments={SYMBOL: instrument(max_quantity="2")}).bars("100 100 100 100")
    world.place("a", "long limit 2.1 90")
    refused = world.last(OrderRejected)
    assert (refused.reason.value, refused.detail) == ("other", "2.1 is above 2")
    world.place("e", "long market 2").bars("100 100 100 100")
    assert [f.split()[0] for f in world.fills()] == ["e"]


def test_reduce_only_is_cut_down_to_the_position() -> None:
    world = Alone().bars("100 100 100 100").place("e", "short market 2").bars("100 100 100 100")
    world.place("x", "long limit 5 90", reduce=True).bars("95 95 89 90")
    assert world.fills()[1] == "x 2@90 maker"
    assert world.last(OrderCancelled).filled == 2
    assert world.last(AccountReport).positions == ()


def test_cancel_amend_and_look_up() -> None:
    world = Alone().bars("102 102 102 102").place("a", "long limit 2 100").bars("102 102 100 102")

    def ask(type_, id_="a", **more):  # type: ignore[no-untyped-def]
        before = len(world.log)
        world.command(type_(time=world.time, client_id=id_, symbol=SYMBOL, **more))
        return [type(o.body) for o in world.log[before:]]

    assert ask(LookUpOrder) == [OrderFilled, OrderAccepted]
    assert len({f.fill_id for f in world.bodies(OrderFilled)}) == 1  # told twice, one id
    assert ask(AmendOrder, quantity=D("0.5")) == [OrderRejected]  # less than was filled
    assert ask(AmendOrder, quantity=D(5)) == [OrderAccepted]
    assert ask(AmendOrder, quantity=D("1.01")) == [OrderRejected]
    assert ask(CancelOrder) == [OrderCancelled]
    assert world.last(OrderCancelled).filled == 1
    assert ask(CancelOrder) == [CancelRejected]
    assert ask(LookUpOrder) == [OrderFilled, OrderCancelled]
    assert ask(LookUpOrder, "never") == [OrderNotFound]


def test_a_cancellation_from_another_symbols_bar_lets_the_own_bar_pass_first() -> None:
    world = Alone().bars("102 102 102 102").place("a", "long limit 2 100").place("b", "long limit 2 98")
    for id_ in "ab":
        world.command(CancelOrder(time=world.time + BAR, client_id=id_, symbol=SYMBOL))
    assert not world.bodies(OrderCancelled)
    world.bars("102 102 99 102")
    assert world.fills() == ["a 2@100 maker"]
    assert world.last(OrderCancelled).client_id == "b"
    world.place("c", "long limit 2 98")
    world.command(CancelOrder(time=world.time, client_id="c", symbol=SYMBOL))
    assert world.last(OrderCancelled).client_id == "c"


def test_funding_is_settled_on_what_is_open_at_the_end_of_the_bar() -> None:
    world = Alone().bars("100 100 100 100").place("e", "short market 2")
    world.bars("100 100 100 100", funding="0.001")
    paid = world.last(FundingPaid)
    assert (paid.amount, paid.rate) == (D("-0.2"), D("0.001"))
    assert world.last(AccountReport).cash == D("10000.2")
    world.place("x", "long market 2", reduce=True).bars("100 100 100 100", funding="0.001")
    assert len(world.bodies(FundingPaid)) == 1


def test_ticks_and_account_reports() -> None:
    world = Alone().bars("100 100 100 100", "100 100 100 100")
    assert [type(b) for b in world.bodies()] == [AccountReport, ClockTick]  # the first mark, then silence
    world.place("e", "long limit 1 90")
    time = world.time + BAR
    world.mark(candle(time, "100 100 100 100")).mark(candle(time, "100 100 100 100", "YUSDT"))
    assert [b.time for b in world.bodies(ClockTick)] == [time - 2 * BAR, time]
    assert len(world.bodies(AccountReport)) == 1
    world.time = time
    world.bars("100 100 89 95", "95 97 95 97")
    assert world.last(AccountReport).equity == 10_007
    assert world.last(AccountReport).positions[0].quantity == 1


@pytest.mark.parametrize("restore", [False, True])
def test_an_idle_venue_ticks_at_the_first_mark_of_each_hour(restore: bool) -> None:
    world = Alone(restore=restore).bars(*["100 100 100 100"] * 12)
    world.mark(candle(world.time, "100 100 100 100", "YUSDT"))
    minutes = [b.time % HOUR // MINUTE for b in world.bodies(ClockTick)]
    assert minutes == [30, 0, 0, 0]  # the first mark of all comes at half past


def test_old_and_unknown_marks_change_nothing() -> None:
    world = Alone().bars("100 100 100 100").place("e", "long limit 1 90")
    before = len(world.log)
    world.mark(candle(START, "80 80 80 80")).mark(candle(START + 9 * BAR, "1 1 1 1", "ZZZUSDT"))
    assert len(world.log) == before


def test_its_memory_is_bounded() -> None:
    world = Alone().bars("100 100 100 100")
    for n in range(100):
        world.place(f"a{n}", "long limit 1 90")
        world.command(CancelOrder(time=world.time, client_id=f"a{n}", symbol=SYMBOL))
    assert sum(map(len, world.stored["venue"].values())) < 5_000
    assert not any(key.startswith("desk") for key in world.stored["venue"])


def test_a_poisoned_event_halts_its_symbol() -> None:
    world = Alone().bars("100 100 100 100")
    (output,) = world.venue.poisoned(SYMBOL, "marks.p0.7", "bad")
    assert (output.stream.value, output.key, output.body.time) == ("reports", SYMBOL, world.time)
    assert INSTRUMENTS[SYMBOL].tick == D("0.1")


def test_of_two_stops_the_tighter_is_met_first() -> None:
    world = Alone().bars("100 100 100 100").place("e", "long market 2").bars("100 100 100 100")
    world.place("wide", "short stop 2 90", reduce=True).place("tight", "short stop 2 95", reduce=True)
    world.bars("100 100 85 86")
    assert [f.split()[0] for f in world.fills()] == ["e", "tight"]
