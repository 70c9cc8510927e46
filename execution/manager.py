"""The order manager: keeps every position's orders as they should be. A decider.

It reads controls, the venue's reports and risk's orders; it writes commands to the venue and tells
what became of them. Each event changes the records (`answers`, `reconcile`), then `upkeep` gives the
commands that follow.

Times: an output carries the time of the event that caused it. Controls and halts carry the clock of
whoever gave them, so what follows from those carries the venue's time as last heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bus_schemas.decider import Decider, Keyed
from bus_schemas.envelope import Event, Output
from bus_schemas.events import (
    AccountReport,
    AccountSnapshot,
    Acknowledge,
    CancelRejected,
    ClockTick,
    ExitReason,
    FlattenApproved,
    FundingCharged,
    FundingPaid,
    KillSwitch,
    Leg,
    Millis,
    Mismatch,
    OrderAccepted,
    OrderApproved,
    OrderCancelled,
    OrderFilled,
    OrderNotFound,
    OrderRejected,
    PositionState,
    ReduceOnly,
    StrayOrder,
    SymbolHalted,
    TradingHalted,
    TradingResumed,
    VenueAlert,
)
from bus_schemas.events.base import Body
from bus_schemas.instruments import Instrument
from bus_schemas.settings import ExecutionSettings
from bus_schemas.topology import Stream
from execution import reconcile, strays
from execution.answers import Answer, answer, watch
from execution.ids import client_id
from execution.intents import check, enter, intent, refused
from execution.records import Clock, Position, Recent, Strays, Switches
from execution.turn import Turn, describe
from execution.upkeep import upkeep

_ALL = "*"
_ONE = ""


class OrderManager(Decider):
    """Orders and positions of one account.

    Args:
        instruments: contract terms by canonical symbol.
        account: key of account-wide outputs.
    """

    def __init__(
        self, settings: ExecutionSettings, instruments: Mapping[str, Instrument], account: str
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._account = account
        self._positions: Keyed[Position] = Keyed("position", Position, _missing)
        self._clock: Keyed[Clock] = Keyed("clock", Clock, lambda _: Clock())
        self._switches: Keyed[Switches] = Keyed("switches", Switches, lambda _: Switches())
        self._recent: Keyed[Recent] = Keyed("recent", Recent, lambda _: Recent())
        self._strays: Keyed[Strays] = Keyed("strays", Strays, lambda _: Strays())
        self._open: set[str] = set()
        self._woke = False
        answers = (
            OrderAccepted, OrderRejected, OrderFilled, OrderCancelled, CancelRejected, OrderNotFound
        )  # fmt: skip
        self._handlers: dict[type[Body], Callable[..., list[Output]]] = {
            **dict.fromkeys(answers, self._answer),
            ClockTick: self._tick,
            AccountReport: self._report,
            FundingPaid: self._funding,
            StrayOrder: self._stray,
            SymbolHalted: self._forward,
            VenueAlert: self._forward,
            OrderApproved: self._approved,
            FlattenApproved: self._flatten,
            TradingHalted: self._halted,
            TradingResumed: self._resumed,
            KillSwitch: self._kill,
            Acknowledge: self._acknowledge,
            ReduceOnly: self._reduce_only,
        }

    def load(self, state: Mapping[str, bytes]) -> None:
        for part in self._parts():
            part.load(state)
        self._open = set(self._positions.known())

    def changes(self) -> Mapping[str, bytes | None]:
        return {key: value for part in self._parts() for key, value in part.drain().items()}

    def _parts(self) -> tuple[Keyed[Any], ...]:
        return (self._positions, self._clock, self._switches, self._recent, self._strays)

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        body = SymbolHalted(time=self._now, symbol=symbol, origin=origin, detail=detail)
        return [Output(Stream.EXECUTIONS, symbol, body)]

    def handle(self, event: Event) -> Sequence[Output]:
        self._woke = False
        if event.place.stream is Stream.REPORTS and event.body.time > self._now:
            self._woke = event.body.time - self._now > self._settings.answer_ms
            self._clock.edit(_ONE).time = event.body.time
        handler = self._handlers.get(type(event.body))
        return handler(event.body) if handler else []

    @property
    def _now(self) -> Millis:
        return self._clock.get(_ONE).time

    # One position's turn ------------------------------------------------------------------------

    def _turn(
        self, position: Position, time: Millis, act: Callable[[Turn, Position], object]
    ) -> list[Output]:
        """Act on a position, see to its orders, tell what changed, and drop it when it has ended."""
        symbol = position.symbol
        turn = Turn(time, self._settings, self._instruments[symbol])
        before = describe(position, turn.instrument, time)
        self._positions.edit(symbol)
        act(turn, position)
        upkeep(turn, position)
        after = describe(position, turn.instrument, time)
        if after != before:
            turn.say(after)
        if position.ended:
            turn.archive(position)
            turn.dropped += position.orders
            self._positions.drop(symbol)
            self._open.discard(symbol)
            self._recent.edit(_ONE).ended[symbol] = time
        if turn.dropped:
            self._recent.edit(_ONE).remember(turn.dropped)
        return turn.outputs

    def _each(
        self, symbols: Iterable[str], time: Millis, act: Callable[[Turn, Position], object]
    ) -> list[Output]:
        outputs: list[Output] = []
        for symbol in symbols:
            outputs += self._turn(self._positions.get(symbol), time, act)
        return outputs

    def _matching(self, symbol: str) -> list[str]:
        """Symbols with a position that `symbol` or `*` means, in sorted order."""
        return [s for s in sorted(self._open) if symbol in (s, _ALL)]

    def _new(self, position: Position) -> Position:
        self._positions.put(position.symbol, position)
        self._open.add(position.symbol)
        return position

    # The venue's reports ------------------------------------------------------------------------

    def _answer(self, body: Answer) -> list[Output]:
        if isinstance(body, OrderCancelled | CancelRejected | OrderNotFound):
            self._edit_strays(partial(strays.ended, client_id=body.client_id))
        elif isinstance(body, OrderFilled):
            self._edit_strays(partial(strays.filled, body=body))
        position = self._positions.get(body.symbol) if body.symbol in self._open else None
        order = position.orders.get(body.client_id) if position else None
        if position is not None and order is not None:
            known = order
            return self._turn(position, body.time, lambda turn, p: answer(turn, p, known, body))
        if isinstance(body, OrderFilled) and body.client_id not in self._recent.get(_ONE).ids:
            return [
                self._mismatch(body, f"fill {body.fill_id} of an order that we do not know: {body.client_id}")
            ]
        return []

    def _mismatch(self, body: OrderFilled, detail: str) -> Output:
        return Output(
            Stream.EXECUTIONS, body.symbol, Mismatch(time=body.time, symbol=body.symbol, detail=detail)
        )

    def _tick(self, body: ClockTick) -> list[Output]:
        return self._each(sorted(self._open), body.time, partial(watch, resumed=self._woke))

    def _funding(self, body: FundingPaid) -> list[Output]:
        if body.time <= self._recent.get(_ONE).funded.get(body.symbol, -1):
            return []
        self._recent.edit(_ONE).funded[body.symbol] = body.time
        position = self._positions.edit(body.symbol) if body.symbol in self._open else None
        if position:
            position.book.funding += body.amount
        charged = FundingCharged(
            time=body.time,
            signal_id=position.signal_id if position else "",
            symbol=body.symbol,
            amount=body.amount,
            rate=body.rate,
        )
        return [Output(Stream.EXECUTIONS, body.symbol, charged)]

    def _report(self, body: AccountReport) -> list[Output]:
        snapshot = AccountSnapshot(
            time=body.time, cash=body.cash, equity=body.equity, positions=body.positions
        )
        outputs = [Output(Stream.EXECUTIONS, self._account, snapshot)]
        theirs = {state.symbol: state for state in body.positions if state.quantity}
        self._edit_strays(partial(strays.compare, held=theirs))
        if gone := self._recent.get(_ONE).foreign.keys() - theirs.keys():
            for symbol in sorted(gone):
                del self._recent.edit(_ONE).foreign[symbol]
        for symbol in sorted(self._open | theirs.keys()):
            state = theirs.get(symbol)
            if symbol in self._open:
                position = self._positions.get(symbol)
                if state is None or state.quantity != position.signed or position.differs_since is not None:
                    outputs += self._turn(position, body.time, partial(reconcile.compare, state=state))
            elif state is not None and self._calm(symbol, body.time):
                outputs += self._adopt(body.time, state)
        return outputs

    def _calm(self, symbol: str, time: Millis) -> bool:
        """Whether the symbol's last position is so long gone that no old snapshot can still show it."""
        ended = self._recent.get(_ONE).ended.get(symbol)
        return ended is None or time - ended >= self._settings.mismatch_grace_ms

    def _adopt(self, time: Millis, state: PositionState) -> list[Output]:
        symbol = state.symbol
        instrument = self._instruments.get(symbol)
        if instrument is None:
            if self._recent.get(_ONE).foreign.get(symbol) == state.quantity:
                return []
            self._recent.edit(_ONE).foreign[symbol] = state.quantity
            detail = f"unknown position of {state.quantity} in an instrument without terms"
            return [Output(Stream.EXECUTIONS, symbol, Mismatch(time=time, symbol=symbol, detail=detail))]
        turn = Turn(time, self._settings, instrument)
        position = self._new(reconcile.adopt(turn, state))
        return turn.outputs + self._turn(
            position, time, lambda turn, p: turn.say(describe(p, instrument, time))
        )

    def _forward(self, body: SymbolHalted | VenueAlert) -> list[Output]:
        return [Output(Stream.EXECUTIONS, body.symbol, body)]

    def _stray(self, body: StrayOrder) -> list[Output]:
        position = self._positions.get(body.symbol) if body.symbol in self._open else None
        memory = self._strays.edit(_ONE)
        alert, command = strays.meet(self._settings, memory, position, body)
        if not memory.orders:
            self._strays.drop(_ONE)
        outputs = [Output(Stream.EXECUTIONS, body.symbol, alert)] if alert else []
        return outputs + ([Output(Stream.COMMANDS, body.symbol, command)] if command else [])

    def _edit_strays(self, act: Callable[[Strays], None]) -> None:
        """Change what is remembered of stray orders; where there are none, nothing is stored."""
        if not self._strays.get(_ONE).orders:
            return
        memory = self._strays.edit(_ONE)
        act(memory)
        if not memory.orders:
            self._strays.drop(_ONE)

    # Risk's orders ------------------------------------------------------------------------------

    def _approved(self, body: OrderApproved) -> list[Output]:
        entry = client_id(body.signal_id, Leg.ENTRY, 1)
        held = self._positions.get(body.symbol) if body.symbol in self._open else None
        if entry in self._recent.get(_ONE).ids or (held and held.signal_id == body.signal_id):
            return []
        refusal = self._refusal(body, held, entry)
        if refusal:
            self._recent.edit(_ONE).remember([entry])
            return refused(body, entry, refusal)
        check(body)
        position = self._new(intent(body))
        return self._turn(position, body.time, enter(body))

    def _refusal(self, body: OrderApproved, held: Position | None, entry: str) -> str:
        """Why the entry must not be placed after all; empty where it may."""
        if body.symbol not in self._instruments:
            return "no contract terms"
        if held is not None:
            return f"position {held.signal_id} is open"
        if found := strays.in_the_way(self._strays.get(_ONE), body.symbol, entry):
            return found
        return self._switches.get(_ONE).refusal(body.symbol, body.time, body.expires)

    def _flatten(self, body: FlattenApproved) -> list[Output]:
        return self._each(self._matching(body.symbol), self._now, _close)

    def _halted(self, body: TradingHalted) -> list[Output]:
        self._switches.edit(_ONE).halts.setdefault(body.symbol, {})[body.reason.value] = body.until
        return self._each(self._matching(body.symbol), self._now, _withdraw)

    def _resumed(self, body: TradingResumed) -> list[Output]:
        # Risk says this when none of its halts of the symbol is left, whichever way they ended.
        self._switches.edit(_ONE).halts.pop(body.symbol, None)
        return []

    # Controls -----------------------------------------------------------------------------------

    def _kill(self, body: KillSwitch) -> list[Output]:
        self._switches.edit(_ONE).killed = True
        return self._each(self._matching(_ALL), self._now, _close if body.flatten else _strip)

    def _reduce_only(self, body: ReduceOnly) -> list[Output]:
        self._switches.edit(_ONE).reduce_only = body.on
        return self._each(self._matching(_ALL), self._now, _withdraw) if body.on else []

    def _acknowledge(self, body: Acknowledge) -> list[Output]:
        self._switches.edit(_ONE).release(body.symbol)
        again = _resume if body.symbol == _ALL else _look_again
        return self._each(self._matching(body.symbol), self._now, again)


def _withdraw(turn: Turn, position: Position) -> None:  # noqa: ARG001
    position.entry_withdrawn = True


def _strip(turn: Turn, position: Position) -> None:
    _withdraw(turn, position)
    position.targets_withdrawn = True


def _close(turn: Turn, position: Position) -> None:  # noqa: ARG001
    position.entry_withdrawn = True
    position.exit = position.exit or ExitReason.FLATTEN
    position.ask_anew()


def _look_again(turn: Turn, position: Position) -> None:
    position.ask_anew()
    reconcile.write_off(turn, position)


def _resume(turn: Turn, position: Position) -> None:
    position.targets_withdrawn = False
    _look_again(turn, position)


def _missing(symbol: str) -> Position:
    raise KeyError(symbol)
