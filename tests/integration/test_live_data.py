"""Live candles and marks from the simulated venue, on both protocols, and what may go wrong on the way."""

from __future__ import annotations

import gc
import secrets
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ccxt.async_support.base.ws.client import Client

from bus_schemas.bus.port import Owner
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.codec import decode
from bus_schemas.errors import ConfigurationError, Unreachable
from bus_schemas.events import Body, Candle, Gap, Mark
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import Settings, VenueSettings, load
from bus_schemas.timeframes import HOUR, MINUTE
from bus_schemas.topology import Place, Stream
from cli.download import download
from execution.simulator.market import Feed
from execution.simulator.orders import SimBar
from market_data.archive import file_of
from market_data.files import Folder, Kind
from market_data.live.work import LiveWork
from market_data.reader import read_bars, read_funding
from tests.support.venue import RunningVenue, simulated_here

D = Decimal
START = 1_700_000_040_000 // MINUTE * MINUTE
HISTORY = 1500
"""Candles before the venue's clock begins: two pages of Binance."""
NOW = START + HISTORY * MINUTE
RATE = 900.0
"""Fifteen candles of a minute in a second."""
VENUES = {"binanceusdm": "BTCUSDT", "krakenfutures": "BTCUSD"}

both = pytest.mark.parametrize("name", VENUES)


def bars(lacking: frozenset[int] = frozenset()) -> list[SimBar]:
    """A rising market: each candle's prices tell its number."""
    return [
        SimBar(START + at * MINUTE, D(60_000 + at), D(60_001 + at), D(59_999 + at), D(60_000 + at), D(3))
        for at in range(2 * HISTORY)
        if at not in lacking
    ]


@contextmanager
def a_venue(
    lacking: frozenset[int] = frozenset(), rate: float = RATE, start: int = NOW
) -> Iterator[RunningVenue]:
    feeds = {"BTCUSDT": Feed(timeframe="1m", bars=bars(lacking))}
    with simulated_here(feeds=feeds, start=start, rate=rate) as venue:
        yield venue


class Run:
    """The live feed, driven as a process drives it, and what it has published."""

    def __init__(self, url: str, namespace: str, venue: RunningVenue, name: str, **own: Any) -> None:
        market = {"source": "venue", "symbols": VENUES[name], "hydrate": 300, "mark_s": 0.1, "retry_s": 0.1}
        overrides: dict[str, dict[str, Any]] = {
            "bus": {"url": url, "namespace": namespace, "partitions": 2},
            "market_data": market | {"silent_s": 1.0, "stale_s": 1.0} | own,
            "strategy": {
                "entry_timeframe": "1m",
                "decision_timeframe": "5m",
                "bias_timeframe": "15m",
            },
            "risk": {"data_age_s": 5400},
            "venue": {"name": name, "rest_url": venue.rest_url, "clock_rate": venue.clock_rate},
        }
        self.settings: Settings = load(None, overrides)
        self.venue = venue
        self.bus = RedisBus(Link(url, 5.0), namespace, self.settings.topology, 5000)
        self.bus.declare()
        self.vitals = Vitals("market_data", Owner("here", "0", secrets.token_hex(4)))
        self.work = LiveWork(self.settings, self.bus, self.vitals.owner, self.vitals)

    def until(self, enough: Callable[[], object], within_s: float = 20.0) -> None:
        deadline = time.monotonic() + within_s
        while not enough():
            assert time.monotonic() < deadline, f"{self.vitals.gauges}, {self.said()[-3:]}"
            for _ in range(2):
                self.work.step()

    def said(self, stream: Stream = Stream.CANDLES) -> list[Body]:
        found: list[Body] = []
        for part in self.bus.topology.parts("partition"):
            at = 0
            while entries := self.bus.read({Place(stream, part): at}, 1000, 0.01):
                found += [decode(*entry).body for entry in entries]
                at = entries[-1].seq
        return found

    def candles(self) -> list[Candle]:
        return [body for body in self.said() if isinstance(body, Candle)]

    def gaps(self) -> list[Gap]:
        return [body for body in self.said() if isinstance(body, Gap)]

    def marks(self) -> list[Mark]:
        return [body for body in self.said(Stream.MARKS) if isinstance(body, Mark)]

    def live(self, count: int) -> bool:
        return sum(not candle.hydration for candle in self.candles()) >= count

    def reconnects(self) -> float:
        return self.vitals.gauges["stream_reconnects"]

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.work.finish()
        self.bus.close()


def each_once(candles: list[Candle]) -> None:
    """No candle twice, none missing, none still forming: the venue's own numbers."""
    for before, after in pairwise(candles):
        assert after.open_time == before.time
    for candle in candles:
        number = 60_000 + (candle.open_time - START) // MINUTE
        assert (candle.open, candle.high, candle.low) == (number, number + 1, number - 1)
        assert candle.close == pytest.approx(number, abs=1)
        assert candle.volume == pytest.approx(3)


@both
def test_history_then_live_candles_then_a_restart_after_a_while(
    redis_url: str, namespace: str, name: str
) -> None:
    """FT #11725: what is older than data may be is history, from which no signal follows."""
    with a_venue() as venue:
        with Run(redis_url, namespace, venue, name) as run:
            run.until(lambda: run.live(20) and run.marks())
            candles, marks = run.candles(), run.marks()
            assert START + 1000 * MINUTE < candles[0].open_time <= marks[0].time - 290 * MINUTE
            assert all(a.time < b.time for a, b in pairwise(marks))
            assert all(
                mark.index and abs(mark.spot - mark.mark) < 30 and mark.funding is None for mark in marks
            )
        venue.control.clock(advance_ms=3 * 60 * MINUTE)
        with Run(redis_url, namespace, venue, name) as again:
            again.until(
                lambda: len(again.candles()) > len(candles) + 190 and not again.candles()[-1].hydration
            )
            everything = again.candles()
            each_once(everything)
            assert everything[: len(candles)] == candles
            flags = [candle.hydration for candle in everything[len(candles) :]]
            assert flags == sorted(flags, reverse=True)
            assert flags[0]


@both
def test_faults_of_the_venue_and_a_lost_bus_lose_and_repeat_nothing(
    redis_url: str, namespace: str, name: str
) -> None:
    """Errors, rate limits, cut connections; and NT #4255: a silent socket that still pongs."""
    with a_venue() as venue, Run(redis_url, namespace, venue, name) as run:
        venue.control.faults(
            {"kind": "status", "operation": "candles", "every": 3, "times": 5},
            {"kind": "lost_reply", "operation": "candles", "every": 4, "times": 3},
            {"kind": "rate_limit", "operation": "candles", "nth": 5, "retry_after_s": 0},
            {"kind": "status", "operation": "tickers", "every": 5, "status": 500, "times": 4},
            {"kind": "ws_cut", "nth": 20, "times": 1},
        )
        run.until(lambda: sum(venue.control.fired()) >= 6 and run.live(20))
        run.bus.reset()
        run.work.forget()
        reconnects = run.reconnects()
        venue.control.faults({"kind": "silent_socket", "protocol": name})
        run.until(lambda: run.reconnects() > reconnects)
        seen = len(run.marks())
        run.until(lambda: len(run.marks()) > seen + 5)
        each_once(run.candles())
        assert all(a.time < b.time for a, b in pairwise(run.marks()))


@both
def test_connections_that_broke_leave_nothing_behind(redis_url: str, namespace: str, name: str) -> None:
    """Each kept 100 kB: a full collection, which alone finds cycles so old, comes once an hour in a service
    whose imports are frozen."""
    sockets = weakref.WeakSet[Client]()
    born = Client.__init__

    def init(client: Client, *args: Any, **kwargs: Any) -> None:
        born(client, *args, **kwargs)
        sockets.add(client)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "__init__", init)
        gc.disable()
        try:
            with a_venue() as venue, Run(redis_url, namespace, venue, name) as run:
                run.until(lambda: run.live(1))
                needed = len(sockets)
                run.until(lambda: venue.control.cut() or run.reconnects() >= 3)
                left = len(sockets)
        finally:
            gc.enable()
    assert left <= 2 * needed  # one connection's, or that and the next one's


@both
def test_nt_4594_candles_that_the_venue_lacks_are_a_gap_and_never_invented_and_funding_is_told_once(
    redis_url: str, namespace: str, name: str
) -> None:
    boundary = (NOW // (8 * HOUR) + 1) * 8 * HOUR
    number = (boundary - START) // MINUTE
    lacking = frozenset({number - 50, number - 49, number - 20})
    with (
        a_venue(lacking, rate=120.0, start=boundary - 3 * MINUTE) as venue,
        Run(redis_url, namespace, venue, name, hydrate=100, retry_s=0.02) as run,
    ):
        run.until(lambda: any(mark.funding is not None for mark in run.marks()))
        run.until(lambda: sum(gap.missing for gap in run.gaps()) >= len(lacking))
        told = [t for gap in run.gaps() for t in range(gap.start, gap.end, MINUTE)]
        assert told == [START + at * MINUTE for at in sorted(lacking)]
        assert not {candle.open_time for candle in run.candles()} & set(told)
        assert all(gap.time == gap.end for gap in run.gaps())
        paid = [mark for mark in run.marks() if mark.funding is not None]
        assert [mark.funding for mark in paid] == [D("0.0001")]
        assert boundary <= paid[0].time <= boundary + HOUR


def test_a_symbol_that_is_not_listed_ends_the_service_with_a_sentence(redis_url: str, namespace: str) -> None:
    with (
        a_venue() as venue,
        Run(redis_url, namespace, venue, "binanceusdm", symbols="BTCUSDC") as run,
        pytest.raises(ConfigurationError, match=r"lists no perpetual BTCUSDC; there is BTCUSDT"),
    ):
        run.until(lambda: False)


def test_the_universe_is_chosen_by_volume_and_its_namespace_keeps_to_its_candles(
    redis_url: str, namespace: str
) -> None:
    with a_venue() as venue:
        with Run(redis_url, namespace, venue, "binanceusdm", symbols="", universe_top=1) as run:
            run.until(lambda: run.live(1))
            assert {candle.symbol for candle in run.candles()} == {"BTCUSDT"}
        with (
            Run(redis_url, namespace, venue, "binanceusdm", candles_from="index") as other,
            pytest.raises(ConfigurationError, match="from binance:spot, not 1m from binanceusdm:index"),
        ):
            other.until(lambda: False)


# Downloading


def settings(venue: RunningVenue, name: str) -> VenueSettings:
    return VenueSettings(name=name, rest_url=venue.rest_url)


@both
def test_a_download_is_what_the_venue_has_and_goes_on_where_it_ended(tmp_path: Path, name: str) -> None:
    symbol = VENUES[name]
    lacking = frozenset({700, 701})
    with a_venue(lacking, rate=1.0, start=NOW + 30_000) as venue:
        since, until = START + 100 * MINUTE, START + 1000 * MINUTE
        first = download(settings(venue, name), [symbol], ["1m"], since, until, tmp_path)
        assert [(one.rows, one.added) for one in first] == [(898, 898)]
        assert first[0].gaps == ((START + 700 * MINUTE, START + 702 * MINUTE),)
        second = download(
            settings(venue, name),
            [symbol],
            ["1m", "5m"],
            START,
            None,
            tmp_path,
            mark=True,
            funding=True,
        )
        assert [one.file for one in second] == [
            f"{symbol}-{kind}.csv.gz" for kind in ("1m", "5m", "1h-mark", "funding")
        ]
        assert (second[0].rows, second[0].added) == (HISTORY - 2, HISTORY - 2 - 898)
        # an hour before everything: the venue has nothing there
        third = download(settings(venue, name), [symbol], ["1m"], START - 60 * MINUTE, None, tmp_path)
        assert third[0].added <= 1
    found = Folder(tmp_path).select("1m", [symbol])[symbol]
    rows = list(read_bars(found.candles))
    assert [row.time for row in rows][: HISTORY - 2] == [
        START + at * MINUTE for at in range(HISTORY) if at not in lacking
    ]
    assert {row.high - row.low for row in rows} == {D(2)}
    assert found.mark is not None
    assert len(list(read_bars(found.mark))) >= 23
    assert found.funding is None or list(read_funding(found.funding))


def test_an_interrupted_download_leaves_a_sound_file_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.download.TRIES", 2)
    with a_venue(rate=1.0, start=NOW + 30_000) as venue:
        venue.control.faults({"kind": "lost_request", "operation": "candles", "nth": 2, "times": 50})
        with pytest.raises(Unreachable, match=r"binanceusdm gives no BTCUSDT-1m.csv.gz"):
            download(settings(venue, "binanceusdm"), ["BTCUSDT"], ["1m"], START, None, tmp_path)
        kept = list(read_bars(file_of(tmp_path, "BTCUSDT", Kind.CANDLES, "1m")))
        assert 900 < len(kept) < HISTORY
        venue.control.faults()
        whole = download(settings(venue, "binanceusdm"), ["BTCUSDT"], ["1m"], START, None, tmp_path)
        assert whole[0].added == HISTORY - len(kept)
        assert not whole[0].gaps


@pytest.mark.parametrize(
    ("symbol", "timeframe", "words"),
    [
        ("BTCUSDC", "1m", "binanceusdm lists no perpetual BTCUSDC; there is BTCUSDT"),
        ("BTCUSDT", "7m", "unknown timeframe '7m'"),
    ],
)
def test_a_download_of_what_is_not_there(tmp_path: Path, symbol: str, timeframe: str, words: str) -> None:
    with a_venue(rate=1.0) as venue, pytest.raises(ConfigurationError, match=words):
        download(settings(venue, "binanceusdm"), [symbol], [timeframe], START, None, tmp_path)


def test_a_download_from_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.download.TRIES", 2)
    nowhere = VenueSettings(name="binanceusdm", rest_url="http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="binanceusdm cannot be reached"):
        download(nowhere, ["BTCUSDT"], ["1m"], START, None, tmp_path)
    with pytest.raises(ConfigurationError, match="ccxt knows no venue"):
        download(VenueSettings(name="bingo"), ["BTCUSDT"], ["1m"], START, None, tmp_path)


def test_a_venue_that_began_anew_is_refused_and_not_waited_for(redis_url: str, namespace: str) -> None:
    with a_venue() as venue, Run(redis_url, namespace, venue, "binanceusdm") as first:
        first.until(first.candles)
    refused = pytest.raises(ConfigurationError, match="hours behind what the namespace")
    with (
        a_venue(start=NOW - 2 * HOUR) as venue,
        Run(redis_url, namespace, venue, "binanceusdm") as again,
        refused,
    ):
        again.until(lambda: False)
