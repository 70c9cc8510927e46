"""The gate in front of a venue, the mailbox behind it, and what tickers mean."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from market_data.live.bars import Page
from market_data.live.faults import Trouble, Troubles
from market_data.live.gate import Backoff, Gate
from market_data.live.mailbox import MOST_PAGES, Mailbox
from market_data.live.prices import Quote
from market_data.live.words import quote_of

D = Decimal
NOW_MS = 1_700_000_000_000
LEFT_S = 40
"""Of the minute."""


class Client:
    id = "krakenfutures"
    last_response_headers: dict[str, str] | None = None

    def milliseconds(self) -> int:
        return NOW_MS


def ask(error: BaseException | None, headers: dict[str, str] | None = None, times: int = 1) -> float:
    """Ask so often, failing like this; then once more, well. How long that took."""

    async def run() -> float:
        gate, client = Gate(per_s=1000), Client()
        client.last_response_headers = headers

        async def fail() -> None:
            if error is not None:
                raise error

        async def go_well() -> str:
            return "answer"

        began = time.monotonic()
        for _ in range(times):
            with pytest.raises(Trouble):
                await gate.ask(client, fail)
        assert await gate.ask(client, go_well) == "answer"
        return time.monotonic() - began

    return asyncio.run(run())


def test_a_rate_limit_makes_every_request_wait_as_long_as_the_venue_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("market_data.live.gate.BACKOFF_FIRST_S", 0.0)
    assert ask(ccxt.RateLimitExceeded("slow down"), {"retry-after": "1.3"}) >= 1.3
    assert ask(ccxt.NetworkError("gone"), {"Retry-After": "9"}) < 1.0


@pytest.mark.parametrize(
    "error", [ccxt.ExchangeError("x"), OSError("x"), TimeoutError("x"), KeyError("x"), ccxt.BadSymbol("x")]
)
def test_whatever_goes_wrong_is_trouble(error: BaseException) -> None:
    ask(error)


@pytest.mark.parametrize(
    ("venue", "words", "headers", "least_s"),
    [
        ("binance", f"418 IP banned until {NOW_MS + 300_000}. Please", None, 300),
        ("binanceusdm", f"418 IP banned until {NOW_MS + 300_000}. Please", {"Retry-After": "7"}, 300),
        ("binanceusdm", "418 I'm a teapot", {"Retry-After": "99999"}, 99_999),
        ("binanceusdm", "418 I'm a teapot", None, 120),
        ("binanceusdm", '{"code":-1003,"msg":"Too many requests"}', None, LEFT_S),
        ("krakenfutures", "apiLimitExceeded", None, 0.7),
    ],
)
def test_a_ban_without_a_header_is_waited_out(
    venue: str, words: str, headers: dict[str, str] | None, least_s: float
) -> None:
    async def run() -> float:
        client = Client()
        client.id, client.last_response_headers = venue, headers

        async def fail() -> None:
            raise ccxt.DDoSProtection(f"{venue} {words}")

        with pytest.raises(Trouble) as caught:
            await Gate().ask(client, fail)
        return float(str(caught.value).split()[2])

    assert least_s <= asyncio.run(run()) + 0.5 <= least_s + 2.5


@pytest.mark.parametrize(("venue", "least_s", "most_s"), [("binanceusdm", 0.5, 9.0), ("binance", 0.0, 0.5)])
def test_futures_of_binance_are_asked_slowly_and_keep_nobody_else_waiting(
    venue: str, least_s: float, most_s: float
) -> None:
    async def run() -> float:
        gate = Gate(per_s=1000)

        async def answer() -> str:
            return "answer"

        heavy, client = Client(), Client()
        heavy.id, client.id = "binanceusdm", venue
        await gate.ask(heavy, answer)
        began = time.monotonic()
        for _ in range(2):
            await gate.ask(client, answer)
        return time.monotonic() - began

    assert least_s - 0.01 <= asyncio.run(run()) <= most_s


def test_what_a_venue_does_not_have_is_not_asked_for_again() -> None:
    async def run() -> Trouble:
        async def fail() -> None:
            raise ccxt.NotSupported("no sandbox")

        with pytest.raises(Trouble) as caught:
            await Gate().ask(Client(), fail)
        return caught.value

    assert asyncio.run(run()).refused


def test_trouble_is_said_once_and_not_for_a_single_lost_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    troubles = Troubles()
    troubles.note("prices", Trouble("away"))
    troubles.fine("prices")
    assert not caplog.records
    for _ in range(5):
        troubles.note("prices", Trouble("away"))
    troubles.fine("prices")
    troubles.fine("prices")
    assert [record.message for record in caplog.records] == ["no answer", "answers again"]
    assert troubles.count == 6


def test_waits_double_up_to_a_limit_and_begin_again() -> None:
    backoff = Backoff(1.0, 4.0)
    for middle in (1, 2, 4, 4):
        assert 0.75 * middle <= backoff.next() <= 1.25 * middle
    backoff.reset()
    assert backoff.next() <= 1.25


def test_the_mailbox_keeps_the_latest_price_and_says_when_it_is_full() -> None:
    box = Mailbox()
    for time_ in (1, 2):
        box.quotes([Quote(symbol="A", time=time_, mark=D(1))])
    page = Page(symbol="A", since=0, until=0, asked=0, rows=())
    for _ in range(MOST_PAGES):
        assert not box.full
        box.page(page)
    assert box.full
    mail = box.drain(0)
    assert (mail.quotes["A"].time, len(mail.pages), mail.universe) == (2, MOST_PAGES, None)
    assert not box.full
    assert box.drain(0).pages == []


def test_a_reader_wakes_for_what_comes() -> None:
    box = Mailbox()
    threading.Timer(0.05, lambda: box.fail(ValueError("end"))).start()
    began = time.monotonic()
    assert isinstance(box.drain(10).error, ValueError)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("ticker", "told"),
    [
        (
            {
                "info": {"e": "markPriceUpdate", "E": "7", "p": "10.10", "i": "9.9", "P": "1"},
                "markPrice": 10.1,
            },
            (7, D("10.10"), D("9.9")),
        ),
        ({"info": {"markPrice": "10.10", "indexPrice": "9.9", "time": 8}}, (8, D("10.10"), D("9.9"))),
        ({"info": {"markPrice": 10.1, "index": 9.9, "time": 8}}, (8, D("10.1"), D("9.9"))),
        ({"info": {"lastTime": "2024-01-01T00:00:00Z"}, "markPrice": 10.1}, (5, D("10.1"), None)),
        ({"info": {}, "last": 10.1}, None),
        ({"info": {"markPrice": "0"}}, None),
    ],
)
def test_what_a_ticker_says(ticker: dict[str, Any], told: tuple[int, Decimal, Decimal | None] | None) -> None:
    quote = quote_of("A", ticker, 5, None)
    assert (None if quote is None else (quote.time, quote.mark, quote.index)) == told
