"""Settings of live data: what goes together, how much history, and which work they make."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.bus.port import Owner
from bus_schemas.errors import ConfigurationError
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import Settings, load
from bus_schemas.topology import Topology
from market_data.feed import Progress
from market_data.live import progress
from market_data.live.rules import hydration, needed, rules_of
from market_data.live.work import LiveWork
from market_data.progress import stored as stored_files
from market_data.service import FeedWork, make_work


def settings(venue: str = "binanceusdm", **own: Any) -> Settings:
    market = {"source": "venue", "symbols": "BTCUSDT"} | own
    return load(None, {"market_data": market, "venue": {"name": venue}})


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"universe_top": 5}, "symbols and universe_top both say"),
        ({"source": "files", "symbols": "", "universe_top": 5}, "universe_top needs source = venue"),
        ({"candles_from": "moon"}, "candles_from"),
        ({"venue": "No Such!"}, "another id of ccxt"),
    ],
)
def test_contradictions(own: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings(**own)


@pytest.mark.parametrize(
    ("venue", "symbols"),
    [("binanceusdm", ("BTCUSDT", "ETHUSDT", "SOLUSDT")), ("krakenfutures", ("BTCUSD", "ETHUSD", "SOLUSD"))],
)
def test_without_symbols_it_is_the_three_that_everybody_knows(venue: str, symbols: tuple[str, ...]) -> None:
    assert settings(venue, symbols="").market_data.symbols == symbols
    assert settings(venue, symbols="", universe_top=3).market_data.symbols == ()
    assert load(None, {"venue": {"name": venue}}).market_data.symbols == ()


def test_history_is_enough_for_the_longest_timeframe() -> None:
    own = settings()
    candles_of_bias = needed(own.strategy) // 16
    assert candles_of_bias >= 2 * (own.strategy.warmup_bars + own.strategy.bias_max_age)
    assert hydration(settings(hydrate=77)) == 77
    assert rules_of(own).fresh_ms == own.risk.data_age_s * 1000


def work_of(own: Settings) -> object:
    owner = Owner("here", "0", "nonce")
    return make_work(own, MemoryBus(Topology(2)), owner, Vitals("market_data", owner))


def test_the_source_decides_the_work() -> None:
    assert isinstance(work_of(load(None)), FeedWork)
    assert isinstance(work_of(settings()), LiveWork)


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (settings(venue="paper"), "there is none: set venue.name, or market_data.venue"),
        (settings(venue="bingo"), "ccxt knows no venue 'bingo'"),
    ],
)
def test_no_such_venue(own: Settings, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        work_of(own)


def test_paper_may_trade_on_a_venues_candles() -> None:
    market = {"source": "venue", "symbols": "BTCUSD", "venue": "krakenfutures"}
    assert isinstance(work_of(load(None, {"market_data": market})), LiveWork)


def test_a_venue_does_not_run_in_lockstep() -> None:
    own = settings()
    own = own.model_copy(update={"bus": own.bus.model_copy(update={"lockstep": True})})
    with pytest.raises(ConfigurationError, match="lockstep is for candle files"):
        work_of(own)


def plain(state: dict[str, bytes | None]) -> dict[str, bytes]:
    return {key: value for key, value in state.items() if value is not None}


def test_incident_14_files_and_a_venue_share_no_namespace() -> None:
    files = plain(stored_files(Progress(trade_from=1), "BTCUSDT"))
    with pytest.raises(ConfigurationError, match="run over candle files"):
        progress.restored(files, "1m", "binance:spot")


def test_progress_comes_back_as_it_was() -> None:
    reached = progress.Reached(timeframe="1m", market="binance:spot", closed=1, marked=2, settled=3)
    state = plain(progress.stored(reached, "BTCUSDT") | progress.stored_universe(["A", "B"]))
    assert progress.restored(state, "1m", "binance:spot") == {"BTCUSDT": reached}
    assert progress.restored_universe(state) == ("A", "B")
    assert progress.restored_universe({}) == ()
    for timeframe, market in (("5m", "binance:spot"), ("1m", "krakenfutures:index")):
        with pytest.raises(ConfigurationError, match="choose another namespace"):
            progress.restored(state, timeframe, market)
    assert msgspec.json.decode(state["live:BTCUSDT"])["closed"] == 1
