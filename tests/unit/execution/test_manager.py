"""The manager with the paper venue: whole trades told by candles."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bus_schemas.errors import InvalidOrder
from bus_schemas.events import (
    AccountSnapshot,
    Acknowledge,
    AmendOrder,
    CancelOrder,
    FlattenApproved,
    FundingCharged,
    HaltReason,
    KillSwitch,
    Leg,
    Mismatch,
    OrderChanged,
    OrderKind,
    PlaceOrder,
    PositionChanged,
    ReduceOnly,
    SymbolHalted,
    TradeClosed,
    TradingHalted,
    TradingResumed,
)
from bus_schemas.settings import ExecutionSettings, PaperSettings
from bus_schemas.topology import Stream
from tests.unit.execution.world import BAR, SYMBOL, World, approved, instrument

D = Decimal
CALM = "102 102 101 102"


def trade(*rows: str, world: World | None = None, **terms: object) -> World:
    return (world or World()).bars(CALM).approve(**terms).bars(*rows)


def closed(world: World) -> list[tuple[str, Decimal]]:
    return [(t.reason.value, t.net) for t in world.bodies(TradeClosed)]


@pytest.mark.parametrize(
    ("rows", "ends"),
    [
        (["102 102 99 101", "101 111 101 110", "110 121 109 120"], [("targets", 30)]),
        (["102 102 99 101", "101 102 94 96"], [("stop", -10)]),
        (["102 102 94 96"], [("stop", -10)]),  # entry and stop inside one bar
        (["102 112 94 111"], [("stop", -10)]),  # the first target as well: the stop
        (["102 102 99 101", "101 111 94 111"], [("stop", -10)]),
        (["102 102 99 101", "101 111 101 110", "110 110 99 101"], [("break_even", 10)]),
        (["102 102 99 101", "93 94 92 93"], [("stop", -14)]),  # gapped past the stop
        (["102 102 99 101", "101 122 101 121"], [("targets", 30)]),  # both targets inside one bar
        (["102 102 99 101", "101 111 98 99", "98.5 99 98 99"], [("break_even", 8.5)]),
        (["102 103 101 102"] * 3, []),  # never filled
    ],
)
def test_long_trades(rows: list[str], ends: list[tuple[str, float]]) -> None:
    world = trade(*rows)
    assert closed(world) == [(reason, D(str(net))) for reason, net in ends]
    if ends:
        assert not any(key.startswith("position") for key in world.stored["manager"])
        assert not any(key.startswith("desk") for key in world.stored["venue"])


def test_a_short_trade_is_the_mirror() -> None:
    world = World().bars("98 98 98 98").approve(side="short", stop="105", targets="90:1 80:1")
    world.bars("98 101 98 99", "99 99 89 90", "90 91 79 80")
    assert closed(world) == [("targets", D(30))]
    assert [p.quantity for p in world.bodies(PositionChanged)][-1] == 0


def test_order_of_commands() -> None:
    world = trade("102 102 99 101", "101 111 101 110")
    told = [
        (
            type(c).__name__.replace("Order", ""),
            c.leg.value if isinstance(c, PlaceOrder) else c.client_id[3:5],
        )
        for c in world.bodies(PlaceOrder, CancelOrder, AmendOrder)
    ]
    assert told == [
        ("Place", "entry"), ("Place", "stop"), ("Place", "target1"), ("Place", "target2"),
        ("Place", "stop"), ("Cancel", "s1"),
    ]  # fmt: skip
    assert [c.trigger for c in world.bodies(PlaceOrder) if c.leg is Leg.STOP] == [D(95), D(100)]


def test_partial_fills_are_protected_at_once_and_targets_grow() -> None:
    world = trade("102 102 100 101", "101 101 100 101", "101 101 99 101")
    stops = [(c.quantity, c.leg) for c in world.bodies(PlaceOrder) if c.leg is Leg.STOP]
    assert stops == [(D("1.0"), Leg.STOP), (D("1.5"), Leg.STOP), (D(2), Leg.STOP)]
    amended = [c.quantity for c in world.bodies(AmendOrder)]
    assert amended == [D("0.7"), D("0.7"), D(1), D(1)]
    changed = world.bodies(PositionChanged)
    assert next(p.reserved for p in changed if p.quantity == D("1.5")) == D("0.5")
    assert changed[-1].protected
    world.bars("101 121 101 121")
    assert closed(world) == [("targets", D(30))]


def test_the_rest_of_the_entry_is_cancelled_on_expiry() -> None:
    world = World().bars(CALM)
    world.approve(expires=world.time + 2 * BAR).bars("102 102 100 101", "101 101 100.5 101")
    assert [c.client_id[3:5] for c in world.bodies(CancelOrder)] == ["e1"]
    world.bars("101 111 99 110", "110 121 110 121")  # the entry is gone: no more is bought
    assert world.bodies(TradeClosed)[0].quantity == 1


def test_an_entry_that_never_filled_is_abandoned() -> None:
    world = World().bars(CALM)
    world.approve(expires=world.time + BAR).bars(CALM, "102 102 90 91")
    assert [p.phase.value for p in world.bodies(PositionChanged)] == ["opening", "abandoned"]
    assert not world.bodies(TradeClosed)


@pytest.mark.parametrize(
    "word",
    [
        ReduceOnly(time=1, on=True, by="me"),
        TradingHalted(time=1, symbol="*", reason=HaltReason.DRAWDOWN, detail=""),
        TradingHalted(time=1, symbol=SYMBOL, reason=HaltReason.MISMATCH, detail=""),
    ],
)
def test_halts_cancel_entries_and_neither_targets_nor_stops(word: object) -> None:
    world = trade("102 102 100 101")
    world.give(Stream.CONTROLS, "manager", word)  # type: ignore[arg-type]
    assert [c.client_id[3:5] for c in world.bodies(CancelOrder)] == ["e1"]
    assert world.bodies(PositionChanged)[-1].protected
    assert [c.time for c in world.bodies(CancelOrder)] == [world.time]  # the venue's time, not the operator's
    world.approve(symbol="YUSDT", signal="s2")
    blocked = getattr(word, "symbol", "*") == "*"
    assert (
        any(isinstance(o, OrderChanged) and o.signal_id == "s2" and o.detail for o in world.bodies())
        == blocked
    )
    world.bars("101 121 101 121")
    assert closed(world) == [("targets", D(15))]


def test_the_kill_switch_leaves_the_stop_alone() -> None:
    world = trade("102 102 100 101").control(KillSwitch(time=1, reason="x", by="me"))
    assert [c.client_id[3:5] for c in world.bodies(CancelOrder)] == ["e1", "t1", "t2"]
    assert {c.time for c in world.bodies(CancelOrder)} == {world.time}  # the venue's, not the operator's
    world.bars("101 121 101 121")
    assert closed(world) == []
    world.bars("121 121 90 91")
    assert [reason for reason, _ in closed(world)] == ["stop"]


def test_a_halt_ends_by_clock_by_word_and_by_acknowledgement() -> None:
    def entries(world: World) -> int:
        return sum(c.leg is Leg.ENTRY for c in world.bodies(PlaceOrder))

    world = World().bars(CALM)
    world.order(
        TradingHalted(time=1, symbol=SYMBOL, reason=HaltReason.LOSS_STREAK, detail="", until=world.time + BAR)
    )
    assert entries(world.approve(signal="a")) == 0
    world.time += BAR
    assert entries(world.approve(signal="b", expires=world.time + BAR)) == 1
    world = World().bars(CALM).order(TradingHalted(time=1, symbol="*", reason=HaltReason.DRAWDOWN, detail=""))
    assert entries(world.approve(signal="a")) == 0
    assert entries(world.order(TradingResumed(time=1, symbol="*", by="x")).approve(signal="b")) == 1
    world = World().bars(CALM).control(KillSwitch(time=1, reason="x", by="me"))
    assert entries(world.approve(signal="a")) == 0
    assert entries(world.control(Acknowledge(time=2, by="me", symbol=SYMBOL)).approve(signal="b")) == 0
    assert entries(world.control(Acknowledge(time=2, by="me")).approve(signal="c")) == 1
    assert entries(world.approve(signal="a", symbol="YUSDT")) == 1  # a refused intent stays refused


def test_a_halt_that_ends_does_not_free_one_of_another_reason() -> None:
    world = World().bars(CALM)
    world.order(TradingHalted(time=1, symbol="*", reason=HaltReason.DRAWDOWN, detail=""))
    day = TradingHalted(
        time=1, symbol="*", reason=HaltReason.DAILY_LOSS, detail="", until=world.time + 2 * BAR
    )
    world.order(day).bars(CALM, CALM).approve(signal="a")
    assert world.bodies(OrderChanged)[-1].detail == "trading of * is halted: drawdown"
    world.control(Acknowledge(time=1, by="me")).approve(signal="b")
    assert [c.signal_id for c in world.bodies(PlaceOrder)] == ["b"]


@pytest.mark.parametrize("restore", [False, True])
@pytest.mark.parametrize("said", ["*", SYMBOL])
@pytest.mark.parametrize("halted", ["*", SYMBOL])
def test_an_acknowledgement_leaves_a_halt_that_ends_by_the_clock(
    halted: str, said: str, restore: bool
) -> None:
    world = World(restore=restore).bars(CALM)
    pause = TradingHalted(
        time=1, symbol=halted, reason=HaltReason.LOSS_STREAK, detail="", until=world.time + BAR
    )
    world.order(pause).order(TradingHalted(time=1, symbol=halted, reason=HaltReason.MISMATCH, detail=""))
    world.control(Acknowledge(time=1, by="me", symbol=said)).approve(signal="a")
    assert world.bodies(OrderChanged)[-1].detail == f"trading of {halted} is halted: loss_streak"
    world.order(TradingResumed(time=1, symbol=halted, by="clock")).approve(signal="b")
    assert [c.signal_id for c in world.bodies(PlaceOrder)] == ["b"]


@pytest.mark.parametrize(
    "word",
    [
        KillSwitch(time=1, reason="x", by="me", flatten=True),
        FlattenApproved(time=1, symbol="*", request_id="r"),
    ],
)
def test_flatten_closes_by_reduce_only_market_under_a_live_stop(word: object) -> None:
    world = trade("102 102 100 101")
    world.give(Stream.CONTROLS, "manager", word).give(Stream.CONTROLS, "manager", word)  # type: ignore[arg-type]
    (close,) = [c for c in world.bodies(PlaceOrder) if c.leg is Leg.CLOSE]
    assert (close.kind, close.reduce_only, close.quantity) == (OrderKind.MARKET, True, D("1.0"))
    assert world.bodies(PositionChanged)[-1].protected  # until it is flat
    world.bars("103 104 90 91")
    assert closed(world) == [("flatten", D(3))]


def test_flatten_before_any_fill_cancels_the_entry() -> None:
    world = World().bars(CALM).approve().order(FlattenApproved(time=1, symbol=SYMBOL, request_id="r"))
    assert world.bodies(PositionChanged)[-1].phase.value == "abandoned"


def test_fees_and_funding_reach_the_trade() -> None:
    paper = PaperSettings(slippage_bps=D(0), maker_fee=D("0.001"), taker_fee=D("0.002"))
    world = trade("102 102 99 101", world=World(paper=paper))
    world.bars("101 101 99 100", funding="0.01").bars("101 101 94 95")
    trade_ = world.bodies(TradeClosed)[0]
    assert (trade_.profit, trade_.fees, trade_.funding) == (D(-10), D("0.2") + D("0.38"), D(2))
    assert trade_.net == D("-12.58")
    assert world.bodies(FundingCharged)[0].signal_id == "s1"
    assert world.bodies(AccountSnapshot)[-1].cash == 10_000 + trade_.net


def test_break_even_pays_the_fees_of_both_sides() -> None:
    world = trade("102 102 99 101", "101 111 101 110", world=World(execution=ExecutionSettings()))
    assert world.bodies(PlaceOrder)[-1].trigger == D("100.1")  # 7 bps, rounded up


def test_a_second_signal_for_an_open_symbol_is_not_placed() -> None:
    world = trade("102 102 99 101").approve(signal="s2")
    assert [c.signal_id for c in world.bodies(PlaceOrder) if c.leg is Leg.ENTRY] == ["s1"]
    refused = [o for o in world.bodies(OrderChanged) if o.signal_id == "s2"]
    assert refused[0].detail == "position s1 is open"


@pytest.mark.parametrize(
    "terms",
    [
        {"quantity": "0"}, {"stop": "0"}, {"stop": "100"}, {"stop": "101"}, {"entry": "-1"},
        {"targets": "110:2 120:1"}, {"targets": "99:1 120:1"}, {"targets": "110:0.1 120:0.1 130:0.1"},
    ],
)  # fmt: skip
def test_an_impossible_intent_is_a_named_error(terms: dict[str, str]) -> None:
    with pytest.raises(InvalidOrder, match="signal s1"):
        World().bars(CALM).approve(**terms)


def test_the_same_intent_twice_is_one_entry() -> None:
    world = World().bars(CALM).approve().approve().bars("102 102 94 96").approve()
    assert sum(c.leg is Leg.ENTRY for c in world.bodies(PlaceOrder)) == 1


def test_a_target_below_the_minimum_goes_to_its_neighbour() -> None:
    table = {SYMBOL: instrument(min_notional="150")}
    world = trade("102 102 99 101", world=World(instruments=table))
    targets = [(c.leg.value, c.quantity) for c in world.bodies(PlaceOrder) if "target" in c.leg.value]
    assert targets == [("target2", D(2))]


def test_a_poisoned_event_and_the_venues_halt_reach_executions() -> None:
    world = World().bars(CALM)
    (said,) = world.manager.poisoned(SYMBOL, "reports.MAIN.3", "bad")
    assert (said.stream, said.body.time) == (Stream.EXECUTIONS, world.time)
    world.report(SymbolHalted(time=5, symbol="*", origin="marks.p1.2", detail="x"))
    assert isinstance(world.log[-1].body, SymbolHalted)


def test_a_quiet_trade_says_no_mismatch() -> None:
    world = trade("102 102 100 101", "101 111 99 110", "110 121 99 120")
    assert not world.bodies(Mismatch)


def test_two_symbols_do_not_touch_each_other() -> None:
    world = World().bars(CALM).bars(CALM, symbol="YUSDT")
    world.approve().approve(symbol="YUSDT", signal="y").bars("102 102 99 101")
    world.bars("102 102 94 96", symbol="YUSDT")
    assert [t.symbol for t in world.bodies(TradeClosed)] == ["YUSDT"]
    assert len(world.bodies(AccountSnapshot)[-1].positions) == 1
    assert approved().symbol == SYMBOL
