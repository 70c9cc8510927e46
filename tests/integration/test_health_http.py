"""The HTTP API on a memory bus, with a clock of its own: the test moves the parts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.events import AlertCode, KillSwitch, OrderState, Side
from bus_schemas.settings import Settings
from bus_schemas.topology import Stream, Unit
from health.app import make_app
from health.board import Board
from health.database import make_engine, parse_url
from health.fleet import Fleet
from health.follower import Follower
from health.ledger import Ledger
from health.migrate import upgrade
from health.queries import Queries
from health.watcher import Watcher
from tests.support.health import NS, SERVICES, settings_for
from tests.unit.health import writer as w


class Client:
    """HTTP to the application itself, without a socket."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://health") as http:
                return await http.get(path, params=params)

        return asyncio.run(ask())


class Stand:
    """Everything but threads: the test moves the parts and the clock."""

    def __init__(self, settings: Settings) -> None:
        self.now = 1000.0
        self.bus = MemoryBus(settings.topology)
        self.writer = w.Writer(self.bus)
        engine = make_engine(parse_url(settings.health.database.get_secret_value()))  # type: ignore[union-attr]
        upgrade(engine)
        self.engine = engine
        self.board = Board(Fleet(settings.health, self.now), lambda: self.now)
        queries = Queries(engine, NS)
        self.follower = Follower(lambda: self.bus, Ledger(engine, NS), queries, self.board, 50, 0.01)
        self.watcher = Watcher(lambda: self.bus, self.board, 1.0, "0")
        self.follower.begin(self.bus)
        self.client = Client(make_app(self.board, queries, NS))

    def tick(self, *alive: str) -> None:
        for service in alive or SERVICES:
            self.beat(service)
        self.watcher.step(self.bus)
        while self.follower.step(self.bus):
            pass

    def beat(self, service: str, **more: Any) -> None:
        body = w.beat(service, int(self.now * 1000), **more)
        self.bus.post(Stream.HEARTBEATS, service, body)

    def codes(self, path: str) -> tuple[int, list[str]]:
        answer = self.client.get(path)
        return answer.status_code, [reason["code"] for reason in answer.json()["reasons"]]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(settings_for(tmp_path))
    yield made
    made.engine.dispose()


def test_health_and_ready_say_why(stand: Stand) -> None:
    assert stand.client.get("/healthz").status_code == 200
    assert stand.codes("/health") == (200, [])
    assert stand.codes("/ready") == (503, ["starting"])
    stand.tick()
    assert stand.codes("/ready") == stand.codes("/health") == (200, [])

    stand.now += 6
    stand.tick("market_data", "strategy", "execution")
    assert stand.codes("/ready") == stand.codes("/health") == (503, ["service_silent"])
    reason = stand.client.get("/ready").json()["reasons"][0]
    assert reason["subject"] == "risk/0"
    assert "6 s" in reason["detail"]
    stand.tick()
    assert stand.codes("/health") == (200, [])

    stand.writer.write(Stream.EXECUTIONS, "BTCUSDT", w.position(1, stop=None))
    stand.tick()
    stand.now += 11
    stand.tick()
    assert stand.codes("/health") == (503, ["position_unprotected"])
    stand.writer.write(Stream.EXECUTIONS, "BTCUSDT", w.position(1))
    stand.tick()
    assert stand.codes("/health") == (200, [])

    place = stand.bus.topology.places(Stream.EXECUTIONS)[0]
    stand.writer.bury(Unit("risk", "MAIN"), stand.bus.range(place, 0, 1)[0])
    stand.tick()
    assert stand.codes("/health") == (503, ["dead_letter"])
    assert stand.client.get("/healthz").status_code == 200


def test_a_growing_lag_is_a_reason(stand: Stand) -> None:
    n = 0
    for _ in range(11):
        stand.tick()
        count = 120 if n == 0 else 3
        stand.writer.write(Stream.EXECUTIONS, "MAIN", *(w.snapshot(n + i, "10000") for i in range(count)))
        n += count
    stand.tick()
    assert stand.codes("/health") == (503, ["lag_growing"])


def test_the_kill_switch_is_a_warning(stand: Stand) -> None:
    stand.bus.post(Stream.CONTROLS, "MAIN", KillSwitch(time=1, reason="drill", by="ann"))
    stand.tick()
    answer = stand.client.get("/health")
    assert answer.status_code == 200
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["kill_switch"]
    assert "causeway_kill_switch 1.0" in stand.client.get("/metrics").text


def test_why_was_no_trade_taken(stand: Stand) -> None:
    w.a_day(stand.writer)
    stand.tick()
    get = stand.client.get
    newest = get("/api/decisions", params={"symbol": "ETHUSDT", "limit": 3}).json()
    assert [row["reason"] for row in newest] == ["no_break"] * 3
    assert newest[0]["evidence"][1] == {
        "step": "break", "passed": False, "known_at": newest[0]["time"], "text": {"kind": "bos"}
    }  # fmt: skip
    refused = get("/api/decisions", params={"outcome": "refused"}).json()
    assert {row["symbol"] for row in refused} == {"BTCUSDT"}
    assert refused[0]["numbers"] == {"ratio": "1.31", "least": "1.5"}
    chain = get("/api/decisions", params={"signal_id": "sig-8"}).json()
    assert {row["stage"] for row in chain} == {"strategy", "risk"}
    trades = get("/api/trades", params={"limit": 2}).json()
    assert len(trades) == 2
    assert trades[0]["entry_price"] == "64000.5"
    for bad in ("0", "1001", "x"):
        assert get("/api/decisions", params={"limit": bad}).status_code == 422


def test_the_state_as_json(stand: Stand) -> None:
    w.a_day(stand.writer, 12)
    stand.writer.write(Stream.EXECUTIONS, "ETHUSDT", w.position(13, "ETHUSDT", "-2", "3000", side=Side.SHORT))
    stand.beat("strategy", units=("strategy.p0",), gauges={"memory_bytes": 1e6}, slot="1")
    stand.tick()
    state = stand.client.get("/api/metrics").json()
    assert state["status"] == "ok"
    assert state["account"]["equity"] == "10156"
    assert state["curve"][-1] == [w.START + 12 * w.BAR, "10156"]
    assert [p["symbol"] for p in state["positions"]] == ["ETHUSDT"]
    assert state["trades"]["count"] == 2
    assert state["ledger"]["behind"] == 0
    assert {d["outcome"] for d in state["latest"]} == {"signal", "approved", "refused"}
    services = stand.client.get("/api/services").json()
    assert [(s["service"], s["slot"]) for s in services["services"]] == [
        *(("execution", "0"), ("health", "0"), ("market_data", "0"), ("risk", "0")),
        *(("strategy", "0"), ("strategy", "1")),
    ]
    units = {unit["unit"]: unit for unit in services["units"]}
    assert units["strategy.p0"]["slot"] == "1"
    assert units["risk.MAIN"]["lag"] == stand.bus.unread(Unit("risk", "MAIN"))


def test_how_old_what_is_shown_is(stand: Stand) -> None:
    """The data's time is the venue's or a replay's; how long it has stood still is by health's own clock."""
    stand.tick()
    state = stand.client.get("/api/metrics").json()
    assert (state["event_time"], state["event_age_s"], state["prices"]) == (None, None, None)
    w.a_day(stand.writer, 12)
    stand.tick()
    stand.now += 40
    stand.writer.write(Stream.EXECUTIONS, stand.bus.topology.account, w.snapshot(12, "10156"))
    stand.tick()
    state = stand.client.get("/api/metrics").json()
    assert (state["event_time"], state["event_age_s"]) == (w.START + 12 * w.BAR, 40.0), "no newer than before"
    stand.writer.write(Stream.EXECUTIONS, stand.bus.topology.account, w.snapshot(13, "10157"))
    stand.tick()
    stand.beat("market_data", gauges={"symbols": 2.0, "silent_symbols": 0.0, "mark_age_s": 1.5})
    more = {"symbols": 1.0, "silent_symbols": 1.0, "mark_age_s": 75.0}
    stand.beat("market_data", gauges=more, slot="1")
    stand.watcher.step(stand.bus)
    state = stand.client.get("/api/metrics").json()
    assert (state["event_time"], state["event_age_s"]) == (w.START + 13 * w.BAR, 0.0)
    assert state["prices"] == {"symbols": 3, "silent": 1, "age_s": 75.0}


def test_the_venue_as_json(stand: Stand) -> None:
    stand.writer.write(
        Stream.EXECUTIONS,
        "BTCUSDT",
        *(w.alert(1), w.alert(2, AlertCode.DENIED), w.order(5, OrderState.UNKNOWN)),
        w.order(6, OrderState.REJECTED, detail="bad_tick: 64000.57"),
        *(w.fill(7, traded=w.START + 7 * w.BAR - 700), w.position(7, stop=None), w.position(7)),
    )
    stand.tick()
    stand.now += 2
    state = stand.client.get("/api/metrics").json()
    venue = state["venue"]
    assert venue["alerts"] == {"denied": 1, "rate_limited": 1}
    assert [(a["reason"], a["detail"]) for a in venue["latest_alerts"]] == [
        ("denied", "the venue asks for patience"),
        ("rate_limited", "the venue asks for patience"),
    ]
    assert venue["refusals"] == {"bad_tick": 1}
    (unknown,) = venue["unknown_orders"]
    assert (unknown["client_id"], unknown["leg"], unknown["unknown_s"]) == ("c-5", "entry", 2.0)
    assert venue["time_to_stop"] == {"count": 1, "p50_s": 0.7, "p99_s": 0.7, "worst_s": 0.7, "never": 0}
    assert state["notices"] == []  # alerts stand in a list of their own
    assert [row["kind"] for row in stand.client.get("/api/halts").json()] == ["VenueAlert"] * 2


def test_the_page_needs_nothing_from_elsewhere(stand: Stand) -> None:
    answer = stand.client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for outside in ("http://", "https://", "@import", "innerHTML"):
        assert outside not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_a_ledger_that_does_not_answer_is_a_503(stand: Stand, tmp_path: Path) -> None:
    stand.engine.dispose()
    (tmp_path / "ledger.db").unlink()
    (tmp_path / "ledger.db-wal").unlink(missing_ok=True)
    answer = stand.client.get("/api/trades")
    assert answer.status_code == 503
    assert "no such table" in answer.json()["error"]
