"""What became of an order at Kraken Futures, as `orders/status`, the history and the fills tell it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bus_schemas.events import Liquidity, OrderKind, Side
from execution.live import kraken_lookup as lookup
from execution.live.port import OrderRef, Standing, VenueFill

D = Decimal


def ref(kind: OrderKind = OrderKind.LIMIT, venue_id: str = "u") -> OrderRef:
    return OrderRef(
        client_id="c",
        symbol="BTCUSD",
        side=Side.LONG,
        kind=kind,
        quantity=D("0.5"),
        venue_id=venue_id,
    )


def event(name: str, reason: str = "", quantity: str = "0.5", filled: str = "0", **order: str) -> Any:
    told = {"uid": "u", "clientId": "c", "quantity": quantity, "filled": filled, "timestamp": 5} | order
    key = "newOrder" if name == "OrderUpdated" else "order"
    return {"timestamp": 5, "event": {name: {key: told, "reason": reason}}}


@pytest.mark.parametrize(
    ("events", "standing", "filled"),
    [
        ([event("OrderPlaced")], Standing.LIVE, "0"),
        ([event("OrderPlaced"), event("OrderCancelled")], Standing.CANCELLED, "0"),
        ([event("OrderPlaced"), event("OrderRejected")], Standing.REJECTED, "0"),
        (
            [
                event("OrderPlaced"),
                event("OrderUpdated", "partial_fill", "0.3", "0.2"),
                event("OrderCancelled", quantity="0.3", filled="0.2"),
            ],
            Standing.CANCELLED,
            "0.2",
        ),
        (
            [event("OrderPlaced"), event("OrderUpdated", "full_fill", "0", "0.5")],
            Standing.FILLED,
            "0.5",
        ),
        ([event("OrderPlaced", quantity="0", filled="0.5")], Standing.FILLED, "0.5"),
        ([event("OrderTriggerPlaced"), event("OrderTriggerCancelled")], Standing.CANCELLED, "0"),
        ([event("OrderPlaced"), event("OrderBecameSomethingNew")], Standing.UNLISTED, "0"),
    ],
)
def test_fates(events: list[Any], standing: Standing, filled: str) -> None:
    found = lookup.fate(events, ref(), D(0))
    assert found is not None
    assert (found.standing, found.filled, found.venue_id) == (standing, D(filled), "u")


def test_a_fate_is_found_by_client_id_alone() -> None:
    found = lookup.fate([event("OrderPlaced"), event("OrderCancelled")], ref(venue_id=""), D(0))
    assert found is not None
    assert (found.standing, found.venue_id) == (Standing.CANCELLED, "u")


def test_events_of_another_order_say_nothing() -> None:
    others = [event("OrderPlaced", uid="v", clientId="d"), event("OrderCancelled", uid="v", clientId="d")]
    assert lookup.fate(others, ref(), D(0)) is None
    assert lookup.fate(others, ref(venue_id=""), D(0)) is None


def test_issue_6_fills_alone_prove_that_the_order_was_held() -> None:
    whole, part = lookup.fate([], ref(), D("0.5")), lookup.fate([], ref(), D("0.2"))
    assert whole is not None
    assert part is not None
    assert (whole.standing, part.standing) == (Standing.FILLED, Standing.UNLISTED)


# A stop that goes on under another id --------------------------------------------------------------


def row(order_id: str, status: str, client_id: str | None = "c", reason: str = "", **order: Any) -> Any:
    told: dict[str, Any] = {
        "type": "ORDER",
        "orderId": order_id,
        "cliOrdId": client_id,
        "symbol": "PF_XBTUSD",
    }
    told |= {"side": "buy", "quantity": 0.5, "filled": 0} | order
    return {"order": told, "status": status, "updateReason": reason or None, "error": None}


def trigger(status: str, reason: str = "", **order: Any) -> Any:
    told: Any = row("u", status, reason=reason, type="TRIGGER_ORDER", **order)
    del told["order"]["filled"]
    return told


STOP = ref(OrderKind.STOP)


@pytest.mark.parametrize(
    ("rows", "standing", "filled", "venue_id"),
    [
        ([trigger("TRIGGER_PLACED")], Standing.LIVE, "0", "u"),
        ([row("u", "TRIGGER_PLACED", filled=None)], Standing.LIVE, "0", "u"),
        ([trigger("CANCELLED", "CANCELLED_BY_USER")], Standing.CANCELLED, "0", "u"),
        ([trigger("TRIGGER_ACTIVATION_FAILURE")], Standing.CANCELLED, "0", "u"),
        ([row("u", "FULLY_EXECUTED", filled=0.5)], Standing.FILLED, "0.5", "u"),
        ([row("v", "ENTERED_BOOK", filled=0.1)], Standing.LIVE, "0.1", "v"),
        ([trigger("CANCELLED"), row("v", "ENTERED_BOOK")], Standing.LIVE, "0", "v"),
        ([row("v", "ENTERED_BOOK"), trigger("CANCELLED")], Standing.LIVE, "0", "v"),
        ([trigger("CANCELLED"), row("v", "CANCELLED", filled=0.2)], Standing.CANCELLED, "0.2", "v"),
        ([row("u", "ENTERED_BOOK", client_id=None)], Standing.LIVE, "0", "u"),
    ],
)
def test_a_stop_is_told_by_either_id(rows: list[Any], standing: Standing, filled: str, venue_id: str) -> None:
    found, listed = lookup.by_status([row("w", "ENTERED_BOOK", client_id="d"), *rows], STOP)
    assert found is not None
    assert listed
    assert (found.standing, found.filled, found.successor or "u") == (standing, D(filled), venue_id)
    assert (found.venue_id, found.kind) == ("u", OrderKind.STOP)


@pytest.mark.parametrize(
    ("rows", "listed"),
    [
        ([], False),
        ([{}, {"order": None, "status": "CANCELLED"}, {"order": "u", "status": None}], False),
        ([{"order": {"orderId": "u"}, "status": None}, {"order": {"orderId": "u"}}], False),
        ([row("w", "ENTERED_BOOK", client_id=None), row("w", "ENTERED_BOOK", client_id="")], False),
        ([row("u", "ENTERED_BOOK", filled=None)], True),
        ([row("u", "CANCELLED", filled=None)], True),
        ([row("u", "ENTERED_BOOK", quantity=None)], True),
        ([trigger("CANCELLED", "STOP_ORDER_TRIGGERED")], True),
        ([row("u", "CANCELLED", reason="stop_order_triggered")], True),
    ],
)
def test_a_row_that_tells_too_little_decides_nothing(rows: list[Any], listed: bool) -> None:
    assert lookup.by_status(rows, STOP) == (None, listed)


def test_a_stop_is_asked_for_by_either_id_and_never_by_both_at_once() -> None:
    assert lookup.status_requests(STOP) == [{"orderIds": ["u"]}, {"cliOrdIds": "c"}]
    assert lookup.status_requests(ref()) == [{"orderIds": ["u"]}]
    for kind in (OrderKind.STOP, OrderKind.LIMIT):
        assert lookup.status_requests(ref(kind, "")) == [{"cliOrdIds": "c"}]
    nameless = msgspec.structs.replace(STOP, client_id="")
    assert lookup.status_requests(nameless) == [{"orderIds": ["u"]}]


TRIGGERED = [
    event("OrderTriggerPlaced"),
    event("OrderTriggerCancelled", "stop_order_triggered"),
    event("OrderPlaced", "limit_order_from_stop", uid="v"),
]


@pytest.mark.parametrize(
    ("events", "standing", "filled", "venue_id"),
    [
        (TRIGGERED[:2], Standing.LIVE, "0", "u"),
        (TRIGGERED, Standing.LIVE, "0", "v"),
        ([*TRIGGERED, event("OrderCancelled", uid="v", filled="0.2")], Standing.CANCELLED, "0.2", "v"),
        ([*TRIGGERED, event("OrderUpdated", "full_fill", "0", "0.5", uid="v")], Standing.FILLED, "0.5", "v"),
        ([*TRIGGERED, event("OrderCancelled", uid="v", clientId="")], Standing.CANCELLED, "0", "v"),
        ([event("OrderTriggerPlaced", clientId=""), TRIGGERED[2]], Standing.LIVE, "0", "v"),
    ],
)
def test_a_stop_s_fate_under_another_id(
    events: list[Any], standing: Standing, filled: str, venue_id: str
) -> None:
    found = lookup.fate(events, STOP, D(0))
    assert found is not None
    assert (found.standing, found.filled, found.successor or "u") == (standing, D(filled), venue_id)
    assert found.venue_id == "u"


@pytest.mark.parametrize(
    ("venue_id", "client_id", "ours"),
    [
        ("u", "", True),
        ("v", "c", True),
        ("u", "c", True),
        ("v", "", False),
        ("", "", False),
        ("v", "d", False),
    ],
)
def test_what_goes_by_either_id_is_the_order(venue_id: str, client_id: str, ours: bool) -> None:
    assert lookup.belongs(venue_id, client_id, STOP) is ours
    assert not lookup.belongs(
        "", "", OrderRef(**msgspec.structs.asdict(STOP) | {"client_id": "", "venue_id": ""})
    )


def test_an_order_goes_by_its_own_id_and_by_that_of_its_fills() -> None:
    fill = VenueFill(
        fill_id="f",
        venue_id="v",
        client_id="c",
        symbol="BTCUSD",
        side=Side.LONG,
        price=D(1),
        quantity=D(1),
        fee=D(0),
        liquidity=Liquidity.TAKER,
        time=7,
    )
    became = lookup.named(STOP, fill.venue_id)
    assert (became.venue_id, became.successor, lookup.traded_as(became)) == ("u", "v", "v")
    assert lookup.belongs("v", "", became)
    assert lookup.belongs("u", "", became)
    assert lookup.named(STOP, "u") == STOP
    assert lookup.named(ref(OrderKind.STOP, ""), "v").venue_id == "v"
    assert lookup.status_requests(became)[0] == {"orderIds": ["u", "v"]}
    assert lookup.last_sign([event("OrderPlaced")], [fill], STOP) == 7
    assert lookup.last_sign([event("OrderPlaced")], [], STOP) == 5
    assert lookup.last_sign([event("OrderPlaced", uid="w", clientId="d")], [], STOP) == 0
