"""What the ledger's rows say about the venue: alerts, refusals, orders of unknown fate, time to a stop.

Part of `health.trading`: a pure fold, bounded, with the clock passed in.
"""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from bus_schemas.events import Leg, OrderState, PositionPhase, VenueRefusal
from health.rows import Columns
from health.stop_times import StopTimes

LATEST_ALERTS = 25
NOT_FOUND, NOT_PLACED = "not_found", "not_placed"
REFUSALS = (*(reason.value for reason in VenueRefusal), NOT_FOUND, NOT_PLACED)
"""Why an order was not taken. `not_found`: the venue has never held it. `not_placed`: ours, before it was
sent: expired, halted, a taken symbol."""

_VENUES = frozenset(reason.value for reason in VenueRefusal)


class UnknownOrder(msgspec.Struct):
    """An order whose fate is not known.

    Attributes:
        time: event time at which that began.
        since: health's clock, in seconds, when it was seen. Not the event time: a replay lies years back.
    """

    client_id: str
    symbol: str
    leg: str
    time: int
    since: float


class VenueView(msgspec.Struct):
    """State of one namespace's orders at the venue.

    Attributes:
        alerts: how many, by code.
        latest: the newest rows of alerts, newest last.
        refusals: how many, by reason; see `REFUSALS`.
        unknown: orders of unknown fate now, by client id.
    """

    alerts: Counter[str] = msgspec.field(default_factory=Counter)
    latest: deque[Columns] = msgspec.field(default_factory=lambda: deque(maxlen=LATEST_ALERTS))
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: dict[str, UnknownOrder] = {}
    stops: StopTimes = msgspec.field(default_factory=StopTimes)

    def alert(self, columns: Columns) -> None:
        """Take a row of `halts` of the kind VenueAlert."""
        self.alerts[columns["reason"]] += 1
        self.latest.append(columns)

    def order(self, columns: Columns, now: float) -> None:
        """Take the next row of `order_changes`."""
        client_id, state = columns["client_id"], columns["state"]
        if state == OrderState.UNKNOWN:
            if client_id not in self.unknown:
                self.unknown[client_id] = UnknownOrder(
                    client_id, columns["symbol"], columns["leg"], columns["time"], now
                )
            return
        self.unknown.pop(client_id, None)
        if state == OrderState.REJECTED:
            self.refusals[refusal(columns["detail"])] += 1

    def fill(self, columns: Columns) -> None:
        """Take the next row of `fills`."""
        if columns["leg"] == Leg.ENTRY:
            traded = columns["traded"]
            self.stops.filled(columns["signal_id"], columns["time"] if traded is None else traded)

    def position(self, columns: Columns) -> None:
        """Take the next row of `position_changes`."""
        if columns["phase"] in (PositionPhase.CLOSED, PositionPhase.ABANDONED):
            self.stops.ended(columns["signal_id"])
        elif columns["protected"] and columns["quantity"] != 0:
            self.stops.protected(columns["signal_id"], columns["time"])

    def oldest_unknown_s(self, now: float) -> float:
        """Age of the order that has been of unknown fate for longest; 0 without one."""
        return max((now - order.since for order in self.unknown.values()), default=0.0)


def refusal(detail: str) -> str:
    """The reason in a rejected order's detail."""
    reason = detail.partition(":")[0]
    if reason in _VENUES:
        return reason
    return NOT_FOUND if detail == "not found" else NOT_PLACED
