"""The simulated Binance by plain requests: what is signed, and what asking too much leads to."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from tests.support.venue import RunningVenue, simulated_here

NAME = "binanceusdm"


@pytest.fixture(scope="module")
def venue() -> Iterator[RunningVenue]:
    with simulated_here() as running:
        running.control.price("BTCUSDT", 60_000)
        yield running


def _request(
    venue: RunningVenue, method: str, path: str, query: str = "", body: str = ""
) -> tuple[int, Any, Any]:
    request = urllib.request.Request(
        f"{venue.rest_url}{path}?{query}",
        data=body.encode() if body else None,
        method=method,
        headers={"X-MBX-APIKEY": venue.keys(NAME)[0]},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, msgspec.json.decode(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, msgspec.json.decode(error.read()), error.headers


def _signature(venue: RunningVenue, text: str) -> str:
    return hmac.new(venue.keys(NAME)[1].encode(), text.encode(), hashlib.sha256).hexdigest()


def test_query_and_body_are_signed_together(venue: RunningVenue) -> None:
    query = urlencode({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"})
    body = urlencode({"quantity": "0.01", "timestamp": round(time.time() * 1000)})
    signed = f"{body}&signature={_signature(venue, query + body)}"
    status, answer, headers = _request(venue, "POST", "/fapi/v1/order", query, signed)
    assert (status, answer["status"]) == (200, "NEW")  # ACK: what happened after taking it is not told
    assert int(headers["X-MBX-ORDER-COUNT-1M"]) >= 1
    status, answer, _ = _request(venue, "POST", "/fapi/v1/order", query, body)
    assert (status, answer["code"]) == (400, -1102)


def test_the_weight_of_a_minute_is_limited() -> None:
    with simulated_here() as venue:
        now = round(time.time() * 1000)
        query = f"timestamp={now}&recvWindow=60000"
        query += f"&signature={_signature(venue, query)}"
        used = []
        for _ in range(130):
            status, answer, headers = _request(venue, "GET", "/fapi/v1/openOrders", query)
            used.append(int(headers["X-MBX-USED-WEIGHT-1M"]))
            if status != 200:
                break
        assert (status, answer["code"]) == (429, -1003)
        assert used[0] == 40
        assert used[-1] > 2400
        assert "Retry-After" not in headers
        venue.control.clock(advance_ms=60_000)
        assert _request(venue, "GET", "/fapi/v1/time")[0] == 200


def test_who_asks_on_is_banned_until_a_time_that_only_the_words_tell() -> None:
    with simulated_here() as venue:
        query = f"timestamp={round(time.time() * 1000)}&recvWindow=60000"
        query += f"&signature={_signature(venue, query)}"
        for _ in range(130):
            status, answer, headers = _request(venue, "GET", "/fapi/v1/openOrders", query)
            if status == 418:
                break
        assert (status, answer["code"]) == (418, -1003)
        assert "Retry-After" not in headers
        end = int(re.search(r"IP banned until (\d{13})", answer["msg"])[1])  # type: ignore[index]
        assert 119_000 <= end - venue.control.clock() <= 120_000
        venue.control.clock(advance_ms=110_000)
        assert _request(venue, "GET", "/fapi/v1/time")[0] == 418, "and the ban begins anew"
        venue.control.clock(advance_ms=110_000)
        assert _request(venue, "GET", "/fapi/v1/time")[0] == 418
        venue.control.clock(advance_ms=121_000)
        assert _request(venue, "GET", "/fapi/v1/time")[0] == 200
