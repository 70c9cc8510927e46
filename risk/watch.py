"""The halts that equity and protection trip: looked at after every event that may move them."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import Body, HaltReason
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.timeframes import HOUR, iso
from risk.counters import Counters
from risk.figures import HUNDRED, ZERO, money, percent
from risk.halts import ACCOUNT, Halt, Halts
from risk.portfolio import Portfolio

_STEEP = Decimal("0.5")
"""A single step that falls by more than this share of the drawdown limit is looked at twice."""
_DEPOSIT = Decimal("0.01")
"""A correction of equity above this share of it is a deposit; below, the venue was only ahead of us."""


_LOSES_ORDERS = (HaltReason.DEAD_LETTER, HaltReason.MISMATCH)
"""Halts behind which an approved order may be lost: only a person can tell that it will not come."""


class Watch:
    """Measures drawdown, the day's loss, margin in use, losses in a row and missing stops.

    It latches halts and says so. It closes nothing and touches no order.
    """

    def __init__(
        self, settings: RiskSettings, portfolio: Portfolio, counters: Counters, halts: Halts
    ) -> None:
        self._portfolio = portfolio
        self._counters = counters
        self._halts = halts
        self._drawdown = settings.drawdown_pct / HUNDRED
        self._daily = settings.daily_loss_pct / HUNDRED
        self._margin = settings.total_margin_halt_pct / HUNDRED
        self._streak = settings.loss_streak
        self._pause = int(settings.loss_pause_h * HOUR)
        self._naked = settings.unprotected_s * 1000

    def advance(self, time: int) -> list[Body]:
        """Move the clock: begin a new day with the equity known before it, end what has run out."""
        counters = self._counters
        if not counters.advance(time):
            return []
        if counters.now >= counters.day_end:
            counters.open_day(self._portfolio.equity)
        return self._halts.release(counters.now)

    def equity(self) -> list[Body]:
        """Look at everything that is measured in equity."""
        equity = self._portfolio.equity
        if equity is None:
            return []
        fall = self._counters.observe(equity)
        out = self._check_drawdown(equity, fall)
        loss = self._counters.day_loss(equity)
        if loss >= self._daily:
            start = self._counters.account.day_start or ZERO
            out += self._latch(
                HaltReason.DAILY_LOSS,
                f"the day began with {money(start)} and stands at {money(equity)}: {percent(loss)} lost, "
                f"the limit is {percent(self._daily)}",
                self._counters.day_end,
            )
        used = self._portfolio.margin
        if used and used >= equity * self._margin:
            out += self._latch(
                HaltReason.TOTAL_MARGIN,
                f"margin in use {money(used)}, equity {money(equity)}; the limit is {percent(self._margin)}",
            )
        return out

    def corrected(self, before: Decimal | None) -> None:
        """The venue's snapshot replaced our equity of before: is it money that came in?

        A fall that no fill explains stays a loss; a rise beyond noise must not hide one.
        """
        after = self._portfolio.equity
        if before is not None and after is not None and before > 0 and after - before > before * _DEPOSIT:
            self._counters.deposit(after - before)

    def _check_drawdown(self, equity: Decimal, fall: Decimal) -> list[Body]:
        counters = self._counters
        drawdown = counters.drawdown(equity)
        if drawdown < self._drawdown:
            counters.suspect(None)
            return []
        peak = counters.account.peak or ZERO
        suspect = counters.account.suspect
        if suspect is None and fall > peak * self._drawdown * _STEEP:
            # one bad mark must not stop the account: the gate refuses entries until the second look
            counters.suspect(counters.now)
            return []
        if suspect is not None and suspect >= counters.now:
            return []
        return self._latch(
            HaltReason.DRAWDOWN,
            f"equity fell from {money(peak)} to {money(equity)}: {percent(drawdown)}, "
            f"the limit is {percent(self._drawdown)}",
        )

    def protection(self, symbol: str) -> list[Body]:
        """Look at how long this symbol's position has been without an acknowledged stop."""
        holding = self._portfolio.holding(symbol)
        since = holding.naked_since
        if since is None or self._counters.now - since < self._naked:
            return []
        detail = f"the position of {holding.quantity} has had no live stop since {iso(since)}"
        return self.halt(symbol, HaltReason.UNPROTECTED, detail)

    def trade_closed(self, symbol: str, net: Decimal) -> list[Body]:
        """Count a closed trade; losses in a row pause the symbol, and each further one again."""
        losses = self._counters.trade_closed(symbol, net)
        if losses < self._streak:
            return []
        until = self._counters.now + self._pause
        detail = f"{losses} losses in a row, the last {money(net)}"
        return self.halt(symbol, HaltReason.LOSS_STREAK, detail, until)

    def halt(self, symbol: str, reason: HaltReason, detail: str, until: int | None = None) -> list[Body]:
        """Latch a halt now."""
        halt = Halt(symbol=symbol, reason=reason, detail=detail, since=self._counters.now, until=until)
        return self._halts.latch(halt)

    @property
    def unsettled(self) -> bool:
        """Whether a steep fall awaits its second look."""
        return self._counters.account.suspect is not None

    def _latch(self, reason: HaltReason, detail: str, until: int | None = None) -> list[Body]:
        return self.halt(ACCOUNT, reason, detail, until)

    def acknowledge(self, symbol: str, by: str, time: int) -> list[Body]:
        """A person has looked. Where the account's drawdown is released, the peak starts anew, said
        in the event: an old peak would halt again at once. Where a symbol's dead letter or mismatch is
        released, so is an order that was lost with it."""
        notes = self._forget_lost(symbol)
        equity = self._portfolio.equity
        released = symbol == ACCOUNT and self._halts.find(ACCOUNT, HaltReason.DRAWDOWN)
        if released and equity is not None:
            old = self._counters.account.peak or ZERO
            self._counters.reset_peak(equity)
            notes[ACCOUNT] = f"equity peak reset from {money(old)} to {money(equity)}"
        return self._halts.acknowledge(symbol, by, time, notes)

    def _forget_lost(self, symbol: str) -> dict[str, str]:
        """Free the symbols whose approved order execution never spoke of; by symbol, what to say of it."""
        # Should the order arrive after all, nothing doubles: the order manager refuses a second entry of
        # a taken symbol, and what it tells of the first is adopted here.
        notes = {}
        for halt in self._halts.waiting(symbol):
            if halt.symbol != ACCOUNT and halt.reason in _LOSES_ORDERS:
                lost = self._portfolio.forget_unheard(halt.symbol)
                if lost:
                    notes[halt.symbol] = f"order of signal {lost} dropped: execution never spoke of it"
        return notes
