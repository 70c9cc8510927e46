"""One trade's life, told from outside: each step waits until venue and order manager agree, then moves on.

the entry rests → fills in two parts, each with its stop and its targets → the first target fills and
the stop moves to break-even → the stop triggers, or an operator flattens → nothing is left
"""

from __future__ import annotations

import time
from decimal import Decimal
from enum import StrEnum

from bus_schemas.events import (
    FlattenApproved,
    KillSwitch,
    Leg,
    OrderApproved,
    OrderKind,
    OrderState,
    Side,
    Target,
)
from bus_schemas.topology import Stream
from execution.ids import client_id
from tests.chaos_live.scene import Scene

SIGNAL = "chaos-signal-1"
QUANTITY, HALF = Decimal("0.012"), Decimal("0.006")
ENTRY, STOP, TARGET_1, TARGET_2 = "59900", "59000", "60600", "61200"
BELOW_ENTRY, BELOW_BREAK_EVEN = "59890", "59930"
LAST_REQUEST_S = 1.0
"""How long after a death a request that the dead one sent may still reach the venue."""


class Ending(StrEnum):
    """How the story ends."""

    STOP = "stop"
    FLATTEN = "flatten"


async def tell(scene: Scene, ending: Ending) -> None:
    """The whole story.

    Raises:
        Stuck: at one of its steps.
    """
    await enter(scene)
    await fill(scene)
    await first_target(scene)
    await (trigger(scene) if ending is Ending.STOP else flatten(scene))
    await rest(scene)


def approval(scene: Scene) -> OrderApproved:
    """What risk says to the one signal of the story."""
    now = scene.exchange.clock()
    return OrderApproved(
        time=now,
        signal_id=SIGNAL,
        symbol=scene.symbol,
        side=Side.LONG,
        quantity=QUANTITY,
        entry=Decimal(ENTRY),
        stop=Decimal(STOP),
        targets=(
            Target(price=Decimal(TARGET_1), quantity=HALF),
            Target(price=Decimal(TARGET_2), quantity=HALF),
        ),
        leverage=Decimal(5),
        margin=Decimal(150),
        risk=Decimal(12),
        expires=now + 120_000,
    )


async def enter(scene: Scene) -> None:
    """Risk approves; the entry rests at the venue, and we know it."""
    scene.approve(approval(scene), scene.symbol)
    entry = client_id(SIGNAL, Leg.ENTRY, 1)
    known = (OrderState.ACCEPTED, OrderState.PARTLY_FILLED, OrderState.FILLED)
    await scene.until("the entry rests", lambda: entry in scene.orders and scene.orders[entry].state in known)


async def fill(scene: Scene) -> None:
    """The entry fills in two parts; after each the position is covered and its targets rest."""
    if not scene.position:
        scene.price(BELOW_ENTRY)
    await scene.until("the first part is covered", lambda: bool(scene.position) and covered(scene))
    await scene.until("the entry is filled", lambda: _whole(scene), lambda: scene.price(BELOW_ENTRY))
    await scene.until("the whole is covered", lambda: scene.position == QUANTITY and covered(scene, 2))


async def first_target(scene: Scene) -> None:
    """The first target fills in two parts, and the stop moves to break-even."""
    await scene.until("the first target fills", lambda: scene.position == HALF, lambda: scene.price(TARGET_1))
    await scene.until(
        "the stop is at break-even", lambda: covered(scene, 1) and _stop(scene) > Decimal(ENTRY)
    )


async def trigger(scene: Scene) -> None:
    """The stop triggers."""
    await scene.until("the stop triggers", lambda: not scene.position, lambda: scene.price(BELOW_BREAK_EVEN))


async def flatten(scene: Scene) -> None:
    """An operator pulls the kill switch and has everything closed; risk says so too."""
    wall = time.time_ns() // 1_000_000
    seq = scene.control(KillSwitch(time=wall, reason="chaos", by="test", flatten=True))
    scene.approve(FlattenApproved(time=wall, symbol="*", request_id=f"controls.all.{seq}"), "MAIN")
    await scene.until("the position is closed", lambda: not scene.position)


async def rest(scene: Scene) -> None:
    """Nothing is left: no order, no question, no command under way, and no request of a dead life."""
    await scene.until("everything is settled", lambda: scene.closed and calm(scene) and idle(scene))
    service = scene.service
    if service is not None and service.died:
        last = service.died[-1] + LAST_REQUEST_S
        await scene.until("old requests are gone", lambda: time.monotonic() > last)
        await scene.until("everything is still settled", lambda: calm(scene) and idle(scene))


def calm(scene: Scene) -> bool:
    """Whether venue and order manager name the same living orders and the same position."""
    ours = {o.client_id: o for o in scene.orders.values() if not o.state.terminal}
    working = all(o.state in (OrderState.ACCEPTED, OrderState.PARTLY_FILLED) for o in ours.values())
    told = scene.place.quantity if scene.place else Decimal(0)
    venue = {o.client_id: o.quantity for o in scene.alive()}
    return working and venue == {k: o.quantity for k, o in ours.items()} and told == scene.position


def idle(scene: Scene) -> bool:
    """Whether every command is answered."""
    topology = scene.settings.topology
    unit, place = topology.units("venue")[0], topology.places(Stream.COMMANDS)[0]
    if scene.bus.positions(unit)[place] != scene.bus.tip(place):
        return False
    return not any(key.startswith("pending") for key in scene.bus.state(unit))


def covered(scene: Scene, targets: int = 0) -> bool:
    """Calm, with one stop over the whole position, and at least so many targets."""
    alive = scene.alive()
    stops = [o for o in alive if o.kind is OrderKind.STOP]
    limits = [o for o in alive if o.kind is OrderKind.LIMIT and o.reduce_only]
    whole = len(stops) == 1 and stops[0].remaining == abs(scene.position)
    return calm(scene) and whole and len(limits) >= targets and idle(scene)


def _stop(scene: Scene) -> Decimal:
    return max(
        (o.trigger or Decimal(0) for o in scene.alive() if o.kind is OrderKind.STOP), default=Decimal(0)
    )


def _whole(scene: Scene) -> bool:
    return scene.position == QUANTITY
