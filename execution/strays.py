"""Orders of ours that rest at the venue and that no state of ours knows: the bus has lost its last
moments, the venue has not.

Such an order may be decided again under its own id, or be gone in truth while an old answer still
shows it, so nothing follows from it before it was reported through a grace. Then it is cancelled: an
entry would open what nobody approved. One that only reduces may be the one stop of a position, and
stays until the position has a stop of its own, or the venue has no position; and until no stray entry
of its symbol is left, which could make one yet.
"""

from __future__ import annotations

from collections.abc import Container

from bus_schemas.events import AlertCode, Body, CancelOrder, OrderFilled, StrayOrder, VenueAlert
from bus_schemas.settings import ExecutionSettings
from execution.books import ZERO
from execution.ids import is_ours
from execution.records import STRAY_MS, STRAYS, Position, Stray, Strays


def meet(
    settings: ExecutionSettings, strays: Strays, position: Position | None, body: StrayOrder
) -> tuple[VenueAlert | None, CancelOrder | None]:
    """Take one report of a stray order; what a person is told of it now, and the command that ends it.

    An order that is not of our id's form is somebody else's, and is never touched.

    Args:
        position: ours in its symbol, if there is one.
    """
    if not is_ours(body.client_id):
        return None, None
    _forget_silent(settings, strays, body)
    if _known(position, body.client_id):
        strays.orders.pop(body.client_id, None)
        return None, None
    stray = strays.orders.get(body.client_id)
    if stray is None:
        if len(strays.orders) >= STRAYS:
            return None, None
        stray = strays.orders[body.client_id] = Stray(
            symbol=body.symbol, first=body.time, last=body.time, opens=not body.reduce_only
        )
    stray.last = max(stray.last, body.time)
    if body.time - stray.first < settings.mismatch_grace_ms:
        return None, None
    needed = body.reduce_only and not _spare(strays, position, stray)
    return _tell(stray, body, needed), None if needed else _cancel(settings, stray, body)


def in_the_way(strays: Strays, symbol: str, entry: str) -> str:
    """Why no entry of the symbol may be placed under this id; empty where it may. A stray entry of the same
    id is that order, as long as nobody has asked for its end.
    """
    own = strays.orders.get(entry)
    if own is not None and own.asked is not None:
        return "a stray order of this id is being cancelled at the venue"
    others = (stray for name, stray in strays.orders.items() if name != entry)
    if any(stray.opens and stray.symbol == symbol for stray in others):
        return "a stray entry of this symbol is at the venue"
    return ""


def ended(strays: Strays, client_id: str) -> None:
    """The venue does not hold the order any more; an entry may have filled before."""
    gone = strays.orders.pop(client_id, None)
    if gone is not None and gone.opens:
        _doubt(strays, gone.symbol)


def filled(strays: Strays, body: OrderFilled) -> None:
    """An order was filled, a stray one or another; one with nothing left is not at the venue any more."""
    if body.remaining <= ZERO:
        strays.orders.pop(body.client_id, None)
    _doubt(strays, body.symbol)


def _doubt(strays: Strays, symbol: str) -> None:
    """The symbol's position at the venue may be another than was last reported."""
    for stray in strays.orders.values():
        if stray.symbol == symbol:
            stray.flat = False


def compare(strays: Strays, held: Container[str]) -> None:
    """Take the venue's account: the symbols that it holds a position in."""
    for stray in strays.orders.values():
        stray.flat = stray.symbol not in held


def _forget_silent(settings: ExecutionSettings, strays: Strays, body: Body) -> None:
    limit = settings.mismatch_grace_ms + STRAY_MS
    for client_id in [name for name, stray in strays.orders.items() if body.time - stray.last > limit]:
        del strays.orders[client_id]


def _known(position: Position | None, client_id: str) -> bool:
    order = position.orders.get(client_id) if position else None
    return order is not None and order.live


def _spare(strays: Strays, position: Position | None, stray: Stray) -> bool:
    """Whether the position, if there is one, is safe without this order."""
    if any(other.opens and other.symbol == stray.symbol for other in strays.orders.values()):
        return False
    if position is not None and position.quantity > ZERO:
        return position.protected()
    return stray.flat


def _tell(stray: Stray, body: StrayOrder, needed: bool) -> VenueAlert | None:
    if stray.told:
        return None
    stray.told = True
    what = f"{body.side.value} {body.quantity}"
    if body.trigger is not None:
        what += f" from {body.trigger}"
    elif body.price is not None:
        what += f" at {body.price}"
    fate = "left for now, it may protect" if needed else "to be cancelled"
    return VenueAlert(
        time=body.time,
        symbol=body.symbol,
        code=AlertCode.STRAY_ORDER,
        detail=f"order {body.client_id}, {what}, is at the venue and unknown to us: {fate}",
    )


def _cancel(settings: ExecutionSettings, stray: Stray, body: StrayOrder) -> CancelOrder | None:
    """Ask for its end; again, ever more slowly, while it is still reported."""
    if stray.asked is not None and body.time - stray.asked <= settings.answer_ms * stray.requests:
        return None
    stray.asked = body.time
    stray.requests += 1
    return CancelOrder(time=body.time, client_id=body.client_id, symbol=body.symbol)
