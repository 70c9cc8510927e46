"""What the order manager remembers. Mutable, encoded as JSON, bounded."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bus_schemas.events import ExitReason, Leg, Millis, OrderKind, OrderState, PositionPhase, Side, Target
from execution.books import ZERO, Book

FILL_MEMORY = 512
"""Recent fill ids kept for each order. A duplicate older than that is still capped by the quantity."""

ENDED_ORDERS = 8
"""Settled orders kept within a position, for late reports about them."""

RETRY_MS = 60_000
"""Event time after the last refusal within the bound until a closing order or its stop is tried again."""

RETRY_MAX_MS = 3_600_000
"""Longest wait between two such tries; each refusal doubles it until then."""

_RETRY_DOUBLINGS = 6

THIN_MS = 1_000
"""Event time after a closing order that the market did not take in full, beyond the bound, until the next."""

THIN_MAX_MS = 30_000
"""Longest such wait; each order of which the market takes nothing doubles it until then. Short, because the
venue would do as asked, and a book that is empty now may fill any moment."""

_THIN_DOUBLINGS = 5

RECENT_IDS = 128
"""Client ids kept of orders that have left the state, so that late duplicates are known as ours."""

STRAYS = 64
"""Stray orders kept at most. One beyond that is met when another has ended: it is reported again."""

STRAY_MS = 3_600_000
"""Event time without a report, beyond the grace, after which a stray order is taken to be gone. Long,
because the edge looks by the wall clock and a simulated venue's time may run sixty times as fast."""


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order of a position.

    Attributes:
        sent: event time of its placing.
        asked: event time of the last command about it; silence is measured from here.
        look_ups: look-ups without an answer that settles it.
        acked: the venue has said at least once that it holds the order.
        missing: event time of the venue's first word that it knows no such order, since it last told it.
        amending: quantity of an amendment that is not answered yet.
        amend_refused: the order cannot be changed; it is cancelled and placed anew.
        total: contracts that the venue says were filled in all, where it has said so.
        fills: ids of recent fills.
    """

    client_id: str
    leg: Leg
    kind: OrderKind
    side: Side
    quantity: Decimal
    sent: Millis
    asked: Millis
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    state: OrderState = OrderState.PENDING
    filled: Decimal = ZERO
    look_ups: int = 0
    acked: bool = False
    missing: Millis = 0
    amending: Decimal | None = None
    amend_refused: bool = False
    total: Decimal | None = None
    fills: list[str] = []

    @property
    def cap(self) -> Decimal:
        """The most contracts that it may fill."""
        return self.quantity if self.amending is None else max(self.quantity, self.amending)

    @property
    def remaining(self) -> Decimal:
        """Contracts that it is meant to fill yet."""
        return (self.quantity if self.amending is None else self.amending) - self.filled

    @property
    def working(self) -> bool:
        """Acknowledged, and not being cancelled."""
        return self.state in (OrderState.ACCEPTED, OrderState.PARTLY_FILLED)

    @property
    def live(self) -> bool:
        """It may still fill."""
        return not self.state.terminal

    @property
    def settled(self) -> bool:
        """Its end is known, and every fill that the venue counts has arrived."""
        return self.state.terminal and (self.total is None or self.total <= self.filled)


class Position(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One position, from the approved intent until its books are final.

    Attributes:
        planned: contracts of the approved entry; 0 for an adopted position.
        stop: trigger that the protective stop should have. It only tightens.
        orders: by client id, in the order of placing.
        attempts: next attempt of each leg.
        taken: contracts that each target's orders have filled.
        refused: refusals of each leg that count towards its bound.
        refused_at: event time of each leg's last such refusal.
        unmet: closing orders in a row that the market did not take in full; what it takes some of counts no
            further than the bound.
        unmet_at: event time of the last such order's end.
        exit: why the position is being closed at market; None while it is not.
        last_exit: what the latest closing fill was for.
        entry_withdrawn: what is unfilled of the entry is no longer wanted.
        targets_withdrawn: nor are its targets, until a person acknowledges; the stop stays.
        break_even: the stop was moved to break-even.
        naked_since: since when it has been without an acknowledged stop over the whole of it.
        naked_heard: when we heard of that, or came back, where later than it began.
        bare_told: that an adopted position gets no stop was reported.
        adopted: the venue had it and we did not; it has no entry order and follows the venue's word.
        theirs: the venue's signed quantity while it differs from ours, beside which of ours, and since when.
        mismatch_told: the difference was reported.
    """

    signal_id: str
    symbol: str
    side: Side
    planned: Decimal
    stop: Decimal
    expires: Millis
    targets: tuple[Target, ...] = ()
    phase: PositionPhase = PositionPhase.OPENING
    book: Book = msgspec.field(default_factory=Book)
    opened: Millis = 0
    orders: dict[str, Order] = {}
    attempts: dict[str, int] = {}
    taken: dict[str, Decimal] = {}
    refused: dict[str, int] = {}
    refused_at: dict[str, Millis] = {}
    unmet: int = 0
    unmet_at: Millis = 0
    exit: ExitReason | None = None
    last_exit: ExitReason | None = None
    entry_withdrawn: bool = False
    targets_withdrawn: bool = False
    break_even: bool = False
    naked_since: Millis | None = None
    naked_heard: Millis | None = None
    bare_told: bool = False
    adopted: bool = False
    theirs: Decimal | None = None
    beside: Decimal | None = None
    differs_since: Millis | None = None
    mismatch_told: bool = False

    @property
    def quantity(self) -> Decimal:
        """Open contracts, never below zero."""
        return self.book.quantity

    @property
    def signed(self) -> Decimal:
        """Open contracts, below zero for a short position."""
        return self.side.sign * self.book.quantity

    @property
    def ended(self) -> bool:
        return self.phase in (PositionPhase.CLOSED, PositionPhase.ABANDONED)

    def of(self, *legs: Leg) -> list[Order]:
        """The orders of these legs, in the order of placing."""
        return [order for order in self.orders.values() if order.leg in legs]

    def live(self, *legs: Leg) -> list[Order]:
        """The orders of these legs that may still fill."""
        return [order for order in self.of(*legs) if order.live]

    def live_stop(self) -> Order | None:
        """The tightest acknowledged stop."""
        stops = [order for order in self.of(Leg.STOP) if order.working]
        return max(stops, key=lambda o: self.side.sign * (o.trigger or ZERO), default=None)

    def protected(self) -> bool:
        """Whether acknowledged stops cover the whole quantity."""
        return sum((o.remaining for o in self.of(Leg.STOP) if o.working), ZERO) >= self.quantity

    def refuse(self, leg: Leg, count: int, time: Millis) -> None:
        """Note that the leg's order was refused, by now so many times."""
        self.refused[leg.value] = count
        self.refused_at[leg.value] = time

    def may_ask(self, leg: Leg, attempts: int, time: Millis) -> bool:
        """Whether an order of this leg may be placed now.

        Freely up to the bound; beyond it again and again, after a wait that doubles up to `RETRY_MAX_MS`:
        a position that is never asked about again would stay without a stop for good. Where the market is
        too thin for a closing order, the wait is short.
        """
        if leg is Leg.CLOSE and self.unmet >= attempts:
            wait = min(THIN_MS << min(self.unmet - attempts, _THIN_DOUBLINGS), THIN_MAX_MS)
            if time - self.unmet_at < wait:
                return False
        over = self.refused.get(leg.value, 0) - attempts
        if over < 0:
            return True
        wait = min(RETRY_MS << min(over, _RETRY_DOUBLINGS), RETRY_MAX_MS)
        return time - self.refused_at.get(leg.value, 0) >= wait

    def ask_anew(self) -> None:
        """A person has looked or wants it closed: closing order and stop may be tried at once."""
        for leg in (Leg.CLOSE, Leg.STOP):
            self.allow(leg)
        self.unmet = 0

    def allow(self, leg: Leg) -> None:
        """Forget the leg's refusals."""
        self.refused.pop(leg.value, None)
        self.refused_at.pop(leg.value, None)

    def tighten(self, level: Decimal) -> bool:
        """Move the wanted stop; False where the level is not tighter."""
        if self.side.sign * (level - self.stop) <= 0:
            return False
        self.stop = level
        return True


class Clock(msgspec.Struct, kw_only=True):
    """The venue's time as last heard: the order manager's only clock."""

    time: Millis = 0


class Switches(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What keeps entries from being placed.

    Attributes:
        halts: by symbol (`*` for the account), then by reason: event time at which it ends, None for a
            person's word. A symbol is halted while one of its reasons holds.
    """

    killed: bool = False
    reduce_only: bool = False
    halts: dict[str, dict[str, Millis | None]] = {}

    def refusal(self, symbol: str, time: Millis, expires: Millis) -> str:
        """Why an entry of this symbol must not be placed; empty where it may."""
        if self.killed:
            return "kill switch"
        if self.reduce_only:
            return "reduce-only"
        for key in ("*", symbol):
            for reason, until in sorted(self.halts.get(key, {}).items()):
                if until is None or time < until:
                    return f"trading of {key} is halted: {reason}"
        return "expired" if expires <= time else ""

    def release(self, symbol: str) -> None:
        """A person has looked: `*` releases the kill switch and every symbol's halts, a symbol its own.

        What ends by the clock stays, as it does in risk.
        """
        if symbol == "*":
            self.killed = False
        for key in sorted(self.halts) if symbol == "*" else [symbol]:
            halts = self.halts.pop(key, {})
            held: dict[str, Millis | None] = {why: end for why, end in halts.items() if end is not None}
            if held:
                self.halts[key] = held


class Recent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What has lately left the state.

    Attributes:
        ids: client ids, oldest first.
        ended: by symbol: event time at which its last position ended.
        funded: by symbol: event time of the last funding; a settlement has no other id.
        foreign: by symbol: signed contracts of a position in an instrument without terms, once told.
    """

    ids: list[str] = []
    ended: dict[str, Millis] = {}
    funded: dict[str, Millis] = {}
    foreign: dict[str, Decimal] = {}

    def remember(self, client_ids: list[str]) -> None:
        self.ids = (self.ids + client_ids)[-RECENT_IDS:]


class Stray(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One order of ours at the venue that no state of ours knows.

    Attributes:
        first, last: event time of its first and its latest report.
        told: a person was told.
        asked: event time of the last request to cancel it, and how many there were.
        opens: it does not only reduce.
        flat: the venue's account, as last reported, has no position in its symbol, and nothing that was
            heard since could have made one.
    """

    symbol: str
    first: Millis
    last: Millis
    told: bool = False
    asked: Millis | None = None
    requests: int = 0
    opens: bool = False
    flat: bool = False


class Strays(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Stray orders by client id."""

    orders: dict[str, Stray] = {}
