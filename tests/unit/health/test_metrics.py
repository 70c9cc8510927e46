from __future__ import annotations

import re
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus_schemas.events import AlertCode, OrderState, PositionPhase, PositionState
from bus_schemas.settings import HealthSettings
from bus_schemas.topology import Stream, Unit
from health import metric_defs
from health.board import Board
from health.fleet import Fleet, Look
from health.metrics import exposition
from health.rows import Row, record, sources
from health.trading import Trading
from tests.unit.health.writer import (
    BAR,
    START,
    Writer,
    a_day,
    alert,
    beat,
    fill,
    halted,
    order,
    position,
    refused,
    snapshot,
)

NOW = 500.0
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(fleet: Fleet) -> Figures:
    text = exposition(Board(fleet, lambda: NOW)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Figures, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def fold(writer: Writer, trading: Trading) -> None:
    peak = Decimal(0)
    for place in sources(writer.bus.topology):
        for entry in writer.bus.range(place, 0, 10_000):
            row = record(entry).row
            if row is None:
                continue
            if row.table == "equity":  # the ledger fills it in
                peak = max(peak, row.columns["equity"])
                row = Row(row.table, row.columns | {"peak": peak})
            trading.apply(row, NOW)


def test_one_scrape_has_every_service_and_trading(writer: Writer) -> None:
    fleet = Fleet(HealthSettings(), NOW - 3)
    a_day(writer, 8)
    writer.write(Stream.EXECUTIONS, "BTCUSDT", position(9, stop=None))
    writer.write(Stream.EXECUTIONS, "ETHUSDT", position(9, "ETHUSDT", "-2", "3000"))
    mark = PositionState(symbol="BTCUSDT", quantity=Decimal(1), entry_price=Decimal(1), mark=Decimal(1))
    writer.write(Stream.EXECUTIONS, "MAIN", snapshot(10, "9000", mark))
    writer.write(Stream.ORDERS, "BTCUSDT", refused(9), halted(9, "BTCUSDT"))
    fold(writer, fleet.trading)
    counters = {"events": 12, "commits": 3, "reloads": 1, "dead_letters": 2, "strange": 1}
    fleet.beat(
        beat("strategy", 1, units=("strategy.p0",), counters=counters, gauges={"memory_bytes": 5e7}), NOW - 2
    )
    fleet.beat(beat("risk", 1), NOW - 60)
    unit = Unit("strategy", "p0")
    place = writer.bus.topology.inputs(unit)[0]
    fleet.seen_bus(Look({place: 9}, {unit: {place: 2}}, {unit: 2}), NOW)
    found = scraped(fleet)
    strategy = {"service": "strategy", "slot": "0"}
    assert value(found, "causeway_up", **strategy) == 1
    assert value(found, "causeway_up", service="risk", slot="0") == 0
    assert value(found, "causeway_up", service="execution", slot="") == 0  # expected, never seen
    assert value(found, "causeway_service_events_total", **strategy) == 12
    assert value(found, "causeway_service_commits_total", **strategy) == 3
    assert value(found, "causeway_service_reloads_total", **strategy) == 1
    assert value(found, "causeway_service_dead_letters_total", **strategy) == 2
    assert value(found, "causeway_service_memory_bytes", **strategy) == 5e7
    assert value(found, "causeway_service_last_seen_seconds", **strategy) == 2
    assert value(found, "causeway_lag_events", **strategy, unit="strategy.p0") == 7
    assert value(found, "causeway_dead_letters_unacknowledged", service="strategy", unit="strategy.p0") == 2
    assert value(found, "causeway_unhealthy_reasons", code="service_silent") == 1
    assert value(found, "causeway_unhealthy_reasons", code="ledger_fault") == 0
    assert value(found, "causeway_equity") == 9000
    assert value(found, "causeway_drawdown_ratio") == pytest.approx(1 - 9000 / 10168)
    assert value(found, "causeway_open_positions") == 2
    assert value(found, "causeway_unprotected_positions") == 1
    assert value(found, "causeway_position_contracts", symbol="ETHUSDT") == -2
    none = {"stage": "strategy", "outcome": "none", "reason": "no_break"}
    assert value(found, "causeway_decisions_total", **none) == 22
    refusal = {"stage": "risk", "outcome": "refused", "reason": "reward_to_risk"}
    assert value(found, "causeway_decisions_total", **refusal) == 2
    assert value(found, "causeway_halted", symbol="BTCUSDT") == 1
    assert value(found, "causeway_halted", symbol="*") == 0
    assert value(found, "causeway_kill_switch") == 0


def test_the_number_of_unprotected_positions_is_a_gauge(writer: Writer) -> None:
    fleet = Fleet(HealthSettings(), NOW)
    counts = []
    for step in (
        [position(1, quantity="0", stop=None, phase=PositionPhase.OPENING)],
        [position(2, stop=None), position(2, "ETHUSDT", "-2", None)],
        [position(3)],
        [position(4, "ETHUSDT", "-1", None)],
        [position(5, "ETHUSDT", "-0", None, phase=PositionPhase.CLOSED)],
    ):
        for body in step:
            place = writer.write(Stream.EXECUTIONS, body.symbol, body)
            row = record(writer.bus.range(place, writer.bus.tip(place) - 1, 1)[0]).row
            assert row is not None
            fleet.trading.apply(row, NOW)
        counts.append(value(scraped(fleet), "causeway_unprotected_positions"))
    assert counts == [0, 2, 1, 1, 0]


def test_the_venue_as_metrics(writer: Writer) -> None:
    fleet = Fleet(HealthSettings(), NOW)
    writer.write(
        Stream.EXECUTIONS,
        "BTCUSDT",
        *(alert(1, AlertCode.DENIED), alert(2), alert(3)),
        *(order(1, OrderState.UNKNOWN), order(2, OrderState.UNKNOWN), order(2)),
        *(order(3, OrderState.REJECTED, detail="margin: not enough"), order(4, OrderState.REJECTED)),
        *(fill(1, traded=START + BAR - 700), position(1, stop=None), position(1)),
    )
    fold(writer, fleet.trading)
    found = scraped(fleet)
    assert value(found, "causeway_venue_alerts_total", code="denied") == 1
    assert value(found, "causeway_venue_alerts_total", code="rate_limited") == 2
    assert value(found, "causeway_venue_alerts_total", code="clock") == 0
    assert value(found, "causeway_order_refusals_total", reason="margin") == 1
    assert value(found, "causeway_order_refusals_total", reason="not_placed") == 1
    assert value(found, "causeway_unknown_orders") == 1
    assert value(found, "causeway_unknown_order_age_seconds") == 0
    later = Board(fleet, lambda: NOW + 61.5)
    assert b"causeway_unknown_order_age_seconds 61.5" in exposition(later)


def test_the_time_from_the_first_fill_to_the_stop_is_a_histogram(writer: Writer) -> None:
    fleet = Fleet(HealthSettings(), NOW)
    waits = (0, 50, 51, 700, 9_999, 61_000)
    for n, wait in enumerate(waits, 1):
        writer.write(
            Stream.EXECUTIONS,
            "BTCUSDT",
            *(fill(n, traded=START + n * BAR - wait), fill(n), position(n, stop=None), position(n)),
            *(fill(n), position(n, stop=None), position(n)),  # later fills count no second time
            position(n, quantity="0", phase=PositionPhase.CLOSED),
        )
    fold(writer, fleet.trading)
    found, name = scraped(fleet), "causeway_time_to_stop_seconds"
    steps = {"0.05": 2, "0.1": 3, "0.5": 3, "1.0": 4, "5.0": 4, "10.0": 5, "60.0": 5, "+Inf": 6}
    assert {le: value(found, f"{name}_bucket", le=le) for le in steps} == steps
    assert value(found, f"{name}_count") == 6
    assert value(found, f"{name}_sum") == pytest.approx(sum(waits) / 1000)
    assert fleet.trading.venue.stops.since == {}


def test_gauges_of_the_live_edge_and_feed_are_passed_on() -> None:
    fleet = Fleet(HealthSettings(), NOW)
    gauges = {
        "venue_weight_used": 117.0,
        "venue_breaker_open": 1.0,
        "venue_clock_offset_ms": -12.0,
        "venue_pending_commands": 2.0,
        "venue_hints_silent_s": 3.5,
        "strange": 1.0,
        "strange.X": 1.0,
    }
    fleet.beat(beat("execution", 1, gauges=gauges), NOW)
    ages = {"mark_age_s": 4.0, "mark_age_s.BTCUSDT": 0.5, "data_age_s.SOLUSDT": 4.0}
    fleet.beat(
        beat("market_data", 1, gauges={**ages, "candle_late_s.BTCUSDT": 9.0, "silent_symbols": 1.0}), NOW
    )
    found = scraped(fleet)
    edge, feed = {"service": "execution", "slot": "0"}, {"service": "market_data", "slot": "0"}
    assert value(found, "causeway_service_venue_weight_used", **edge) == 117
    assert value(found, "causeway_service_venue_breaker_open", **edge) == 1
    assert value(found, "causeway_service_venue_clock_offset_ms", **edge) == -12
    assert value(found, "causeway_service_venue_pending_commands", **edge) == 2
    assert value(found, "causeway_service_venue_hints_silent_seconds", **edge) == 3.5
    assert value(found, "causeway_service_silent_symbols", **feed) == 1
    assert value(found, "causeway_service_data_age_seconds", **feed, symbol="BTCUSDT") == 0.5
    assert value(found, "causeway_service_data_age_seconds", **feed, symbol="SOLUSDT") == 4
    assert value(found, "causeway_service_candle_late_seconds", **feed, symbol="BTCUSDT") == 9


def test_every_metric_has_a_name_a_help_and_is_served() -> None:
    text = exposition(Board(Fleet(HealthSettings(), NOW), lambda: NOW)).decode()
    names = [d.name for d in metric_defs.METRICS]
    assert len(names) == len(set(names))
    for definition in metric_defs.METRICS:
        assert re.fullmatch(r"causeway_[a-z_]+(?<!_total)", definition.name)
        assert definition.help.endswith(".")
        suffix = "_total" if definition.kind == "counter" else ""
        assert f"# HELP {definition.name}{suffix} {definition.help}" in text
        assert f"# TYPE {definition.name}{suffix} {definition.kind}" in text


def test_scrapes_share_nothing() -> None:
    fleet = Fleet(HealthSettings(), NOW)
    assert scraped(fleet) == scraped(fleet)
