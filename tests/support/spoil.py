"""Entries that do not decode, and what a namespace says about them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bus_schemas.bus.port import Observer
from bus_schemas.codec import decode
from bus_schemas.errors import CodecError
from bus_schemas.events import HaltReason, TradingHalted
from bus_schemas.topology import Place, Stream, Topology

BROKEN: dict[str, dict[bytes, bytes]] = {
    "no JSON": {b"type": b"Candle", b"v": b"1", b"body": b'{"time":1,'},
    "wrong JSON": {b"type": b"OrderApproved", b"v": b"1", b"body": b'{"time":"soon","symbol":3}'},
    "unknown type": {b"type": b"Horoscope", b"v": b"1", b"body": b"{}"},
    "unknown version": {b"type": b"Mark", b"v": b"99", b"body": b"{}"},
    "no UTF-8": {
        b"type": b"Fi\xffll",
        b"v": b"\xfe",
        b"body": b"\xff\xfe",
        b"cause": b"\xff",
        b"trace": b"\x80",
    },
    "foreign fields": {b"foo": b"bar", b"\xff": b"\xff"},
}

LOOSE = {
    "max_positions": 50,
    "risk_per_trade_pct": "0.05",
    "position_margin_pct": 5,
    "total_notional_pct": 400,
    "daily_loss_pct": 40,
    "drawdown_pct": 60,
    "loss_streak": 100,
}
"""Limits that leave every symbol to itself."""


def place_for(topology: Topology, stream: Stream, symbol: str) -> Place:
    part = topology.partition(symbol)
    return next(p for p in topology.places(stream) if p.part in (part, topology.account))


def decisions(observer: Observer) -> list[Any]:
    """Bodies of everything that risk said, in order; what does not decode is left out."""
    said = []
    for entry in observer.range(observer.topology.places(Stream.ORDERS)[0], 0, 100_000):
        try:
            said.append(decode(*entry).body)
        except CodecError:
            continue
    return said


def halts(observer: Observer) -> list[tuple[str, HaltReason]]:
    return [(body.symbol, body.reason) for body in decisions(observer) if isinstance(body, TradingHalted)]


def dead(observer: Observer) -> Counter[str]:
    """Dead letters by unit."""
    topology = observer.topology
    return Counter({str(unit): count for unit in topology.turn_order if (count := observer.dead_count(unit))})
