"""Manager and paper venue over any market: cash is conserved, and nothing depends on the way there."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.envelope import Output
from bus_schemas.events import (
    AccountReport,
    FundingCharged,
    KillSwitch,
    Leg,
    Mismatch,
    OrderChanged,
    PlaceOrder,
    PositionChanged,
    TradeClosed,
)
from bus_schemas.settings import ExecutionSettings, PaperSettings
from tests.unit.execution.world import BAR, SYMBOL, World, candle

D = Decimal
PAPER = PaperSettings(slippage_bps=D(3), maker_fee=D("0.0002"), taker_fee=D("0.0005"))

moves = st.lists(
    st.tuples(
        st.integers(-30, 30),  # gap to the open, tenths
        st.integers(-80, 80),  # body
        st.integers(0, 60),  # upper wick
        st.integers(0, 60),  # lower wick
        st.sampled_from([None, None, None, "0.0001", "-0.0003"]),
        st.sampled_from(["", "", "long", "short", "kill"]),
    ),
    min_size=1,
    max_size=30,
)


def run(path: list[tuple[int, int, int, int, str | None, str]], **options: bool) -> World:
    world = World(paper=PAPER, execution=ExecutionSettings(), **options)
    price = 1000
    for n, (gap, body, up, down, funding, act) in enumerate(path):
        start = max(price + gap, 200)
        price = max(start + body, 200)
        row = (start, max(start, price) + up, max(min(start, price) - down, 100), price)
        world.time += BAR
        text = " ".join(str(D(x) / 10) for x in row)
        world.mark(candle(world.time, text, SYMBOL, funding))
        if act == "kill":
            world.control(KillSwitch(time=n, reason="x", by="y", flatten=True))
        elif act:
            sign = 1 if act == "long" else -1
            entry = D(price) / 10 - sign
            world.approve(
                signal=f"s{n}", side=act, entry=str(entry), stop=str(entry - sign * 3), quantity="1.5",
                targets=f"{entry + sign * 4}:0.7 {entry + sign * 8}:0.8", expires=world.time + 6 * BAR,
            )  # fmt: skip
    return world


def executions(world: World) -> list[Output]:
    return [o for o in world.log if o.stream.value == "executions"]


@settings(max_examples=120, deadline=None)
@given(moves)
def test_cash_is_conserved_and_every_position_was_protected(path: list[tuple]) -> None:  # type: ignore[type-arg]
    world = run(path)
    assert not world.bodies(Mismatch)
    trades = world.bodies(TradeClosed)
    reports = world.bodies(AccountReport)
    last = reports[-1]
    if not last.positions:
        result = sum((t.net for t in trades), D(0))
        unopened = {t.signal_id for t in trades}
        fees = [f for f in world.bodies(FundingCharged) if f.signal_id not in unopened]
        assert not fees
        assert last.cash == PAPER.starting_cash + result
    for report in reports:
        profit = sum((p.quantity * (p.mark - p.entry_price) for p in report.positions), D(0))
        assert abs(report.equity - report.cash - profit) < D("1E-8")
    opened = {p.signal_id for p in world.bodies(PositionChanged) if p.quantity}
    stopped = {c.signal_id for c in world.bodies(PlaceOrder) if c.leg is Leg.STOP}
    assert opened == stopped
    assert {t.signal_id for t in trades} <= opened


@settings(max_examples=40, deadline=None)
@given(moves)
def test_restarts_at_every_event_and_a_second_run_give_the_same(path: list[tuple]) -> None:  # type: ignore[type-arg]
    first, again, restored = run(path), run(path), run(path, restore=True)
    assert first.log == again.log == restored.log
    assert first.stored == restored.stored


@settings(max_examples=40, deadline=None)
@given(moves)
def test_reports_told_twice_have_one_effect(path: list[tuple]) -> None:  # type: ignore[type-arg]
    once, twice = run(path), run(path, repeat_reports=True)
    assert once.bodies(TradeClosed) == twice.bodies(TradeClosed)
    assert once.bodies(PlaceOrder) == twice.bodies(PlaceOrder)
    assert once.stored == twice.stored
    told = [
        o for o in executions(twice) if not isinstance(o.body, OrderChanged) or "dupl" not in o.body.detail
    ]
    assert [o for o in told if isinstance(o.body, PositionChanged)] == [
        o for o in executions(once) if isinstance(o.body, PositionChanged)
    ]
