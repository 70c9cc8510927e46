"""What a limit is, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from functools import cached_property
from typing import ClassVar

import msgspec

from bus_schemas.errors import DecisionError
from bus_schemas.events import Refusal, Signal
from bus_schemas.instruments import Instrument
from bus_schemas.settings.risk import RiskSettings
from risk.costs import Costs
from risk.counters import Counters
from risk.figures import HUNDRED
from risk.halts import Halts
from risk.portfolio import Portfolio
from risk.sizing import Levels, Plan, levels_of, plan_of


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A limit's no.

    Attributes:
        detail: the comparison, in a sentence that a user understands.
        numbers: the figures that were compared, by name.
    """

    detail: str
    numbers: dict[str, Decimal] = {}


class Context:
    """One signal and everything that limits look at. Limits change nothing in it.

    Attributes:
        time: event time of the assessment that carries the signal.
        terms: the symbol's contract; None where it is unknown.
        equity_or_none: equity at mark; None before the first account snapshot.
    """

    def __init__(
        self,
        *,
        signal: Signal,
        symbol: str,
        time: int,
        terms: Instrument | None,
        settings: RiskSettings,
        costs: Costs,
        portfolio: Portfolio,
        counters: Counters,
        halts: Halts,
    ) -> None:
        self.signal = signal
        self.symbol = symbol
        self.time = time
        self.terms = terms
        self.settings = settings
        self.costs = costs
        self.portfolio = portfolio
        self.counters = counters
        self.halts = halts
        self.equity_or_none = portfolio.equity

    @property
    def instrument(self) -> Instrument:
        """The contract. `unknown_instrument` has refused before anyone may ask in vain."""
        if self.terms is None:
            raise DecisionError(f"{self.symbol}: a limit asked for terms that are unknown")
        return self.terms

    @property
    def equity(self) -> Decimal:
        """Equity. `stale_data` has refused before anyone may ask in vain."""
        if self.equity_or_none is None:
            raise DecisionError("a limit asked for an equity that is unknown")
        return self.equity_or_none

    @cached_property
    def levels(self) -> Levels:
        """Levels on the tick.

        Raises:
            InvalidOrder: see `levels_of`. `bad_levels` turns it into a refusal.
        """
        return levels_of(self.signal, self.instrument)

    @cached_property
    def plan(self) -> Plan:
        """The sized order; only for limits after `bad_levels`."""
        return plan_of(self.levels, self.equity, self.settings, self.costs, self.instrument)

    @cached_property
    def worst_equity(self) -> Decimal:
        """Equity if this order and every open intent fill and every stop is then hit."""
        exit_cost = self.costs.taker_fee + self.costs.slippage
        return self.equity - self.portfolio.at_risk(exit_cost) - self.plan.risk

    def budget(self, pct: Decimal) -> Decimal:
        """A percentage of equity, in settle currency."""
        return self.equity * pct / HUNDRED


class Limit(ABC):
    """One rule. Stateless; what it counts lives in `Counters`, `Halts` and `Portfolio`.

    Attributes:
        code: the reason that a refusal by this limit carries.
    """

    code: ClassVar[Refusal]

    @abstractmethod
    def check(self, context: Context) -> Refused | None:
        """None where the signal may pass. Called only when every earlier limit let it pass."""
