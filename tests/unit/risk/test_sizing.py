"""Sizing by hand-worked examples; the properties are in tests/property/test_risk_sizing.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.errors import InvalidOrder
from bus_schemas.events import Side, Signal
from bus_schemas.settings.risk import RiskSettings
from risk.costs import Costs
from risk.sizing import at_most, levels_of, plan_of, smallest_order, split, unit_risk
from tests.unit.risk.desk import COSTS, instrument

FREE = Costs(maker_fee=Decimal(0), taker_fee=Decimal(0), slippage=Decimal(0))
TERMS = instrument("AAAUSDT")


def signal(side: Side = Side.LONG, **levels: Any) -> Signal:
    usual: dict[str, Any] = {"entry": 100.0, "stop": 95.0, "targets": (110.0, 120.0)}
    return Signal(id="s", side=side, setup="order_block", score=0.5, expires=1, **(usual | levels))


def test_the_loss_at_the_stop_has_both_fees_and_slippage() -> None:
    levels = levels_of(signal(), TERMS)
    # leaves at 95 * 0.9998 = 94.981: 5.019 lost, fees 0.05 + 0.0474905
    assert unit_risk(levels, COSTS, TERMS) == Decimal("5.1164905")
    assert unit_risk(levels, FREE, TERMS) == 5


def test_a_short_leaves_above_its_stop() -> None:
    levels = levels_of(signal(Side.SHORT, stop=105.0, targets=(90.0, 80.0)), TERMS)
    # leaves at 105 * 1.0002 = 105.021: 5.021 lost, fees 0.05 + 0.0525105
    assert unit_risk(levels, COSTS, TERMS) == Decimal("5.1235105")


@pytest.mark.parametrize(
    ("equity", "stop", "quantity", "leverage", "margin"),
    [
        ("10000", 95.0, "10.000", 1, "1000"),
        ("10000", 99.0, "50.000", 2, "2500"),
        ("10000", 99.3, "71.428", 3, "2380.93333333"),
        ("10000", 99.9, "125.000", 5, "2500"),
        ("0", 95.0, "0", 1, "0"),
        ("-5", 95.0, "0", 1, "0"),
    ],
)
def test_size_is_the_risk_budget_over_the_stop_then_the_margin_cap(
    equity: str, stop: float, quantity: str, leverage: int, margin: str
) -> None:
    plan = plan_of(levels_of(signal(stop=stop), TERMS), Decimal(equity), RiskSettings(), FREE, TERMS)
    assert plan.quantity == Decimal(quantity)
    assert plan.leverage == leverage
    assert plan.margin == Decimal(margin)


@pytest.mark.parametrize(
    ("stop", "most", "quantity", "leverage", "margin"),
    [
        # the budget alone buys 10, 50, 71.428; the margin allows 125 of 500
        (95.0, "9.9995", "9.999", 1, "999.9"),
        (95.0, "10", "10", 1, "1000"),
        (95.0, "11", "10", 1, "1000"),
        (99.0, "20", "20", 1, "2000"),
        (99.3, "71.4275", "71.427", 3, "2380.9"),
        (99.9, "60", "60", 3, "2000"),
        (99.9, "124.9999", "124.999", 5, "2499.98"),
        (99.9, "126", "125", 5, "2500"),
    ],
)
def test_no_size_is_above_the_venue_s_largest_order(
    stop: float, most: str, quantity: str, leverage: int, margin: str
) -> None:
    terms = instrument("AAAUSDT", max_quantity=Decimal(most))
    levels = levels_of(signal(stop=stop), terms)
    plan = plan_of(levels, Decimal(10_000), RiskSettings(), FREE, terms)
    assert (plan.quantity, plan.leverage, plan.margin) == (Decimal(quantity), leverage, Decimal(margin))
    assert plan.risk == plan.quantity * levels.stop_distance
    assert sum(target.quantity for target in plan.targets) == plan.quantity
    free = plan_of(levels, Decimal(10_000), RiskSettings(), FREE, TERMS)
    assert plan.wanted == free.wanted, "what the budget buys is told apart from what the venue takes"
    assert (free.largest, plan.largest) == (None, terms.largest)


def test_contract_size_counts_in_risk_and_notional() -> None:
    terms = instrument("AAAUSDT", contract_size=Decimal("0.1"))
    plan = plan_of(levels_of(signal(), terms), Decimal(10_000), RiskSettings(), FREE, terms)
    assert (plan.quantity, plan.notional, plan.risk) == (100, 1000, 50)


def test_levels_go_to_the_tick_on_the_careful_side() -> None:
    long = levels_of(signal(entry=100.004, stop=95.009, targets=(110.009, 120.009)), TERMS)
    assert (long.entry, long.stop) == (Decimal("100.00"), Decimal("95.00"))
    assert long.targets == (Decimal("110.00"), Decimal("120.00"))
    short = levels_of(signal(Side.SHORT, stop=105.001, targets=(90.001, 80.001)), TERMS)
    assert (short.stop, *short.targets) == (Decimal("105.01"), Decimal("90.01"), Decimal("80.01"))


def test_levels_that_meet_on_one_tick_are_refused() -> None:
    with pytest.raises(InvalidOrder, match="not below"):
        levels_of(signal(entry=99.4, stop=99.3), instrument("AAAUSDT", tick=Decimal(1)))


@pytest.mark.parametrize(
    ("quantity", "share", "expected"),
    [
        ("1", "0.5", ["0.500", "0.500"]),
        ("0.999", "0.5", ["0.499", "0.500"]),
        ("1", "0.3", ["0.300", "0.700"]),
        ("0.100", "0.5", ["0.1"]),  # the slice at 110 is worth 5.5, what remains 4.75 at the stop
        ("0.060", "0.5", ["0.06"]),
        ("0.040", "0.5", []),
        ("0", "0.5", []),
    ],
)
def test_targets_take_slices_that_the_venue_takes(quantity: str, share: str, expected: list[str]) -> None:
    targets = split(Decimal(quantity), levels_of(signal(), TERMS), Decimal(share), TERMS)
    assert [target.quantity for target in targets] == [Decimal(q) for q in expected]
    assert [target.price for target in targets] == [Decimal(110), Decimal(120)][: len(targets)]


@pytest.mark.parametrize(
    ("price", "smallest"), [("100", "0.05"), ("99.99", "0.051"), ("30", "0.167"), ("1000000", "0.001")]
)
def test_the_smallest_order_passes_the_minimum_and_one_step_less_does_not(price: str, smallest: str) -> None:
    quantity = smallest_order(TERMS, Decimal(price))
    assert quantity == Decimal(smallest)
    assert TERMS.tradable(quantity, Decimal(price))
    assert not TERMS.tradable(quantity - TERMS.step, Decimal(price))


def test_a_quotient_that_rounds_up_onto_a_step_does_not_break_the_budget() -> None:
    budget = Decimal("2." + "9" * 30)
    assert at_most(budget, Decimal(3), TERMS) == Decimal("0.999")
    assert at_most(Decimal(3), Decimal(3), TERMS) == 1
