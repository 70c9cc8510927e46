"""From a signal's levels to a sized order. Pure; everything is Decimal after the levels.

The size is the risk budget over the loss of one contract at the stop, where the entry pays the taker
fee (a limit order may cross the book), and the stop pays the taker fee and slippage. It is rounded
down to the step, then cut to what the margin of one position allows at the highest leverage, and to
the venue's largest order: a position is protected by one stop and closed by one order. It is never
raised to reach a minimum.

Leverage is the smallest whole number that keeps the margin inside the position's budget: the lower
it is, the farther away is liquidation.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

import msgspec

from bus_schemas.errors import InvalidOrder
from bus_schemas.events import Side, Signal, Target
from bus_schemas.instruments import Instrument, Rounding
from bus_schemas.settings.risk import RiskSettings
from risk.costs import Costs
from risk.figures import HUNDRED, ZERO

_PLACES = Decimal("1e-8")


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """A signal's levels on the tick. The stop lies beyond its level and targets before theirs."""

    side: Side
    entry: Decimal
    stop: Decimal
    targets: tuple[Decimal, Decimal]

    @property
    def stop_distance(self) -> Decimal:
        """From entry to stop, in quote currency, above zero."""
        return abs(self.entry - self.stop)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A sized order. Amounts are in settle currency.

    Attributes:
        wanted: contracts by the risk budget alone, on the step.
        quantity: contracts after the caps of margin and leverage and of the largest order, on the step.
        smallest: contracts of the smallest order that the venue takes at these levels.
        largest: contracts of the largest order of any kind that it takes, on the step; None for no bound.
        targets: take-profits; their sum is at most the quantity.
        leverage: notional over margin, a whole number.
        unit_risk: loss of one contract at the stop, after fees and slippage.
    """

    wanted: Decimal
    quantity: Decimal
    smallest: Decimal
    largest: Decimal | None
    targets: tuple[Target, ...]
    notional: Decimal
    margin: Decimal
    leverage: Decimal
    unit_risk: Decimal

    @property
    def risk(self) -> Decimal:
        """Loss at the stop after fees and slippage."""
        return self.quantity * self.unit_risk


def levels_of(signal: Signal, instrument: Instrument) -> Levels:
    """The signal's levels as prices.

    Raises:
        InvalidOrder: a level is no price, or the levels are not in the order stop, entry, first
            target, second target (for a short: the reverse).
    """
    long = signal.side is Side.LONG
    outward, inward = (Rounding.DOWN, Rounding.DOWN) if long else (Rounding.UP, Rounding.UP)
    levels = Levels(
        side=signal.side,
        entry=instrument.price(signal.entry),
        stop=instrument.price(signal.stop, outward),
        targets=(
            instrument.price(signal.targets[0], inward),
            instrument.price(signal.targets[1], inward),
        ),
    )
    sign = signal.side.sign
    first, second = levels.targets
    if (levels.entry - levels.stop) * sign <= 0:
        raise InvalidOrder(f"the stop {levels.stop} is not {_beyond(long)} the entry {levels.entry}")
    if (first - levels.entry) * sign <= 0:
        raise InvalidOrder(f"the first target {first} is not {_beyond(not long)} the entry {levels.entry}")
    if (second - first) * sign < 0:
        raise InvalidOrder(f"the second target {second} is nearer than the first, {first}")
    return levels


def unit_risk(levels: Levels, costs: Costs, instrument: Instrument) -> Decimal:
    """Loss of one contract from the entry to a stop that slips, with both fees."""
    exit_price = levels.stop * (1 - costs.slippage * levels.side.sign)
    distance = (levels.entry - exit_price) * levels.side.sign
    return (distance + (levels.entry + exit_price) * costs.taker_fee) * instrument.contract_size


def plan_of(
    levels: Levels, equity: Decimal, settings: RiskSettings, costs: Costs, instrument: Instrument
) -> Plan:
    """Size an order for this equity. The quantity is 0 where nothing fits."""
    unit = unit_risk(levels, costs, instrument)
    budget = max(ZERO, equity) * settings.risk_per_trade_pct / HUNDRED
    wanted = at_most(budget, unit, instrument)
    value = levels.entry * instrument.contract_size
    margin_cap = max(ZERO, equity) * settings.position_margin_pct / HUNDRED
    largest = instrument.largest
    quantity = min(wanted, at_most(margin_cap * settings.leverage, value, instrument))
    if largest is not None:
        quantity = min(quantity, largest)
    notional = quantity * value
    leverage = Decimal(1)
    if quantity:
        leverage = max(leverage, (notional / margin_cap).to_integral_value(ROUND_CEILING))
    return Plan(
        wanted=wanted,
        quantity=quantity,
        smallest=smallest_order(instrument, min(levels.entry, levels.stop)),
        largest=largest,
        targets=split(quantity, levels, settings.first_target_pct / HUNDRED, instrument),
        notional=notional,
        margin=(notional / leverage).quantize(_PLACES, ROUND_DOWN),
        leverage=leverage,
        unit_risk=unit,
    )


def smallest_order(instrument: Instrument, price: Decimal) -> Decimal:
    """Contracts of the smallest order that the venue takes at this price, on the step."""
    least = max(instrument.min_quantity, instrument.min_notional / (price * instrument.contract_size))
    steps = (least / instrument.step).to_integral_value(ROUND_CEILING)
    quantity = steps * instrument.step
    # the division above may have rounded down onto a step
    return quantity if instrument.tradable(quantity, price) else quantity + instrument.step


def split(
    quantity: Decimal, levels: Levels, first_share: Decimal, instrument: Instrument
) -> tuple[Target, ...]:
    """Take-profits for a position: two, else one at the nearer target, else none.

    Each slice passes the venue's minimums at its own target, and the second, which is what remains
    after the first, also at the entry, where its stop then stands, and at the first stop.
    """
    near, far = levels.targets
    first = instrument.quantity(quantity * first_share)
    rest = quantity - first
    floor = min(far, levels.entry, levels.stop)
    if instrument.tradable(first, near) and instrument.tradable(rest, floor):
        return (Target(price=near, quantity=first), Target(price=far, quantity=rest))
    if instrument.tradable(quantity, near):
        return (Target(price=near, quantity=quantity),)
    return ()


def at_most(budget: Decimal, each: Decimal, instrument: Instrument) -> Decimal:
    """Contracts, on the step, that cost `each` and together no more than the budget."""
    quantity = instrument.quantity(budget / each)
    # a quotient a hair below a step may have been rounded up onto it
    return quantity - instrument.step if quantity * each > budget else quantity


def _beyond(below: bool) -> str:
    return "below" if below else "above"
