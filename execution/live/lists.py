"""How far the lists that a venue tells were taken over: fills, funding, positions, and strangers in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bus_schemas.decider import Keyed
from bus_schemas.events import Millis, PositionState
from execution.live.port import FundingFee
from execution.live.records import Journal

KEEP_STRANGERS = 256
_ONE = ""


class Lists:
    """Part of the register; stored beside its orders."""

    def __init__(self) -> None:
        self._journal: Keyed[Journal] = Keyed("journal", Journal, lambda _: Journal())

    def load(self, state: Mapping[str, bytes]) -> None:
        """Replace all memory by what is stored."""
        self._journal.load(state)

    def drain(self) -> dict[str, bytes | None]:
        """What changed since the last call, encoded."""
        return self._journal.drain()

    @property
    def exposed(self) -> bool:
        """Whether the account had a position at the last look."""
        return bool(self._journal.get(_ONE).positions)

    @property
    def symbols(self) -> set[str]:
        """Every symbol of which anything was read."""
        journal = self._journal.get(_ONE)
        return {*journal.positions, *journal.fills, *journal.funding}

    def first_time(self, name: str) -> bool:
        """Whether this stranger was not spoken of yet; from now on it was."""
        if name in self._journal.get(_ONE).strangers:
            return False
        journal = self._journal.edit(_ONE)
        journal.strangers = [*journal.strangers[1 - KEEP_STRANGERS :], name]
        return True

    def moved(self, positions: Sequence[PositionState]) -> set[str]:
        """Symbols whose position is another than at the last look."""
        now = {state.symbol: state.quantity for state in positions if state.quantity}
        before = self._journal.get(_ONE).positions
        moved = {symbol for symbol in now.keys() | before.keys() if now.get(symbol) != before.get(symbol)}
        if moved:
            self._journal.edit(_ONE).positions = now
        return moved

    def charged(self, fees: Iterable[FundingFee]) -> list[FundingFee]:
        """Settlements that were not reported yet, in order of time."""
        journal = self._journal.edit(_ONE)
        fresh = []
        for fee in sorted(fees, key=lambda f: (f.time, f.symbol)):
            if fee.time > journal.funding.get(fee.symbol, -1):
                journal.funding[fee.symbol] = fee.time
                fresh.append(fee)
        return fresh

    def charged_until(self, symbol: str) -> Millis | None:
        """When the newest settlement was that was reported; None for none."""
        return self._journal.get(_ONE).funding.get(symbol)

    def read_until(self, symbol: str) -> Millis | None:
        """The moment up to which the symbol's fills were read; None for never."""
        return self._journal.get(_ONE).fills.get(symbol)

    def was_read(self, symbol: str, until: Millis) -> None:
        """The symbol's fills were read; `until` is when the venue was asked."""
        journal = self._journal.edit(_ONE)
        journal.fills[symbol] = max(until, journal.fills.get(symbol, 0))
