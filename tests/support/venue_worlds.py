"""One stage for every venue: commands in, reports out, and a hand on the market.

The paper venue is called directly. A live venue is the real edge in its thread, on a real bus, against the
simulated venue over HTTP.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from bus_schemas.bus.port import Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.codec import decode
from bus_schemas.envelope import Event, Output
from bus_schemas.events import AccountReport, Body, ClockTick, Leg, Mark, OrderKind, PlaceOrder, Range, Side
from bus_schemas.instruments import Instrument
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.unit import Writer
from bus_schemas.settings import PaperSettings, Settings
from bus_schemas.topology import Place, Stream
from execution.ids import client_id
from execution.live.work import EdgeThread
from execution.paper import PaperVenue
from tests.support.venue import RunningVenue

T = TypeVar("T", bound=Body)
D = Decimal
PATIENCE_S = 10.0
START = 1_700_000_100_000


class VenueWorld(ABC):
    """A venue with one empty account and one symbol at a price of 60,000.

    Attributes:
        symbol: canonical.
        terms: its contract terms.
        reports: everything that was said, in order.
    """

    symbol: str
    terms: Instrument
    reports: list[Body]

    @abstractmethod
    def send(self, *commands: Body) -> None:
        """Give commands, all at once."""

    @abstractmethod
    def price(self, level: str) -> None:
        """Move last and mark price there, through everything in between."""

    @abstractmethod
    def now(self) -> int:
        """The venue's time."""

    @abstractmethod
    def hear(self) -> None:
        """Take in what was said meanwhile; wait a moment for it."""

    @abstractmethod
    def resting(self) -> list[str]:
        """Client ids of the orders that the venue really holds now."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back."""

    def await_(self, type_: type[T], **fields: object) -> T:
        """The first report of this type with these fields, waited for."""
        return self.until(lambda: self.find(type_, **fields), f"{type_.__name__} {fields}")

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """What `look` finds, after as many looks as it takes."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := look()) is None:
            assert time.monotonic() < deadline, f"{what} did not come; there were {self._news()}"
            self.hear()
        return found

    def _news(self) -> list[Body]:
        return [body for body in self.reports if not isinstance(body, AccountReport | ClockTick)]

    def find(self, type_: type[T], **fields: object) -> T | None:
        """The first such report so far."""
        return next(iter(self.all(type_, **fields)), None)

    def all(self, type_: type[T], **fields: object) -> list[T]:
        """Every such report so far."""
        return [
            body
            for body in self.reports
            if isinstance(body, type_) and all(getattr(body, k) == v for k, v in fields.items())
        ]

    def order(
        self,
        leg: Leg = Leg.ENTRY,
        *,
        side: Side = Side.LONG,
        kind: OrderKind = OrderKind.LIMIT,
        quantity: str = "0.01",
        price: str | None = None,
        trigger: str | None = None,
        reduce_only: bool | None = None,
        signal: str = "s1",
        attempt: int = 1,
    ) -> PlaceOrder:
        """A command to place, dated now."""
        return PlaceOrder(
            time=self.now(),
            client_id=client_id(signal, leg, attempt),
            signal_id=signal,
            symbol=self.symbol,
            side=side,
            leg=leg,
            kind=kind,
            quantity=D(quantity),
            price=None if price is None else D(price),
            trigger=None if trigger is None else D(trigger),
            reduce_only=leg is not Leg.ENTRY if reduce_only is None else reduce_only,
        )


class PaperWorld(VenueWorld):
    """The paper venue, fed with marks of one price each."""

    def __init__(self) -> None:
        self.symbol = "BTCUSDT"
        self.terms = _terms(self.symbol)
        self.reports = []
        self._time = START
        self._last = D(60_000)
        self._seq = {Stream.COMMANDS: 0, Stream.MARKS: 0}
        self._venue = PaperVenue(PaperSettings(slippage_bps=D(0)), {self.symbol: self.terms}, "MAIN")
        self._venue.load({})
        self._mark(self._last)

    def send(self, *commands: Body) -> None:
        for command in commands:
            self._time += 1
            self._give(Stream.COMMANDS, command)

    def price(self, level: str) -> None:
        before, self._last = self._last, D(level)
        low, high = sorted((before, self._last))
        bar = Range(open_time=self._time, open=before, high=high, low=low, close=self._last)
        self._mark(self._last, bar)

    def _mark(self, level: Decimal, bar: Range | None = None) -> None:
        self._time += 1000
        mark = Mark(time=self._time, symbol=self.symbol, mark=level, spot=level, bar=bar)
        self._give(Stream.MARKS, mark)

    def _give(self, stream: Stream, body: Body) -> None:
        self._seq[stream] += 1
        part = "MAIN" if stream is Stream.COMMANDS else "p0"
        outputs = self._venue.handle(Event(Place(stream, part), self._seq[stream], self.symbol, body))
        self.reports += [output.body for output in outputs]

    def now(self) -> int:
        return self._time

    def hear(self) -> None:
        self._mark(self._last)  # time passes at the same price

    def resting(self) -> list[str]:
        return sorted(self._venue._desks.get(self.symbol).orders)

    def close(self) -> None:
        pass


class LiveWorld(VenueWorld):
    """The edge against a simulated venue.

    Args:
        sim: with an account of its own.
        protocol: ccxt's id.
        url, namespace: of the bus.
        overrides: settings of the venue.
    """

    def __init__(
        self, sim: RunningVenue, protocol: str, url: str, namespace: str, **overrides: object
    ) -> None:
        self.sim = sim
        self.protocol = protocol
        self.symbol = "BTCUSD" if protocol == "krakenfutures" else "BTCUSDT"
        self.settings = live_settings(sim, protocol, url, namespace, self.symbol, **overrides)
        self.connect()
        self.terms = self.settings.instrument_table()[self.symbol]
        self.edge = self.start()

    def connect(self) -> None:
        """Speak as the order manager; again after the server was another one, with nothing heard yet."""
        bus = self.settings.bus
        link = Link(bus.url.get_secret_value(), 5.0)
        self._bus = RedisBus(link, bus.namespace, self.settings.topology, 60_000)
        self._bus.declare()
        unit = self.settings.topology.units("manager")[0]
        lease = self._bus.acquire(unit, Owner("test", "0", f"test-{time.monotonic_ns()}"))
        assert lease is not None
        self._writer = Writer(self._bus, unit)
        self._writer.load(lease)
        self._read = 0
        self.reports = []

    def start(self) -> EdgeThread:
        """One more edge, as of a process of its own."""
        owner = Owner("test", "0", f"nonce-{time.monotonic_ns()}")
        self.vitals = Vitals("execution", owner)
        edge = EdgeThread(self.settings, owner, self.vitals)
        edge.start()
        deadline = time.monotonic() + PATIENCE_S
        while not edge.ready:
            edge.check()
            assert time.monotonic() < deadline, "the edge was never ready"
            time.sleep(0.005)
        return edge

    def send(self, *commands: Body) -> None:
        outputs = [Output(Stream.COMMANDS, self.symbol, command) for command in commands]
        self._writer.commit(self._writer.roots(outputs), {})

    def price(self, level: str) -> None:
        self.sim.control.price(self.symbol, level)

    def now(self) -> int:
        return self.sim.control.clock()

    def hear(self) -> None:
        self.edge.check()
        place = self.settings.topology.places(Stream.REPORTS)[0]
        entries = self._bus.read({place: self._read}, 1000, 0.05)
        for entry in entries:
            self._read = entry.seq
            self.reports.append(decode(*entry).body)

    def resting(self) -> list[str]:
        orders = self.sim.control.account(self.protocol)["orders"]
        return sorted(order["client_id"] for order in orders if order["status"] in ("open", "waiting"))

    def close(self) -> None:
        self.edge.stop()
        self._bus.close()


def live_settings(
    sim: RunningVenue, protocol: str, url: str, namespace: str, symbol: str, **overrides: object
) -> Settings:
    """Settings of a fast and impatient account at the simulated venue."""
    key, secret = sim.keys(protocol)
    venue = {
        "name": protocol,
        "api_key": key,
        "api_secret": secret,
        "rest_url": sim.rest_url,
        "poll_s": 0.25,
        "tick_s": 0.1,
        "valid_ms": 200,
        "lag_ms": 50,
        "doubt_s": 0,
        "timeout_s": 2.0,
    }
    return Settings.model_validate(
        {
            "venue": venue | overrides,
            "bus": {"url": url, "namespace": namespace, "lease_ms": 2000},
            "market_data": {"symbols": (symbol,)},
            "instruments": {symbol: _plain(_terms(symbol))},
        }
    )


def _terms(symbol: str) -> Instrument:
    quote = "USDT" if symbol.endswith("USDT") else "USD"
    return Instrument(
        symbol=symbol, base="BTC", quote=quote, settle=quote, tick=D(1), step=D("0.001"),
        min_quantity=D("0.001"), min_notional=D(100),
    )  # fmt: skip


def _plain(terms: Instrument) -> dict[str, str]:
    names = ("base", "quote", "settle", "tick", "step", "min_quantity", "min_notional")
    return {name: str(getattr(terms, name)) for name in names}
