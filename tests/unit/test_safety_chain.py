"""From the order manager's word to the halt, the gauge and the alert: each service's own code, no bus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.envelope import Event, Output
from bus_schemas.events import AccountSnapshot, Body, HaltReason, Mark, TradingHalted
from bus_schemas.settings import HealthSettings
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.topology import Place, Stream, Topology
from health.board import Board
from health.checks import Code, unhealthy
from health.fleet import Fleet
from health.metrics import exposition
from health.rows import Row, record
from risk.decider import RiskDecider
from tests.unit.deploy.plain_yaml import load
from tests.unit.execution.desk import D, Desk
from tests.unit.execution.world import INSTRUMENTS, SYMBOL
from tests.unit.health.writer import Writer
from tests.unit.risk.desk import COSTS

ALERTS = load(Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "alerts.yml")


class Chain(Desk):
    """The manager's executions go to risk and to health; what risk orders comes back to the manager."""

    def __init__(self) -> None:
        self.risk = RiskDecider(RiskSettings(), COSTS, INSTRUMENTS, "MAIN")
        self.risk_said: list[Body] = []
        self.fleet = Fleet(HealthSettings(expect=()), 0.0)
        self._writer = Writer(MemoryBus(Topology(partitions=2)))
        super().__init__()
        cash = AccountSnapshot(time=self.time, cash=D(10_000), equity=D(10_000))
        self.to_risk(Stream.EXECUTIONS, cash)
        self.mark()

    @property
    def clock_s(self) -> float:
        return self.time / 1000

    def run(self, who: str, event: Event) -> None:
        before = len(self.log)
        super().run(who, event)
        self.passed_on(self.log[before:])

    def passed_on(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if output.stream is Stream.EXECUTIONS:
                self.to_health(output)
                self.to_risk(output.stream, output.body)

    def to_risk(self, stream: Stream, body: Body) -> None:
        part = "p0" if stream is Stream.MARKS else "MAIN"
        for output in self.risk.handle(Event(Place(stream, part), 1, SYMBOL, body)):
            self.risk_said.append(output.body)
            self.put(Stream.ORDERS, "manager", output.body)

    def to_health(self, output: Output) -> None:
        place = self._writer.write(output.stream, output.key, output.body)
        bus = self._writer.bus
        row = record(bus.range(place, bus.tip(place) - 1, 1)[0]).row
        assert row is not None
        columns = row.columns | ({"peak": row.columns["equity"]} if row.table == "equity" else {})
        self.fleet.trading.apply(Row(row.table, columns), self.clock_s)

    def mark(self) -> None:
        self.to_risk(Stream.MARKS, Mark(time=self.time, symbol=SYMBOL, mark=D(100), spot=D(100)))

    def halts(self) -> list[tuple[str, HaltReason]]:
        return [(b.symbol, b.reason) for b in self.risk_said if isinstance(b, TradingHalted)]

    def gauge(self, name: str) -> float:
        text = exposition(Board(self.fleet, lambda: self.clock_s)).decode()
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def alert_on(series: str) -> dict[str, str]:
    """The one rule of severity critical that asks for this series."""
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"] if series in rule["expr"]]
    (found,) = [rule for rule in rules if rule["labels"]["severity"] == "critical"]
    return found  # type: ignore[no-any-return]


def test_the_number_of_unprotected_positions_is_a_gauge_an_alert_and_a_halt() -> None:
    chain = Chain()
    chain.approve().ack("e1")
    assert chain.gauge("causeway_unprotected_positions") == 0
    chain.fill("e1", "2")
    assert chain.gauge("causeway_unprotected_positions") == 1
    assert alert_on("causeway_unprotected_positions")["expr"] == "causeway_unprotected_positions > 0"

    chain.tick(60, step=5)  # no answer: the manager closes it, and that is not answered either
    chain.mark()
    assert (SYMBOL, HaltReason.UNPROTECTED) in chain.halts()
    assert (Code.POSITION_UNPROTECTED, SYMBOL) in [
        (reason.code, reason.subject) for reason in unhealthy(chain.fleet, chain.clock_s)
    ]
    chain.ack("s1")
    assert chain.gauge("causeway_unprotected_positions") == 0
    assert chain.gauge("causeway_time_to_stop_seconds_sum") == 60
    placed = list(chain.placed)
    chain.fill("c1", "2").cancelled("s1").approve(signal="n2")
    assert chain.placed == placed, "the symbol stays halted until a person has looked"


def test_unknown_after_bounded_look_ups_halts_the_symbol() -> None:
    chain = Chain()
    chain.approve().tick(11)
    assert chain.gauge("causeway_unknown_orders") == 1
    for _ in range(20):
        chain.tick(11)
        if chain.halts():
            break
    assert chain.halts() == [(SYMBOL, HaltReason.MISMATCH)]
    assert len(chain.looked_up) == chain.settings.look_up_attempts
    assert "no answer to 5 look-ups" in chain.fleet.trading.notices[-1]["detail"]
    assert chain.gauge("causeway_unknown_order_age_seconds") > 60
    assert alert_on("causeway_unknown_order_age_seconds")["expr"].endswith("> 60")
    assert chain.position.reserved == 2  # its exposure stays reserved

    chain.tick(3600).not_found("e1")  # the venue's word at last: nothing was ever held
    assert chain.gauge("causeway_unknown_orders") == 0
    chain.approve(signal="n2")
    assert chain.placed == ["e1"], "the symbol stays halted until a person has looked"
