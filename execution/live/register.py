"""From what the venue says to reports: the edge's pure half. No clock, no network.

Every method takes evidence and returns the reports that it adds to those made before. The same
evidence twice adds nothing the second time, and the order in which orders, fills and positions
come in does not change what was said in the end. Ids are the venue's or ours, never made up.

Evidence may be old: a list of open orders can have been fetched before an order was placed. So an
order's absence from a list proves nothing; it makes the edge look that order up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from bus_schemas.decider import Keyed
from bus_schemas.events import (
    AlertCode,
    Body,
    CancelOrder,
    Millis,
    OrderAccepted,
    OrderCancelled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    PositionState,
    VenueRefusal,
)
from execution.ids import is_ours
from execution.live.lists import Lists
from execution.live.port import Standing, VenueFill, VenueOrder
from execution.live.records import ZERO, Command, Held, Pending
from execution.live.reports import alert, filled, stray

KEEP_MS = 3_600_000
"""How long the end of an order is remembered."""
SHORT_LOOKS = 5
"""Looks at a cancelled order whose fills the venue counts and does not list, until its end is told anyway."""


class Findings(msgspec.Struct):
    """What a look at the account asks for.

    Attributes:
        suspects: symbols whose fills must be read.
        vanished: client ids of live orders that the list of open orders lacks.
        reports: what can be said at once.
    """

    suspects: set[str]
    vanished: list[str]
    reports: list[Body]


class Register:
    """The edge's memory of one account.

    Attributes:
        lists: how far the venue's lists were taken over.
    """

    def __init__(self) -> None:
        self._orders: Keyed[Held] = Keyed("order", Held, _missing)
        self._pending: Keyed[Pending] = Keyed("pending", Pending, _none)
        self.lists = Lists()
        self._by_venue: dict[str, str] = {}

    def load(self, state: Mapping[str, bytes]) -> None:
        """Replace all memory by what is stored."""
        for part in (self._orders, self._pending, self.lists):
            part.load(state)
        self._by_venue = {
            venue_id: held.client_id
            for held in map(self._orders.get, self._orders.known())
            for venue_id in (held.venue_id, held.successor)
            if venue_id
        }

    def drain(self) -> dict[str, bytes | None]:
        """What changed since the last call, encoded."""
        return self._orders.drain() | self._pending.drain() | self.lists.drain()

    # Commands -----------------------------------------------------------------------------------

    def intake(self, seq: int, command: Command, cause: str, trace: str) -> None:
        """Remember a command before anything is done about it."""
        self._pending.put(str(seq), Pending.of(command, cause, trace))
        if not isinstance(command, PlaceOrder):
            return
        if command.client_id in self._orders:
            self._orders.edit(command.client_id).stray = False
        else:
            self._orders.put(command.client_id, Held.of(command))

    def done(self, seq: int) -> None:
        """The command is answered."""
        self._pending.drop(str(seq))

    def pending(self) -> list[tuple[int, Pending]]:
        """Commands without an answer, in their order."""
        return sorted((int(seq), self._pending.get(seq)) for seq in self._pending.known())

    def withdrawn(self, client_id: str) -> bool:
        """Whether a cancellation of the order waits for its turn."""
        commands = (self._pending.get(seq).command() for seq in self._pending.known())
        return any(isinstance(c, CancelOrder) and c.client_id == client_id for c in commands)

    def sending(self, client_id: str, time: Millis) -> None:
        """From now on the venue may have the order."""
        held = self._orders.edit(client_id)
        held.sent = held.sent or time

    def find(self, client_id: str) -> Held | None:
        """The order, if it is known."""
        return self._orders.get(client_id) if client_id in self._orders else None

    def live(self, symbol: str | None = None) -> list[Held]:
        """Orders that may still fill, of a symbol or of all."""
        orders = map(self._orders.get, self._orders.known())
        return [held for held in orders if held.live and symbol in (None, held.symbol)]

    # Evidence -----------------------------------------------------------------------------------

    def learn(self, client_id: str, order: VenueOrder, time: Millis, again: bool = False) -> list[Body]:
        """The venue told an order. Read its fills first where it counts more than were reported.

        Args:
            again: it is the answer to a look-up: say what holds also where it was said before. So it is
                where the order was missing until now.
        """
        held = self._orders.edit(client_id)
        again = held.seen() or again
        self._name(held, order)
        out: list[Body] = []
        if order.standing is Standing.REJECTED and not held.told:
            held.ended = time
            return [
                OrderRejected(
                    time=time,
                    client_id=client_id,
                    symbol=held.symbol,
                    reason=VenueRefusal.OTHER,
                    detail=order.status,
                )
            ]
        out += self.accepted(client_id, time, again and order.standing.alive)
        if order.standing is Standing.UNLISTED and held.warned != order.status:
            held.warned = order.status
            detail = f"order {client_id} has the status {order.status!r}: it counts as live"
            out.append(alert(time, held.symbol, AlertCode.UNLISTED_STATUS, detail))
        gone = order.standing in (Standing.CANCELLED, Standing.REJECTED)
        # the venue cut a reduce-only order to the position: filled by its word, and not in full by ours
        cut = order.standing is Standing.FILLED and ZERO < order.filled <= held.filled < held.quantity
        if (gone or cut) and (again or not held.ended):
            held.short = held.short + 1 if order.filled > held.filled else 0
            if not held.short or held.short >= SHORT_LOOKS:
                held.ended = time
                count = max(order.filled, held.filled)
                out.append(OrderCancelled(time=time, client_id=client_id, symbol=held.symbol, filled=count))
        return out

    def risen(self, client_id: str, order: VenueOrder, asked: Millis) -> None:
        """An order whose end was told before the venue was `asked` rests after all: it is nobody's now."""
        held = self._orders.edit(client_id)
        if order.standing.alive and 0 < held.ended < asked and held.filled < held.quantity:
            held.ended, held.stray = 0, True

    def learn_names(self, client_id: str, order: VenueOrder) -> None:
        """Under which ids the venue has the order: its fills may tell nothing else."""
        self._name(self._orders.edit(client_id), order)

    def accepted(self, client_id: str, time: Millis, again: bool = False) -> list[Body]:
        """The venue holds the order. Said once, and again in answer to a look-up or an amendment."""
        held = self._orders.edit(client_id)
        if held.told and not again:
            return []
        held.told = True
        held.sent = held.sent or time
        venue_id = held.venue_id
        return [OrderAccepted(time=time, client_id=client_id, symbol=held.symbol, venue_id=venue_id)]

    def refused(self, client_id: str, symbol: str, reason: VenueRefusal, detail: str, time: Millis) -> Body:
        """The venue's word that it does not hold the order."""
        if self.find(client_id) is not None:
            self._orders.edit(client_id).ended = time
        return OrderRejected(time=time, client_id=client_id, symbol=symbol, reason=reason, detail=detail)

    def not_found(self, client_id: str, symbol: str, time: Millis) -> Body:
        """The venue's explicit word that it knows no such order. Should it come up after all, it is told."""
        if self.find(client_id) is not None:
            held = self._orders.edit(client_id)
            held.missing = held.missing or time
        return OrderNotFound(time=time, client_id=client_id, symbol=symbol)

    def ownerless(self, fills: Iterable[VenueFill]) -> bool:
        """Whether one of the fills is of no order that we know by the ids that it carries."""
        return any(self._owner(fill) not in self._orders for fill in fills)

    def nameless(self, symbol: str) -> list[Held]:
        """Live orders that may trade under an id of the venue's that we do not know."""
        return [
            held
            for held in self.live(symbol)
            if not held.venue_id or (held.kind is OrderKind.STOP and not held.successor)
        ]

    def _owner(self, fill: VenueFill) -> str:
        return fill.client_id if is_ours(fill.client_id) else self._by_venue.get(fill.venue_id, "")

    def traded(self, fills: Iterable[VenueFill], time: Millis, again: str = "") -> list[Body]:
        """Fills, in any order and as often as the venue likes to tell them.

        Args:
            again: client id of an order whose fills are said also where they were said before.
        """
        out: list[Body] = []
        for fill in sorted(fills, key=lambda f: (f.time, f.fill_id)):
            out += self._fill(fill, time, again)
        return out

    def _fill(self, fill: VenueFill, time: Millis, again: str) -> list[Body]:
        client_id = self._owner(fill)
        if client_id not in self._orders:
            return self._strange(client_id, fill, time)
        held = self._orders.edit(client_id)
        if held.told_of(fill.time, fill.fill_id):
            if client_id != again or fill.time < held.floor:
                return []
            return [filled(client_id, fill, max(held.quantity - held.filled, ZERO), time)]
        held.seen()
        held.sent = held.sent or fill.time
        held.remember(fill.time, fill.fill_id, fill.quantity)
        out = self.accepted(client_id, time)
        if held.filled >= held.quantity:
            held.ended = time
        return [*out, filled(client_id, fill, max(held.quantity - held.filled, ZERO), time)]

    def _strange(self, client_id: str, fill: VenueFill, time: Millis) -> list[Body]:
        """A fill of no order that we know. One with an id of our form is told all the same; one from before
        our memory is of an order that has ended and is forgotten.
        """
        if time - fill.time > KEEP_MS or not self.lists.first_time(fill.fill_id):
            return []
        if client_id:
            return [filled(client_id, fill, ZERO, time)]
        detail = f"fill {fill.fill_id} of {fill.quantity} at {fill.price} is of no order of ours"
        return [alert(time, fill.symbol, AlertCode.FOREIGN_FILL, detail)]

    def look(
        self,
        orders: Sequence[VenueOrder],
        positions: Sequence[PositionState],
        time: Millis,
        asked: Millis | None = None,
    ) -> Findings:
        """One look at the account: open orders and positions.

        Args:
            asked: when the question was put, where that is not `time`: a later "I know no such order" counts
                more than its answer.
        """
        found = Findings(set(), [], [])
        seen: set[str] = set()
        for order in orders:
            client_id = order.client_id or self._by_venue.get(order.venue_id, "")
            held = self.find(client_id)
            if held is None:
                found.reports += self._unknown(client_id, order, time)
                continue
            seen.add(client_id)
            if order.filled > held.filled:
                found.suspects.add(held.symbol)
            if not held.ended:
                if not held.missing or held.missing < (time if asked is None else asked):
                    found.reports += self.learn(client_id, order, time)
            else:
                found.vanished.append(client_id)  # reported as ended, and yet it rests: ask
        for held in self.live():
            if held.client_id not in seen:
                found.vanished.append(held.client_id)
                found.suspects.add(held.symbol)
        found.suspects |= self.lists.moved(positions)
        return found

    def _unknown(self, client_id: str, order: VenueOrder, time: Millis) -> list[Body]:
        if is_ours(client_id):
            held = Held.found(order)
            self._orders.put(client_id, held)
            self._name(held, order)
        elif self.lists.first_time(f"order {order.venue_id}"):
            detail = f"{order.side.value} {order.quantity} is an order of somebody else; it is left alone"
            return [alert(time, order.symbol, AlertCode.FOREIGN_ORDER, detail)]
        return []

    def strays(self, time: Millis) -> list[Body]:
        """Orders of ours that rest at the venue and that may count for nobody; said at every look."""
        return [stray(held, time) for held in self.live() if held.stray]

    def symbols(self) -> set[str]:
        """Every symbol of which anything is remembered."""
        return self.lists.symbols | {self._orders.get(name).symbol for name in self._orders.known()}

    def funding_from(self, symbol: str, otherwise: Millis) -> Millis:
        """Since when settlements are to be told: the newest that was, else the first order of ours. What an
        account was charged before is not ours to tell."""
        told = self.lists.charged_until(symbol)
        orders = map(self._orders.get, self._orders.known())
        first = min(
            (held.since for held in orders if held.symbol == symbol and held.since), default=otherwise
        )
        return first if told is None else told

    def read_from(self, symbol: str, overlap_ms: int, time: Millis) -> Millis:
        """Since when the symbol's fills must be read: what lies before was read long ago."""
        read = self.lists.read_until(symbol)
        if read is None:
            read = min((held.sent for held in self.live(symbol)), default=time)
        return max(0, read - overlap_ms)

    def prune(self, time: Millis) -> None:
        """Forget what ended long ago."""
        for client_id in self._orders.known():
            held = self._orders.get(client_id)
            over = held.ended or held.missing
            if over and time - over > KEEP_MS:
                for venue_id in (held.venue_id, held.successor):
                    self._by_venue.pop(venue_id, None)
                self._orders.drop(client_id)

    def resized(self, client_id: str, quantity: Decimal) -> None:
        """The venue took an amendment."""
        held = self._orders.edit(client_id)
        held.quantity = quantity
        if held.filled < quantity:
            held.ended = 0

    def _name(self, held: Held, order: VenueOrder) -> None:
        became = held.kind is OrderKind.STOP and order.kind is not OrderKind.STOP
        if became and order.venue_id != held.venue_id:  # what has triggered keeps only its client id
            held.successor = order.venue_id or held.successor
        else:
            held.venue_id = order.venue_id or held.venue_id
            held.successor = order.successor or held.successor
        for venue_id in (held.venue_id, held.successor):
            if venue_id:
                self._by_venue[venue_id] = held.client_id


def _missing(client_id: str) -> Held:
    raise KeyError(client_id)


def _none(seq: str) -> Pending:
    raise KeyError(seq)
