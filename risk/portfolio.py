"""What the account holds, folded from executions: cash, positions, open intents, equity.

Equity is cash plus open profit at mark. Profit is kept through the signed cost of what is held, not
through a rounded average price, so no cent appears or vanishes by division, whatever the fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from bus_schemas.decider import Keyed
from bus_schemas.errors import DecisionError
from bus_schemas.events import (
    AccountSnapshot,
    Fill,
    FundingCharged,
    Leg,
    PositionChanged,
    PositionPhase,
)
from bus_schemas.instruments import Instrument
from risk.books import Holding, Intent, Ledger, Quote, apply, positive
from risk.figures import ZERO

_RECENT_FILLS = 32
_ACCOUNT = "account"


class Portfolio:
    """Account, positions and quotes.

    Args:
        instruments: the contracts that may be held, by symbol.
        leverage: assumed of a position that we did not open.
    """

    def __init__(self, instruments: Mapping[str, Instrument], leverage: Decimal) -> None:
        self._instruments = instruments
        self._leverage = leverage
        self._ledger: Keyed[Ledger] = Keyed("ledger", Ledger, lambda _: Ledger())
        self._holdings: Keyed[Holding] = Keyed("holding", Holding, lambda _: Holding())
        self._quotes: Keyed[Quote] = Keyed("quote", Quote, lambda _: Quote())
        self._busy: tuple[str, ...] = ()

    def load(self, state: Mapping[str, bytes]) -> None:
        """Take the stored state in place of all memory."""
        for part in (self._ledger, self._holdings, self._quotes):
            part.load(state)
        self._index()

    def drain(self) -> dict[str, bytes | None]:
        """What changed since the last call."""
        return self._ledger.drain() | self._holdings.drain() | self._quotes.drain()

    # -- what it looks like ------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        return self._ledger.get(_ACCOUNT)

    @property
    def busy(self) -> tuple[str, ...]:
        """Symbols with a position or an open intent, sorted."""
        return self._busy

    def holding(self, symbol: str) -> Holding:
        """One symbol's position and intent, to look at."""
        return self._holdings.get(symbol)

    def quote(self, symbol: str) -> Quote:
        """One symbol's last mark, to look at."""
        return self._quotes.get(symbol)

    @property
    def equity(self) -> Decimal | None:
        """Cash plus open profit at mark; None until the cash is known."""
        cash = self.ledger.cash
        return None if cash is None else cash + self.open_profit

    @property
    def open_profit(self) -> Decimal:
        """Profit of all positions at their marks; a position without a mark counts at its cost."""
        total = ZERO
        for symbol in self._busy:
            holding = self._holdings.get(symbol)
            mark = self._quotes.get(symbol).mark
            if holding.quantity and mark:
                size = self._instruments[symbol].contract_size
                total += holding.quantity * size * mark - holding.cost
        return total

    def average_entry(self, symbol: str) -> Decimal:
        """Average entry price in quote currency; 0 where nothing is held."""
        holding = self.holding(symbol)
        if not holding.quantity:
            return ZERO
        return holding.cost / (holding.quantity * self._instruments[symbol].contract_size)

    @property
    def notional(self) -> Decimal:
        """Value of all positions at mark and of all open intents at their limit prices."""
        total = ZERO
        for symbol in self._busy:
            holding = self.holding(symbol)
            size = self._instruments[symbol].contract_size
            price = self.quote(symbol).mark or self.average_entry(symbol)
            total += abs(holding.quantity) * size * price + self._waiting(holding, size)
        return total

    @property
    def margin(self) -> Decimal:
        """Margin set aside for all positions and open intents."""
        total = ZERO
        for symbol in self._busy:
            holding = self.holding(symbol)
            value = abs(holding.cost) + self._waiting(holding, self._instruments[symbol].contract_size)
            total += value / (holding.intent.leverage if holding.intent else self._leverage)
        return total

    def at_risk(self, exit_cost: Decimal) -> Decimal:
        """Further loss, from here, if every open intent fills and every stop is then hit.

        Args:
            exit_cost: fee and slippage of leaving at a stop, as a fraction of notional.
        """
        return sum((self._loss_from_here(symbol, exit_cost) for symbol in self._busy), ZERO)

    def _loss_from_here(self, symbol: str, exit_cost: Decimal) -> Decimal:
        holding = self.holding(symbol)
        intent = holding.intent
        size = self._instruments[symbol].contract_size
        loss = intent.reserved * intent.unit_risk if intent else ZERO
        if holding.quantity:
            price = self.quote(symbol).mark or self.average_entry(symbol)
            if intent is None or intent.stop is None:
                # nothing bounds the loss, so the whole margin counts
                return loss + abs(holding.cost) / (intent.leverage if intent else self._leverage)
            distance = (price - intent.stop) * holding.quantity * size
            loss += max(ZERO, distance) + abs(holding.quantity) * size * intent.stop * exit_cost
        return loss

    @staticmethod
    def _waiting(holding: Holding, size: Decimal) -> Decimal:
        return holding.intent.reserved * size * holding.intent.entry if holding.intent else ZERO

    # -- what happens to it ------------------------------------------------------------------

    def price(self, symbol: str, time: int, mark: Decimal, spot: Decimal, funding: Decimal | None) -> None:
        """Take a mark. An older one than the last changes nothing."""
        quote = self._quotes.get(symbol)
        if time < quote.time:
            return
        quote = self._quotes.edit(symbol)
        quote.time, quote.mark, quote.spot = time, mark, spot
        if funding is not None:
            quote.funding = funding

    def reserve(self, symbol: str, intent: Intent) -> None:
        """Take the symbol for an approved order."""
        self._holdings.edit(symbol).intent = intent
        self._index()

    def forget_unheard(self, symbol: str) -> str:
        """Free the symbol of an approved order that execution never spoke of, where nothing is held.

        Returns:
            signal id of the order; empty where there is none.
        """
        holding = self._holdings.get(symbol)
        if holding.intent is None or holding.intent.known or holding.quantity:
            return ""
        signal_id = holding.intent.signal_id
        self._holdings.edit(symbol).intent = None
        self._index()
        return signal_id

    def fill(self, fill: Fill) -> bool:
        """Fold a fill. False where it was folded before.

        Raises:
            DecisionError: unknown instrument, or a price or quantity that is not above zero.
        """
        instrument = self._instrument(fill.symbol)
        positive(fill.price, f"{fill.symbol}: price of fill {fill.fill_id}")
        positive(fill.quantity, f"{fill.symbol}: quantity of fill {fill.fill_id}")
        holding = self._holdings.edit(fill.symbol)
        if fill.fill_id in holding.fills:
            return False
        holding.fills = [*holding.fills[1 - _RECENT_FILLS :], fill.fill_id]
        signed = fill.quantity * fill.side.sign
        if holding.quantity + signed == fill.position:
            profit = apply(holding, signed, fill.price * instrument.contract_size)
        else:
            # Execution has adopted what we did not see fill: its account of the position is the truth.
            profit = fill.profit
            same = holding.quantity * fill.position > 0
            self._adopt(fill.symbol, fill.position, self.average_entry(fill.symbol) if same else fill.price)
        self._book(profit=profit, fee=fill.fee)
        if fill.leg is Leg.ENTRY and holding.intent and holding.intent.signal_id == fill.signal_id:
            holding.intent.known = True
            holding.intent.reserved = max(ZERO, holding.intent.reserved - fill.quantity)
        self._index()
        return True

    def funding(self, charge: FundingCharged) -> None:
        """Fold a funding payment."""
        self._instrument(charge.symbol)
        self._book(funding=charge.amount)

    def position(self, change: PositionChanged) -> None:
        """Take execution's word on size, reservation, stop and phase.

        Raises:
            DecisionError: unknown instrument, or a position with an entry price not above zero.
        """
        self._instrument(change.symbol)
        holding = self._holdings.edit(change.symbol)
        intent = holding.intent
        ours = intent is not None and intent.signal_id == change.signal_id
        if change.phase in (PositionPhase.CLOSED, PositionPhase.ABANDONED):
            if ours:
                holding.intent = None
        elif intent is None:
            holding.intent = self._adopted(change)
        elif ours:
            intent.known = True
            intent.reserved = change.reserved
            intent.stop = intent.stop if change.stop is None else change.stop
        if change.quantity != holding.quantity:
            self._adopt(change.symbol, change.quantity, change.entry_price)
        if holding.quantity == 0 or change.protected:
            holding.naked_since = None
        elif holding.naked_since is None:
            holding.naked_since = change.time
        self._index()

    def reconcile(self, snapshot: AccountSnapshot) -> tuple[str, ...]:
        """Take the venue's cash and positions as the truth. An open intent stays: what the venue does
        not list yet may still fill, and only execution's word ends it.

        Returns:
            symbols that the venue holds and that we have no terms for.

        Raises:
            DecisionError: the cash is not a number, or an entry price is not above zero.
        """
        if not snapshot.cash.is_finite():
            raise DecisionError(f"account snapshot: {snapshot.cash} is not an amount")
        ledger = self._ledger.edit(_ACCOUNT)
        if ledger.cash is not None:
            ledger.corrected += snapshot.cash - ledger.cash
        ledger.cash = snapshot.cash
        held = {p.symbol: p for p in snapshot.positions if p.quantity}
        for symbol in sorted(held.keys() & self._instruments.keys()):
            state = held[symbol]
            if self.holding(symbol).quantity != state.quantity:
                self._holdings.edit(symbol)
                self._adopt(symbol, state.quantity, state.entry_price)
            if not self.quote(symbol).mark and state.mark > 0:
                self._quotes.edit(symbol).mark = state.mark
        for symbol in self._busy:
            if symbol not in held and self.holding(symbol).quantity:
                self._holdings.edit(symbol)
                self._adopt(symbol, ZERO, ZERO)
        self._index()
        return tuple(sorted(held.keys() - self._instruments.keys()))

    def _adopted(self, change: PositionChanged) -> Intent:
        return Intent(
            signal_id=change.signal_id,
            side=change.side,
            reserved=change.reserved,
            entry=change.entry_price or self.quote(change.symbol).mark,
            stop=change.stop,
            leverage=self._leverage,
            unit_risk=ZERO,
            known=True,
        )

    def _adopt(self, symbol: str, quantity: Decimal, entry: Decimal) -> None:
        holding = self._holdings.get(symbol)
        if quantity:
            positive(entry, f"{symbol}: entry price of a position of {quantity}")
        holding.quantity = quantity
        holding.cost = quantity * entry * self._instruments[symbol].contract_size if quantity else ZERO
        if not quantity:
            holding.naked_since = None

    def _book(self, profit: Decimal = ZERO, fee: Decimal = ZERO, funding: Decimal = ZERO) -> None:
        ledger = self._ledger.edit(_ACCOUNT)
        ledger.realised += profit
        ledger.fees += fee
        ledger.funding += funding
        if ledger.cash is not None:
            ledger.cash += profit - fee - funding

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise DecisionError(f"{symbol}: no such instrument")
        return instrument

    def _index(self) -> None:
        known: Iterable[str] = self._holdings.known()
        self._busy = tuple(s for s in known if s in self._instruments and self._holdings.get(s).busy)
