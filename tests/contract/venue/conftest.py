"""What the modules about Kraken Futures share. Those about Binance have fixtures of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kraken.futures import Trade, User

from tests.contract.venue.kraken_sdk import NAME
from tests.contract.venue.kraken_stage import Stage, staged
from tests.support.venue import RunningVenue, simulated_here


@pytest.fixture(scope="module")
def opened() -> Iterator[Stage]:
    with staged() as stage:
        yield stage


@pytest.fixture
def stage(opened: Stage) -> Stage:
    """With an empty account, no faults, and bitcoin at 60,000."""
    opened.control.reset()
    opened.control.price("BTCUSDT", 60_000)
    return opened


@pytest.fixture(scope="module")
def running() -> Iterator[RunningVenue]:
    with simulated_here() as venue:
        yield venue


@pytest.fixture
def venue(running: RunningVenue) -> RunningVenue:
    """With an empty account, and bitcoin at 60,000."""
    running.control.reset()
    running.control.price("BTCUSDT", 60_000)
    return running


@pytest.fixture
def trade(venue: RunningVenue) -> Trade:
    key, secret = venue.keys(NAME)
    return Trade(key=key, secret=secret, url=venue.url)


@pytest.fixture
def user(venue: RunningVenue) -> User:
    key, secret = venue.keys(NAME)
    return User(key=key, secret=secret, url=venue.url)
