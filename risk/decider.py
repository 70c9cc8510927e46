"""Risk as a decider: the only writer of orders, exactly one decision for each signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.errors import ConfigurationError, DecisionError
from bus_schemas.events import (
    AccountSnapshot,
    Acknowledge,
    Assessment,
    Body,
    Fill,
    FlattenApproved,
    FundingCharged,
    HaltReason,
    KillSwitch,
    Mark,
    Mismatch,
    OrderApproved,
    OrderRefused,
    PositionChanged,
    ReduceOnly,
    Refusal,
    Signal,
    SymbolHalted,
    TradeClosed,
)
from bus_schemas.instruments import Instrument
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.topology import Stream
from risk.books import Intent, positive
from risk.costs import Costs
from risk.counters import Counters
from risk.figures import ZERO
from risk.halts import ACCOUNT, Halt, Halts
from risk.limits import LIMITS, Context
from risk.portfolio import Portfolio
from risk.watch import Watch

Control = KillSwitch | Acknowledge | ReduceOnly


class RiskDecider(Decider):
    """Reads controls, executions, marks and signals; writes orders.

    Time is the latest event time of executions, marks and signals. Controls carry a wall clock, which
    is used only for an event that has no other time, before anything else was read.

    Args:
        settings: the limits.
        costs: fees and slippage that a trade is expected to pay.
        instruments: contract terms by symbol; a signal for another symbol is refused.
        account: name of the account, the key of events that concern all of it.

    Raises:
        ConfigurationError: an instrument is liquidated at once at the highest leverage.
    """

    def __init__(
        self,
        settings: RiskSettings,
        costs: Costs,
        instruments: Mapping[str, Instrument],
        account: str,
    ) -> None:
        _check_leverage(settings, instruments)
        self._settings = settings
        self._costs = costs
        self._instruments = dict(sorted(instruments.items()))
        self._account = account
        self._portfolio = Portfolio(self._instruments, Decimal(settings.leverage))
        self._counters = Counters()
        self._halts = Halts()
        self._watch = Watch(settings, self._portfolio, self._counters, self._halts)
        self._handlers: dict[type[Body], Callable[[Any], list[Body]]] = {
            Mark: self._mark,
            Assessment: self._assessment,
            Fill: self._fill,
            PositionChanged: self._position,
            TradeClosed: self._trade_closed,
            FundingCharged: self._funding,
            AccountSnapshot: self._snapshot,
            Mismatch: self._mismatch,
            SymbolHalted: self._symbol_halted,
        }

    def load(self, state: Mapping[str, bytes]) -> None:
        self._portfolio.load(state)
        self._counters.load(state)
        self._halts.load(state)

    def changes(self) -> Mapping[str, bytes | None]:
        return self._portfolio.drain() | self._counters.drain() | self._halts.drain()

    def handle(self, event: Event) -> Sequence[Output]:
        body = event.body
        if isinstance(body, Control):
            return self._outputs(self._control(body, event.id))
        said = self._watch.advance(body.time)
        # OrderChanged needs no handler: what an order reserves and holds comes with PositionChanged.
        handler = self._handlers.get(type(body))
        if handler is not None:
            said += handler(body)
        return self._outputs(said) if said else ()

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        return self._outputs(self._dead_letter(symbol, origin, detail))

    # -- marks and executions -------------------------------------------------------------------

    def _mark(self, mark: Mark) -> list[Body]:
        symbol = mark.symbol
        if symbol not in self._instruments:
            return []
        positive(mark.mark, f"{symbol}: mark")
        positive(mark.spot, f"{symbol}: spot")
        self._portfolio.price(symbol, mark.time, mark.mark, mark.spot, mark.funding)
        if not self._portfolio.busy and not self._watch.unsettled:
            return []
        return self._watch.protection(symbol) + self._watch.equity()

    def _fill(self, fill: Fill) -> list[Body]:
        return self._watch.equity() if self._portfolio.fill(fill) else []

    def _position(self, change: PositionChanged) -> list[Body]:
        self._portfolio.position(change)
        return self._watch.protection(change.symbol) + self._watch.equity()

    def _trade_closed(self, trade: TradeClosed) -> list[Body]:
        return self._watch.trade_closed(trade.symbol, trade.net) if trade.symbol in self._instruments else []

    def _funding(self, charge: FundingCharged) -> list[Body]:
        self._portfolio.funding(charge)
        return self._watch.equity()

    def _snapshot(self, snapshot: AccountSnapshot) -> list[Body]:
        before = self._portfolio.equity
        strangers = self._portfolio.reconcile(snapshot)
        self._watch.corrected(before)
        out = self._watch.equity()
        if strangers:
            detail = f"the venue holds positions without configured terms: {', '.join(strangers)}"
            out += self._watch.halt(ACCOUNT, HaltReason.MISMATCH, detail)
        return out

    # -- halts ----------------------------------------------------------------------------------

    def _mismatch(self, mismatch: Mismatch) -> list[Body]:
        return self._watch.halt(self._scope(mismatch.symbol), HaltReason.MISMATCH, mismatch.detail)

    def _symbol_halted(self, halted: SymbolHalted) -> list[Body]:
        return self._dead_letter(halted.symbol, halted.origin, halted.detail)

    def _dead_letter(self, symbol: str, origin: str, detail: str) -> list[Body]:
        said = f"{origin} could not be handled: {detail}"
        return self._watch.halt(self._scope(symbol), HaltReason.DEAD_LETTER, said)

    def _scope(self, symbol: str) -> str:
        """The symbol, or the whole account where it is none of ours: we cannot tell what is affected."""
        return symbol if symbol in self._instruments else ACCOUNT

    def _control(self, control: Control, request: str) -> list[Body]:
        # the event clock must not jump to a person's wall clock: a replay lies years before it
        time = self._counters.now or control.time
        if isinstance(control, Acknowledge):
            return self._watch.acknowledge(control.symbol, control.by, time)
        if isinstance(control, ReduceOnly):
            self._halts.switch_reduce_only(control.on)
            return []
        detail = f"{control.reason} (by {control.by})"
        kill = Halt(symbol=ACCOUNT, reason=HaltReason.OPERATOR, detail=detail, since=time)
        out = self._halts.latch(kill)
        if control.flatten:
            # also where the switch is latched already: an escalation must not be lost
            out.append(FlattenApproved(time=time, symbol=ACCOUNT, request_id=request))
        return out

    # -- signals --------------------------------------------------------------------------------

    def _assessment(self, assessment: Assessment) -> list[Body]:
        if assessment.signal is None:
            return []
        decision = self._decide(assessment.signal, assessment)
        return [decision, *self._exhausted(decision)]

    def _exhausted(self, decision: Body) -> list[Body]:
        """Halt when the drawdown has no room for a single trade and nothing is open that could win it
        back: else every signal would be refused for ever, with nothing to acknowledge.
        """
        if not isinstance(decision, OrderRefused) or decision.reason is not Refusal.DRAWDOWN:
            return []
        if self._portfolio.busy or self._watch.unsettled:
            return []
        detail = f"no position is open, and {decision.detail}"
        return self._watch.halt(ACCOUNT, HaltReason.DRAWDOWN, detail)

    def _decide(self, signal: Signal, assessment: Assessment) -> Body:
        symbol = assessment.symbol
        context = Context(
            signal=signal,
            symbol=symbol,
            time=assessment.time,
            terms=self._instruments.get(symbol),
            settings=self._settings,
            costs=self._costs,
            portfolio=self._portfolio,
            counters=self._counters,
            halts=self._halts,
        )
        decision = self._refusal(context) or self._approve(context)
        if symbol in self._instruments and not self._counters.answered(symbol, signal.id):
            self._counters.answer(symbol, signal.id)
        return decision

    def _refusal(self, context: Context) -> OrderRefused | None:
        for limit in LIMITS:
            refused = limit.check(context)
            if refused is not None:
                return OrderRefused(
                    time=self._counters.now,
                    signal_id=context.signal.id,
                    symbol=context.symbol,
                    side=context.signal.side,
                    reason=limit.code,
                    detail=refused.detail,
                    numbers=refused.numbers,
                )
        return None

    def _approve(self, context: Context) -> OrderApproved:
        signal, levels, plan = context.signal, context.levels, context.plan
        if plan.quantity <= ZERO:
            raise DecisionError(f"signal {signal.id}: every limit let a size of {plan.quantity} pass")
        self._portfolio.reserve(
            context.symbol,
            Intent(
                signal_id=signal.id,
                side=signal.side,
                reserved=plan.quantity,
                entry=levels.entry,
                stop=levels.stop,
                leverage=plan.leverage,
                unit_risk=plan.unit_risk,
            ),
        )
        return OrderApproved(
            time=self._counters.now,
            signal_id=signal.id,
            symbol=context.symbol,
            side=signal.side,
            quantity=plan.quantity,
            entry=levels.entry,
            stop=levels.stop,
            targets=plan.targets,
            leverage=plan.leverage,
            margin=plan.margin,
            risk=plan.risk,
            expires=signal.expires,
        )

    def _outputs(self, bodies: Sequence[Body]) -> list[Output]:
        out = []
        for body in bodies:
            symbol = getattr(body, "symbol", ACCOUNT)
            out.append(Output(Stream.ORDERS, self._account if symbol == ACCOUNT else symbol, body))
        return out


def _check_leverage(settings: RiskSettings, instruments: Mapping[str, Instrument]) -> None:
    faults = [
        f"{symbol}: at leverage {settings.leverage} its maintenance rate of {terms.maintenance_rate} means "
        "liquidation at the entry"
        for symbol, terms in sorted(instruments.items())
        if terms.maintenance_rate * settings.leverage >= 1
    ]
    if faults:
        raise ConfigurationError("; ".join(faults))
