"""Candles played as prices, and candles served from them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas.errors import ConfigurationError
from bus_schemas.events import OrderKind, Side
from bus_schemas.timeframes import DAY, HOUR, MINUTE, TIMEFRAMES
from execution.simulator import history
from execution.simulator.clock import SimClock
from execution.simulator.exchange import Exchange
from execution.simulator.market import FUNDING_EVERY, Market, beginning
from execution.simulator.orders import CandleChanged, OrderRequest, SimBar, SimEvent, Ticked
from execution.simulator.path import LEAST_STEPS, coarser, finer, points
from execution.simulator.rules import BINANCE_USDM, KRAKEN_FUTURES, binance_listings, kraken_listings
from execution.simulator.tape import Feed

D = Decimal
QUARTER = 15 * MINUTE
START = 10 * DAY


def bar(time: int, *prices: float, volume: int = 150) -> SimBar:
    opened, high, low, close = (D(f"{p:.8f}".rstrip("0")) for p in prices)
    return SimBar(time, opened, high, low, close, D(volume))


BARS = [
    bar(START - QUARTER, 100, 110, 95, 105),
    bar(START, 105, 120, 100, 118),
    bar(START + QUARTER, 118, 119, 90, 92),
    bar(START + 2 * QUARTER, 92, 99, 91, 97),
]


class Stage:
    """A market on a clock that is moved by hand, and one exchange of each kind."""

    def __init__(self, bars: list[SimBar] | None = None, loop: bool = False, rate: float = 60.0) -> None:
        self.seconds = 0.0
        self.clock = SimClock(START, rate, lambda: self.seconds)
        feed = Feed(
            timeframe="15m", bars=BARS if bars is None else bars, funding=[(START - DAY, D("0.0003"))]
        )
        self.market = Market(self.clock, {"SOLUSDT": feed}, START, loop)
        self.binance = Exchange(BINANCE_USDM, binance_listings(["SOLUSDT"]), self.clock.now, D(1000))
        self.kraken = Exchange(KRAKEN_FUTURES, kraken_listings(["SOLUSDT"]), self.clock.now, D(1000))
        self.events: list[SimEvent] = []
        self.binance.subscribe(self.events.append)
        self.market.list_on(self.binance)
        self.market.list_on(self.kraken)

    def to(self, moment: int) -> None:
        self.seconds = (moment - START) / 1000 / self.clock.rate
        self.market.advance(self.clock.true())

    def prices(self) -> list[Decimal]:
        return [e.quote.last for e in self.events if isinstance(e, Ticked)]


_price = st.integers(1, 10**7).map(lambda n: D(n) / 100)


@settings(max_examples=60, deadline=None)
@given(st.lists(_price, min_size=4, max_size=4), st.integers(LEAST_STEPS, 200))
def test_a_path_has_the_four_prices_and_no_other_extreme(prices: list[Decimal], steps: int) -> None:
    high, low = max(prices), min(prices)
    candle = SimBar(0, prices[0], high, low, prices[1], D(1))
    path = points(candle, steps)
    assert len(path) == steps
    assert (path[0], path[-1], max(path), min(path)) == (prices[0], prices[1], high, low)


@settings(max_examples=60, deadline=None)
@given(st.lists(_price, min_size=4, max_size=4), st.sampled_from([15, 16, 60, 900]))
def test_finer_candles_make_the_candle_again(prices: list[Decimal], steps: int) -> None:
    candle = SimBar(START, prices[0], max(prices), min(prices), prices[1], D(150))
    small = finer(candle, QUARTER, steps, MINUTE)
    assert [b.time for b in small] == [START + at * MINUTE for at in range(15)]
    (again,) = coarser(small, QUARTER)
    assert again == candle


def test_a_rising_candle_meets_its_low_first_and_a_falling_one_its_high() -> None:
    rising, falling = points(BARS[1], 16), points(BARS[2], 16)
    assert rising.index(min(rising)) < rising.index(max(rising))
    assert falling.index(max(falling)) < falling.index(min(falling))


def test_played_candles_are_the_files_candles() -> None:
    stage = Stage()
    stage.to(START + 3 * QUARTER - 1)
    found = stage.binance.candles("SOLUSDT", "15m")
    assert [(b.time, b.open, b.high, b.low, b.close) for b in found] == [
        (b.time, b.open, b.high, b.low, b.close) for b in BARS
    ]
    assert [round(b.volume) for b in found] == [150] * 4
    assert max(stage.prices()) == 120
    assert min(stage.prices()) == 90


def test_the_same_pace_plays_the_same_prices() -> None:
    first, second = Stage(), Stage()
    first.to(START + 3 * QUARTER - 1)
    for moment in range(START, START + 3 * QUARTER, 7_000):
        second.to(moment)
    second.to(START + 3 * QUARTER - 1)
    assert first.prices() == second.prices()


def test_history_by_timeframe_ends_with_the_forming_candle() -> None:
    stage = Stage()
    stage.to(START + QUARTER + 5 * MINUTE)
    minutes = stage.binance.candles("SOLUSDT", "1m", limit=1000)
    assert [b.time for b in minutes] == list(range(START - QUARTER, START + QUARTER + 5 * MINUTE + 1, MINUTE))
    five = stage.binance.candles("SOLUSDT", "5m", limit=1000)
    assert list(coarser(minutes, 5 * MINUTE)) == five
    (hour_before, hour) = stage.binance.candles("SOLUSDT", "1h")
    assert (hour_before.time, hour_before.open, hour_before.close) == (START - HOUR, 100, 105)
    assert (hour.time, hour.open, hour.close) == (START, 105, minutes[-1].close)
    assert hour.low == 100


def test_history_is_paged_from_its_beginning_and_cut_at_its_end() -> None:
    stage = Stage()
    stage.to(START + QUARTER)

    def ask(**more: int) -> list[int]:
        return [(b.time - START) // MINUTE for b in stage.binance.candles("SOLUSDT", "5m", **more)]

    assert ask() == [-15, -10, -5, 0, 5, 10, 15]
    assert ask(since=START - 10 * MINUTE, limit=2) == [-10, -5]
    assert ask(since=START - 9 * MINUTE, limit=2) == [-5, 0]
    assert ask(limit=2) == [10, 15]
    assert ask(until=START - 1) == [-15, -10, -5]
    assert ask(since=START, until=START + 5 * MINUTE) == [0, 5]
    assert ask(since=START + HOUR) == []


def test_kraken_s_candles_lie_on_its_own_tick() -> None:
    clock = SimClock(START, 60.0, lambda: 0.0)
    market = Market(
        clock,
        {"BTCUSDT": Feed(timeframe="15m", bars=[bar(START, 60000.4, 60000.6, 59999.4, 60000.5)])},
        START,
    )
    exchange = Exchange(KRAKEN_FUTURES, kraken_listings(["BTCUSDT"]), clock.now)
    market.list_on(exchange)
    market.advance(START + QUARTER - 1)
    (shown,) = exchange.candles("BTCUSD", "15m")
    assert (shown.open, shown.high, shown.low, shown.close) == (60000, 60001, 59999, 60000)


def test_watched_candles_grow_and_close_once() -> None:
    stage = Stage()
    stage.to(START)
    stop = stage.binance.watch_candles("SOLUSDT", "5m")
    stage.to(START + 11 * MINUTE)
    told = [e for e in stage.events if isinstance(e, CandleChanged)]
    closed = [e.bar for e in told if e.closed]
    assert [b.time for b in closed] == [START, START + 5 * MINUTE]
    assert closed == stage.binance.candles("SOLUSDT", "5m", since=START)[:2]
    stop()
    before = len(told)
    stage.to(START + 12 * MINUTE)
    assert len([e for e in stage.events if isinstance(e, CandleChanged)]) == before


def test_one_market_feeds_both_venues() -> None:
    stage = Stage()
    stage.to(START + MINUTE)
    assert stage.kraken.quote_of("SOLUSD").last == stage.binance.quote_of("SOLUSDT").last


def test_funding_is_settled_every_eight_hours_at_the_rate_of_the_data() -> None:
    stage = Stage()
    stage.to(START)
    quote = stage.binance.quote_of("SOLUSDT")
    assert (quote.funding_rate, quote.next_funding) == (D("0.0003"), START + FUNDING_EVERY)
    stage.binance.place(OrderRequest(symbol="SOLUSDT", side=Side.SHORT, kind=OrderKind.MARKET, quantity=D(1)))
    stage.to(START + FUNDING_EVERY - 1)
    assert stage.binance.funding() == []
    stage.to(START + 2 * FUNDING_EVERY)
    assert [f.rate for f in stage.binance.funding()] == [D("0.0003")] * 2
    assert stage.binance.funding()[0].amount == -D("0.0003") * 97


def test_funding_is_by_hand_where_prices_are() -> None:
    """What a drill or a test finds must not depend on the hour at which it is run."""
    stage = Stage([])
    stage.market.set_price("SOLUSDT", D(100))
    stage.binance.place(OrderRequest(symbol="SOLUSDT", side=Side.SHORT, kind=OrderKind.MARKET, quantity=D(1)))
    stage.to(START + 2 * FUNDING_EVERY)
    stage.market.set_price("SOLUSDT", D(100))
    quote = stage.binance.quote_of("SOLUSDT")
    assert (quote.funding_rate, quote.next_funding, stage.binance.funding()) == (0, 0, [])
    stage.market.settle("SOLUSDT", D("0.0001"))
    assert [f.amount for f in stage.binance.funding()] == [-D("0.01")]


def test_at_the_end_the_price_stands_and_the_clock_goes_on() -> None:
    stage = Stage()
    stage.to(START + DAY)
    assert stage.binance.quote_of("SOLUSDT").last == 97
    last = stage.binance.candles("SOLUSDT", "15m")[-1]
    assert (last.time, last.open, last.high, last.volume) == (START + DAY, 97, 97, 0)


def test_at_the_end_the_data_begin_again() -> None:
    stage = Stage(loop=True)
    stage.to(START + 6 * QUARTER - 1)
    again = stage.binance.candles("SOLUSDT", "15m")[-3:]
    assert [b.time for b in again] == [START + at * QUARTER for at in (3, 4, 5)]
    assert [b.close for b in again] == [118, 92, 97]


def test_a_gap_in_the_data_is_a_gap() -> None:
    stage = Stage([BARS[0], BARS[1], BARS[3]])
    stage.to(START + 2 * QUARTER - 1)
    assert stage.binance.quote_of("SOLUSDT").last == 118
    stage.to(START + 2 * QUARTER)
    found = [b.time for b in stage.binance.candles("SOLUSDT", "15m")]
    assert found == [START - QUARTER, START, START + 2 * QUARTER]


def test_a_price_by_hand_stays_until_it_is_released() -> None:
    stage = Stage()
    stage.to(START)
    stage.market.set_price("SOLUSDT", D(50), mark=D(51))
    stage.to(START + QUARTER)
    quote = stage.binance.quote_of("SOLUSDT")
    assert (quote.last, quote.mark, quote.index) == (50, 51, 50)
    stage.market.release("SOLUSDT")
    stage.to(START + QUARTER + MINUTE)
    assert stage.binance.quote_of("SOLUSDT").last > 100


def test_a_skew_moves_what_the_venue_tells_and_not_the_market() -> None:
    stage = Stage()
    stage.clock.skew_ms = HOUR
    stage.to(START + MINUTE)
    assert stage.clock.now() == START + HOUR + MINUTE
    assert stage.binance.candles("SOLUSDT", "15m")[-1].time == START


def test_where_playing_begins() -> None:
    feeds = {"SOLUSDT": Feed(timeframe="15m", bars=BARS)}
    assert beginning(feeds, START + 1, DAY) == START + QUARTER
    assert beginning(feeds, None, DAY) == START + QUARTER, "not in the first half"
    assert beginning(feeds, None, QUARTER) == START + 2 * QUARTER
    with pytest.raises(ConfigurationError, match="SOLUSDT has no candle from"):
        beginning(feeds, START + DAY, DAY)


def test_names_of_a_symbol() -> None:
    stage = Stage()
    assert {stage.market.source_of(n) for n in ("SOLUSDT", "SOLUSD", "PF_SOLUSD")} == {"SOLUSDT"}
    with pytest.raises(ConfigurationError, match="no symbol 'XRP'"):
        stage.market.source_of("XRP")


def test_a_price_that_is_too_small_for_its_tick_is_refused() -> None:
    feed = Feed(timeframe="15m", bars=[bar(START, 0.00002, 0.00002, 0.00001, 0.00002)])
    market = Market(SimClock(START, 1.0, lambda: 0.0), {"SHIBUSDT": feed}, START)
    with pytest.raises(ConfigurationError, match=r"SHIBUSDT cannot be simulated: its price of 0\.00001"):
        market.list_on(Exchange(BINANCE_USDM, binance_listings(["SHIBUSDT"]), lambda: START))


@settings(max_examples=40, deadline=None)
@given(
    played=st.integers(0, 5 * 15),
    timeframe=st.sampled_from(["1m", "3m", "5m", "15m", "30m", "1h"]),
    since=st.integers(-40, 80),
    width=st.none() | st.integers(0, 60),
    limit=st.integers(1, 40),
)
def test_any_page_is_cut_out_of_the_same_minutes(
    played: int, timeframe: str, since: int, width: int | None, limit: int
) -> None:
    stage = Stage([bar(START - 2 * QUARTER, 90, 101, 89, 100), *BARS])
    stage.to(START + played * MINUTE)
    ask = stage.binance.candles
    minutes = ask("SOLUSDT", "1m", limit=10_000)
    whole = [
        SimBar(b.time, b.open, b.high, b.low, b.close, D(0)) for b in coarser(minutes, TIMEFRAMES[timeframe])
    ]
    first = START + since * MINUTE
    last = 1 << 62 if width is None else first + width * MINUTE
    page = ask("SOLUSDT", timeframe, since=first, until=last, limit=limit)
    bare = [SimBar(b.time, b.open, b.high, b.low, b.close, D(0)) for b in page]
    assert bare == [b for b in whole if first <= b.time <= last][:limit]
    newest = [b.time for b in ask("SOLUSDT", timeframe, limit=limit)]
    assert newest == [b.time for b in whole][-limit:]


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT_BARS", 20)
    monkeypatch.setattr(history, "KEPT_MINUTES", 30)
    kept = history.History(QUARTER, [], 15)
    for minute in range(10_000):
        kept.trade(START + minute * MINUTE, D(100 + minute), D(1))
    quarters, minutes = kept.candles("15m", 0, 1 << 62, 1000), kept.candles("1m", 0, 1 << 62, 1000)
    assert 20 <= len(quarters) <= 22
    assert quarters[-1].close == minutes[-1].close == 100 + 9_999
    assert [b.time for b in minutes] == sorted({b.time for b in minutes})
