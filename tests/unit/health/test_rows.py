from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Entry
from bus_schemas.events import (
    EVENT_TYPES,
    Acknowledge,
    AlertCode,
    FlattenApproved,
    FundingCharged,
    KillSwitch,
    Mismatch,
    ReduceOnly,
    Refusal,
    SymbolHalted,
    TradingResumed,
    VenueAlert,
)
from bus_schemas.topology import Place, Stream, Topology
from health.rows import _MAKERS, UNDECODABLE, content_hash, record, sources
from health.schema import FACTS
from tests.unit.health import writer as w

D = Decimal
PLACE = Place(Stream.EXECUTIONS, "MAIN")
ELSEWHERE = {
    *("Mark", "Candle", "Gap", "Heartbeat", "PlaceOrder", "AmendOrder", "CancelOrder", "LookUpOrder"),
    *("OrderAccepted", "OrderRejected", "OrderFilled", "OrderCancelled", "CancelRejected", "OrderNotFound"),
    *("FundingPaid", "AccountReport", "ClockTick", "StrayOrder"),
}
"""Types that stand on streams which the ledger does not read."""

EXAMPLES: list[tuple[Stream, Any, str, dict[str, Any]]] = [
    (Stream.EXECUTIONS, w.order(1), "order_changes", {"state": "accepted", "price": D("64000.50")}),
    (Stream.EXECUTIONS, w.fill(1), "fills", {"fee": w.fill(1).fee, "liquidity": "maker"}),
    (Stream.EXECUTIONS, w.position(1), "position_changes", {"phase": "open", "protected": True}),
    (Stream.EXECUTIONS, w.closed(1, "-3.5"), "trades", {"net": D("-3.5"), "reason": "stop"}),
    (
        Stream.EXECUTIONS,
        FundingCharged(time=1, signal_id="s", symbol="BTCUSDT", amount=D("-0.1"), rate=D("0.0001")),
        "funding",
        {"amount": D("-0.1"), "rate": D("0.0001")},
    ),
    (Stream.EXECUTIONS, w.snapshot(1, "10001.25"), "equity", {"equity": D("10001.25"), "positions": []}),
    (Stream.EXECUTIONS, Mismatch(time=1, symbol="X", detail="d"), "halts", {"kind": "Mismatch"}),
    (
        Stream.SIGNALS,
        w.assessment(1),
        "decisions",
        {"stage": "strategy", "outcome": "none", "reason": "no_break", "signal_id": "", "numbers": None},
    ),
    (
        Stream.SIGNALS,
        w.assessment(1, "BTCUSDT", w.signal(1)),
        "decisions",
        {"outcome": "signal", "reason": "order_block", "signal_id": "sig-1", "side": "long"},
    ),
    (Stream.SIGNALS, SymbolHalted(time=1, symbol="X", origin="o", detail="d"), "halts", {"detail": "o: d"}),
    (
        Stream.EXECUTIONS,
        VenueAlert(time=1, symbol="*", code=AlertCode.CLOCK, detail="1.4 s ahead"),
        "halts",
        {"kind": "VenueAlert", "symbol": "*", "reason": "clock", "detail": "1.4 s ahead"},
    ),
    (Stream.ORDERS, w.approved(1), "decisions", {"stage": "risk", "outcome": "approved"}),
    (
        Stream.ORDERS,
        w.refused(1, reason=Refusal.BASIS),
        "decisions",
        {"outcome": "refused", "reason": "basis", "numbers": {"ratio": "1.31", "least": "1.5"}},
    ),
    (Stream.ORDERS, w.halted(1, until=99), "halts", {"until": 99, "reason": "drawdown"}),
    (Stream.ORDERS, TradingResumed(time=1, symbol="*", by="ann"), "halts", {"by": "ann"}),
    (Stream.ORDERS, FlattenApproved(time=1, symbol="*", request_id="r"), "halts", {"detail": "r"}),
    (
        Stream.CONTROLS,
        KillSwitch(time=1, reason="r", by="ann", flatten=True),
        "halts",
        {"kind": "KillSwitch", "reason": "flatten", "detail": "r", "by": "ann"},
    ),
    (Stream.CONTROLS, Acknowledge(time=1, by="ann"), "halts", {"kind": "Acknowledge", "symbol": "*"}),
    (Stream.CONTROLS, ReduceOnly(time=1, on=False, by="ann"), "halts", {"reason": "off"}),
]


def written(bus: MemoryBus, stream: Stream, body: Any) -> Entry:
    if stream is Stream.CONTROLS:
        bus.post(stream, "MAIN", body)
        place = bus.topology.places(stream)[0]
    else:
        place = w.Writer(bus).write(stream, getattr(body, "symbol", "MAIN"), body)
    return bus.range(place, 0, 1)[0]


@pytest.mark.parametrize(("stream", "body", "table", "some"), EXAMPLES, ids=lambda v: type(v).__name__)
def test_each_event_becomes_its_row(
    bus: MemoryBus, stream: Stream, body: Any, table: str, some: dict[str, Any]
) -> None:
    made = record(written(bus, stream, body))
    assert made.type == type(body).__name__
    assert made.row is not None
    assert made.row.table == table
    columns = made.row.columns
    assert columns["time"] == body.time
    assert {name: columns[name] for name in some} == some
    needed = set(FACTS[table].columns.keys()) - {"namespace", "place", "seq", "peak"}
    assert set(columns) == needed


def test_every_type_of_the_ledgers_streams_has_a_row_and_an_example() -> None:
    assert {t.__name__ for t in _MAKERS} == set(EVENT_TYPES) - ELSEWHERE
    assert {type(body) for _, body, _, _ in EXAMPLES} == set(_MAKERS)


def test_evidence_is_kept_whole(bus: MemoryBus) -> None:
    row = record(written(bus, Stream.SIGNALS, w.assessment(3))).row
    assert row is not None
    steps = row.columns["evidence"]
    assert [step["step"] for step in steps] == ["bias", "break"]
    assert steps[0]["numbers"] == {"ema": 63900.0}


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from([b"type", b"v", b"key", b"body", b"sent", b"trace", b"x"]), st.binary(max_size=40)
    )
)
def test_what_cannot_be_decoded_is_recorded_and_does_not_raise(fields: dict[bytes, bytes]) -> None:
    made = record(Entry(PLACE, 7, fields))
    assert (made.seq, made.type, made.row) == (7, UNDECODABLE, None)


def test_the_hash_is_of_the_content_and_not_of_the_clock() -> None:
    fields = {b"type": b"Fill", b"v": b"1", b"key": b"K", b"body": b"{}", b"sent": b"1"}
    same = content_hash(Entry(PLACE, 1, fields | {b"sent": b"2"}))
    assert content_hash(Entry(PLACE, 1, fields)) == same
    for name in (b"type", b"v", b"key", b"cause", b"trace", b"body"):
        assert content_hash(Entry(PLACE, 1, fields | {name: b"other"})) != same
    moved = fields | {b"type": b"Fil", b"v": b"l1"}  # the same bytes with another border
    assert content_hash(Entry(PLACE, 1, moved)) != same


def test_controls_are_read_before_what_follows_from_them() -> None:
    read = sources(Topology(partitions=3))
    assert [str(place) for place in read] == [
        *("controls.all", "signals.p0", "signals.p1", "signals.p2", "orders.MAIN", "executions.MAIN")
    ]
