"""Halts and the kill switch: one record, latched, stored with the state, released by a person or the clock.

A halt stops entries. It never touches a position or its stop: nothing here can close or cancel one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bus_schemas.decider import Keyed
from bus_schemas.events import Body, HaltReason, TradingHalted, TradingResumed

ACCOUNT = "*"
_RECORD = "record"


class Halt(msgspec.Struct, kw_only=True):
    """One reason why a symbol, or the account as `*`, does not trade.

    Attributes:
        since: event time of the latch.
        until: event time at which it ends by itself; None where a person must acknowledge.
    """

    symbol: str
    reason: HaltReason
    detail: str
    since: int
    until: int | None = None

    def event(self, time: int, note: str = "") -> TradingHalted:
        """The halt as an event; the note follows its detail."""
        detail = f"{self.detail}; {note}" if note else self.detail
        return TradingHalted(
            time=time, symbol=self.symbol, reason=self.reason, detail=detail, until=self.until
        )


class Safety(msgspec.Struct, kw_only=True):
    """Everything that forbids entries, in one value, so that no part of it can be cleared alone."""

    halts: list[Halt] = []
    reduce_only: bool = False


class Halts:
    """The latches. At most one halt for each symbol and reason."""

    def __init__(self) -> None:
        self._keyed: Keyed[Safety] = Keyed("safety", Safety, lambda _: Safety())
        self._next: int | None = None

    def load(self, state: Mapping[str, bytes]) -> None:
        """Take the stored record in place of all memory."""
        self._keyed.load(state)
        self._schedule()

    def drain(self) -> dict[str, bytes | None]:
        """The record, if it changed since the last call."""
        return self._keyed.drain()

    @property
    def reduce_only(self) -> bool:
        return self._keyed.get(_RECORD).reduce_only

    def switch_reduce_only(self, on: bool) -> None:
        """Allow or forbid entries. Not a halt: it needs no acknowledgement."""
        self._keyed.edit(_RECORD).reduce_only = on

    def of(self, symbol: str) -> tuple[Halt, ...]:
        """Halts of exactly this symbol, in the order of their reasons' names."""
        return tuple(halt for halt in self._keyed.get(_RECORD).halts if halt.symbol == symbol)

    def find(self, symbol: str, reason: HaltReason) -> Halt | None:
        """This symbol's halt for this reason."""
        return next((halt for halt in self.of(symbol) if halt.reason is reason), None)

    def latch(self, halt: Halt) -> list[Body]:
        """Add a halt. One that is already latched is kept, and only a later end is taken over."""
        known = self.find(halt.symbol, halt.reason)
        if known is not None and not _ends_later(halt, known):
            return []
        record = self._keyed.edit(_RECORD)
        others = [h for h in record.halts if h is not known]
        record.halts = sorted([*others, halt], key=lambda h: (h.symbol, h.reason.value))
        self._schedule()
        return [halt.event(halt.since)]

    def acknowledge(self, symbol: str, by: str, time: int, notes: Mapping[str, str]) -> list[Body]:
        """Release what waits for a person: of one symbol, or everything for `*`.

        A symbol resumes when nothing else halts it; else what remains is said again, with its note.
        Limits that end by the clock stay: a person can look at a loss, not undo it.
        """
        return self._remove(self.waiting(symbol), by, time, notes)

    def waiting(self, symbol: str) -> list[Halt]:
        """The halts that a person's acknowledgement of the symbol, or of everything by `*`, releases."""
        halts = self._keyed.get(_RECORD).halts
        return [halt for halt in halts if halt.until is None and symbol in (ACCOUNT, halt.symbol)]

    def release(self, time: int) -> list[Body]:
        """End what ends by the clock at this event time."""
        if self._next is None or time < self._next:
            return []
        halts = self._keyed.get(_RECORD).halts
        return self._remove([h for h in halts if h.until is not None and h.until <= time], "clock", time, {})

    def _remove(self, gone: list[Halt], by: str, time: int, notes: Mapping[str, str]) -> list[Body]:
        if not gone:
            return []
        record = self._keyed.edit(_RECORD)
        record.halts = [halt for halt in record.halts if halt not in gone]
        self._schedule()
        out: list[Body] = []
        for symbol in sorted({halt.symbol for halt in gone}):
            said = notes.get(symbol, "")
            rest = self.of(symbol)
            if not rest:
                out.append(TradingResumed(time=time, symbol=symbol, by=by, detail=said))
            out += [halt.event(time, f"acknowledged by {by}; {said}".rstrip("; ")) for halt in rest]
        return out

    def _schedule(self) -> None:
        ends = [halt.until for halt in self._keyed.get(_RECORD).halts if halt.until is not None]
        self._next = min(ends, default=None)


def _ends_later(new: Halt, known: Halt) -> bool:
    return known.until is not None and (new.until is None or new.until > known.until)
