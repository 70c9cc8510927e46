"""Events to ledger rows: a pure table. A row is (table, columns); its event adds the place and number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bus_schemas.bus.port import Entry
from bus_schemas.codec import decode
from bus_schemas.errors import CodecError
from bus_schemas.events import (
    AccountSnapshot,
    Acknowledge,
    Assessment,
    Body,
    Fill,
    FlattenApproved,
    FundingCharged,
    KillSwitch,
    Mismatch,
    OrderApproved,
    OrderChanged,
    OrderRefused,
    PositionChanged,
    ReduceOnly,
    SymbolHalted,
    TradeClosed,
    TradingHalted,
    TradingResumed,
    VenueAlert,
)
from bus_schemas.topology import Place, Stream, Topology
from health.schema import FACTS

SOURCES = (Stream.CONTROLS, Stream.SIGNALS, Stream.ORDERS, Stream.EXECUTIONS)
"""Streams that the ledger is fed from. Within one look, controls come before what follows from them."""

UNDECODABLE = "?"

_HASHED = (b"type", b"v", b"key", b"cause", b"trace", b"body")

Columns = dict[str, Any]


class Row(NamedTuple):
    """One row of a table of facts."""

    table: str
    columns: Columns


class Record(NamedTuple):
    """What the ledger keeps of one stream entry.

    Attributes:
        type: the event's type; `?` where it cannot be decoded.
        hash: of everything but the server's clock: two entries with one hash mean the same.
        sent: the server's clock; together with the hash it says that it is the same entry.
        row: what is derived from it, or None.
    """

    place: Place
    seq: int
    type: str
    hash: str
    sent: int
    trace: str
    cause: str
    row: Row | None


def sources(topology: Topology) -> tuple[Place, ...]:
    """Every concrete stream that the ledger reads."""
    return tuple(place for stream in SOURCES for place in topology.places(stream))


def record(entry: Entry) -> Record:
    """The ledger's record of an entry. One that cannot be decoded gives no row, and never raises."""
    mark, sent = content_hash(entry), sent_of(entry)
    try:
        event = decode(entry.place, entry.seq, entry.fields)
    except CodecError:
        return Record(entry.place, entry.seq, UNDECODABLE, mark, sent, "", "", None)
    make = _MAKERS.get(type(event.body))
    row = make(event.body) if make else None
    return Record(entry.place, entry.seq, event.type, mark, sent, event.trace, event.cause, row)


def content_hash(entry: Entry) -> str:
    """A hash over type, version, key, cause, trace and body."""
    digest = hashlib.blake2b(digest_size=16)
    for name in _HASHED:
        value = entry.fields.get(name, b"")
        digest.update(len(value).to_bytes(8, "big") + value)
    return digest.hexdigest()


def sent_of(entry: Entry) -> int:
    """The server's clock at the commit, in microseconds; 0 where the entry does not tell."""
    raw = entry.fields.get(b"sent", b"0")
    return int(raw) if raw.isdigit() and len(raw) < 18 else 0


def _copied(table: str) -> Callable[[Any], Row]:
    """A row whose columns are named as the body's fields."""
    keys = {"namespace", "place", "seq"}
    names = tuple(column.name for column in FACTS[table].columns if column.name not in keys)

    def make(body: Body) -> Row:
        return Row(table, {name: _plain(getattr(body, name)) for name in names})

    return make


def _plain(value: Any) -> Any:
    """Enumerations as their text; Decimals, numbers and None as they are."""
    return str(value) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    """The value as it comes back out of a JSON column: Decimals as strings, tuples as lists."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _decision(stage: str, outcome: str, body: Any, **more: Any) -> Row:
    columns: Columns = {"time": body.time, "stage": stage, "outcome": outcome, "symbol": body.symbol}
    columns |= {"reason": "", "side": "", "signal_id": "", "detail": "", "numbers": None, "evidence": None}
    return Row("decisions", columns | more)


def _assessment(body: Assessment) -> Row:
    evidence = _json(body.evidence)
    if body.signal is None:
        reason = body.reason.value if body.reason else ""
        return _decision("strategy", "none", body, reason=reason, detail=body.timeframe, evidence=evidence)
    signal = body.signal
    levels = ("entry", "stop", "targets", "score", "expires")
    return _decision(
        "strategy",
        "signal",
        body,
        reason=signal.setup,
        side=signal.side.value,
        signal_id=signal.id,
        detail=body.timeframe,
        numbers={name: _json(getattr(signal, name)) for name in levels},
        evidence=evidence,
    )


def _approved(body: OrderApproved) -> Row:
    names = ("quantity", "entry", "stop", "targets", "leverage", "margin", "risk", "expires")
    numbers = {name: _json(getattr(body, name)) for name in names}
    return _decision(
        "risk", "approved", body, side=body.side.value, signal_id=body.signal_id, numbers=numbers
    )


def _refused(body: OrderRefused) -> Row:
    return _decision(
        "risk",
        "refused",
        body,
        reason=body.reason.value,
        side=body.side.value,
        signal_id=body.signal_id,
        detail=body.detail,
        numbers=_json(body.numbers),
    )


def _snapshot(body: AccountSnapshot) -> Row:
    columns = {
        "time": body.time,
        "cash": body.cash,
        "equity": body.equity,
        "positions": _json(body.positions),
    }
    return Row("equity", columns)


def _halt(kind: str, body: Body, symbol: str, reason: str = "", detail: str = "", by: str = "") -> Row:
    columns = {
        "time": body.time,
        "kind": kind,
        "symbol": symbol,
        "reason": reason,
        "detail": detail,
        "by": by,
    }
    return Row("halts", columns | {"until": None})


def _trading_halted(body: TradingHalted) -> Row:
    row = _halt("TradingHalted", body, body.symbol, body.reason.value, body.detail)
    return Row("halts", row.columns | {"until": body.until})


_MAKERS: Mapping[type[Body], Callable[[Any], Row]] = {
    OrderChanged: _copied("order_changes"),
    Fill: _copied("fills"),
    PositionChanged: _copied("position_changes"),
    TradeClosed: _copied("trades"),
    FundingCharged: _copied("funding"),
    AccountSnapshot: _snapshot,
    Assessment: _assessment,
    OrderApproved: _approved,
    OrderRefused: _refused,
    TradingHalted: _trading_halted,
    TradingResumed: lambda b: _halt("TradingResumed", b, b.symbol, by=b.by),
    FlattenApproved: lambda b: _halt("FlattenApproved", b, b.symbol, detail=b.request_id),
    SymbolHalted: lambda b: _halt("SymbolHalted", b, b.symbol, "dead_letter", f"{b.origin}: {b.detail}"),
    Mismatch: lambda b: _halt("Mismatch", b, b.symbol, "mismatch", b.detail),
    VenueAlert: lambda b: _halt("VenueAlert", b, b.symbol, b.code.value, b.detail),
    KillSwitch: lambda b: _halt("KillSwitch", b, "*", "flatten" if b.flatten else "", b.reason, b.by),
    Acknowledge: lambda b: _halt("Acknowledge", b, b.symbol, by=b.by),
    ReduceOnly: lambda b: _halt("ReduceOnly", b, "*", "on" if b.on else "off", by=b.by),
}
