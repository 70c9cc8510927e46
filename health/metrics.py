"""The fleet as Prometheus metrics: computed at each scrape, nothing is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bus_schemas.events import AlertCode
from bus_schemas.topology import READER_SPECS
from health import metric_defs as m
from health.board import Board
from health.checks import Code, unready
from health.fleet import STOPPING, Fleet
from health.venue import REFUSALS, VenueView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[m.MetricDef, tuple[str, ...], float]


def exposition(board: Board) -> bytes:
    """Every metric in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_FleetCollector(board))
    return generate_latest(registry)


def samples(fleet: Fleet, now: float) -> Iterator[Sample]:
    """Every figure with its labels."""
    yield from _services(fleet, now)
    yield from _bus(fleet, now)
    yield from _trading(fleet)
    yield from _venue(fleet.trading.venue, now)


class _FleetCollector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        with self._board.fleet() as (fleet, now):
            found = list(samples(fleet, now))
            stops = fleet.trading.venue.stops
            buckets, total_s = stops.cumulative(), stops.total_s
        by_metric: dict[m.MetricDef, list[tuple[tuple[str, ...], float]]] = {d: [] for d in m.METRICS}
        for definition, labels, value in found:
            by_metric[definition].append((labels, value))
        for definition, values in by_metric.items():
            if definition.kind == "histogram":
                histogram = HistogramMetricFamily(definition.name, definition.help)
                histogram.add_metric((), buckets, total_s)
                yield histogram
                continue
            kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
            family = kind(definition.name, definition.help, labels=definition.labels)
            for labels, value in values:
                family.add_metric(labels, value)
            yield family


def _services(fleet: Fleet, now: float) -> Iterator[Sample]:
    for (service, slot), replica in sorted(fleet.replicas.items()):
        who, beat = (service, slot), replica.beat
        in_time = replica.age(now) <= fleet.settings.silent_after_s
        yield m.UP, who, float(in_time and beat.status != STOPPING)
        yield m.READY, who, float(in_time and beat.status == "ready")
        yield m.LAST_SEEN, who, replica.age(now)
        yield m.UNITS, who, float(len(beat.units))
        for name, counter in m.COUNTERS.items():
            if name in beat.counters:
                yield counter, who, float(beat.counters[name])
        for name, gauge in m.GAUGES.items():
            if name in beat.gauges:
                yield gauge, who, beat.gauges[name]
        for name, value in sorted(beat.gauges.items()):
            kind, dot, symbol = name.partition(".")
            if dot and kind in m.SYMBOL_GAUGES:
                yield m.SYMBOL_GAUGES[kind], (*who, symbol), value
    seen = {service for service, _ in fleet.replicas}
    for service in sorted(set(fleet.settings.expect) - seen):
        yield m.UP, (service, ""), 0.0


def _bus(fleet: Fleet, now: float) -> Iterator[Sample]:
    yield m.BUS_UP, (), float(fleet.look is not None and not fleet.bus_fault)
    counts = Counter(reason.code for reason in unready(fleet, now))
    for code in sorted(Code):
        if code in counts or code in _ALWAYS:
            yield m.UNHEALTHY, (code.value,), float(counts[code])
    yield m.LEDGER_UP, (), float(not fleet.ledger.fault)
    yield m.LEDGER_BEHIND, (), float(fleet.ledger_behind())
    yield m.LEDGER_MISSED, (), float(fleet.ledger.missed)
    if fleet.look is None:
        return
    for unit in sorted(fleet.look.positions):
        owner = fleet.owner(unit, now)
        labels = (READER_SPECS[unit.reader].service, owner.slot if owner else "", str(unit))
        yield m.LAG, labels, float(fleet.lag(unit))
    for unit in sorted(fleet.look.dead):
        yield m.DEAD_OPEN, (READER_SPECS[unit.reader].service, str(unit)), float(fleet.dead_letters(unit))
    for place, tip in sorted(fleet.look.tips.items()):
        yield m.STREAM_TIP, (place.stream.value, place.part), float(tip)


def _trading(fleet: Fleet) -> Iterator[Sample]:
    trading = fleet.trading
    if trading.account is not None:
        yield m.EQUITY, (), float(trading.account.equity)
        yield m.CASH, (), float(trading.account.cash)
        yield m.DRAWDOWN, (), float(trading.account.drawdown)
        yield m.MAX_DRAWDOWN, (), float(trading.account.max_drawdown)
    held = {symbol: p for symbol, p in sorted(trading.positions.items()) if p.quantity != 0}
    yield m.POSITIONS, (), float(len(held))
    yield m.UNPROTECTED, (), float(sum(not position.protected for position in held.values()))
    for symbol, position in held.items():
        yield m.POSITION, (symbol,), float(position.quantity)
    for key, number in sorted(trading.decisions.items()):
        yield m.DECISIONS, key, float(number)
    trades = trading.trades
    yield m.FILLS, (), float(trading.fills)
    yield m.TRADES, ("win",), float(trades.wins)
    yield m.TRADES, ("loss",), float(trades.count - trades.wins)
    yield m.FEES, (), float(trades.fees)
    yield m.NET, (), float(trades.won - trades.lost)
    halted = {"*"} | {halt["symbol"] for halt in trading.active_halts()}
    active = {halt["symbol"] for halt in trading.active_halts()}
    for symbol in sorted(halted):
        yield m.HALTED, (symbol,), float(symbol in active)
    yield m.KILL_SWITCH, (), float(trading.kill_switch is not None)


def _venue(venue: VenueView, now: float) -> Iterator[Sample]:
    # every code and reason from the start, as 0: of a series that begins at 1 no increase can be seen
    for code in AlertCode:
        yield m.VENUE_ALERTS, (code.value,), float(venue.alerts[code.value])
    for reason in REFUSALS:
        yield m.REFUSED_ORDERS, (reason,), float(venue.refusals[reason])
    yield m.NEVER_STOPPED, (), float(venue.stops.never)
    yield m.UNKNOWN_ORDERS, (), float(len(venue.unknown))
    yield m.UNKNOWN_AGE, (), venue.oldest_unknown_s(now)


_ALWAYS = frozenset(Code) - {
    *(Code.STARTING, Code.KILL_SWITCH, Code.HALTED, Code.REDUCE_ONLY, Code.LEDGER_MISSED),
    Code.ORDER_UNKNOWN,
}
"""Reported as 0 when all is well, so that an alert on them has something to look at."""
