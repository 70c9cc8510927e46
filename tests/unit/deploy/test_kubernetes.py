"""The manifests: settings are settings, references meet, pods are locked up and can be probed."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest

from bus_schemas.venues import consent
from tests.unit.deploy.deployed import (
    DEPLOY,
    SERVICES,
    Json,
    dotenv,
    manifests,
    new_env,
    of_kind,
    settings_of,
)
from tests.unit.deploy.plain_yaml import load, load_all, parse

KUSTOMIZATION = load(DEPLOY / "kustomization.yaml")
SECRETS = {
    doc["metadata"]["name"]: doc["stringData"] for doc in load_all(DEPLOY / "kubernetes/secret.example.yaml")
}
LIVE_SECRETS = {
    doc["metadata"]["name"]: doc["stringData"] for doc in load_all(DEPLOY / "live/secret.example.yaml")
}
SETTINGS = dotenv((DEPLOY / "kubernetes" / "settings.env").read_text())
DEPLOYMENTS = of_kind("Deployment")
PODS = {name: doc["spec"]["template"] for name, doc in (DEPLOYMENTS | of_kind("StatefulSet")).items()}


def _containers(pod: Json) -> list[Json]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def _environment(container: Json, live: bool = False) -> dict[str, str]:
    """What the kubelet would set, secrets by their examples; `live`: with the venue's."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= SETTINGS if "configMapRef" in source else SECRETS[source["secretRef"]["name"]]
    for entry in container.get("env", ()):
        if entry.get("valueFrom", {}).get("secretKeyRef", {}).get("optional") and not live:
            continue
        value = entry["value"] if "value" in entry else _referred(entry["valueFrom"])
        for name, known in found.items():
            value = value.replace(f"$({name})", known)
        found[entry["name"]] = value
    return found


def _referred(source: Json) -> str:
    if "fieldRef" in source:
        assert source["fieldRef"]["fieldPath"] == "metadata.name"
        return "strategy-5d8f9c7b6d-x2x7q"
    if "configMapKeyRef" in source:
        assert source["configMapKeyRef"]["name"] == "settings"
        return SETTINGS[source["configMapKeyRef"]["key"]]
    reference = source["secretKeyRef"]
    secrets = LIVE_SECRETS if reference.get("optional") else SECRETS
    value: str = secrets[reference["name"]][reference["key"]]
    return value


def test_kustomization_lists_every_manifest_and_nothing_else() -> None:
    files = {path.relative_to(DEPLOY).as_posix() for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(KUSTOMIZATION["resources"]) == files - {"kubernetes/secret.example.yaml"}
    names = [(doc["kind"], doc["metadata"]["name"]) for doc in manifests()]
    assert len(names) == len(set(names))
    for generator in KUSTOMIZATION["configMapGenerator"]:
        for name in [*generator.get("files", ()), *generator.get("envs", ())]:
            assert (DEPLOY / name).is_file()


def test_no_secret_is_applied_and_new_env_writes_the_ones_that_are_needed() -> None:
    assert not of_kind("Secret")
    url = "postgresql://u:it%27s@h/d?sslmode=require"
    written = {
        doc["metadata"]["name"]: doc["stringData"] for doc in parse(new_env("secret", DATABASE_URL=url))
    }
    assert {name: set(data) for name, data in written.items()} == {
        name: set(data) for name, data in SECRETS.items()
    }
    assert written["ledger"]["DATABASE_URL"] == url
    assert all(isinstance(value, str) and len(value) == 48 for value in written["bus-passwords"].values())
    assert all("REPLACE" in value for data in SECRETS.values() for value in data.values())


@pytest.mark.parametrize(("name", "module"), SERVICES.items())
def test_every_service_can_be_built_from_its_environment(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    assert container["args"] == ["python", "-m", module]
    environment = _environment(container)
    others = {variable for variable in environment if not variable.startswith("CAUSEWAY_")}
    assert others <= {"BUS_PASSWORD", "DATABASE_URL"}
    settings = settings_of(environment, monkeypatch)
    url = urlsplit(settings.bus.url.get_secret_value())
    assert (url.username, url.hostname) == (module, "valkey")
    assert settings.runtime.shutdown_s < PODS[name]["spec"]["terminationGracePeriodSeconds"]
    assert callable(import_module(f"{module}.service").build(settings))


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_gets_its_own_password_alone(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    keys = [
        entry["valueFrom"]["secretKeyRef"]["key"]
        for entry in container["env"]
        if "secretKeyRef" in entry.get("valueFrom", {})
        and not entry["valueFrom"]["secretKeyRef"].get("optional")
    ]
    wanted = [f"CAUSEWAY_PASSWORD_{SERVICES[name].upper()}"]
    assert keys == wanted + (["DATABASE_URL"] if name == "health" else [])
    assert all("secretRef" not in source for source in container["envFrom"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_live_venue_has_its_keys_and_consent_in_execution_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (DEPLOY / "kubernetes" / "settings.env").read_text()
    told = dotenv(
        "\n".join(line.removeprefix("#") for line in text.splitlines() if line.startswith("#CAUSEWAY"))
    )
    (container,) = PODS[name]["spec"]["containers"]
    environment = _environment(container, live=True) | told
    settings = settings_of(environment, monkeypatch)
    assert (settings.venue.name, settings.bus.namespace) == ("krakenfutures", "live-krakenfutures")
    assert settings.market_data.source == "venue"
    if name == "execution":
        consent.require(settings.venue, environment)
    else:
        assert settings.venue.api_key is None
        assert "CONFIRM_LIVE" not in environment


def test_a_live_venue_is_reached_by_those_that_speak_with_it() -> None:
    policies = load_all(DEPLOY / "live" / "network.yaml")
    reached = {policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for policy in policies}
    assert reached == {"execution", "market-data"}
    assert all(policy["spec"]["policyTypes"] == ["Egress"] for policy in policies)


@pytest.mark.parametrize("name", PODS)
def test_pods_are_locked_up(name: str) -> None:
    spec = PODS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False, "a service named causeway-* would set variables we refuse"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in _containers(PODS[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        claims = of_kind("StatefulSet").get(name, {}).get("spec", {}).get("volumeClaimTemplates", ())
        declared = {volume["name"] for volume in spec["volumes"]} | {c["metadata"]["name"] for c in claims}
        assert mounted <= declared


@pytest.mark.parametrize("name", SERVICES)
def test_probes_ask_what_is_served(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    variable = "CAUSEWAY_HEALTH__PORT" if name == "health" else "CAUSEWAY_RUNTIME__HTTP_PORT"
    (port,) = container["ports"]
    assert port == {"name": "http", "containerPort": int(SETTINGS[variable])}
    assert SETTINGS[variable.replace("HTTP_PORT", "HTTP_HOST").replace("__PORT", "__HOST")] == "0.0.0.0"
    ready = "/healthz" if name == "health" else "/readyz"
    wanted = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": ready}
    for probe, path in wanted.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    annotations = PODS[name]["metadata"]["annotations"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": SETTINGS[variable]}


def test_strategy_has_three_replicas_with_slots_of_their_own_and_the_others_one() -> None:
    replicas = {name: doc["spec"]["replicas"] for name, doc in DEPLOYMENTS.items()}
    assert replicas == dict.fromkeys(SERVICES, 1) | {"strategy": 3}
    (container,) = PODS["strategy"]["spec"]["containers"]
    slots = [entry for entry in container["env"] if entry["name"] == "CAUSEWAY_RUNTIME__SLOT"]
    assert slots[0]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    rollout = {name: doc["spec"].get("strategy", {}).get("type") for name, doc in DEPLOYMENTS.items()}
    assert rollout == dict.fromkeys(SERVICES, "Recreate") | {"strategy": None}


def test_health_migrates_before_it_starts() -> None:
    (init,) = PODS["health"]["spec"]["initContainers"]
    assert init["args"] == ["python", "migrate_schema.py"]
    assert _environment(init) == {"DATABASE_URL": SECRETS["ledger"]["DATABASE_URL"]}


def _selectors(doc: Json) -> list[dict[str, str]]:
    spec: Any = doc.get("spec")
    if doc["kind"] == "Service":
        return [spec["selector"]]
    if doc["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        return [spec["selector"]["matchLabels"]]
    if doc["kind"] != "NetworkPolicy":
        return []
    rules = [rule for key in ("ingress", "egress") for rule in spec.get(key, ())]
    peers = [peer for rule in rules for key in ("from", "to") for peer in rule.get(key, ())]
    found = [spec["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)]
    return [selector["matchLabels"] for selector in found if selector]


def test_every_selector_meets_a_pod() -> None:
    labels = [pod["metadata"]["labels"].items() for pod in PODS.values()]
    selectors = [(doc["metadata"]["name"], selector) for doc in manifests() for selector in _selectors(doc)]
    assert len(selectors) > 15
    for name, selector in selectors:
        assert any(selector.items() <= pod for pod in labels), f"{name}: {selector}"


def test_the_network_is_closed_but_for_what_is_listed() -> None:
    policies = of_kind("NetworkPolicy")
    closed = policies["default-deny"]["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (bus,) = policies["bus"]["spec"]["ingress"]
    assert [port["port"] for port in bus["ports"]] == [6379]
    assert policies["ledger"]["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "health"}


def test_the_server_keeps_its_log_on_a_volume() -> None:
    server = of_kind("StatefulSet")["valkey"]["spec"]
    (container,) = server["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "/etc/valkey/start.sh"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"data": "/data", "configuration": "/etc/valkey", "run": "/run/valkey"}
    assert server["serviceName"] in of_kind("Service")
    environment = _environment(container)
    assert environment["CAUSEWAY_NAMESPACE"] == SETTINGS["CAUSEWAY_BUS__NAMESPACE"]
    assert set(environment) == {"CAUSEWAY_NAMESPACE", *SECRETS["bus-passwords"]}
    (generator,) = [g for g in KUSTOMIZATION["configMapGenerator"] if g["name"] == "valkey"]
    together = {name.rsplit("/", 1)[1] for name in generator["files"]}
    assert together == {"valkey.conf", "users.acl", "render-acl.sh", "start.sh"}
