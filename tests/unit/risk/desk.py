"""A risk decider at work: feeds it events, applies its state to a store, restarts it on demand."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from bus_schemas.envelope import Event, Output
from bus_schemas.events import (
    AccountSnapshot,
    Assessment,
    Body,
    ExitReason,
    Fill,
    Leg,
    Liquidity,
    Mark,
    OrderApproved,
    OrderRefused,
    PositionChanged,
    PositionPhase,
    Side,
    Signal,
    TradeClosed,
)
from bus_schemas.instruments import Instrument
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.timeframes import DAY, MINUTE
from bus_schemas.topology import READER_SPECS, STREAM_SPECS, Place, Stream
from risk.costs import Costs
from risk.decider import RiskDecider

START = 20_000 * DAY + 10 * 3_600_000
COSTS = Costs(maker_fee=Decimal("0.0002"), taker_fee=Decimal("0.0005"), slippage=Decimal("0.0002"))
SYMBOLS = tuple(f"{letter * 3}USDT" for letter in "ABCDEFG")
A, B, C = SYMBOLS[:3]
B_ = TypeVar("B_", bound=Body)


def instrument(symbol: str, **terms: Any) -> Instrument:
    usual = {
        "base": symbol[:3],
        "quote": "USDT",
        "settle": "USDT",
        "tick": Decimal("0.01"),
        "step": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "min_notional": Decimal(5),
    }
    return Instrument(symbol=symbol, **(usual | terms))


class Desk:
    """A decider on a store.

    Args:
        cash: of the first snapshot; None leaves the account unknown.
        restarts: start a new decider from the store after every event.
    """

    def __init__(
        self,
        *,
        cash: str | None = "10000",
        terms: dict[str, Any] | None = None,
        restarts: bool = False,
        **settings: Any,
    ) -> None:
        self.settings = RiskSettings(**settings)
        self.instruments = {s: instrument(s, **(terms or {})) for s in SYMBOLS}
        self.time = START
        self.restarts = restarts
        self.store: dict[str, bytes] = {}
        self.said: list[Output] = []
        self._seq = count(1)
        self._fills = count(1)
        self.orders: dict[str, OrderApproved] = {}
        self.restart()
        if cash is not None:
            self.snapshot(cash)
            for symbol in SYMBOLS:
                self.mark(symbol, "100")

    def restart(self) -> None:
        self.decider = RiskDecider(self.settings, COSTS, self.instruments, "MAIN")
        self.decider.load(self.store)

    def feed(self, stream: Stream, body: Body) -> list[Body]:
        """One event through the decider, its state into the store."""
        assert stream in READER_SPECS["risk"].reads
        part = {"global": "all", "account": "MAIN", "partition": "p0"}[STREAM_SPECS[stream].scope]
        key = getattr(body, "symbol", "MAIN")
        event = Event(Place(stream, part), next(self._seq), key, body)
        return self.take(self.decider.handle(event))

    def take(self, outputs: Iterable[Output]) -> list[Body]:
        self.said += outputs
        for key, value in self.decider.changes().items():
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value
        if self.restarts:
            self.restart()
        return [output.body for output in outputs]

    # -- what market_data and strategy say ---------------------------------------------------

    def mark(
        self, symbol: str, price: str, spot: str | None = None, funding: str | None = None
    ) -> list[Body]:
        body = Mark(
            time=self.time,
            symbol=symbol,
            mark=Decimal(price),
            spot=Decimal(spot or price),
            funding=Decimal(funding) if funding else None,
        )
        return self.feed(Stream.MARKS, body)

    def marks(self, price: str = "100") -> None:
        for symbol in SYMBOLS:
            self.mark(symbol, price)

    def signal(
        self,
        symbol: str = A,
        *,
        id_: str | None = None,
        side: Side = Side.LONG,
        entry: float = 100.0,
        stop: float = 95.0,
        targets: tuple[float, float] = (112.0, 120.0),
        expires: int = 8 * 60 * MINUTE,
    ) -> OrderApproved | OrderRefused:
        """Feed an assessment with a signal; the one decision about it."""
        signal = Signal(
            id=id_ or f"smc-{symbol}-{self.time}",
            side=side,
            entry=entry,
            stop=stop,
            targets=targets,
            setup="order_block",
            score=0.5,
            expires=self.time + expires,
        )
        out = self.feed(
            Stream.SIGNALS, Assessment(time=self.time, symbol=symbol, timeframe="1h", signal=signal)
        )
        decisions = [body for body in out if isinstance(body, OrderApproved | OrderRefused)]
        assert len(decisions) == 1, out
        decision = decisions[0]
        assert decision.signal_id == signal.id
        if isinstance(decision, OrderApproved):
            self.orders[symbol] = decision
        return decision

    # -- what execution says -----------------------------------------------------------------

    def execution(self, body: Body) -> list[Body]:
        return self.feed(Stream.EXECUTIONS, body)

    def snapshot(self, cash: str, *positions: Any) -> list[Body]:
        return self.execution(
            AccountSnapshot(time=self.time, cash=Decimal(cash), equity=Decimal(cash), positions=positions)
        )

    def position(
        self,
        symbol: str = A,
        phase: PositionPhase = PositionPhase.OPEN,
        quantity: str | Decimal = "0",
        **fields: Any,
    ) -> list[Body]:
        order = self.orders.get(symbol)
        usual: dict[str, Any] = {
            "signal_id": order.signal_id if order else "foreign",
            "side": order.side if order else Side.LONG,
            "entry_price": order.entry if order else Decimal(100),
            "reserved": Decimal(0),
            "stop": order.stop if order else None,
            "protected": True,
        }
        return self.execution(
            PositionChanged(
                time=self.time, symbol=symbol, phase=phase, quantity=Decimal(quantity), **(usual | fields)
            )
        )

    def fill(
        self,
        symbol: str,
        side: Side,
        price: str | Decimal,
        quantity: Decimal,
        position: Decimal,
        **fields: Any,
    ) -> list[Body]:
        order = self.orders[symbol]
        usual: dict[str, Any] = {
            "client_id": "c",
            "signal_id": order.signal_id,
            "leg": Leg.ENTRY if side is order.side else Leg.STOP,
            "fill_id": f"f{next(self._fills)}",
            "fee": Decimal(0),
            "liquidity": Liquidity.MAKER,
            "profit": Decimal(0),
        }
        return self.execution(
            Fill(
                time=self.time,
                symbol=symbol,
                side=side,
                price=Decimal(price),
                quantity=quantity,
                position=position,
                **(usual | fields),
            )
        )

    def open(self, symbol: str = A, **levels: Any) -> OrderApproved:
        """A signal that is approved, filled at its price and protected."""
        order = self.signal(symbol, **levels)
        assert isinstance(order, OrderApproved), order
        signed = order.quantity * order.side.sign
        self.fill(symbol, order.side, order.entry, order.quantity, signed)
        self.position(symbol, quantity=signed)
        return order

    def close(self, symbol: str, price: str) -> list[Body]:
        """The whole position leaves at a price; the fill, the end of the position, its books."""
        order = self.orders[symbol]
        profit = (Decimal(price) - order.entry) * order.quantity * order.side.sign
        out = self.fill(symbol, order.side.opposite, price, order.quantity, Decimal(0), profit=profit)
        out += self.position(symbol, PositionPhase.CLOSED, entry_price=Decimal(0), stop=None, protected=False)
        return out + self.execution(
            TradeClosed(
                time=self.time,
                signal_id=order.signal_id,
                symbol=symbol,
                side=order.side,
                quantity=order.quantity,
                entry_price=order.entry,
                exit_price=Decimal(price),
                profit=profit,
                fees=Decimal(0),
                funding=Decimal(0),
                net=profit,
                reason=ExitReason.STOP,
                opened=self.time,
            )
        )

    def trade(self, symbol: str, price: str, **levels: Any) -> list[Body]:
        """Open and close; the clock moves by a minute."""
        self.open(symbol, **levels)
        self.time += MINUTE
        out = self.close(symbol, price)
        self.time += MINUTE
        return out

    @property
    def equity(self) -> Decimal:
        equity = self.decider._portfolio.equity
        assert equity is not None
        return equity


def only(bodies: Iterable[Body], type_: type[B_]) -> B_:
    """The one event of this type."""
    found = [body for body in bodies if isinstance(body, type_)]
    assert len(found) == 1, f"{len(found)} of {type_.__name__}: {found}"
    return found[0]
