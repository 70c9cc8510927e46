"""A size never risks more than its budget, lies on the step, keeps every cap, and its targets fit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bus_schemas.errors import InvalidOrder
from bus_schemas.events import Side, Signal
from bus_schemas.instruments import Instrument
from bus_schemas.settings.risk import RiskSettings
from risk.costs import Costs
from risk.figures import HUNDRED
from risk.sizing import levels_of, plan_of
from tests.unit.risk.desk import instrument

steps = st.sampled_from(["0.001", "0.01", "0.003", "1", "10", "0.00001"]).map(Decimal)


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    step = draw(steps)
    return instrument(
        "AAAUSDT",
        tick=draw(st.sampled_from(["0.01", "0.1", "0.5", "0.0001"]).map(Decimal)),
        step=step,
        min_quantity=step * draw(st.integers(1, 20)),
        min_notional=Decimal(draw(st.integers(0, 200))),
        contract_size=draw(st.sampled_from(["1", "0.01", "0.001", "7"]).map(Decimal)),
    )


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    side = draw(st.sampled_from(list(Side)))
    entry = draw(st.floats(0.5, 120_000))
    stop, near, far = (draw(st.floats(0.0001, 0.4)) for _ in range(3))
    return Signal(
        id="s",
        side=side,
        entry=entry,
        stop=entry * (1 - stop * side.sign),
        targets=(entry * (1 + near * side.sign), entry * (1 + (near + far) * side.sign)),
        setup="order_block",
        score=0.5,
        expires=1,
    )


fractions = st.decimals("0", "0.01", places=5)
limits = st.builds(
    RiskSettings,
    risk_per_trade_pct=st.decimals("0.01", "2.9", places=2),
    position_margin_pct=st.integers(3, 40),
    leverage=st.integers(3, 5),
    first_target_pct=st.integers(1, 99),
)


@settings(max_examples=150, deadline=None)
@given(
    signals(),
    instruments(),
    st.decimals("-10", "1000000", places=2),
    limits,
    st.builds(Costs, maker_fee=fractions, taker_fee=fractions, slippage=fractions),
)
def test_a_plan_keeps_every_promise(
    signal: Signal, terms: Instrument, equity: Decimal, limits_: RiskSettings, costs: Costs
) -> None:
    try:
        levels = levels_of(signal, terms)
    except InvalidOrder:
        assume(False)
    plan = plan_of(levels, equity, limits_, costs, terms)
    funds = max(Decimal(0), equity)
    assert 0 <= plan.quantity <= plan.wanted
    assert plan.quantity % terms.step == 0
    assert plan.risk <= funds * limits_.risk_per_trade_pct / HUNDRED
    assert plan.wanted * plan.unit_risk <= funds * limits_.risk_per_trade_pct / HUNDRED
    assert plan.margin <= funds * limits_.position_margin_pct / HUNDRED
    assert 1 <= plan.leverage <= limits_.leverage
    assert plan.leverage == int(plan.leverage)
    assert plan.notional == terms.notional(plan.quantity, levels.entry)
    assert 0 <= plan.notional - plan.margin * plan.leverage <= Decimal("1e-7")
    assert terms.tradable(plan.smallest, min(levels.entry, levels.stop))
    assert sum(target.quantity for target in plan.targets) <= plan.quantity
    for target in plan.targets:
        assert target.quantity % terms.step == 0
        assert terms.tradable(target.quantity, target.price)
    # one step more would break the budget or the cap
    more = plan.quantity + terms.step
    over_budget = more * plan.unit_risk > funds * limits_.risk_per_trade_pct / HUNDRED
    cap = funds * limits_.position_margin_pct / HUNDRED * limits_.leverage
    assert over_budget or terms.notional(more, levels.entry) > cap


@settings(max_examples=100, deadline=None)
@given(
    signals(),
    instruments(),
    st.decimals("1", "1000000", places=2),
    limits,
    st.integers(1, 4000) | st.fractions("1", "4000"),
)
def test_no_plan_is_above_the_venues_largest_order(
    signal: Signal, terms: Instrument, equity: Decimal, limits_: RiskSettings, steps_: int | Fraction
) -> None:
    costs = Costs(maker_fee=Decimal(0), taker_fee=Decimal("0.0005"), slippage=Decimal(0))
    most = terms.min_quantity + terms.step * steps_.numerator / steps_.denominator
    narrow = msgspec.structs.replace(terms, max_quantity=most)
    try:
        levels = levels_of(signal, terms)
    except InvalidOrder:
        assume(False)
    free, plan = (plan_of(levels, equity, limits_, costs, each) for each in (terms, narrow))
    assert plan.quantity % terms.step == 0
    assert plan.quantity == min(free.quantity, terms.quantity(most)) <= most
    assert (plan.wanted, plan.smallest, plan.unit_risk) == (free.wanted, free.smallest, free.unit_risk)
    assert plan.leverage <= free.leverage
    assert plan.margin <= equity * limits_.position_margin_pct / HUNDRED
    assert sum(target.quantity for target in plan.targets) <= plan.quantity
    if free.quantity <= most:
        assert msgspec.structs.replace(plan, largest=None) == free
