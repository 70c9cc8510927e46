"""Writes events on a bus as their owners would: under a lease, by commits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bus_schemas.bus.port import Bus, Commit, DeadLetter, Entry, Lease, Owner, Write
from bus_schemas.codec import encode_body, head
from bus_schemas.events import (
    AccountSnapshot,
    AlertCode,
    Assessment,
    Body,
    Evidence,
    ExitReason,
    Fill,
    HaltReason,
    Heartbeat,
    Leg,
    Liquidity,
    NoSignal,
    OrderApproved,
    OrderChanged,
    OrderKind,
    OrderRefused,
    OrderState,
    PositionChanged,
    PositionPhase,
    PositionState,
    Refusal,
    Side,
    Signal,
    Target,
    TradeClosed,
    TradingHalted,
    VenueAlert,
)
from bus_schemas.topology import READER_SPECS, Place, Stream, Unit

D = Decimal
START = 1_724_544_000_000  # 2024-08-25
BAR = 900_000
OWNER = Owner("test", "0", "nonce")


class Writer:
    """The owner of every unit at once."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._leases: dict[Unit, Lease] = {}

    def write(self, stream: Stream, key: str, *bodies: Body) -> Place:
        """Commit events on the stream of this symbol (or the account)."""
        reader = next(spec.name for spec in READER_SPECS.values() if stream in spec.writes)
        topology = self.bus.topology
        account = READER_SPECS[reader].scope == "account"
        unit = Unit(reader, topology.account if account else topology.partition(key))
        place = Place(stream, unit.part)
        writes = [Write(place, *head(body), key, "", "0" * 32, encode_body(body)) for body in bodies]
        self._commit(unit, writes=writes, first={place: self.bus.tip(place) + 1})
        return place

    def read(self, unit: Unit, place: Place, position: int) -> None:
        """Move a reader's position."""
        self._commit(unit, positions={place: position})

    def bury(self, unit: Unit, entry: Entry) -> None:
        """Move an event to the dead letters."""
        letter = DeadLetter(entry.place, entry.seq, "cannot be handled", 3, entry.fields)
        self._commit(unit, dead=[letter], positions={entry.place: entry.seq})

    def _commit(self, unit: Unit, **what: Any) -> None:
        lease = self._leases.get(unit) or self.bus.acquire(unit, OWNER)
        assert lease is not None
        self._leases[unit] = lease
        counter = self.bus.load(lease).counter
        self.bus.commit(lease, Commit(counter + 1, **what))


def beat(service: str, time: int, status: str = "ready", slot: str = "0", **more: Any) -> Heartbeat:
    return Heartbeat(time=time, service=service, slot=slot, host="host", pid=4711, status=status, **more)


def signal(n: int, side: Side = Side.LONG) -> Signal:
    return Signal(
        id=f"sig-{n}",
        side=side,
        entry=64000.5,
        stop=63500.25,
        targets=(65000.0, 66000.0),
        setup="order_block",
        score=0.7,
        expires=START + (n + 8) * BAR,
    )


def assessment(n: int, symbol: str = "BTCUSDT", wish: Signal | None = None) -> Assessment:
    evidence = (
        Evidence(step="bias", passed=True, known_at=START + n * BAR, numbers={"ema": 63900.0}),
        Evidence(step="break", passed=wish is not None, known_at=START + n * BAR, text={"kind": "bos"}),
    )
    reason = None if wish else NoSignal.NO_BREAK
    return Assessment(
        time=START + n * BAR, symbol=symbol, timeframe="15m", signal=wish, reason=reason, evidence=evidence
    )


def approved(n: int, symbol: str = "BTCUSDT") -> OrderApproved:
    return OrderApproved(
        time=START + n * BAR,
        signal_id=f"sig-{n}",
        symbol=symbol,
        side=Side.LONG,
        quantity=D("0.031"),
        entry=D("64000.5"),
        stop=D("63500.2"),
        targets=(Target(price=D(65000), quantity=D("0.015")), Target(price=D(66000), quantity=D("0.016"))),
        leverage=D(5),
        margin=D("396.8"),
        risk=D("16.2"),
        expires=START + (n + 8) * BAR,
    )


def refused(n: int, symbol: str = "BTCUSDT", reason: Refusal = Refusal.REWARD_TO_RISK) -> OrderRefused:
    return OrderRefused(
        time=START + n * BAR,
        signal_id=f"sig-{n}",
        symbol=symbol,
        side=Side.LONG,
        reason=reason,
        detail="1.31 after costs, the least is 1.5",
        numbers={"ratio": D("1.31"), "least": D("1.5")},
    )


def order(n: int, state: OrderState = OrderState.ACCEPTED, filled: str = "0", **more: Any) -> OrderChanged:
    return OrderChanged(
        time=START + n * BAR,
        client_id=f"c-{n}",
        signal_id=f"sig-{n}",
        symbol="BTCUSDT",
        side=Side.LONG,
        leg=Leg.ENTRY,
        kind=OrderKind.LIMIT,
        state=state,
        quantity=D("0.031"),
        filled=D(filled),
        price=D("64000.50"),
        **more,
    )


def fill(n: int, symbol: str = "BTCUSDT", **more: Any) -> Fill:
    return Fill(
        time=START + n * BAR,
        client_id=f"c-{n}",
        signal_id=f"sig-{n}",
        symbol=symbol,
        side=Side.LONG,
        leg=Leg.ENTRY,
        fill_id=f"f-{n}",
        price=D("64000.5"),
        quantity=D("0.031"),
        fee=D("0.396800000000000000000000000001"),
        liquidity=Liquidity.MAKER,
        profit=D(0),
        position=D("0.031"),
        **more,
    )


def position(
    n: int, symbol: str = "BTCUSDT", quantity: str = "0.031", stop: str | None = "63500.2", **more: Any
) -> PositionChanged:
    return PositionChanged(
        time=START + n * BAR,
        signal_id=f"sig-{n}",
        symbol=symbol,
        side=more.pop("side", Side.LONG),
        phase=more.pop("phase", PositionPhase.OPEN),
        quantity=D(quantity),
        entry_price=more.pop("entry_price", D("64000.5")),
        reserved=D(0),
        stop=D(stop) if stop else None,
        protected=stop is not None,
    )


def closed(n: int, net: str = "12.5", symbol: str = "BTCUSDT") -> TradeClosed:
    return TradeClosed(
        time=START + n * BAR,
        signal_id=f"sig-{n}",
        symbol=symbol,
        side=Side.LONG,
        quantity=D("0.031"),
        entry_price=D("64000.5"),
        exit_price=D("64500.1"),
        profit=D(net) + 1,
        fees=D("0.9"),
        funding=D("0.1"),
        net=D(net),
        reason=ExitReason.TARGETS if D(net) > 0 else ExitReason.STOP,
        opened=START,
    )


def snapshot(n: int, equity: str, *positions: PositionState) -> AccountSnapshot:
    return AccountSnapshot(time=START + n * BAR, cash=D("10000"), equity=D(equity), positions=positions)


def alert(n: int, code: AlertCode = AlertCode.RATE_LIMITED, symbol: str = "*") -> VenueAlert:
    return VenueAlert(time=START + n * BAR, symbol=symbol, code=code, detail="the venue asks for patience")


def halted(n: int, symbol: str = "*", until: int | None = None) -> TradingHalted:
    return TradingHalted(
        time=START + n * BAR,
        symbol=symbol,
        reason=HaltReason.DRAWDOWN,
        detail="equity fell 15.2 % from its peak",
        until=until,
    )


def a_day(writer: Writer, bars: int = 20) -> None:
    """A plausible stretch of trading on every ledger stream."""
    bus = writer.bus
    account = bus.topology.account
    for n in range(1, bars + 1):
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            wish = signal(n) if symbol == "BTCUSDT" and n % 4 == 0 else None
            writer.write(Stream.SIGNALS, symbol, assessment(n, symbol, wish))
        if n % 4 == 0:
            writer.write(Stream.ORDERS, "BTCUSDT", approved(n) if n % 8 else refused(n))
        if n % 8 == 4:
            writer.write(
                Stream.EXECUTIONS,
                "BTCUSDT",
                order(n),
                fill(n),
                order(n, OrderState.FILLED, "0.031"),
                position(n, stop=None),
                position(n),
                closed(n, "12.5" if n % 3 else "-8.25"),
                position(n, quantity="0", stop=None, phase=PositionPhase.CLOSED),
            )
        writer.write(Stream.EXECUTIONS, account, snapshot(n, str(10_000 + 37 * n - n * n * 2)))
