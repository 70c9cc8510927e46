"""From a candle's commit to the order's command, over four free-running processes, beside bare hops.

Both by the server's clock, at one rate. The services are the real ones; the settings make them signal
often, with entries so far away and so short-lived that the next candle finds no position in its way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from bus_schemas.bus.port import Observer
from bus_schemas.codec import decode
from bus_schemas.envelope import Event
from bus_schemas.events import Candle, PlaceOrder
from bus_schemas.settings import Settings
from bus_schemas.timeframes import length
from bus_schemas.topology import Stream
from tests.bench.figures import Figure, beside, quantile
from tests.bench.ping import Chain
from tests.bench.stage import Stage, server, settings_for

RATE = 50
"""Bars, and messages, per second."""
SERVICES = ("market_data", "strategy", "risk", "execution")
FOR_EVER_MS = 10**12
"""At this pace hours of event time pass in the milliseconds of a hop: no deadline may run out."""
SIGNALS_OFTEN: dict[str, dict[str, Any]] = {
    "strategy": {
        "decision_timeframe": "15m",
        "bias_timeframe": "1h",
        "internal_length": 1,
        "swing_length": 2,
        "bias_internal_length": 1,
        "bias_swing_length": 2,
        "sweep_step": "off",
        "min_score": 0,
        "stop_beyond": "zone",
        "warmup_bars": 20,
        "bias_max_age": 5000,
        "break_max_age": 1000,
        "fvg_min_atr": 0,
        "max_entry_atr": 50,
        "min_room_r": 0,
        "min_stop_atr": 0.1,
        "max_stop_atr": 50,
        "expiry_bars": 1,
    },
    "risk": {
        "risk_per_trade_pct": "0.05",
        "daily_loss_pct": "90",
        "drawdown_pct": "99",
        "loss_streak": 1000,
        "reward_to_risk": "0.01",
        "data_age_s": FOR_EVER_MS // 1000,
        "unprotected_s": FOR_EVER_MS // 1000,
    },
    "execution": dict.fromkeys(
        ("answer_ms", "not_found_grace_ms", "stop_deadline_ms", "mismatch_grace_ms"), FOR_EVER_MS
    ),
}


def run(quick: bool, fsyncs: Sequence[str]) -> list[Figure]:
    """All figures of this benchmark, for each persistence."""
    figures = []
    for fsync in fsyncs[-1:] if quick else fsyncs:
        with server(fsync) as embedded:
            rounds = [
                measured(embedded.url, f"latency{number}", 8 if quick else 10)
                for number in range(1 if quick else 3)
            ]
        count = sum(len(orders) for orders, _ in rounds)
        for name, share, aim in (("p50", 0.5, 2.0), ("p99", 0.99, None)):
            figures.append(
                beside(
                    "latency",
                    f"candle to order, {RATE} bars/s, {fsync} (n={count}) {name}",
                    "ms",
                    [quantile(orders, share) for orders, _ in rounds],
                    f"four bare hops {name}",
                    [quantile(hops, share) for _, hops in rounds],
                    most=aim,
                )
            )
    return figures


def measured(url: str, namespace: str, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds from candle to order, and of bare hops.

    A message takes its bare hops half-way between two candles, when the services wait for the next one.
    """
    with Stage(_settings(url, namespace), SERVICES) as stage, Chain(url, stamped=True) as chain:
        stage.until(lambda: bool(_candles(stage.bus)), 60, "the first candle")
        hops = bare_hops(chain, _candles(stage.bus)[-1].sent / 1e6, seconds)
        stage.supervisor.check()
        orders = candle_to_order(stage.bus)
    if len(orders) < 10:
        raise RuntimeError(f"only {len(orders)} orders in {seconds} s: nothing to measure")
    return orders, hops


def candle_to_order(bus: Observer) -> list[float]:
    """Milliseconds from each traded candle to the order that followed from it, by their commits."""
    published = {event.trace: event.sent for event in _candles(bus)}
    commands = _events(bus, Stream.COMMANDS)
    placed = [e for e in commands if isinstance(e.body, PlaceOrder) and e.cause.startswith("orders.")]
    return [(e.sent - published[e.trace]) / 1000 for e in placed if e.trace in published]


def bare_hops(chain: Chain, candle: float, seconds: float) -> list[float]:
    """Milliseconds from the first to the fourth bare XADD, one message a candle.

    Args:
        candle: wall time of any candle; the others follow at `RATE`.
    """
    found = []
    until = time.time() + seconds
    while (now := time.time()) < until:
        phase = (now - candle) * RATE
        time.sleep((math.floor(phase + 0.5) + 0.5 - phase) / RATE)
        found.append(chain.stamped())
    return found


def _settings(url: str, namespace: str) -> Settings:
    speed = RATE * length("15m") / 1000
    market = {
        "symbols": ["BTCUSDT"],
        "start": "2024-08-01",
        "trade_from": "2024-08-03",
        "pace": f"x{speed:g}",
    }
    return settings_for(url, namespace, market_data=market, **SIGNALS_OFTEN)


def _candles(bus: Observer) -> list[Event]:
    return [e for e in _events(bus, Stream.CANDLES) if isinstance(e.body, Candle) and not e.body.hydration]


def _events(bus: Observer, stream: Stream) -> list[Event]:
    return [
        decode(*entry) for place in bus.topology.places(stream) for entry in bus.range(place, 0, 1_000_000)
    ]
