"""What limits count over time: the day's loss, the fall from the peak, losses in a row, answered signals.

All of it is state: a restart forgets none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from bus_schemas.decider import Keyed
from bus_schemas.timeframes import DAY
from risk.figures import ZERO

_ACCOUNT = "account"
_CLOCK = "clock"
_RECENT_SIGNALS = 64


class Clock(msgspec.Struct, kw_only=True):
    """The latest event time seen; controls do not count, they carry a wall clock."""

    time: int = 0
    equity: Decimal | None = None


class AccountCounters(msgspec.Struct, kw_only=True):
    """Counters of the account.

    Attributes:
        day: UTC day number of the last event.
        day_start: equity as it was last known before that day's first event.
        peak: highest equity.
        suspect: event time of a fall too steep to believe at once; None where there is none.
    """

    day: int = -1
    day_start: Decimal | None = None
    peak: Decimal | None = None
    suspect: int | None = None


class SymbolCounters(msgspec.Struct, kw_only=True):
    """Counters of one symbol.

    Attributes:
        losses: losing trades in a row.
        signals: ids of the last signals that were answered.
    """

    losses: int = 0
    signals: list[str] = []


class Counters:
    """The counters, and the event clock that they run by."""

    def __init__(self) -> None:
        self._clock: Keyed[Clock] = Keyed("clock", Clock, lambda _: Clock())
        self._account: Keyed[AccountCounters] = Keyed(
            "counters", AccountCounters, lambda _: AccountCounters()
        )
        self._symbols: Keyed[SymbolCounters] = Keyed("streak", SymbolCounters, lambda _: SymbolCounters())

    def load(self, state: Mapping[str, bytes]) -> None:
        """Take the stored state in place of all memory."""
        for part in (self._clock, self._account, self._symbols):
            part.load(state)

    def drain(self) -> dict[str, bytes | None]:
        """What changed since the last call."""
        return self._clock.drain() | self._account.drain() | self._symbols.drain()

    @property
    def now(self) -> int:
        """The latest event time."""
        return self._clock.get(_CLOCK).time

    @property
    def account(self) -> AccountCounters:
        return self._account.get(_ACCOUNT)

    def advance(self, time: int) -> bool:
        """Move the clock forward; it never goes back. True where it moved."""
        if time <= self.now:
            return False
        self._clock.edit(_CLOCK).time = time
        return True

    def open_day(self, equity: Decimal | None) -> None:
        """Begin a new UTC day, if the clock has entered one, with the equity last known before it."""
        day = self.now // DAY
        if day != self.account.day:
            account = self._account.edit(_ACCOUNT)
            account.day, account.day_start = day, equity

    @property
    def day_end(self) -> int:
        """Event time of the next UTC midnight."""
        return (self.account.day + 1) * DAY

    def observe(self, equity: Decimal) -> Decimal:
        """Take the equity as it is now; how much it fell since it was last taken, at least 0."""
        clock = self._clock.get(_CLOCK)
        fall = ZERO if clock.equity is None else max(ZERO, clock.equity - equity)
        if clock.equity != equity:
            self._clock.edit(_CLOCK).equity = equity
        account = self.account
        if account.day_start is None:
            self._account.edit(_ACCOUNT).day_start = equity
        if account.peak is None or equity > account.peak:
            self._account.edit(_ACCOUNT).peak = equity
        return fall

    def deposit(self, amount: Decimal) -> None:
        """Money came in that no trade earned: it must hide neither a loss of today nor a drawdown."""
        account = self._account.edit(_ACCOUNT)
        account.day_start = None if account.day_start is None else account.day_start + amount
        account.peak = None if account.peak is None else account.peak + amount

    def suspect(self, time: int | None) -> None:
        """Note, or clear, the time of a fall that awaits a second look."""
        if self.account.suspect != time:
            self._account.edit(_ACCOUNT).suspect = time

    def reset_peak(self, equity: Decimal) -> None:
        """Measure drawdown from here on."""
        account = self._account.edit(_ACCOUNT)
        account.peak, account.suspect = equity, None

    def day_loss(self, equity: Decimal) -> Decimal:
        """Loss of this UTC day, realised and open, after costs, as a share of its first equity."""
        return _fall(self.account.day_start, equity)

    def drawdown(self, equity: Decimal) -> Decimal:
        """Fall from the highest equity, as a share of it."""
        return _fall(self.account.peak, equity)

    def trade_closed(self, symbol: str, net: Decimal) -> int:
        """Count a closed trade; the losses in a row after it. A trade without loss ends the row."""
        losses = self._symbols.get(symbol).losses + 1 if net < 0 else 0
        self._symbols.edit(symbol).losses = losses
        return losses

    def answered(self, symbol: str, signal_id: str) -> bool:
        """Whether this signal was answered; a bounded memory, so it covers the last ones only."""
        return signal_id in self._symbols.get(symbol).signals

    def answer(self, symbol: str, signal_id: str) -> None:
        """Remember that this signal was answered."""
        state = self._symbols.edit(symbol)
        state.signals = [*state.signals[1 - _RECENT_SIGNALS :], signal_id]


def _fall(start: Decimal | None, now: Decimal) -> Decimal:
    if start is None or start <= 0 or now >= start:
        return ZERO
    return (start - now) / start
