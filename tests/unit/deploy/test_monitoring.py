"""Prometheus and Grafana ask only for what is served, with the labels that it has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus_schemas.bus.port import Owner
from bus_schemas.runtime.http import exposition
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.settings import HealthSettings
from health.board import Board
from health.fleet import Fleet
from health.metric_defs import METRICS
from health.metrics import exposition as health_exposition
from tests.unit.deploy.deployed import DEPLOY, SERVICES, compose, dotenv, new_env, of_kind, strings
from tests.unit.deploy.plain_yaml import load

COMPOSE = compose(dotenv(new_env()))
ALERTS = load(DEPLOY / "prometheus" / "alerts.yml")
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "causeway.json").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
_SERIES = re.compile(r"\b(causeway_\w+)(?:\{([^}]*)\})?")


def _served() -> dict[str, set[str]]:
    """Labels by the name of each series, from health's definitions and a service's own endpoint."""
    served = {d.name + ("_total" if d.kind == "counter" else ""): set(d.labels) for d in METRICS}
    for d in METRICS:
        if d.kind == "histogram":
            served |= {f"{d.name}_bucket": {*d.labels, "le"}}
            served |= {f"{d.name}_{part}": set(d.labels) for part in ("count", "sum")}
    text = exposition(Vitals("risk", Owner("host", "0", "nonce"))).decode()
    for family in text_string_to_metric_families(text):
        served |= {sample.name: set(sample.labels) for sample in family.samples}
    return served


SERVED = _served()


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _queries() -> list[tuple[str, str]]:
    asked = [(rule["alert"], rule["expr"]) for rule in RULES]
    return asked + [(panel["title"], target["expr"]) for panel in _panels() for target in panel["targets"]]


@pytest.mark.parametrize(("where", "query"), _queries())
def test_every_query_asks_for_series_and_labels_that_are_served(where: str, query: str) -> None:
    found = _SERIES.findall(query)
    assert found, f"{where} asks for nothing of ours"
    known: set[str] = set()
    for name, matchers in found:
        assert name in SERVED, f"{where}: nobody serves {name}"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert labels <= SERVED[name], f"{where}: {name} has no label {labels - SERVED[name]}"
        known |= SERVED[name]
    for group in re.findall(r"\bby \(([^)]*)\)", query):
        assert {label.strip() for label in group.split(",")} <= known, where


def _left(query: str) -> set[str]:
    """Labels that a query's result has."""
    grouped = re.match(r"\s*(sum|count|max|min)(?: by \(([^)]*)\))?", query)
    if grouped:
        return {label.strip() for label in (grouped[2] or "").split(",") if label.strip()}
    return set().union(*(SERVED[name] for name, _ in _SERIES.findall(query)))


def test_texts_use_only_labels_that_their_query_leaves() -> None:
    for rule in RULES:
        words = " ".join(strings(rule["annotations"]))
        assert set(re.findall(r"\$labels\.(\w+)", words)) <= _left(rule["expr"]), rule["alert"]
    for panel in _panels():
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert used <= _left(target["expr"]), panel["title"]


def test_an_alert_says_what_is_wrong_how_urgent_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}


@pytest.mark.parametrize(
    "series",
    [
        "causeway_unprotected_positions",
        "causeway_kill_switch",
        "causeway_up",
        "causeway_bus_up",
        "causeway_dead_letters_unacknowledged",
        "causeway_lag_events",
        "causeway_ledger_up",
        "causeway_unknown_order_age_seconds",
        "causeway_venue_alerts_total",
        "causeway_service_silent_symbols",
        "causeway_time_to_stop_seconds_bucket",
    ],
)
def test_what_must_never_go_unseen_has_an_alert(series: str) -> None:
    assert any(series in dict(_SERIES.findall(rule["expr"])) for rule in RULES)


def test_an_alert_on_one_bucket_or_code_names_one_that_is_served() -> None:
    """A matcher that fits nothing is an alert that never fires."""
    text = health_exposition(Board(Fleet(HealthSettings(), 0.0), lambda: 0.0)).decode()
    seen: dict[str, set[str]] = {"le": set(), "code": set()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            for label in seen.keys() & sample.labels.keys():
                seen[label].add(sample.labels[label])
    asked = " ".join(rule["expr"] for rule in RULES)
    for label, known in seen.items():
        named = re.findall(rf'\b{label}=~?"([^"]*)"', asked)
        assert named
        assert {one for text in named for one in text.split("|")} <= known


def test_prometheus_finds_every_service_in_compose_and_in_kubernetes() -> None:
    config = load(DEPLOY / "prometheus" / "prometheus.yml")
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert jobs["causeway-health"]["static_configs"] == [{"targets": ["health:8080"]}]
    (discovery,) = jobs["causeway-services"]["dns_sd_configs"]
    assert set(discovery["names"]) == set(SERVICES) - {"health"}
    services = of_kind("Service")
    for name in discovery["names"]:
        assert COMPOSE["services"][name]["environment"]["CAUSEWAY_RUNTIME__HTTP_PORT"] == str(
            discovery["port"]
        )
        assert services[name]["spec"]["clusterIP"] == "None"
        assert services[name]["spec"]["ports"][0]["port"] == discovery["port"]
        assert "metrics" in COMPOSE["services"][name]["networks"]
    assert config["rule_files"] == ["alerts.yml"]


def test_grafana_is_led_to_prometheus_and_to_the_dashboard() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = load(provisioning / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    asked = {target["datasource"]["uid"] for panel in _panels() for target in panel["targets"]}
    assert asked == {source["uid"]}
    (provider,) = load(provisioning / "dashboards" / "causeway.yml")["providers"]
    mounts = dict(mount.split(":")[:2] for mount in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/causeway.json"


def test_the_dashboard_has_no_overlaps() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(identities) == len(set(identities))


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts.test.yml")]
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    run = subprocess.run(
        ["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
