"""The answer to one event while it is being put together."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.envelope import Output
from bus_schemas.events import (
    Body,
    CancelOrder,
    Leg,
    LookUpOrder,
    Millis,
    Mismatch,
    OrderChanged,
    OrderKind,
    OrderState,
    PlaceOrder,
    PositionChanged,
    TradeClosed,
)
from bus_schemas.instruments import Instrument
from bus_schemas.settings import ExecutionSettings
from bus_schemas.topology import Stream
from execution import order_states
from execution.books import ZERO
from execution.ids import client_id
from execution.order_states import OrderEvent
from execution.records import ENDED_ORDERS, Order, Position


class Turn:
    """Collects outputs of one event; every one of them carries that event's time.

    Attributes:
        time: event time, in the venue's clock.
        outputs: commands and executions so far, in order.
        dropped: client ids of orders that left the state.
    """

    def __init__(self, time: Millis, settings: ExecutionSettings, instrument: Instrument) -> None:
        self.time = time
        self.settings = settings
        self.instrument = instrument
        self.outputs: list[Output] = []
        self.dropped: list[str] = []

    def say(self, body: Body) -> None:
        """Tell the readers of executions."""
        self.outputs.append(Output(Stream.EXECUTIONS, self.instrument.symbol, body))

    def command(self, body: Body) -> None:
        """Tell the venue."""
        self.outputs.append(Output(Stream.COMMANDS, self.instrument.symbol, body))

    def mismatch(self, detail: str) -> None:
        """Report a difference between the venue's word and ours."""
        self.say(Mismatch(time=self.time, symbol=self.instrument.symbol, detail=detail))

    def changed(self, position: Position, order: Order, detail: str = "") -> None:
        """Tell the order as it is now."""
        self.say(
            OrderChanged(
                time=self.time,
                client_id=order.client_id,
                signal_id=position.signal_id,
                symbol=position.symbol,
                side=order.side,
                leg=order.leg,
                kind=order.kind,
                state=order.state,
                quantity=order.quantity,
                filled=order.filled,
                price=order.price,
                trigger=order.trigger,
                reduce_only=order.reduce_only,
                detail=detail,
            )
        )

    def move(self, position: Position, order: Order, event: OrderEvent, detail: str = "") -> bool:
        """Step the order's state machine and tell a new state; False where the state stayed.

        Raises:
            IllegalTransition: see `order_states.step`.
        """
        before = order.state
        order.state = order_states.step(before, event, order.client_id)
        if order.state is before:
            return False
        self.changed(position, order, detail)
        return True

    def place(
        self,
        position: Position,
        leg: Leg,
        kind: OrderKind,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
    ) -> Order:
        """Record a new order of the leg's next attempt, and command it."""
        attempt = position.attempts.get(leg.value, 1)
        position.attempts[leg.value] = attempt + 1
        entry = leg is Leg.ENTRY
        order = Order(
            client_id=client_id(position.signal_id, leg, attempt),
            leg=leg,
            kind=kind,
            side=position.side if entry else position.side.opposite,
            quantity=quantity,
            price=price,
            trigger=trigger,
            reduce_only=not entry,
            sent=self.time,
            asked=self.time,
        )
        position.orders[order.client_id] = order
        self.command(
            PlaceOrder(
                time=self.time,
                client_id=order.client_id,
                signal_id=position.signal_id,
                symbol=position.symbol,
                side=order.side,
                leg=leg,
                kind=kind,
                quantity=quantity,
                price=price,
                trigger=trigger,
                reduce_only=order.reduce_only,
            )
        )
        self.changed(position, order)
        return order

    def cancel(self, position: Position, order: Order) -> None:
        """Ask for a cancellation, once; an order of unknown fate is looked up first."""
        if order.state not in (OrderState.PENDING, OrderState.ACCEPTED, OrderState.PARTLY_FILLED):
            return
        order.asked = self.time
        self.command(CancelOrder(time=self.time, client_id=order.client_id, symbol=position.symbol))
        self.move(position, order, OrderEvent.CANCEL_SENT)

    def look_up(self, position: Position, order: Order) -> None:
        """Ask for the order's fate. Too many unanswered ones are reported, once."""
        order.asked = self.time
        order.look_ups += 1
        self.command(LookUpOrder(time=self.time, client_id=order.client_id, symbol=position.symbol))
        if order.look_ups == self.settings.look_up_attempts:
            self.mismatch(
                f"{order.leg.value} order {order.client_id}: no answer to {order.look_ups} look-ups"
            )

    def prune(self, position: Position) -> None:
        """Forget settled orders beyond the bound, oldest first."""
        settled = [order.client_id for order in position.orders.values() if order.settled]
        for old in settled[:-ENDED_ORDERS]:
            del position.orders[old]
            self.dropped.append(old)

    def archive(self, position: Position) -> None:
        """Tell a closed position's final books. Without a fill for each contract there are none."""
        book, size = position.book, self.instrument.contract_size
        if book.forgotten or position.last_exit is None:
            return
        self.say(
            TradeClosed(
                time=self.time,
                signal_id=position.signal_id,
                symbol=position.symbol,
                side=position.side,
                quantity=book.opened,
                entry_price=book.average_entry(size),
                exit_price=book.average_exit(size),
                profit=book.profit,
                fees=book.fees,
                funding=book.funding,
                net=book.profit - book.fees - book.funding,
                reason=position.last_exit,
                opened=position.opened,
            )
        )


def describe(position: Position, instrument: Instrument, time: Millis) -> PositionChanged:
    """The position as executions tell it."""
    stop = position.live_stop()
    entry = next(iter(position.live(Leg.ENTRY)), None)
    return PositionChanged(
        time=time,
        signal_id=position.signal_id,
        symbol=position.symbol,
        side=position.side,
        phase=position.phase,
        quantity=position.signed,
        entry_price=position.book.average(instrument.contract_size),
        reserved=entry.remaining if entry else ZERO,
        stop=stop.trigger if stop else None,
        protected=position.protected(),
    )
