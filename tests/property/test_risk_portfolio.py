"""Equity equals cash plus open profit, and cash flow tells the same, under any fills."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.events import AccountSnapshot, Fill, FundingCharged, Leg, Liquidity, Side
from risk.portfolio import Portfolio
from tests.unit.risk.desk import A, B, instrument

SIZES = {A: Decimal(1), B: Decimal("1e-8")}
CASH = Decimal(10_000)


def decimals(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=places, allow_nan=False, allow_infinity=False)


moves = st.lists(
    st.tuples(
        st.sampled_from([A, B]),
        st.sampled_from(list(Side)),
        decimals("0.01", "99999", 2),
        decimals("0.001", "500", 3),
        decimals("-5", "50", 8),
        decimals("0.01", "99999", 2),
    ),
    max_size=25,
)


def portfolio() -> Portfolio:
    made = Portfolio({s: instrument(s, contract_size=size) for s, size in SIZES.items()}, Decimal(5))
    made.load({})
    made.reconcile(AccountSnapshot(time=0, cash=CASH, equity=CASH))
    return made


def fill_of(
    number: int,
    symbol: str,
    side: Side,
    price: Decimal,
    quantity: Decimal,
    position: Decimal,
    fee: Decimal = Decimal(0),
) -> Fill:
    return Fill(
        time=number,
        client_id="c",
        signal_id="s",
        symbol=symbol,
        side=side,
        leg=Leg.ENTRY,
        fill_id=str(number) + symbol,
        price=price,
        quantity=quantity,
        fee=fee,
        liquidity=Liquidity.TAKER,
        profit=Decimal(0),
        position=position,
    )


@settings(max_examples=60, deadline=None)
@given(moves)
def test_equity_is_cash_plus_open_profit_and_equals_the_cash_flow(
    steps: list[tuple[str, Side, Decimal, Decimal, Decimal, Decimal]],
) -> None:
    book = portfolio()
    store: dict[str, bytes | None] = {}
    held = dict.fromkeys(SIZES, Decimal(0))
    marks = dict.fromkeys(SIZES, Decimal(0))
    flow, costs = Decimal(0), Decimal(0)
    for number, (symbol, side, price, quantity, cost, mark) in enumerate(steps):
        signed = quantity * side.sign
        held[symbol] += signed
        flow -= signed * price * SIZES[symbol]
        costs += 2 * cost
        fill = fill_of(number, symbol, side, price, quantity, held[symbol], cost)
        assert book.fill(fill)
        assert not book.fill(fill)
        book.funding(FundingCharged(time=number, signal_id="s", symbol=symbol, amount=cost, rate=Decimal(0)))
        marks[symbol] = mark
        book.price(symbol, number, mark, mark, None)
        # a restart at every step: the state is the whole of it
        store |= book.drain()
        book.load({key: value for key, value in store.items() if value is not None})
        worth = sum((held[s] * marks[s] * SIZES[s] for s in SIZES), Decimal(0))
        ledger = book.ledger
        assert ledger.cash is not None
        assert book.equity == ledger.cash + book.open_profit
        assert book.equity == CASH + flow + worth - costs
        assert ledger.cash == CASH + ledger.realised - ledger.fees - ledger.funding
        assert {s: book.holding(s).quantity for s in SIZES} == held
        assert book.busy == tuple(s for s in sorted(SIZES) if held[s])
    for symbol, quantity in held.items():
        if quantity:
            side = Side.SHORT if quantity > 0 else Side.LONG
            book.fill(fill_of(len(steps), symbol, side, Decimal(7), abs(quantity), Decimal(0)))
        assert book.holding(symbol).cost == 0
    assert book.equity == book.ledger.cash


@settings(max_examples=40, deadline=None)
@given(moves)
def test_the_average_entry_lies_between_the_prices_that_were_paid(
    steps: list[tuple[str, Side, Decimal, Decimal, Decimal, Decimal]],
) -> None:
    book = portfolio()
    position, prices = Decimal(0), []
    for number, (_, _, price, quantity, _, _) in enumerate(steps):
        position += quantity
        prices.append(price)
        book.fill(fill_of(number, A, Side.LONG, price, quantity, position))
        assert min(prices) - Decimal("1e-9") <= book.average_entry(A) <= max(prices) + Decimal("1e-9")
        assert book.equity == CASH
