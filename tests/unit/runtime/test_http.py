"""A service's own endpoint."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus_schemas.bus.port import Owner
from bus_schemas.errors import ConfigurationError
from bus_schemas.runtime.http import HELP, STUCK_S, Endpoint, exposition
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import RuntimeSettings
from bus_schemas.topology import Unit


@pytest.fixture
def vitals() -> Vitals:
    return Vitals("strategy", Owner("host", "7", "nonce"))


@pytest.fixture
def endpoint(vitals: Vitals) -> Iterator[Endpoint]:
    served = Endpoint(RuntimeSettings(), vitals)
    served.start()
    yield served
    served.stop()


def get(vitals: Vitals, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{vitals.http}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.usefixtures("endpoint")
def test_ready_only_while_working(vitals: Vitals) -> None:
    assert get(vitals, "/readyz") == (503, "starting\n")
    vitals.beat(())
    assert get(vitals, "/readyz") == (200, "ready\n")
    vitals.status = "waiting"
    assert get(vitals, "/readyz") == (503, "waiting\n")


@pytest.mark.usefixtures("endpoint")
def test_alive_while_the_main_loop_comes_round(vitals: Vitals) -> None:
    assert get(vitals, "/healthz")[0] == 200
    vitals.beat(())
    vitals.stepped = time.monotonic() - STUCK_S - 1
    assert get(vitals, "/healthz") == (503, "the main loop is stuck\n")
    assert get(vitals, "/readyz")[0] == 503


@pytest.mark.usefixtures("endpoint")
def test_other_paths_and_queries(vitals: Vitals) -> None:
    assert get(vitals, "/")[0] == 404
    assert get(vitals, "/healthz?verbose=1")[0] == 200


@pytest.mark.usefixtures("endpoint")
def test_metrics_are_what_prometheus_reads(vitals: Vitals) -> None:
    vitals.beat((Unit("strategy", "p0"), Unit("strategy", "p1")))
    vitals.counters.events, vitals.counters.fenced = 12, 3
    status, text = get(vitals, "/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {f"causeway_{name}" for name in HELP} <= set(families)
    values = {name: family.samples[0].value for name, family in families.items()}
    assert values["causeway_events"] == 12
    assert values["causeway_fenced"] == 3
    assert values["causeway_units_owned"] == 2
    assert values["causeway_ready"] == 1
    assert values["causeway_memory_bytes"] > 1e6
    for family in families.values():
        assert family.documentation
        assert family.samples[0].labels == {"service": "strategy", "slot": "7"}


def test_every_counter_is_explained(vitals: Vitals) -> None:
    assert set(vitals.counters.as_dict()) == set(HELP)


def test_counters_end_in_total_and_gauges_do_not(vitals: Vitals) -> None:
    kinds: dict[str, Any] = {
        sample.name: family.type
        for family in text_string_to_metric_families(exposition(vitals).decode())
        for sample in family.samples
    }
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())


@pytest.mark.usefixtures("endpoint")
def test_a_port_that_is_taken_is_a_wrong_configuration(vitals: Vitals) -> None:
    port = int(vitals.http.rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=rf"runtime.http_port: cannot listen on 127.0.0.1:{port}"):
        Endpoint(RuntimeSettings(http_port=port), Vitals("risk", Owner("h", "0", "n")))
    with pytest.raises(ConfigurationError, match="cannot listen"):
        Endpoint(RuntimeSettings(http_host="nosuchhost.invalid"), Vitals("risk", Owner("h", "0", "n")))
