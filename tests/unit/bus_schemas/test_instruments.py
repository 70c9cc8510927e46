"""The one place where a float becomes a price, and where an amount becomes a quantity."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus_schemas.errors import ConfigurationError, InvalidOrder
from bus_schemas.instruments import DEFAULT_INSTRUMENTS, Instrument, Rounding

BTC = DEFAULT_INSTRUMENTS["BTCUSDT"]
UNITS = st.sampled_from(["0.10", "0.01", "0.5", "0.0001", "1", "5", "0.25", "0.7", "0.003", "1E+1"]).map(
    Decimal
)
LEVELS = st.floats(min_value=0.001, max_value=1e9)
AMOUNTS = st.decimals(min_value=0, max_value=10**12, allow_nan=False) | st.tuples(
    st.decimals(1, 10**6, places=3), st.integers(1, 99)
).map(lambda pair: pair[0] / pair[1])


def instrument(**terms: Any) -> Instrument:
    base = {"symbol": "XUSDT", "base": "X", "quote": "USDT", "settle": "USDT"}
    numbers = {"tick": "0.1", "step": "0.1", "min_quantity": "0.1", "min_notional": "5"} | terms
    return Instrument(**base, **{name: Decimal(value) for name, value in numbers.items()})  # type: ignore[arg-type]


def multiple(value: Decimal, unit: Decimal) -> bool:
    return (Fraction(value) / Fraction(unit)).denominator == 1


@given(UNITS, LEVELS, st.sampled_from(Rounding))
def test_a_price_is_on_the_tick_and_next_to_its_level(
    tick: Decimal, level: float, rounding: Rounding
) -> None:
    try:
        price = instrument(tick=tick).price(level, rounding)
    except InvalidOrder:
        assert rounding is not Rounding.UP
        assert Fraction(repr(level)) < Fraction(tick)
        return
    exact, unit = Fraction(repr(level)), Fraction(tick)
    assert price > 0
    assert multiple(price, tick)
    distance = Fraction(price) - exact
    bounds = {
        Rounding.DOWN: -unit < distance <= 0,
        Rounding.UP: 0 <= distance < unit,
        Rounding.NEAREST: abs(distance) <= unit / 2,
    }
    assert bounds[rounding]
    assert instrument(tick=tick).price(price, rounding) == price
    assert "E" not in str(price)


@given(UNITS, AMOUNTS)
def test_a_quantity_is_on_the_step_and_never_above_the_amount(step: Decimal, amount: Decimal) -> None:
    quantity = instrument(step=step).quantity(amount)
    assert multiple(quantity, step)
    assert 0 <= Fraction(quantity) <= Fraction(amount) < Fraction(quantity) + Fraction(step)
    assert instrument(step=step).quantity(quantity) == quantity
    assert "E" not in str(quantity) or quantity == 0


def test_a_division_would_have_rounded_up() -> None:
    amount = Decimal("1.399999999999999999999999999")
    assert instrument(step="0.7").quantity(amount) == Decimal("0.7")
    long = Decimal("99.99999999999999999999999999999")
    assert instrument().price(long, Rounding.DOWN) == Decimal("99.9")


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext(Context(prec=3, rounding=ROUND_CEILING)):
        assert BTC.price(64123.4567, Rounding.DOWN) == Decimal("64123.40")
        assert BTC.quantity(Decimal("12.3456789")) == Decimal("12.345")


@pytest.mark.parametrize(
    ("level", "rounding", "expected"),
    [
        (64123.45, Rounding.NEAREST, "64123.40"),
        (64123.55, Rounding.NEAREST, "64123.60"),
        (64123.4500001, Rounding.NEAREST, "64123.50"),
        (64123.41, Rounding.UP, "64123.50"),
        (64123.49, Rounding.DOWN, "64123.40"),
        (64123.4, Rounding.UP, "64123.40"),
        (0.1 + 0.2, Rounding.DOWN, "0.30"),
        (64123, Rounding.UP, "64123.00"),
        (Decimal("64123.49"), Rounding.DOWN, "64123.40"),
        (0.05000001, Rounding.NEAREST, "0.10"),
        (1e-9, Rounding.UP, "0.10"),
    ],
)
def test_prices(level: float, rounding: Rounding, expected: str) -> None:
    assert str(BTC.price(level, rounding)) == expected


class Numpyish(float):
    def __repr__(self) -> str:
        return f"np.float64({float(self)!r})"


def test_a_float_whose_repr_is_no_number() -> None:
    assert BTC.price(Numpyish(100.14)) == Decimal("100.10")


@pytest.mark.parametrize(
    "level",
    [
        math.nan,
        math.inf,
        -math.inf,
        0.0,
        -1.0,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal(0),
        -3,
        0.04,
        5e-324,
        1e308,
        Decimal("1E+70"),
    ],
)
def test_what_is_no_price(level: float | Decimal) -> None:
    with pytest.raises(InvalidOrder, match="BTCUSDT: "):
        BTC.price(level)


@pytest.mark.parametrize("amount", ["NaN", "-Infinity", "Infinity", "0", "-1", "0.0009", "1E-400"])
def test_what_is_no_amount_is_no_quantity(amount: str) -> None:
    assert BTC.quantity(Decimal(amount)) == 0


def test_an_absurd_amount_is_an_invalid_order() -> None:
    with pytest.raises(InvalidOrder, match="beyond any market"):
        BTC.quantity(Decimal("1E+70"))


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [("0.001", "100000", True), ("0.001", "99999.9", False), ("0.0009", "200000", False), ("0", "1", False)],
)
def test_minimums(quantity: str, price: str, expected: bool) -> None:
    assert BTC.tradable(Decimal(quantity), Decimal(price)) is expected


def test_notional_counts_the_contract_size() -> None:
    assert instrument(contract_size="0.01").notional(Decimal(3), Decimal(200)) == 6


@pytest.mark.parametrize("name", ["tick", "step", "min_quantity", "contract_size"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_terms_must_be_above_zero(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be above zero"):
        instrument(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_notional", "-1"), ("min_notional", "NaN"), ("maintenance_rate", "1"), ("maintenance_rate", "NaN")],
)
def test_other_terms(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        instrument(**{name: value})


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", "1e70"])
def test_the_largest_order_is_a_number_of_contracts(value: str) -> None:
    with pytest.raises(ConfigurationError, match="max_quantity must be a number of contracts above zero"):
        instrument(max_quantity=value)


@pytest.mark.parametrize(
    ("most", "step", "largest"), [("0.1", "0.1", "0.1"), ("120", "0.001", "120"), ("7.99", "0.5", "7.5")]
)
def test_the_largest_order_is_on_the_step(most: str, step: str, largest: str) -> None:
    assert instrument(max_quantity=most, step=step).largest == Decimal(largest)
    assert instrument(step=step).largest is None


@pytest.mark.parametrize("symbol", sorted(DEFAULT_INSTRUMENTS))
def test_the_defaults_agree_with_themselves(symbol: str) -> None:
    terms = DEFAULT_INSTRUMENTS[symbol]
    assert terms.symbol == symbol == terms.base + terms.quote
    assert multiple(terms.min_quantity, terms.step)
