"""The paper venue as a decider: commands and marks in, reports out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bus_schemas.decider import Decider, Keyed
from bus_schemas.envelope import Event, Output
from bus_schemas.events import (
    AccountReport,
    AmendOrder,
    Body,
    CancelOrder,
    CancelRejected,
    ClockTick,
    LookUpOrder,
    Mark,
    Millis,
    OrderAccepted,
    OrderCancelled,
    OrderKind,
    OrderNotFound,
    OrderRejected,
    OrderState,
    PlaceOrder,
    PositionState,
    Side,
    SymbolHalted,
    VenueRefusal,
)
from bus_schemas.instruments import Instrument
from bus_schemas.settings import PaperSettings
from bus_schemas.timeframes import HOUR
from bus_schemas.topology import Stream
from execution.books import ZERO
from execution.paper.checks import Refused, refusal, resized
from execution.paper.floor import Floor, filled
from execution.paper.state import Desk, Ended, Ledger, Past, Quote, Resting

_ONE = ""


class PaperVenue(Decider):
    """A venue of one account; what it assumes stands in the package docstring.

    Args:
        instruments: contract terms by canonical symbol.
        account: key of account-wide reports.
    """

    def __init__(self, settings: PaperSettings, instruments: Mapping[str, Instrument], account: str) -> None:
        self._settings = settings
        self._instruments = instruments
        self._account = account
        self._ledger: Keyed[Ledger] = Keyed("ledger", Ledger, lambda _: Ledger(cash=settings.starting_cash))
        self._quotes: Keyed[Quote] = Keyed("quote", Quote, lambda _: Quote())
        self._desks: Keyed[Desk] = Keyed("desk", Desk, lambda _: Desk())
        self._pasts: Keyed[Past] = Keyed("past", Past, lambda _: Past())
        self._busy: set[str] = set()

    def load(self, state: Mapping[str, bytes]) -> None:
        for part in (self._ledger, self._quotes, self._desks, self._pasts):
            part.load(state)
        self._busy = set(self._desks.known())

    def changes(self) -> Mapping[str, bytes | None]:
        parts = (self._ledger, self._quotes, self._desks, self._pasts)
        return {key: value for part in parts for key, value in part.drain().items()}

    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        time = max((self._quotes.get(s).time for s in self._quotes.known()), default=0)
        body = SymbolHalted(time=time, symbol=symbol, origin=origin, detail=detail)
        return [Output(Stream.REPORTS, symbol, body)]

    def handle(self, event: Event) -> Sequence[Output]:
        body = event.body
        if isinstance(body, Mark):
            return self._mark(body)
        if isinstance(body, PlaceOrder | AmendOrder | CancelOrder | LookUpOrder):
            return self._command(body)
        return []

    # Marks --------------------------------------------------------------------------------------

    def _mark(self, mark: Mark) -> list[Output]:
        symbol = mark.symbol
        if symbol not in self._instruments or mark.time < self._quotes.get(symbol).time:
            return []
        quote = Quote.of(mark)
        self._quotes.put(symbol, quote)
        outputs: list[Output] = []
        busy = bool(self._busy)
        report = not self._ledger.get(_ONE).started
        if symbol in self._busy:
            floor = self._floor(symbol, mark.time)
            held = bool(floor.desk.book.quantity)
            floor.match(quote)
            floor.fund(mark)
            report = report or held or floor.paid
            outputs += self._close_floor(floor)
        if report:
            self._ledger.edit(_ONE).started = True
            outputs.append(self._account_report(mark.time))
        last = self._ledger.get(_ONE).tick
        if mark.time > last and (busy or mark.time // HOUR > last // HOUR):
            self._ledger.edit(_ONE).tick = mark.time
            outputs.append(Output(Stream.REPORTS, self._account, ClockTick(time=mark.time)))
        return outputs

    def _floor(self, symbol: str, time: Millis) -> Floor:
        ledger = self._ledger.edit(_ONE)
        desk, past = self._desks.edit(symbol), self._pasts.get(symbol)
        return Floor(self._settings, self._instruments[symbol], time, desk, past, ledger)

    def _close_floor(self, floor: Floor) -> list[Output]:
        symbol = floor.instrument.symbol
        if any(not isinstance(body, OrderAccepted) for body in floor.reports):
            self._pasts.edit(symbol)
        if floor.desk.idle:
            self._desks.drop(symbol)
            self._busy.discard(symbol)
        else:
            self._busy.add(symbol)
        return [Output(Stream.REPORTS, symbol, body) for body in floor.reports]

    # Commands -----------------------------------------------------------------------------------

    def _command(self, body: PlaceOrder | AmendOrder | CancelOrder | LookUpOrder) -> list[Output]:
        symbol = body.symbol
        if symbol not in self._instruments:
            return [Output(Stream.REPORTS, symbol, _unknown(body))]
        floor = self._floor(symbol, body.time)
        if isinstance(body, PlaceOrder):
            self._place(floor, body)
        elif isinstance(body, AmendOrder):
            _amend(floor, body)
        elif isinstance(body, CancelOrder):
            _cancel(floor, body, self._quotes.get(symbol))
        else:
            _look_up(floor, body)
        outputs = self._close_floor(floor)
        if floor.paid:
            outputs.append(self._account_report(body.time))
        return outputs

    def _place(self, floor: Floor, body: PlaceOrder) -> None:
        quote = self._quotes.get(body.symbol)
        if body.client_id in floor.desk.orders or floor.past.find(body.client_id):
            reason = VenueRefusal.DUPLICATE_ID, "this id was used"
            floor.reports.append(_rejected(body, reason))
            return
        order = Resting.of(body, taker=_crosses(body, quote))
        now = floor.of_the_bar(order, quote)
        refused = refusal(
            floor.instrument, body, floor.desk, None if now or not quote.time else quote, self._room()
        )
        if refused:
            ended = Ended(
                client_id=body.client_id,
                side=body.side,
                state=OrderState.REJECTED,
                reason=refused[0],
                detail=refused[1],
            )
            floor.past.add(ended)
            floor.reports.append(_rejected(body, refused))
            return
        floor.desk.orders[body.client_id] = order
        floor.reports.append(_accepted(body))
        if now:
            floor.trigger(order, quote)

    # The account --------------------------------------------------------------------------------

    def _account_report(self, time: Millis) -> Output:
        cash = self._ledger.get(_ONE).cash
        positions = tuple(self._position(symbol) for symbol in sorted(self._busy) if self._held(symbol))
        body = AccountReport(time=time, cash=cash, equity=self._equity(), positions=positions)
        return Output(Stream.REPORTS, self._account, body)

    def _held(self, symbol: str) -> bool:
        return bool(self._desks.get(symbol).book.quantity)

    def _position(self, symbol: str) -> PositionState:
        desk = self._desks.get(symbol)
        return PositionState(
            symbol=symbol,
            quantity=desk.signed,
            entry_price=desk.book.average(self._instruments[symbol].contract_size),
            mark=self._quotes.get(symbol).mark,
        )

    def _equity(self) -> Decimal:
        """Cash plus open profit at the last marks."""
        equity = self._ledger.get(_ONE).cash
        for symbol in sorted(self._busy):
            desk, size = self._desks.get(symbol), self._instruments[symbol].contract_size
            equity += desk.book.open_profit(self._quotes.get(symbol).mark, size, desk.side.sign)
        return equity

    def _room(self) -> Decimal:
        """Notional that the account may still add: positions at mark and resting entries count."""
        used = ZERO
        for symbol in sorted(self._busy):
            desk, instrument = self._desks.get(symbol), self._instruments[symbol]
            mark = self._quotes.get(symbol).mark
            used += instrument.notional(desk.book.quantity, mark)
            for order in desk.orders.values():
                if not order.reduce_only:
                    used += instrument.notional(order.remaining, order.price or order.trigger or mark)
        return self._equity() * self._settings.leverage - used


def _amend(floor: Floor, body: AmendOrder) -> None:
    refused = resized(floor.instrument, floor.desk, body.client_id, body.quantity)
    if refused:
        floor.reports.append(_rejected(body, refused))
        return
    floor.desk.orders[body.client_id].quantity = body.quantity
    floor.reports.append(_accepted(body))


def _cancel(floor: Floor, body: CancelOrder, quote: Quote) -> None:
    order = floor.desk.orders.get(body.client_id)
    if order is None:
        floor.reports.append(CancelRejected(time=body.time, client_id=body.client_id, symbol=body.symbol))
    elif quote.bar and quote.time < body.time and order.time < body.time:
        # The bar that ends at this time has not been seen yet, and the order was active in it.
        order.cancel_at = order.cancel_at or body.time
    else:
        floor.cancel(order)


def _look_up(floor: Floor, body: LookUpOrder) -> None:
    resting, ended = floor.desk.orders.get(body.client_id), floor.past.find(body.client_id)
    held = resting or ended
    if held is None:
        floor.reports.append(OrderNotFound(time=body.time, client_id=body.client_id, symbol=body.symbol))
        return
    floor.reports += [filled(body.time, body.client_id, body.symbol, held.side, made) for made in held.fills]
    if ended is None:
        floor.reports.append(_accepted(body))
    elif ended.state is OrderState.CANCELLED:
        floor.reports.append(
            OrderCancelled(time=body.time, client_id=body.client_id, symbol=body.symbol, filled=ended.filled)
        )
    elif ended.state is OrderState.REJECTED:
        floor.reports.append(_rejected(body, (ended.reason, ended.detail)))


def _crosses(body: PlaceOrder, quote: Quote) -> bool:
    if body.kind is not OrderKind.LIMIT or not body.price or not body.price.is_finite() or not quote.time:
        return False
    return quote.last <= body.price if body.side is Side.LONG else quote.last >= body.price


def _accepted(body: PlaceOrder | AmendOrder | LookUpOrder) -> OrderAccepted:
    return OrderAccepted(
        time=body.time, client_id=body.client_id, symbol=body.symbol, venue_id=f"paper-{body.client_id}"
    )


def _rejected(body: PlaceOrder | AmendOrder | LookUpOrder, refused: Refused) -> OrderRejected:
    return OrderRejected(
        time=body.time, client_id=body.client_id, symbol=body.symbol, reason=refused[0], detail=refused[1]
    )


def _unknown(body: PlaceOrder | AmendOrder | CancelOrder | LookUpOrder) -> Body:
    if isinstance(body, PlaceOrder):
        return _rejected(body, (VenueRefusal.UNKNOWN_SYMBOL, "no contract terms"))
    return OrderNotFound(time=body.time, client_id=body.client_id, symbol=body.symbol)
