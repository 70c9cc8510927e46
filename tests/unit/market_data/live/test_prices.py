"""Marks of a live venue, and the funding that they tell."""

from __future__ import annotations

from decimal import Decimal

from market_data.live.prices import Prices, Quote
from market_data.rows import Settlement

D = Decimal


def quote(time: int, mark: str = "100", index: str | None = "99", spot: str | None = None) -> Quote:
    return Quote(
        symbol="BTCUSDT",
        time=time,
        mark=D(mark),
        index=D(index) if index else None,
        spot=D(spot) if spot else None,
    )


def told(prices: Prices, time: int) -> Decimal | None:
    mark = prices.mark(quote(time))
    assert mark is not None
    prices.advance(mark)
    return mark.funding


def test_the_spot_price_is_the_best_that_is_known() -> None:
    prices = Prices("BTCUSDT")
    spots = [
        prices.mark(one).spot  # type: ignore[union-attr]
        for one in (quote(1, spot="98"), quote(1), quote(1, index=None))
    ]
    assert spots == [D(98), D(99), D(100)]


def test_an_older_price_is_not_told_again() -> None:
    prices = Prices("BTCUSDT")
    told(prices, 10)
    assert prices.mark(quote(10)) is None
    assert prices.mark(quote(9)) is None
    assert prices.mark(quote(11)) is not None


def test_funding_is_what_was_settled_since_the_last_mark() -> None:
    prices = Prices("BTCUSDT")
    prices.take([Settlement(5, D("0.1"))])
    assert told(prices, 10) is None  # before the first mark there was no position
    prices.take([Settlement(12, D("0.01")), Settlement(14, D("0.02")), Settlement(40, D("0.5"))])
    assert told(prices, 20) == D("0.03")
    assert told(prices, 30) is None
    prices.take([Settlement(12, D("0.01")), Settlement(14, D("0.02"))])
    assert told(prices, 31) is None


def test_a_settlement_that_the_history_tells_late_comes_with_the_next_mark() -> None:
    prices = Prices("BTCUSDT")
    told(prices, 10)
    told(prices, 20)
    prices.take([Settlement(15, D("0.01"))])
    assert told(prices, 30) == D("0.01")


def test_a_restart_tells_it_neither_twice_nor_never() -> None:
    prices = Prices("BTCUSDT")
    told(prices, 10)
    prices.take([Settlement(15, D("0.01"))])
    assert told(prices, 20) == D("0.01")
    again = Prices("BTCUSDT")
    again.resume(prices.marked, prices.settled)
    again.take([Settlement(15, D("0.01")), Settlement(25, D("0.02"))])
    assert told(again, 30) == D("0.02")
    lost = Prices("BTCUSDT")
    lost.resume(10, 10)  # the bus has lost the mark of 20
    lost.take([Settlement(15, D("0.01"))])
    assert told(lost, 30) == D("0.01")


def test_an_uncommitted_mark_has_no_effect() -> None:
    prices = Prices("BTCUSDT")
    told(prices, 10)
    prices.take([Settlement(15, D("0.01"))])
    assert prices.mark(quote(20)) == prices.mark(quote(20))
    assert prices.settled == 10
