"""Manager and paper venue on one small bus, and a compact notation for candles.

`"100 101 97 98"` is open, high, low, close of the next quarter of an hour.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from bus_schemas.decider import Decider
from bus_schemas.envelope import Event, Output
from bus_schemas.events import Body, Mark, OrderApproved, Range, Side, Target
from bus_schemas.instruments import Instrument
from bus_schemas.settings import ExecutionSettings, PaperSettings
from bus_schemas.topology import Place, Stream
from execution.manager import OrderManager
from execution.paper import PaperVenue

BAR = 900_000
START = 1_700_000_100_000
SYMBOL = "XUSDT"
D = Decimal


def instrument(symbol: str = SYMBOL, **terms: str) -> Instrument:
    base = {"tick": "0.1", "step": "0.1", "min_quantity": "0.1", "min_notional": "5"} | terms
    return Instrument(
        symbol=symbol, base=symbol[:-4], quote="USDT", settle="USDT", **{k: D(v) for k, v in base.items()}
    )


INSTRUMENTS = {SYMBOL: instrument(), "YUSDT": instrument("YUSDT")}


def approved(
    time: int = START,
    *,
    side: str = "long",
    quantity: str = "2",
    entry: str = "100",
    stop: str = "95",
    targets: str = "110:1 120:1",
    signal: str = "s1",
    symbol: str = SYMBOL,
    expires: int = START + 1000 * BAR,
) -> OrderApproved:
    pairs = [pair.split(":") for pair in targets.split()]
    return OrderApproved(
        time=time,
        signal_id=signal,
        symbol=symbol,
        side=Side(side),
        quantity=D(quantity),
        entry=D(entry),
        stop=D(stop),
        targets=tuple(Target(price=D(p), quantity=D(q)) for p, q in pairs),
        leverage=D(1),
        margin=D(100),
        risk=D(10),
        expires=expires,
    )


def candle(time: int, row: str, symbol: str = SYMBOL, funding: str | None = None) -> Mark:
    o, h, low, c = (D(x) for x in row.split())
    return Mark(
        time=time,
        symbol=symbol,
        mark=c,
        spot=c,
        funding=None if funding is None else D(funding),
        bar=Range(open_time=time - BAR, open=o, high=h, low=low, close=c),
    )


class World:
    """One event at a time, venue first, then the manager, until it is quiet."""

    def __init__(
        self,
        paper: PaperSettings | None = None,
        execution: ExecutionSettings | None = None,
        instruments: dict[str, Instrument] | None = None,
        restore: bool = False,
        repeat_reports: bool = False,
    ) -> None:
        table = instruments or INSTRUMENTS
        self.paper = paper or PaperSettings(slippage_bps=D(0), maker_fee=D(0), taker_fee=D(0))
        self.settings = execution or ExecutionSettings(break_even_bps=D(0))
        self.make_venue = lambda: PaperVenue(self.paper, table, "MAIN")
        self.make_manager = lambda: OrderManager(self.settings, table, "MAIN")
        self.venue, self.manager = self.make_venue(), self.make_manager()
        self.stored: dict[str, dict[str, bytes]] = {"venue": {}, "manager": {}}
        self.restore, self.repeat = restore, repeat_reports
        self.queue: dict[str, deque[Event]] = {"venue": deque(), "manager": deque()}
        self.log: list[Output] = []
        self.seq: dict[Stream, int] = {}
        self.time = START
        self.observers: list[object] = []

    def bodies(self, *types: type[Body]) -> list[Body]:
        return [o.body for o in self.log if not types or isinstance(o.body, types)]

    def bars(self, *rows: str, symbol: str = SYMBOL, funding: str | None = None) -> World:
        for row in rows:
            self.time += BAR
            self.mark(candle(self.time, row, symbol, funding))
        return self

    def mark(self, mark: Mark) -> World:
        return self.give(Stream.MARKS, "venue", mark)

    def approve(self, **terms: object) -> World:
        return self.give(Stream.ORDERS, "manager", approved(**({"time": self.time} | terms)))  # type: ignore[arg-type]

    def control(self, body: Body) -> World:
        return self.give(Stream.CONTROLS, "manager", body)

    def order(self, body: Body) -> World:
        return self.give(Stream.ORDERS, "manager", body)

    def command(self, body: Body) -> World:
        return self.give(Stream.COMMANDS, "venue", body)

    def report(self, body: Body) -> World:
        return self.give(Stream.REPORTS, "manager", body)

    def give(self, stream: Stream, to: str, body: Body) -> World:
        self.put(stream, to, body)
        while self.queue["venue"] or self.queue["manager"]:
            who = "venue" if self.queue["venue"] else "manager"
            self.run(who, self.queue[who].popleft())
        return self

    def put(self, stream: Stream, to: str, body: Body) -> None:
        self.seq[stream] = self.seq.get(stream, 0) + 1
        place = Place(stream, "MAIN")
        event = Event(place, self.seq[stream], getattr(body, "symbol", "MAIN"), body)
        self.queue[to].append(event)
        if self.repeat and stream is Stream.REPORTS:
            self.queue[to].append(event)

    def run(self, who: str, event: Event) -> None:
        decider: Decider = self.venue if who == "venue" else self.manager
        outputs = decider.handle(event)
        for key, value in decider.changes().items():
            if value is None:
                self.stored[who].pop(key, None)
            else:
                self.stored[who][key] = value
        if self.restore:
            fresh = self.make_venue() if who == "venue" else self.make_manager()
            fresh.load(self.stored[who])
            setattr(self, who, fresh)
        self.log += outputs
        for output in outputs:
            if output.stream is Stream.COMMANDS:
                self.put(output.stream, "venue", output.body)
            elif output.stream is Stream.REPORTS:
                self.put(output.stream, "manager", output.body)
        for observer in self.observers:
            observer(self, event, outputs)  # type: ignore[operator]


def types(outputs: Iterable[Output]) -> list[str]:
    return [type(o.body).__name__ for o in outputs]
