"""A simulated venue for tests: as a process of its own, or in this one.

with venue_process() as venue:                       # prices by hand, from BTCUSDT 60000 on
    venue.rest_url, venue.ws_url, venue.keys("krakenfutures")
    venue.control.price("BTCUSDT", 59_000)
    venue.control.faults({"kind": "lost_reply", "operation": "place", "nth": 1})
    venue.control.state()["protocols"]["krakenfutures"]["orders"]

with simulated_here() as venue:                      # the same, in a thread of this process

async with Simulator() as simulator:                 # in the caller's own event loop
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from execution.simulator.server import Simulator
from tests.support.shell import ROOT

Number = int | str | Decimal


class SimControl:
    """The control API of a simulated venue; see `execution.simulator.control`.

    It waits for the answer, so that it is for a venue in another process or thread.

    Args:
        url: of the venue.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def price(
        self, symbol: str, last: Number, mark: Number | None = None, index: Number | None = None
    ) -> None:
        """Move the price; `symbol` may be any name of it."""
        prices = {"last": last, "mark": mark, "index": index}
        given = {name: str(price) for name, price in prices.items() if price is not None}
        self.call("POST", "price", {"symbol": symbol, **given})

    def faults(self, *rules: Mapping[str, Any], seed: int = 0) -> None:
        """Replace the plan; no rules clear it."""
        self.call("POST", "faults", {"seed": seed, "fault": list(rules)})

    def fired(self) -> list[int]:
        """How often each rule of the plan has happened."""
        return [rule["fired"] for rule in self.call("GET", "faults")]

    def state(self) -> dict[str, Any]:
        """The truth."""
        found: dict[str, Any] = self.call("GET", "state")
        return found

    def account(self, protocol: str) -> dict[str, Any]:
        """The truth of one account: orders, fills, positions, account, funding, prices."""
        found: dict[str, Any] = self.call("GET", f"state?protocol={protocol}")["protocols"][protocol]
        return found

    def orders(self, protocol: str) -> dict[str, list[dict[str, Any]]]:
        """Every order ever, by client id."""
        found: dict[str, list[dict[str, Any]]] = {}
        for order in self.account(protocol)["orders"]:
            found.setdefault(order["client_id"], []).append(order)
        return found

    def clock(self, skew_ms: int | None = None, advance_ms: int = 0) -> int:
        """Make the clock wrong, or let time pass; returns the venue's time."""
        body = {"advance_ms": advance_ms} | ({} if skew_ms is None else {"skew_ms": skew_ms})
        time: int = self.call("POST", "clock", body)["time"]
        return time

    def funding(self, symbol: str, rate: Number) -> None:
        """Settle funding now."""
        self.call("POST", "funding", {"symbol": symbol, "rate": str(rate)})

    def order(self, protocol: str, **request: Any) -> dict[str, Any]:
        """Place an order by another hand: `symbol`, `side`, `kind`, `quantity`, … of `OrderRequest`."""
        request = {name: str(v) if isinstance(v, Decimal) else v for name, v in request.items()}
        placed: dict[str, Any] = self.call("POST", "order", {"protocol": protocol, "order": request})
        return placed

    def cancel(self, protocol: str, order_id: str, conditional: bool = False) -> None:
        """Cancel by another hand."""
        body = {"protocol": protocol, "order_id": order_id, "conditional": conditional}
        self.call("POST", "cancel", body)

    def cash(self, protocol: str, cash: Number) -> None:
        """Set the balance."""
        self.call("POST", "cash", {"protocol": protocol, "cash": str(cash)})

    def cut(self) -> None:
        """Cut every websocket."""
        self.call("POST", "cut", {})

    def reset(self, cash: Number | None = None) -> None:
        """Accounts begin again; no faults, no skew. Prices stay."""
        self.call("POST", "reset", {} if cash is None else {"cash": str(cash)})

    def call(self, method: str, name: str, body: object = None) -> Any:
        """One request; AssertionError with the venue's sentence where it was wrong."""
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(f"{self._url}/simulator/{name}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None


class RunningVenue:
    """A simulated venue that runs.

    Attributes:
        greeting: what `--json` printed.
        control: its levers.
    """

    def __init__(self, greeting: Mapping[str, Any]) -> None:
        self.greeting = greeting
        self.url: str = greeting["url"]
        self.rest_url = self.url
        self.ws_url = "ws" + self.url.removeprefix("http")
        self.clock_rate: float = greeting["clock_rate"]
        self.control = SimControl(self.url)

    @property
    def protocols(self) -> tuple[str, ...]:
        """What it speaks."""
        return tuple(self.greeting["protocols"])

    def keys(self, protocol: str) -> tuple[str, str]:
        """The demo account's key and secret."""
        told = self.greeting["protocols"][protocol]
        return told["api_key"], told["api_secret"]

    def environment(self, protocol: str) -> dict[str, str]:
        """Variables with which `run.py live` trades here."""
        key, secret = self.keys(protocol)
        return {
            "CAUSEWAY_VENUE__NAME": protocol,
            "CAUSEWAY_VENUE__REST_URL": self.rest_url,
            "CAUSEWAY_VENUE__API_KEY": key,
            "CAUSEWAY_VENUE__API_SECRET": secret,
            "CAUSEWAY_VENUE__CLOCK_RATE": f"{self.clock_rate:g}",
        }


@contextmanager
def venue_process(*options: object, data: Path | None = None) -> Iterator[RunningVenue]:
    """`run.py simulate-venue` on a free port, until the block ends.

    Args:
        options: more of the command line, such as `"--pace", "x60"`.
        data: folder of candles; without, prices are set by hand.
    """
    command = [sys.executable, str(ROOT / "run.py"), "simulate-venue", "--json", "--port", "0"]
    command += [] if data is None else ["--data", str(data)]
    process = subprocess.Popen([*command, *map(str, options)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("{"), f"the venue did not start: {line!r}, exit code {process.wait(10)}"
        yield RunningVenue(msgspec.json.decode(line))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def simulated_here(**options: Any) -> Iterator[RunningVenue]:
    """A `Simulator` in a thread of this process: starts at once, and other threads may wait for it.

    Args:
        options: of `Simulator`.
    """
    ready, ended = threading.Event(), asyncio.Event()
    found: list[RunningVenue] = []
    failed: list[BaseException] = []
    loop = asyncio.new_event_loop()

    async def live() -> None:
        async with Simulator(**options) as simulator:
            found.append(RunningVenue(msgspec.json.decode(msgspec.json.encode(simulator.greeting()))))
            ready.set()
            await simulator.serve(ended)

    def run() -> None:
        try:
            loop.run_until_complete(live())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="simulated-venue")
    thread.start()
    ready.wait(20)
    try:
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        if not failed:
            loop.call_soon_threadsafe(ended.set)
        thread.join(20)
    if failed:
        raise failed[0]
