"""The execution service of a live run in this process, against a simulated venue: the real order manager
and the real edge, with the test as risk, operator and market."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from bus_schemas.bus.port import Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.codec import decode
from bus_schemas.envelope import Output
from bus_schemas.events import Body, OrderApproved, OrderChanged, PositionChanged, Side, Target
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.unit import Writer
from bus_schemas.settings import Settings
from bus_schemas.topology import Stream
from execution.live.work import LiveWork
from tests.support.venue import RunningVenue
from tests.support.venue_worlds import live_settings

T = TypeVar("T", bound=Body)
D = Decimal
PATIENCE_S = 15.0
QUICK = {
    "answer_ms": 1500,
    "not_found_grace_ms": 500,
    "stop_deadline_ms": 8000,
    "mismatch_grace_ms": 600,
    "break_even_bps": "7",
}
"""Settings of an order manager that waits for nothing long."""
_ALIVE = ("open", "waiting")
_HEARD = (Stream.COMMANDS, Stream.REPORTS, Stream.EXECUTIONS)


class Trading:
    """One account that is traded. Orders have names by leg and attempt: `e1`, `s2`, `t11`, `t21`, `c1`.

    Args:
        sim: with an account of its own, at a price of 60,000.
        protocol: ccxt's id.
        url, namespace: of the bus.
        execution: settings of the order manager beside `QUICK`.
        venue: settings of the venue beside those of `live_settings`.

    Attributes:
        symbol: canonical.
        said: everything on commands, reports and executions, in order of each stream.
    """

    def __init__(
        self,
        sim: RunningVenue,
        protocol: str,
        url: str,
        namespace: str,
        execution: dict[str, Any] | None = None,
        **venue: object,
    ) -> None:
        self.sim, self.protocol = sim, protocol
        self.symbol = "BTCUSD" if protocol == "krakenfutures" else "BTCUSDT"
        plain = live_settings(sim, protocol, url, namespace, self.symbol, **venue)
        keeping = type(plain.execution).model_validate(QUICK | (execution or {}))
        self.settings: Settings = plain.model_copy(update={"execution": keeping})
        self.said: list[Body] = []
        self._at = dict.fromkeys((self.settings.topology.places(each)[0] for each in _HEARD), 0)
        self._bus = self._connect()
        self._bus.declare()
        self._starts = 0
        self.start()

    def _connect(self) -> RedisBus:
        bus = self.settings.bus
        link = Link(bus.url.get_secret_value(), 5.0)
        return RedisBus(link, bus.namespace, self.settings.topology, bus.lease_ms)

    def start(self) -> None:
        """A process of the service begins."""
        self._starts += 1
        owner = Owner("test", "0", f"life-{self._starts}")
        self.vitals = Vitals("execution", owner)
        self._work_bus = self._connect()
        self._work = LiveWork(self.settings, self._work_bus, owner, self.vitals)

    def stop(self) -> None:
        """The process ends in order."""
        self._work.finish()
        self._work_bus.close()

    def close(self) -> None:
        """Give everything back."""
        self.stop()
        self._bus.close()

    # What others do -------------------------------------------------------------------------------

    def risk(self, *bodies: Body) -> None:
        """Write into risk's stream, as risk would."""
        unit = self.settings.topology.units("risk")[0]
        lease = self._bus.acquire(unit, Owner("test", "risk", "r"))
        assert lease is not None
        writer = Writer(self._bus, unit)
        writer.load(lease)
        writer.commit(writer.roots([Output(Stream.ORDERS, self.symbol, body) for body in bodies]), {})
        self._bus.release(lease)

    def approve(
        self,
        entry: str = "59900",
        *,
        signal: str = "s1",
        side: Side = Side.LONG,
        quantity: str = "0.012",
        stop: str = "59000",
        targets: str = "60600:0.006 61200:0.006",
    ) -> None:
        """Risk approves of an entry."""
        now = self.now()
        pairs = [pair.split(":") for pair in targets.split()]
        self.risk(
            OrderApproved(
                time=now,
                signal_id=signal,
                symbol=self.symbol,
                side=side,
                quantity=D(quantity),
                entry=D(entry),
                stop=D(stop),
                targets=tuple(Target(price=D(price), quantity=D(part)) for price, part in pairs),
                leverage=D(5),
                margin=D(150),
                risk=D(12),
                expires=now + 600_000,
            )
        )

    def control(self, body: Body) -> None:
        """The operator says."""
        self._bus.post(Stream.CONTROLS, "*", body)

    def price(self, level: str) -> None:
        """Move last and mark price there."""
        self.sim.control.price(self.symbol, level)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the venue's faults; none clear them."""
        self.sim.control.faults(*rules)

    def now(self) -> int:
        """The venue's time."""
        return self.sim.control.clock()

    # What is --------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let the service work for a moment, and hear what was said."""
        self._work.step()
        for entry in self._bus.read(self._at, 1000, 0):
            self._at[entry.place] = entry.seq
            self.said.append(decode(*entry).body)

    def work_for(self, seconds: float) -> None:
        """Let the service work for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()

    def until(self, look: Callable[[], Any], what: str) -> None:
        """Let the service work until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < deadline, f"{what}: not so; {self.picture()}"
            self.step()

    def all(self, type_: type[T], **fields: object) -> list[T]:
        """Everything of this type that was said, with these fields."""
        return [
            body
            for body in self.said
            if isinstance(body, type_) and all(getattr(body, name) == value for name, value in fields.items())
        ]

    def states(self, name: str) -> list[str]:
        """The states of an order as they were told, the last at the end."""
        return [o.state.value for o in self.all(OrderChanged) if order_name(o.client_id) == name]

    def names(self, type_: type[Body]) -> list[str]:
        """Names of the orders that bodies of this type are about."""
        return [order_name(getattr(body, "client_id", "")) for body in self.all(type_)]

    @property
    def position(self) -> PositionChanged | None:
        """As we tell it."""
        return next(iter(reversed(self.all(PositionChanged))), None)

    def account(self) -> dict[str, Any]:
        """The venue's truth."""
        return self.sim.control.account(self.protocol)

    def taken(self) -> dict[str, list[dict[str, Any]]]:
        """Every order of ours that the venue ever took, by name; a triggered stop's successor aside."""
        found: dict[str, list[dict[str, Any]]] = {}
        for order in self.account()["orders"]:
            if order["client_id"] and not order["origin"]:
                found.setdefault(order_name(order["client_id"]), []).append(order)
        return found

    def alive(self) -> list[str]:
        """Names of the orders that the venue holds."""
        return sorted(
            order_name(order["client_id"]) for order in self.account()["orders"] if order["status"] in _ALIVE
        )

    def held(self) -> Decimal:
        """Signed contracts at the venue."""
        return sum((D(state["quantity"]) for state in self.account()["positions"]), D(0))

    def protected(self) -> bool:
        """Whether we say that the position is, and every order of ours that lives is acknowledged."""
        return self.position is not None and self.position.protected

    def rest(self, *names: str) -> bool:
        """Whether these live at the venue and no others, and we know each of them as accepted."""
        if self.alive() != sorted(names):
            return False
        return all(self.states(name)[-1:] in (["accepted"], ["partly_filled"]) for name in names)

    def open(self, **terms: str) -> None:
        """Come to hold a protected position whose two targets rest."""
        self.approve(**terms)  # type: ignore[arg-type]
        self.until(lambda: self.alive() == ["e1"], "the entry rests")
        self.price("59890")
        self.until(lambda: self.rest("s1", "t11", "t21"), "stop and targets")

    def picture(self) -> str:
        """How things stand, in short."""
        orders = {order_name(o.client_id): o.state.value for o in self.all(OrderChanged)}
        return f"venue {self.held()} {self.alive()}, ours {orders}"


def order_name(client_id: str) -> str:
    """`e1` of `cw-e1-…`; another's id as it is."""
    parts = client_id.split("-")
    return parts[1] if len(parts) == 3 and parts[0] == "cw" else client_id
