"""From a candle's commit to the order's command, over four free-running processes, beside bare hops.

Both by the server's clock, at one rate. The services are the real ones; the settings make them signal
often, with entries so far away and so short-lived that the next candle finds no position in its way.
"""

from __future__ import annotations

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
        "swing_length": 1,
        "bias_swing_length": 1,
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
        orders: list[list[float]] = []
        hops: list[list[float]] = []
        with server(fsync) as embedded:
            for number in range(1 if quick else 3):
                orders.append(candle_to_order(embedded.url, f"latency{number}", 8 if quick else 10))
                hops.append(bare_hops(embedded.url, 3 if quick else 6))
        what = f"candle to order, {RATE} bars/s, {fsync} (n={sum(map(len, orders))})"
        for name, share, aim in (("p50", 0.5, 2.0), ("p99", 0.99, None)):
            figures.append(
                beside(
                    "latency",
                    f"{what} {name}",
                    "ms",
                    [quantile(found, share) for found in orders],
                    f"four bare hops {name}",
                    [quantile(found, share) for found in hops],
                    most=aim,
                )
            )
    return figures


def candle_to_order(url: str, namespace: str, seconds: float) -> list[float]:
    """Milliseconds from each traded candle to the order that followed from it."""
    settings = _settings(url, namespace)
    with Stage(settings, SERVICES) as stage:
        stage.until(lambda: bool(_candles(stage.bus)), 60, "the first candle")
        began = time.monotonic()
        stage.until(lambda: time.monotonic() - began > seconds, seconds + 1, "the time")
        published = {event.trace: event.sent for event in _candles(stage.bus)}
        commands = _events(stage.bus, Stream.COMMANDS)
    placed = [e for e in commands if isinstance(e.body, PlaceOrder) and e.cause.startswith("orders.")]
    found = [(e.sent - published[e.trace]) / 1000 for e in placed if e.trace in published]
    if len(found) < 10:
        raise RuntimeError(f"only {len(found)} orders in {seconds} s: nothing to measure")
    return found


def bare_hops(url: str, seconds: float) -> list[float]:
    """Milliseconds from the first to the fourth bare XADD, message by message at the same rate."""
    found = []
    with Chain(url, stamped=True) as chain:
        began = time.monotonic()
        for number in range(round(RATE * seconds)):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
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
