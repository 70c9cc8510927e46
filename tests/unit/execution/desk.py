"""The manager alone, with the test as its venue: any word, in any order."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.events import (
    AccountReport,
    Body,
    CancelRejected,
    ClockTick,
    LookUpOrder,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderNotFound,
    OrderRejected,
    PlaceOrder,
    PositionChanged,
    PositionState,
    VenueRefusal,
)
from bus_schemas.events.venue import Liquidity
from bus_schemas.settings import ExecutionSettings
from bus_schemas.topology import Stream
from tests.unit.execution.world import SYMBOL, World

D = Decimal


class Desk(World):
    """Orders are named by the leg's code and attempt, such as `e1`, `s2`, `t11`, `c1`."""

    def __init__(self, execution: ExecutionSettings | None = None, **more: object) -> None:
        super().__init__(execution=execution, **more)  # type: ignore[arg-type]
        self.fill_ids = 0
        self.report(ClockTick(time=self.time))

    def put(self, stream: Stream, to: str, body: Body) -> None:
        if to == "manager":
            super().put(stream, to, body)

    def command_of(self, name: str) -> PlaceOrder:
        return next(c for c in self.bodies(PlaceOrder) if c.client_id.split("-")[1] == name)  # type: ignore[return-value]

    def ack(self, *names: str) -> Desk:
        for name in names:
            id_ = self.command_of(name).client_id
            self.report(OrderAccepted(time=self.time, client_id=id_, symbol=SYMBOL, venue_id=f"v{name}"))
        return self

    def fill(self, name: str, quantity: str, price: str = "", fill_id: str = "", **more: object) -> Desk:
        command = self.command_of(name)
        self.fill_ids += 1
        level = D(price) if price else command.price or command.trigger or D(100)
        self.report(
            OrderFilled(
                **{  # type: ignore[arg-type]
                    "time": self.time, "client_id": command.client_id, "symbol": SYMBOL, "side": command.side,
                    "fill_id": fill_id or f"f{self.fill_ids}", "price": level, "quantity": D(quantity),
                    "remaining": D(0), "fee": D(0), "liquidity": Liquidity.MAKER,
                }
                | more
            )
        )  # fmt: skip
        return self

    def reject(self, name: str, reason: str = "other") -> Desk:
        id_, why = self.command_of(name).client_id, VenueRefusal(reason)
        self.report(OrderRejected(time=self.time, client_id=id_, symbol=SYMBOL, reason=why, detail="no"))
        return self

    def cancelled(self, name: str, filled: str = "0") -> Desk:
        id_ = self.command_of(name).client_id
        self.report(OrderCancelled(time=self.time, client_id=id_, symbol=SYMBOL, filled=D(filled)))
        return self

    def no_cancel(self, name: str) -> Desk:
        id_ = self.command_of(name).client_id
        self.report(CancelRejected(time=self.time, client_id=id_, symbol=SYMBOL))
        return self

    def not_found(self, name: str) -> Desk:
        id_ = self.command_of(name).client_id
        self.report(OrderNotFound(time=self.time, client_id=id_, symbol=SYMBOL))
        return self

    def tick(self, seconds: float = 1, step: float = 3600) -> Desk:
        """Let time pass, in one tick or in several of so many seconds at most."""
        left = int(seconds * 1000)
        while left > 0:
            passed = min(left, int(step * 1000))
            self.time += passed
            left -= passed
            self.report(ClockTick(time=self.time))
        return self

    def account(self, quantity: str | None, mark: str = "100", entry: str = "100") -> Desk:
        held = () if quantity is None else (
            PositionState(symbol=SYMBOL, quantity=D(quantity), entry_price=D(entry), mark=D(mark)),
        )  # fmt: skip
        self.report(AccountReport(time=self.time, cash=D(1000), equity=D(1000), positions=held))
        return self

    def open(self) -> Desk:
        """A filled, protected position with both targets resting."""
        self.approve()
        return self.ack("e1").fill("e1", "2").ack("s1", "t11", "t21")

    def names(self, *types: type[Body]) -> list[str]:
        return [c.client_id.split("-")[1] for c in self.bodies(*types)]  # type: ignore[attr-defined]

    @property
    def placed(self) -> list[str]:
        return self.names(PlaceOrder)

    @property
    def looked_up(self) -> list[str]:
        return self.names(LookUpOrder)

    @property
    def position(self) -> PositionChanged:
        return self.bodies(PositionChanged)[-1]  # type: ignore[return-value]
