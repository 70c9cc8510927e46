"""The kill switch, drilled with real processes: only execution runs. Strategy, risk, market_data and health
are dead; so is execution, for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal

from msgspec.structs import replace

from bus_schemas.events import KillSwitch, Leg, OrderApproved, OrderKind, OrderState
from bus_schemas.topology import Stream
from execution.ids import client_id
from tests.chaos_live import story
from tests.chaos_live.cases import Case
from tests.chaos_live.conftest import Theatre
from tests.chaos_live.judge import judge
from tests.chaos_live.matrix import PROTOCOLS
from tests.chaos_live.scene import Scene
from tests.chaos_live.story import Ending

LOOKS_S = 1.0
"""Long enough for looks and ticks in which something wrong could follow."""

Drill = Callable[[Scene], Awaitable[None]]


def on_every_protocol(theatre: Theatre, drill: Drill) -> None:
    async def one(protocol: str) -> None:
        case = Case(protocol=protocol, fault="none", ending=Ending.STOP)
        async with theatre.stage.scene(case) as scene:
            await drill(scene)
            scene.look()
            assert judge(scene) == []

    async def each() -> None:
        await asyncio.gather(*(one(protocol) for protocol in PROTOCOLS))

    theatre.run(each())


def pull(scene: Scene, flatten: bool = False) -> None:
    wall = time.time_ns() // 1_000_000
    scene.control(KillSwitch(time=wall, reason="drill", by="test", flatten=flatten))


async def half_filled(scene: Scene) -> None:
    """Half of the entry is filled, half rests; a stop covers it and two targets rest."""
    await story.enter(scene)
    scene.price(story.BELOW_ENTRY)
    await scene.until(
        "half of it is covered", lambda: scene.position == story.HALF and story.covered(scene, 2)
    )
    assert sorted(kinds(scene)) == ["entry", "stop", "target", "target"]


def kinds(scene: Scene) -> list[str]:
    """What lives at the venue."""
    named = {OrderKind.STOP: "stop", OrderKind.LIMIT: "target", OrderKind.MARKET: "close"}
    return [named[order.kind] if order.reduce_only else "entry" for order in scene.alive()]


def only_the_stop(scene: Scene) -> bool:
    return kinds(scene) == ["stop"] and story.calm(scene) and story.idle(scene)


async def pass_time(scene: Scene) -> None:
    until = time.monotonic() + LOOKS_S
    await scene.until("time passes", lambda: time.monotonic() > until)


async def trigger(scene: Scene) -> None:
    await scene.until("the stop triggers", lambda: not scene.position, lambda: scene.price("58990"))
    await story.rest(scene)


def test_the_switch_cancels_entry_and_targets_and_keeps_the_stop(theatre: Theatre) -> None:
    async def drill(scene: Scene) -> None:
        await half_filled(scene)
        pull(scene)
        await scene.until("only the stop is left", lambda: only_the_stop(scene))
        await pass_time(scene)
        assert (scene.position, kinds(scene)) == (story.HALF, ["stop"])
        assert scene.alive()[0].remaining == story.HALF
        await trigger(scene)  # it was no decoration

    on_every_protocol(theatre, drill)


def test_the_switch_stays_pulled_through_a_restart_and_nothing_is_opened(theatre: Theatre) -> None:
    async def drill(scene: Scene) -> None:
        await half_filled(scene)
        pull(scene)
        await scene.until("only the stop is left", lambda: only_the_stop(scene))
        assert scene.service is not None
        await scene.service.kill()
        approved = scene.bus.range(scene.settings.topology.places(Stream.ORDERS)[0], 0, 1)
        await trigger(scene)
        assert approved
        scene.approve(again(scene), scene.symbol)
        entry = client_id("second", Leg.ENTRY, 1)
        await scene.until("the second entry is refused", lambda: entry in scene.orders)
        assert scene.orders[entry].state is OrderState.REJECTED
        await pass_time(scene)
        assert (scene.position, kinds(scene)) == (Decimal(0), [])

    on_every_protocol(theatre, drill)


def again(scene: Scene) -> OrderApproved:
    """A second signal."""
    now = scene.exchange.clock()
    return replace(story.approval(scene), time=now, signal_id="second", expires=now + 60_000)


def test_the_switch_flattens_by_reduce_only_orders_with_nobody_else_alive(theatre: Theatre) -> None:
    async def drill(scene: Scene) -> None:
        await half_filled(scene)
        pull(scene, flatten=True)
        await scene.until("the position is closed", lambda: not scene.position)
        await story.rest(scene)
        closes = [order for order in scene.every_order() if order.client_id.startswith("cw-c")]
        assert [(order.kind, order.reduce_only, order.filled) for order in closes] == [
            (OrderKind.MARKET, True, story.HALF)
        ]

    on_every_protocol(theatre, drill)


def test_a_switch_that_is_pulled_while_execution_is_dead_works_when_it_is_back(theatre: Theatre) -> None:
    async def drill(scene: Scene) -> None:
        await half_filled(scene)
        assert scene.service is not None
        await scene.service.kill()
        pull(scene, flatten=True)
        await scene.until("the position is closed", lambda: not scene.position)
        await story.rest(scene)

    on_every_protocol(theatre, drill)
