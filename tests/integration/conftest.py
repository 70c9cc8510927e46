"""An account that is traded on the simulated venue, once in each protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ccxt.async_support import Exchange

from tests.support.trading import Trading
from tests.support.venue import RunningVenue, simulated_here

Make = Callable[..., Trading]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningVenue]:
    monkeypatch.setattr(Exchange, "timeout_on_exit", 0)  # its wait for connections with TLS
    with simulated_here() as venue:
        yield venue


@pytest.fixture(params=["krakenfutures", "binanceusdm"])
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(simulated: RunningVenue, protocol: str, redis_url: str, namespace: str) -> Iterator[Make]:
    """Makes the service of the test's protocol, with settings as for `Trading`."""
    made: list[Trading] = []

    def begin(**more: object) -> Trading:
        made.append(Trading(simulated, protocol, redis_url, namespace, **more))  # type: ignore[arg-type]
        return made[0]

    yield begin
    for world in made:
        world.close()


@pytest.fixture
def world(make: Make) -> Trading:
    return make()
