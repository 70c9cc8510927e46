"""What the ledger's rows say about trading now: a pure fold, bounded, with the clock passed in.

It is fed with rows, not events, so that loading it from the database and following the streams are
one code. Both end in the same state.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bus_schemas.events import PositionPhase
from health.curve import Curve
from health.rows import Columns, Row
from health.venue import VenueView

LATEST = 50
ZERO = Decimal(0)
ACCOUNT = "*"

DecisionKey = tuple[str, str, str]
"""Stage, outcome, reason; see `health.schema.DECISIONS`."""


class Position(msgspec.Struct):
    """An open or opening position.

    Attributes:
        bare_since: health's clock, in seconds, when it was first seen with contracts and without a
            full stop; None while it is protected. Not the event time: a replay lies years back.
    """

    symbol: str
    signal_id: str
    side: str
    phase: str
    quantity: Decimal
    entry_price: Decimal
    reserved: Decimal
    stop: Decimal | None
    protected: bool
    bare_since: float | None = None


class Account(msgspec.Struct):
    """The last snapshot. `peak` is the highest equity so far; marks are by symbol."""

    time: int = 0
    cash: Decimal = ZERO
    equity: Decimal = ZERO
    peak: Decimal = ZERO
    max_drawdown: Decimal = ZERO
    marks: dict[str, Decimal] = {}

    @property
    def drawdown(self) -> Decimal:
        """Fall from the peak, as a fraction of it."""
        return (self.peak - self.equity) / self.peak if self.peak > 0 else ZERO


class Trades(msgspec.Struct):
    """Sums over closed trades, in settle currency."""

    count: int = 0
    wins: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def profit_factor(self) -> Decimal | None:
        """Net wins over net losses; None without a loss."""
        return self.won / self.lost if self.lost > 0 else None


class Trading:
    """State of one namespace's trading.

    Attributes:
        positions: open and opening ones by symbol.
        account: None before the first snapshot.
        decisions: how many, by stage, outcome and reason.
        latest: the newest signals, approvals and refusals, newest last.
        last_assessments: the newest decision candle's row by symbol: why there is no signal now.
        halts: what risk has halted and not resumed, by (symbol, reason).
        notices: the newest rows about halts and controls, newest last.
        kill_switch: the row that latched it, None while it is not latched.
        venue: orders, alerts and stops at the venue.
        clock: the latest event time of executions and orders.
        clock_moved: health's clock, in seconds, when that time came; of what was loaded, when it was loaded.
    """

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.account: Account | None = None
        self.curve = Curve()
        self.trades = Trades()
        self.fills = 0
        self.decisions: Counter[DecisionKey] = Counter()
        self.latest: deque[Columns] = deque(maxlen=LATEST)
        self.last_assessments: dict[str, Columns] = {}
        self.halts: dict[tuple[str, str], Columns] = {}
        self.notices: deque[Columns] = deque(maxlen=LATEST)
        self.kill_switch: Columns | None = None
        self.reduce_only = False
        self.clock = 0
        self.clock_moved = 0.0
        self.venue = VenueView()

    def apply(self, row: Row, now: float) -> None:
        """Take the next row of a table. Rows of one table come in the order of their stream."""
        handler = _HANDLERS.get(row.table)
        if handler is not None:
            handler(self, row.columns, now)

    def _decision(self, columns: Columns, now: float) -> None:  # noqa: ARG002
        self.decisions[columns["stage"], columns["outcome"], columns["reason"]] += 1
        if columns["stage"] == "strategy":
            known = self.last_assessments.get(columns["symbol"])
            if known is None or known["time"] <= columns["time"]:
                self.last_assessments[columns["symbol"]] = columns
        if columns["outcome"] != "none":
            self.latest.append(columns)

    def active_halts(self) -> list[Columns]:
        """Halts that have not ended, by symbol and reason."""
        return [
            halt
            for _, halt in sorted(self.halts.items())
            if halt["until"] is None or halt["until"] > self.clock
        ]

    def _position(self, columns: Columns, now: float) -> None:
        self._at(columns, now)
        self.venue.position(columns)
        symbol = columns["symbol"]
        if columns["phase"] in _GONE:
            self.positions.pop(symbol, None)
            return
        before = self.positions.get(symbol)
        bare = columns["quantity"] != 0 and not columns["protected"]
        since = before.bare_since if before and before.bare_since is not None else now
        self.positions[symbol] = Position(
            **{name: columns[name] for name in _POSITION_COLUMNS}, bare_since=since if bare else None
        )

    def _equity(self, columns: Columns, now: float) -> None:
        self._at(columns, now)
        before = self.account or Account()
        marks = {p["symbol"]: Decimal(p["mark"]) for p in columns["positions"] or ()}
        account = Account(
            time=columns["time"],
            cash=columns["cash"],
            equity=columns["equity"],
            peak=columns["peak"],
            max_drawdown=before.max_drawdown,
            marks=marks,
        )
        account.max_drawdown = max(before.max_drawdown, account.drawdown)
        self.account = account
        self.curve.add(account.time, account.equity)

    def _trade(self, columns: Columns, now: float) -> None:  # noqa: ARG002
        trades, net = self.trades, columns["net"]
        trades.count += 1
        trades.fees += columns["fees"]
        trades.funding += columns["funding"]
        if net > 0:
            trades.wins += 1
            trades.won += net
        else:
            trades.lost -= net

    def _fill(self, columns: Columns, now: float) -> None:  # noqa: ARG002
        self.fills += 1
        self.venue.fill(columns)

    def _order(self, columns: Columns, now: float) -> None:
        self.venue.order(columns, now)

    def _halt(self, columns: Columns, now: float) -> None:
        kind, symbol = columns["kind"], columns["symbol"]
        if kind == "VenueAlert":
            self.venue.alert(columns)
            return
        self.notices.append(columns)
        if kind == "KillSwitch":
            self.kill_switch = columns
        elif kind == "Acknowledge" and symbol == ACCOUNT:
            self.kill_switch = None
        elif kind == "ReduceOnly":
            self.reduce_only = columns["reason"] == "on"
        elif kind == "TradingHalted":
            self._at(columns, now)
            self.halts[symbol, columns["reason"]] = columns
        elif kind == "TradingResumed":
            self._at(columns, now)
            self.halts = {key: halt for key, halt in self.halts.items() if key[0] != symbol}

    def _at(self, columns: Columns, now: float) -> None:
        if columns["time"] > self.clock:
            self.clock, self.clock_moved = columns["time"], now


_GONE = frozenset({PositionPhase.CLOSED.value, PositionPhase.ABANDONED.value})
_POSITION_COLUMNS = tuple(name for name in Position.__struct_fields__ if name != "bare_since")
_HANDLERS: Mapping[str, Any] = {
    "decisions": Trading._decision,
    "position_changes": Trading._position,
    "equity": Trading._equity,
    "trades": Trading._trade,
    "fills": Trading._fill,
    "order_changes": Trading._order,
    "halts": Trading._halt,
}
