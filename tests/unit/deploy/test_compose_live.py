"""compose.live.yaml over compose.yaml: a live venue for every service, keys for one."""

from __future__ import annotations

import pytest

from bus_schemas.venues import consent
from tests.unit.deploy.deployed import (
    DEPLOY,
    SERVICES,
    Json,
    compose,
    dotenv,
    interpolate,
    new_env,
    settings_of,
)
from tests.unit.deploy.plain_yaml import load

LIVE = {
    "VENUE": "krakenfutures",
    "NAMESPACE": "live-krakenfutures",
    "SYMBOLS": "BTCUSD,ETHUSD",
    "VENUE_API_KEY": "k-1",
    "VENUE_API_SECRET": "s-1",
    "ENVIRONMENT": "prod",
    "CONFIRM_LIVE": "YES",
}
VARIABLES = dotenv(new_env()) | LIVE


def over(variables: dict[str, str]) -> Json:
    """Both files as Compose merges them: environments by name, lists of networks together."""
    base = compose(variables)
    above = interpolate(load(DEPLOY / "compose.live.yaml"), variables)
    for name, more in above["services"].items():
        service = base["services"][name]
        service["environment"] = service["environment"] | more["environment"]
        service["networks"] = sorted({*service["networks"], *more.get("networks", ())})
        assert set(more) <= {"environment", "networks"}
    base["networks"] |= above["networks"]
    return base


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_knows_the_venue_and_one_its_keys(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = over(VARIABLES)["services"][service]["environment"]
    settings = settings_of(environment, monkeypatch)
    assert (settings.venue.name, settings.bus.namespace) == ("krakenfutures", "live-krakenfutures")
    assert ("s-1" in str(environment)) is (service == "execution")
    if service == "execution":
        consent.require(settings.venue, environment)
    if service == "market-data":
        assert (settings.market_data.source, settings.market_data.symbols) == ("venue", ("BTCUSD", "ETHUSD"))


def test_only_those_that_speak_with_the_venue_have_a_way_out() -> None:
    merged = over(VARIABLES)
    out = {name for name, service in merged["services"].items() if "venue" in service["networks"]}
    assert out == {"market-data", "execution"}
    assert set(merged["services"]) == set(compose(VARIABLES)["services"])


@pytest.mark.parametrize("name", ["VENUE", "VENUE_API_KEY", "VENUE_API_SECRET"])
def test_nothing_starts_without(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        over({key: value for key, value in VARIABLES.items() if key != name})
