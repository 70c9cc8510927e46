"""What must be true after a case, by the venue's own books and by what was told on the bus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from bus_schemas.events import (
    AlertCode,
    Fill,
    Mismatch,
    OrderChanged,
    OrderState,
    PlaceOrder,
    SymbolHalted,
    TradeClosed,
    VenueAlert,
)
from execution.simulator.orders import SimFill, SimOrder, SimStatus
from tests.chaos_live.scene import EXECUTION, Scene
from tests.chaos_live.words import order_name

RESTART_S = 2.0
"""What a restart may take beyond the deadline of a stop."""
EXPECTED = (AlertCode.RATE_LIMITED, AlertCode.UNREACHABLE, AlertCode.SILENT_SOCKET, AlertCode.CLOCK)
"""Alerts that follow from faults that the venue was told to have."""
_SAME = {
    OrderState.FILLED: {SimStatus.FILLED, SimStatus.TRIGGERED},
    OrderState.CANCELLED: {SimStatus.CANCELLED, SimStatus.EXPIRED, SimStatus.TRIGGERED},
}


def judge(scene: Scene) -> list[str]:
    """Everything that is wrong, in words; empty where nothing is."""
    return [
        *_orders(scene),
        *_fills(scene),
        *_money(scene),
        *_protection(scene),
        *_peace(scene),
    ]


def _orders(scene: Scene) -> Iterator[str]:
    """The venue holds exactly the orders that were decided, and no other; their ends agree."""
    decided = Counter(order.client_id for order in scene.said(PlaceOrder))
    for client_id, times in decided.items():
        if times > 1:
            yield f"{order_name(client_id)} was decided {times} times"
    taken: dict[str, list[SimOrder]] = {}
    for order in scene.every_order():
        if not order.origin:
            taken.setdefault(order.client_id, []).append(order)
    for client_id in taken.keys() - decided.keys():
        yield f"the venue has {order_name(client_id)} ({client_id}), which nobody decided"
    ever = {body.client_id for body in scene.said(OrderChanged) if body.state is OrderState.ACCEPTED}
    for client_id in decided:
        yield from _order(scene, client_id, taken.get(client_id, []), client_id in ever)


def _order(scene: Scene, client_id: str, taken: list[SimOrder], accepted: bool) -> Iterator[str]:
    name, ours = order_name(client_id), scene.orders.get(client_id)
    if len(taken) > 1:
        yield f"the venue took {name} {len(taken)} times"
    if ours is None:
        yield f"{name} was decided and never told of"
        return
    if not ours.state.terminal:
        yield f"{name} ends as {ours.state.value}"
    if not taken:
        if accepted or ours.filled or ours.state is OrderState.FILLED:
            yield f"{name} is {ours.state.value} for us, and the venue never had it"
        return
    theirs = taken[0]
    filled = sum((fill.quantity for fill in _of(scene, theirs)), Decimal(0))
    if theirs.alive:
        yield f"{name} still lives at the venue"
    if ours.state is OrderState.REJECTED or theirs.status not in _SAME.get(ours.state, {theirs.status}):
        yield f"{name} is {ours.state.value} for us and {theirs.status.value} at the venue"
    if ours.filled != filled:
        yield f"{name} has filled {ours.filled} for us and {filled} at the venue"


def _of(scene: Scene, order: SimOrder) -> list[SimFill]:
    names = {order.order_id, order.successor} - {""}
    return [fill for fill in scene.exchange.trades if fill.order_id in names]


def _fills(scene: Scene) -> Iterator[str]:
    """Each fill of the venue is told once, as it was."""
    told = Counter(fill.fill_id for fill in scene.said(Fill))
    theirs = {fill.fill_id: fill for fill in scene.exchange.trades}
    for fill_id, times in told.items():
        if times > 1:
            yield f"fill {fill_id} was told {times} times"
    for fill_id in theirs.keys() - told.keys():
        yield f"fill {fill_id} of {order_name(theirs[fill_id].client_id)} was never told"
    for fill in scene.said(Fill):
        real = theirs.get(fill.fill_id)
        if real is None:
            yield f"fill {fill.fill_id} of {order_name(fill.client_id)} never happened"
            continue
        for word, ours, its in (
            ("order", fill.client_id, real.client_id),
            ("side", fill.side, real.side),
            ("price", fill.price, real.price),
            ("quantity", fill.quantity, real.quantity),
            ("fee", fill.fee, real.fee),
            ("liquidity", fill.liquidity, real.liquidity),
            ("profit", fill.profit, real.profit),
        ):
            if ours != its:
                yield f"fill {fill.fill_id} of {order_name(fill.client_id)}: {word} {ours}, in truth {its}"


def _money(scene: Scene) -> Iterator[str]:
    """The ledger's money is the venue's."""
    fills = scene.said(Fill)
    change = scene.exchange.books.cash - scene.start_cash
    told = sum((fill.profit - fill.fee for fill in fills), Decimal(0))
    if change != told:
        yield f"the venue's cash changed by {change}, the fills that were told by {told}"
    trades = scene.said(TradeClosed)
    if len(trades) != 1:
        yield f"{len(trades)} trades were closed, not one"
    elif trades[0].net != change:
        yield f"the closed trade made {trades[0].net}, the venue's cash changed by {change}"
    if scene.position or (scene.place is not None and scene.place.quantity):
        told_as = scene.place and scene.place.quantity
        yield f"a position is left: {scene.position} at the venue, {told_as} for us"


def _protection(scene: Scene) -> Iterator[str]:
    """No position without a stop past the deadline."""
    limit = EXECUTION["stop_deadline_ms"] / 1000 + RESTART_S
    if scene.guard.bare_s > limit:
        yield f"it was not covered by a stop for {scene.guard.bare_s:.1f} s; {limit:g} s are allowed"


def _peace(scene: Scene) -> Iterator[str]:
    """Nothing that a person would have to look into."""
    topology = scene.settings.topology
    for reader in ("venue", "manager"):
        unit = topology.units(reader)[0]
        if count := scene.bus.dead_count(unit):
            error = scene.bus.dead_letters(unit)[0].error
            yield f"{count} dead letters of {unit}, the first: {error}"
    for body in scene.said(Mismatch):
        yield f"mismatch: {body.detail}"
    for body in scene.said(SymbolHalted):
        yield f"halted: {body.detail}"
    for body in scene.said(VenueAlert):
        if body.code not in EXPECTED:
            yield f"alert {body.code.value}: {body.detail}"
    yield from _ends(scene)


def _ends(scene: Scene) -> Iterator[str]:
    """The end of an order is told once."""
    ended = Counter(
        body.client_id
        for body in scene.said(OrderChanged)
        if body.state.terminal and not body.detail.startswith("duplicate")
    )
    for client_id, times in ended.items():
        if times > 1:
            yield f"the end of {order_name(client_id)} was told {times} times"
