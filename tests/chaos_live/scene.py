"""What surrounds the service in one case: a simulated venue of its own, a namespace of its own, and the
hands of everybody else: risk, the operator, the market."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.bus.port import Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.codec import decode
from bus_schemas.envelope import Event, Output
from bus_schemas.events import (
    AccountReport,
    AccountSnapshot,
    Body,
    ClockTick,
    OrderChanged,
    OrderKind,
    PositionChanged,
    TradeClosed,
)
from bus_schemas.runtime.unit import Writer
from bus_schemas.settings import Settings, dump
from bus_schemas.topology import Stream
from execution.simulator.binance_rest import BinanceUsdm
from execution.simulator.orders import Filled, SimEvent, SimOrder
from execution.simulator.orders import OrderChanged as VenueOrderChanged
from execution.simulator.protocols import PROTOCOLS
from execution.simulator.server import Simulator
from tests.chaos_live import faults
from tests.chaos_live.lives import Supervised
from tests.chaos_live.words import event_name

SOURCE = "BTCUSDT"
PIECES = 2
"""Every order fills in two parts, whatever the fault."""
PATIENCE_S = 30.0
LOOK_S = 0.01
VENUE = {
    "poll_s": 0.4,
    "tick_s": 0.1,
    "valid_ms": 600,
    "lag_ms": 100,
    "timeout_s": 1.5,
    "breaker_s": 1.0,
    "weight_per_min": 60_000,
}
EXECUTION = {
    "answer_ms": 2500,
    "not_found_grace_ms": 1000,
    "stop_deadline_ms": 10_000,
    "mismatch_grace_ms": 5000,
}


class Stuck(Exception):
    """The story does not go on."""


class Guard:
    """Watches the account at the venue itself: since when has a position not been covered by stops?

    Attributes:
        bare_s: the longest such time so far, in seconds of ours.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._since: float | None = None
        self._longest = 0.0

    def hear(self, event: SimEvent) -> None:
        if not isinstance(event, Filled | VenueOrderChanged):
            return
        held = self._scene.position
        stops = sum(o.remaining for o in self._scene.alive() if o.kind is OrderKind.STOP and o.reduce_only)
        if held and stops < abs(held):
            self._since = self._since or time.monotonic()
        elif self._since is not None:
            self._longest, self._since = self.bare_s, None

    @property
    def bare_s(self) -> float:
        now = time.monotonic()
        return max(self._longest, now - self._since if self._since is not None else 0.0)


class Scene:
    """One case's world.

    Args:
        protocol, fault: which.
        url: of the server of the bus.
        folder: for the settings and what the lives say.
        patience_s: how long `until` waits.

    Attributes:
        sim, exchange: the truth.
        events: everything on a stream so far.
        orders: the last word of the order manager about each.
        place: the last word about the position.
        keep: leave the folder behind.
    """

    def __init__(
        self, protocol: str, fault: str, url: str, folder: Path, patience_s: float = PATIENCE_S
    ) -> None:
        make = next(each for each in PROTOCOLS if each.name == protocol)
        rules = msgspec.structs.replace(make.rules, pieces=PIECES)
        spoken = type(make.__name__, (make,), {"rules": rules})
        self.sim = Simulator(protocols=(spoken,))
        self.fault = fault
        self.exchange = self.sim.exchanges[protocol]
        self.listing = next(each for each in self.exchange.listings.values() if each.source == SOURCE)
        self.symbol = self.listing.symbol
        self.start_cash = self.exchange.books.cash
        self.guard = Guard(self)
        self.folder = folder
        self.keep = False
        self._patience_s = patience_s
        self.events: dict[Stream, list[Event]] = {
            Stream.EXECUTIONS: [],
            Stream.COMMANDS: [],
            Stream.REPORTS: [],
        }
        self.orders: dict[str, OrderChanged] = {}
        self.place: PositionChanged | None = None
        self.service: Supervised | None = None
        self._url = url

    async def open(self) -> None:
        """Start the venue, load its faults, make the namespace."""
        for spoken in self.sim.protocols.values():
            if isinstance(spoken, BinanceUsdm):  # we look twelve times as often as in earnest
                spoken.meter.limit *= 1000
        await self.sim.open()
        self.exchange.subscribe(self.guard.hear)
        self.settings = self._settings()
        (self.folder / "settings.json").write_bytes(msgspec.json.encode(dump(self.settings)))
        bus = self.settings.bus
        self.bus = RedisBus(Link(self._url, 5.0), bus.namespace, self.settings.topology, bus.lease_ms)
        self.bus.declare()
        self.sim.faults.load(faults.plan(self.fault))

    async def close(self) -> None:
        self.bus.close()
        await self.sim.close()

    def _settings(self) -> Settings:
        protocol = self.sim.protocols[self.exchange.rules.name]
        terms = self.listing.instrument
        names = ("base", "quote", "settle", "tick", "step", "min_quantity", "min_notional", "max_quantity")
        return Settings.model_validate(
            {
                "venue": {
                    "name": protocol.name,
                    "api_key": protocol.demo.key,
                    "api_secret": protocol.demo.secret,
                    "rest_url": self.sim.url,
                    **VENUE,
                },
                "execution": EXECUTION,
                "bus": {"url": self._url, "namespace": f"case-{secrets.token_hex(6)}", "lease_ms": 2000},
                "runtime": {"shutdown_s": 5.0},
                "market_data": {"symbols": (self.symbol,)},
                "instruments": {self.symbol: {name: str(getattr(terms, name)) for name in names}},
            }
        )

    # What is --------------------------------------------------------------------------------------

    @property
    def position(self) -> Decimal:
        """Signed contracts at the venue."""
        return self.exchange.books.holding(self.symbol).signed

    def alive(self) -> list[SimOrder]:
        """Every living order at the venue, hidden ones too."""
        return [order for order in self.every_order() if order.alive]

    def every_order(self) -> Iterator[SimOrder]:
        """Every order that the venue ever took."""
        yield from self.exchange.store(False)
        if self.exchange.rules.conditional_apart:
            yield from self.exchange.store(True)

    def look(self) -> None:
        """Take in what was written since."""
        for stream, known in self.events.items():
            place = self.settings.topology.places(stream)[0]
            for entry in self.bus.range(place, len(known), 1000):
                event = decode(*entry)
                known.append(event)
                if isinstance(event.body, OrderChanged):
                    self.orders[event.body.client_id] = event.body
                elif isinstance(event.body, PositionChanged):
                    self.place = event.body

    def said(self, type_: type[Body]) -> list[Any]:
        """Every event of this type in executions and commands."""
        return [
            event.body
            for stream in (Stream.EXECUTIONS, Stream.COMMANDS)
            for event in self.events[stream]
            if isinstance(event.body, type_)
        ]

    @property
    def closed(self) -> bool:
        """Whether the trade's final books were told."""
        return bool(self.said(TradeClosed))

    # What others do -------------------------------------------------------------------------------

    def price(self, level: str) -> None:
        """One tick of the market."""
        self.sim.market.set_price(SOURCE, Decimal(level))

    def approve(self, body: Body, key: str) -> None:
        """Write into risk's stream, as risk would."""
        unit = self.settings.topology.units("risk")[0]
        lease = self.bus.acquire(unit, Owner("test", "risk", secrets.token_hex(4)))
        assert lease is not None
        writer = Writer(self.bus, unit)
        writer.load(lease)
        writer.commit(writer.roots([Output(Stream.ORDERS, key, body)]), {})
        self.bus.release(lease)

    def control(self, body: Body) -> int:
        """Post a control, as the operator would."""
        return self.bus.post(Stream.CONTROLS, "*", body)

    async def until(self, what: str, look: Callable[[], bool], act: Callable[[], None] | None = None) -> None:
        """Wait until it is so.

        Args:
            act: done before every look.

        Raises:
            Stuck: it does not come to be.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            if act is not None:
                act()
            self.look()
            if look():
                return
            if self.service is not None:
                self.service.check()
            if time.monotonic() > deadline:
                raise Stuck(f"{what}: not within {self._patience_s:g} s; {self.picture()}")
            await asyncio.sleep(LOOK_S)

    def timeline(self) -> str:
        """Everything that was said, in order, and every order of the venue: for whoever looks for a cause."""
        rows = sorted(
            (event.sent, f"{stream.value:10} {event_name(event.body)} {_detail(event.body)}")
            for stream, events in self.events.items()
            for event in events
            if not isinstance(event.body, ClockTick | AccountReport | AccountSnapshot)
        )
        began = rows[0][0] if rows else 0
        lines = [f"{(sent - began) / 1e6:8.3f} {text}" for sent, text in rows]
        return "\n".join((*lines, *(str(order) for order in self.every_order()), ""))

    def picture(self) -> str:
        """How things stand, for whoever looks for the cause."""
        ours = {o.client_id[:5]: o.state.value for o in self.orders.values() if not o.state.terminal}
        venue = {o.client_id[:5]: f"{o.status.value} {o.filled}/{o.quantity}" for o in self.alive()}
        told = self.place and f"{self.place.phase.value} {self.place.quantity}"
        return f"venue {self.position} {venue}, ours {told} {ours}"


def _detail(body: Body) -> str:
    """What tells one event from another of its kind."""
    state = getattr(body, "state", None)
    words = (getattr(body, name, "") for name in ("quantity", "trigger", "filled", "code", "detail"))
    return " ".join(str(word) for word in (state.value if state else "", *words) if word not in ("", None))
