"""A run's report: a fold over its streams, from their first entry to their last."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal

import msgspec

from bus_schemas.bus.port import Observer
from bus_schemas.codec import decode
from bus_schemas.decider import Keyed
from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.events import (
    AccountSnapshot,
    Assessment,
    Candle,
    Fill,
    FundingCharged,
    Gap,
    OrderApproved,
    OrderRefused,
    PlaceOrder,
    PositionChanged,
    PositionPhase,
    TradeClosed,
)
from bus_schemas.topology import STREAMS, Place, Stream
from risk.halts import Halt, Safety

PAGE = 2000
LATENCY_KEPT = 50_000
_ENDED = (PositionPhase.CLOSED, PositionPhase.ABANDONED)


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from a candle's commit to the risk decision that follows from it."""

    p50: float
    p99: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. Money in settle currency; `win_rate` from 0 to 1.

    Attributes:
        no_signal: assessments without a signal, by reason code, the most frequent first.
        orders: signals that risk approved.
        refusals: signals that risk refused, by reason code.
        profit_factor: gross profit over gross loss of closed trades; None without a loss.
        duplicates: effects that happened twice: an assessment, decision, order or fill with the
            identity of an earlier one.
        digest: SHA-256 over every event of the digest streams.
    """

    candles: int
    gaps: int
    assessments: int
    signals: int
    no_signal: dict[str, int]
    orders: int
    refusals: dict[str, int]
    fills: int
    trades: int
    equity_start: Decimal
    equity_end: Decimal
    fees: Decimal
    funding: Decimal
    max_drawdown_pct: float
    profit_factor: float | None
    win_rate: float | None
    positions_open: int
    duplicates: int
    latency_ms: Latency | None
    elapsed_s: float
    digest: str


class Tally:
    """The fold. Feed it every event once, each stream in order."""

    def __init__(self) -> None:
        self.counts: Counter[type] = Counter()
        self.signals = 0
        self.no_signal: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.open: dict[str, PositionChanged] = {}
        self.equity_start: Decimal | None = None
        self.equity = Decimal(0)
        self.max_drawdown = 0.0
        self.duplicates = 0
        self._seen: set[tuple[object, ...]] = set()
        self._peak = Decimal(0)
        self._fees = Decimal(0)
        self._funding = Decimal(0)
        self._won = self._lost = Decimal(0)
        self._wins = 0
        self._published: dict[str, int] = {}
        self._latencies: list[int] = []

    def add(self, event: Event) -> None:
        """Take one event."""
        body = event.body
        self.counts[type(body)] += 1
        match body:
            case Candle() if not body.hydration:
                self._published[event.trace] = event.sent
                if len(self._published) > LATENCY_KEPT:
                    del self._published[next(iter(self._published))]
            case Assessment():
                self._once("assessment", body.symbol, body.time)
                self.signals += body.signal is not None
                if body.reason is not None:
                    self.no_signal[body.reason.value] += 1
            case OrderApproved() | OrderRefused():
                self._decision(event, body)
            case PlaceOrder():
                self._once("order", body.client_id)
            case Fill():
                self._once("fill", body.client_id, body.fill_id)
                self._fees += body.fee
            case FundingCharged():
                self._funding += body.amount
            case PositionChanged():
                if body.phase in _ENDED:
                    self.open.pop(body.signal_id, None)
                else:
                    self.open[body.signal_id] = body
            case TradeClosed():
                self._trade(body)
            case AccountSnapshot():
                self._snapshot(body)
            case _:
                pass

    def _once(self, *identity: object) -> None:
        if identity in self._seen:
            self.duplicates += 1
        self._seen.add(identity)

    def _decision(self, event: Event, body: OrderApproved | OrderRefused) -> None:
        self._once("decision", body.signal_id)
        if isinstance(body, OrderRefused):
            self.refusals[body.reason.value] += 1
        began = self._published.get(event.trace)
        if began and event.sent:
            self._latencies.append(event.sent - began)

    def _trade(self, trade: TradeClosed) -> None:
        self._once("trade", trade.signal_id)
        if trade.net > 0:
            self._wins += 1
            self._won += trade.net
        else:
            self._lost -= trade.net

    def _snapshot(self, snapshot: AccountSnapshot) -> None:
        if self.equity_start is None:
            self.equity_start = snapshot.equity
        self.equity = snapshot.equity
        self._peak = max(self._peak, snapshot.equity)
        if self._peak > 0:
            self.max_drawdown = max(self.max_drawdown, float((self._peak - snapshot.equity) / self._peak))

    @property
    def positions(self) -> list[PositionChanged]:
        """Positions with something filled."""
        return [position for position in self.open.values() if position.quantity]

    def report(self, elapsed_s: float, digest: str) -> Report:
        """The figures so far."""
        counts, trades = self.counts, self.counts[TradeClosed]
        return Report(
            candles=counts[Candle],
            gaps=counts[Gap],
            assessments=counts[Assessment],
            signals=self.signals,
            no_signal=dict(sorted(self.no_signal.items(), key=lambda item: (-item[1], item[0]))),
            orders=counts[OrderApproved],
            refusals=dict(sorted(self.refusals.items())),
            fills=counts[Fill],
            trades=trades,
            equity_start=self.equity_start or Decimal(0),
            equity_end=self.equity,
            fees=self._fees,
            funding=self._funding,
            max_drawdown_pct=round(100 * self.max_drawdown, 4),
            profit_factor=round(float(self._won / self._lost), 4) if self._lost else None,
            win_rate=round(self._wins / trades, 4) if trades else None,
            positions_open=len(self.positions),
            duplicates=self.duplicates,
            latency_ms=_percentiles(self._latencies),
            elapsed_s=round(elapsed_s, 3),
            digest=digest,
        )


class Follower:
    """Feeds a tally with what is new on the bus, a page at a time.

    Args:
        observer: of the namespace.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.tally = Tally()
        streams = (Stream.CANDLES, Stream.SIGNALS, Stream.ORDERS, Stream.COMMANDS, Stream.EXECUTIONS)
        self._at = {place: 0 for stream in streams for place in observer.topology.places(stream)}

    def catch_up(self) -> Tally:
        """Read to the end. An entry that does not decode is left to the dead letters."""
        for place in self._at:
            for event in self._new(place):
                self.tally.add(event)
        return self.tally

    def _new(self, place: Place) -> list[Event]:
        events: list[Event] = []
        while True:
            page = self._observer.range(place, self._at[place], PAGE)
            for entry in page:
                self._at[place] = entry.seq
                try:
                    events.append(decode(*entry))
                except CodecError:
                    self.tally.counts[CodecError] += 1
            if len(page) < PAGE:
                return events


def holding(observer: Observer) -> list[Halt]:
    """Halts that hold, as risk has stored them.

    The order stream does not tell: of several halts of a symbol, one that was released alone is not named.
    """
    safety: Keyed[Safety] = Keyed("safety", Safety, lambda _: Safety())
    for unit in observer.topology.units("risk"):
        safety.load(observer.state(unit))
    return [halt for key in safety.known() for halt in safety.get(key).halts]


def digest(observer: Observer) -> str:
    """SHA-256 over every event of signals, orders, commands, reports and executions.

    Stream by stream in the order of their names, each in the order of its numbers; without `sent`, the
    only field that holds a wall clock.
    """
    total = hashlib.sha256()
    chosen = sorted((s.name for s in STREAMS if s.digest), key=str)
    for place in (place for stream in chosen for place in observer.topology.places(stream)):
        at = 0
        while page := observer.range(place, at, PAGE):
            for _, seq, fields in page:
                kept = sorted((name, value) for name, value in fields.items() if name != b"sent")
                for part in (str(place).encode(), str(seq).encode(), *(p for pair in kept for p in pair)):
                    total.update(len(part).to_bytes(4, "big") + part)
            at = page[-1].seq
    return total.hexdigest()


def _percentiles(values: list[int]) -> Latency | None:
    if not values:
        return None
    ranked = sorted(values)
    at = [ranked[min(len(ranked) - 1, int(len(ranked) * share))] / 1000 for share in (0.5, 0.99)]
    return Latency(round(at[0], 3), round(at[1], 3))
