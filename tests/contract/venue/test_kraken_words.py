"""Kraken Futures' words as the adapter reads them: total, and never more certain than the venue."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from bus_schemas.events import Leg, OrderKind, PlaceOrder, Side, VenueRefusal
from bus_schemas.instruments import DEFAULT_INSTRUMENTS
from execution.live import kraken_words as words
from execution.live.faults import Denied, NotHeld, NotSent, Refused, Unclear, VenueFault
from execution.live.port import Standing
from execution.live.transport import Reply, fault

D = Decimal

# Every value of docs.kraken.com (futures-api/trading/get-order-status, get-open-orders, send-order).
ORDER_STATUS = {
    "ENTERED_BOOK": Standing.LIVE,
    "FULLY_EXECUTED": Standing.FILLED,
    "REJECTED": Standing.REJECTED,
    "CANCELLED": Standing.CANCELLED,
    "TRIGGER_PLACED": Standing.LIVE,
    "TRIGGER_ACTIVATION_FAILURE": Standing.CANCELLED,
    "untouched": Standing.LIVE,
    "partiallyFilled": Standing.LIVE,
}
SEND_WORDS = """placed partiallyFilled filled cancelled edited marketSuspended marketInactive invalidPrice
invalidSize tooManySmallOrders insufficientAvailableFunds wouldCauseLiquidation clientOrderIdAlreadyExist
clientOrderIdTooBig maxPositionViolation outsidePriceCollar wouldIncreasePriceDislocation notFound
orderForEditNotAStop orderForEditNotFound postWouldExecute iocWouldNotExecute selfFill wouldNotReducePosition
marketIsPostOnly tooManyOrders fixedLeverageTooHigh clientOrderIdInvalid invalidOrderType invalidSide
clientOrderIdTooLong wouldProcessAfterSpecifiedTime"""
ERROR_WORDS = """accountInactive apiLimitExceeded authenticationError insufficientFunds invalidAccount
invalidAmount invalidArgument invalidUnit marketUnavailable nonceBelowThreshold nonceDuplicate notFound
requiredArgumentMissing Unavailable unknownError"""
ERRORS = [*ERROR_WORDS.split(), "Json Parse Error", "Server Error"]


def order(quantity: str = "0.01") -> PlaceOrder:
    return PlaceOrder(
        time=0,
        client_id="c",
        signal_id="s",
        symbol="BTCUSDT",
        side=Side.LONG,
        leg=Leg.ENTRY,
        kind=OrderKind.LIMIT,
        quantity=D(quantity),
        price=D(50_000),
    )


def answered(body: object, status: int = 200, **headers: str) -> Reply:
    reply = Reply(0.0)
    text = body if isinstance(body, str) else json.dumps(body)
    reply.take(status, {name.replace("_", "-"): value for name, value in headers.items()}, text, 0.1)
    return reply


@pytest.mark.parametrize(("status", "standing"), ORDER_STATUS.items())
def test_order_statuses(status: str, standing: Standing) -> None:
    assert words.standing(status) is standing


def test_incident_8_an_unlisted_status_counts_as_alive() -> None:
    assert words.standing("SOMETHING_NEW") is Standing.UNLISTED
    assert words.standing("") is Standing.UNLISTED


@pytest.mark.parametrize("status", SEND_WORDS.split())
def test_every_documented_send_status_has_a_meaning(status: str) -> None:
    found = words.send_fault(status, order(), DEFAULT_INSTRUMENTS["BTCUSDT"])
    assert not isinstance(found, Unclear)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("invalidPrice", VenueRefusal.BAD_TICK),
        ("invalidSize", VenueRefusal.BAD_STEP),
        ("insufficientAvailableFunds", VenueRefusal.MARGIN),
        ("wouldCauseLiquidation", VenueRefusal.MARGIN),
        ("wouldNotReducePosition", VenueRefusal.REDUCE_ONLY),
        ("clientOrderIdAlreadyExist", VenueRefusal.DUPLICATE_ID),
        ("outsidePriceCollar", VenueRefusal.OTHER),
        ("postWouldExecute", VenueRefusal.OTHER),
    ],
)
def test_refusals(status: str, reason: VenueRefusal) -> None:
    found = words.action_fault(status)
    assert isinstance(found, Refused)
    assert found.reason is reason
    assert reason is not VenueRefusal.WOULD_TRIGGER  # Kraken takes such a stop, and triggers it


def test_a_size_below_the_minimum_is_told_from_one_off_the_step() -> None:
    terms = DEFAULT_INSTRUMENTS["BTCUSDT"]
    small = words.send_fault("invalidSize", order("0.0001"), terms)
    crooked = words.send_fault("invalidSize", order("0.0015"), terms)
    assert isinstance(small, Refused)
    assert isinstance(crooked, Refused)
    assert (small.reason, crooked.reason) == (VenueRefusal.BELOW_MINIMUM, VenueRefusal.BAD_STEP)


def test_issue_5_an_unknown_send_status_is_no_evidence() -> None:
    assert isinstance(words.action_fault("brandNew"), Unclear)
    assert isinstance(words.action_fault(""), Unclear)


@pytest.mark.parametrize("status", ["notFound", "filled", "orderForEditNotFound"])
def test_what_is_gone_is_not_held(status: str) -> None:
    assert isinstance(words.action_fault(status), NotHeld)


@pytest.mark.parametrize("status", ["wouldProcessAfterSpecifiedTime", "marketSuspended"])
def test_too_late_and_suspended_are_certain_and_worth_another_try(status: str) -> None:
    assert isinstance(words.action_fault(status), NotSent)


@pytest.mark.parametrize("word", ERRORS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_every_documented_error_has_a_meaning(word: str, status: int) -> None:
    assert words.error_word(answered({"result": "error", "error": word}, status)) is not None


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("apiLimitExceeded", NotSent),
        ("nonceBelowThreshold", NotSent),
        ("nonceDuplicate", NotSent),
        ("marketUnavailable", NotSent),
        ("authenticationError", Denied),
        ("accountInactive", Denied),
        ("invalidArgument", Refused),
        ("invalidArgument: size", Refused),
        ("insufficientFunds", Refused),
        ("Server Error", Unclear),
        ("Unavailable", Unclear),
        ("unknownError", Unclear),
    ],
)
def test_errors(word: str, kind: type[VenueFault]) -> None:
    assert type(words.error_word(answered({"result": "error", "error": word}))) is kind


@pytest.mark.parametrize(
    ("word", "stale"),
    [("marketUnavailable", False), ("nonceBelowThreshold", True), ("nonceDuplicate", True)],
)
def test_a_closed_market_does_not_make_our_clock_wrong(word: str, stale: bool) -> None:
    found = words.error_word(answered({"result": "error", "error": word}))
    assert isinstance(found, NotSent)
    assert found.stale is stale


def test_margin_is_told_even_by_a_server_error() -> None:
    reply = answered({"errors": [{"code": 92, "message": "INSUFFICIENT_MARGIN"}]}, 500)
    found = words.error_word(reply)
    assert isinstance(found, Refused)
    assert found.reason is VenueRefusal.MARGIN


# What a failed request proves, for any venue -------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, NotSent), (418, NotSent), (401, Denied), (403, NotSent)]
    + [(status, Unclear) for status in (408, 500, 502, 503, 504, 520)],
)
def test_a_status_of_http(status: int, kind: type[VenueFault]) -> None:
    import ccxt

    assert type(fault(ccxt.ExchangeNotAvailable("x"), answered("<html>", status))) is kind


CLASSES: list[tuple[str, type[VenueFault]]] = [
    ("RequestTimeout", Unclear),
    ("NetworkError", Unclear),
    ("ExchangeNotAvailable", Unclear),
    ("BadResponse", Unclear),
    ("RateLimitExceeded", NotSent),
    ("DDoSProtection", NotSent),
    ("OnMaintenance", NotSent),
    ("InvalidNonce", NotSent),
    ("AuthenticationError", Denied),
    ("PermissionDenied", Denied),
    ("OrderNotFound", NotHeld),
    ("InsufficientFunds", Refused),
    ("InvalidOrder", Refused),
    ("DuplicateOrderId", Refused),
    ("BadSymbol", Refused),
    ("ExchangeError", Refused),
]


@pytest.mark.parametrize(("name", "kind"), CLASSES)
def test_ccxt_classes_with_an_answer(name: str, kind: type[VenueFault]) -> None:
    import ccxt

    assert type(fault(getattr(ccxt, name)("x"), answered({"code": 1}, 400))) is kind


@pytest.mark.parametrize("name", [name for name, _ in CLASSES if name not in ("AuthenticationError",)])
def test_issue_1_without_an_answer_nothing_is_known(name: str) -> None:
    """Only what shows that nothing was sent says so."""
    import ccxt

    lost = getattr(ccxt, name)("x")
    lost.__cause__ = ConnectionResetError()
    assert type(fault(lost, Reply(0.0))) in (Unclear, Denied)


def test_a_refused_connection_was_not_sent() -> None:
    import socket

    import aiohttp
    import ccxt

    for cause in (
        aiohttp.ClientConnectorError(_key(), OSError("refused")),
        aiohttp.ConnectionTimeoutError(),
        socket.gaierror(),
    ):
        failed = ccxt.ExchangeNotAvailable("https://venue/?signature=secret")
        failed.__cause__ = cause
        found = fault(failed, Reply(0.0))
        assert type(found) is NotSent
        assert "secret" not in str(found)


def _key() -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)


def test_a_limited_look_at_history_says_for_how_long() -> None:
    limited = words.error_word(answered({"error": "apiLimitExceeded"}, 429, Retry_After="3"))
    assert isinstance(limited, NotSent)
    assert (limited.retry_s, limited.limited) == (3, True)


def test_times() -> None:
    assert words.millis("2026-01-31T12:00:00.123Z") == words.millis(words.iso(1769860800123)) == 1769860800123
    assert words.millis(1769860800123) == 1769860800123
    assert words.millis(None) == 0
