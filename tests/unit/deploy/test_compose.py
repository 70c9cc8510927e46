"""compose.yaml: what it sets are settings, what it starts starts, what it names exists."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from bus_schemas.settings.sources import PREFIX
from tests.unit.deploy.deployed import (
    DEPLOY,
    ROOT,
    SERVICES,
    Json,
    check,
    compose,
    dotenv,
    new_env,
    settings_of,
)

VARIABLES = dotenv(new_env())
COMPOSE = compose(VARIABLES)
USERS = ("MARKET_DATA", "STRATEGY", "RISK", "EXECUTION", "HEALTH", "OPERATOR")


def _environment(service: str) -> dict[str, str]:
    environment: dict[str, str] = COMPOSE["services"][service].get("environment", {})
    return environment


def _here(service: str) -> dict[str, str]:
    """The environment with the paths of this machine in place of the container's."""
    environment = dict(_environment(service))
    for mount in COMPOSE["services"][service].get("volumes", ()):
        source, target = mount.split(":")[:2]
        for name, value in environment.items():
            if value == target:
                environment[name] = str((DEPLOY / source).resolve())
    return environment


@pytest.mark.parametrize("service", [*SERVICES, "operator"])
def test_every_variable_is_a_setting(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(service)
    assert all(isinstance(value, str) for value in environment.values())
    settings = settings_of(environment, monkeypatch)
    assert settings.bus.namespace == "paper"
    others = {name for name in environment if not name.startswith(PREFIX)}
    assert others <= {"DATABASE_URL"}


def test_a_variable_that_is_no_setting_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="no such setting"):
        settings_of(_environment("risk") | {"CAUSEWAY_RISK__DAILY_LOSS": "1"}, monkeypatch)


@pytest.mark.parametrize(("service", "module"), SERVICES.items())
def test_every_service_starts_with_its_environment(service: str, module: str) -> None:
    command = " ".join(COMPOSE["services"][service]["command"])
    assert command.endswith(f"python -m {module}")
    run = check(module, _here(service))
    assert (run.returncode, run.stdout) == (0, "the configuration is right\n"), run.stderr


def test_all_services_agree_about_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = set()
    for service in (*SERVICES, "operator"):
        bus = settings_of(_environment(service), monkeypatch).bus
        shared.add(bus.model_copy(update={"url": None}).model_dump_json())
        assert not bus.lockstep, "its scripts look at keys that no user of users.acl may see"
    assert len(shared) == 1


@pytest.mark.parametrize("service", [*SERVICES, "operator"])
def test_each_service_is_its_own_user_and_knows_no_other_password(service: str) -> None:
    user = SERVICES.get(service, service)
    url = urlsplit(_environment(service)["CAUSEWAY_BUS__URL"])
    assert (url.username, url.hostname, url.port) == (user, "valkey", 6379)
    assert url.password == VARIABLES[f"CAUSEWAY_PASSWORD_{user.upper()}"]
    text = str(_environment(service))
    for other in USERS:
        assert (VARIABLES[f"CAUSEWAY_PASSWORD_{other}"] in text) == (other == user.upper())


def test_the_server_has_what_its_access_list_needs() -> None:
    placeholders = set(re.findall(r"#@(\w+)@", (DEPLOY / "redis" / "users.acl").read_text()))
    assert placeholders == set(USERS)
    wanted = {"CAUSEWAY_NAMESPACE"} | {f"CAUSEWAY_PASSWORD_{user}" for user in placeholders}
    environment = _environment("valkey")
    assert set(environment) == wanted
    assert environment["CAUSEWAY_NAMESPACE"] == _environment("risk")["CAUSEWAY_BUS__NAMESPACE"]


def test_nothing_starts_without_passwords_and_new_env_writes_all_of_them() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    assert required == set(VARIABLES)
    assert len(set(VARIABLES.values())) == len(VARIABLES)
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in VARIABLES.values())
    for name in required:
        with pytest.raises(KeyError, match=name):
            compose({key: value for key, value in VARIABLES.items() if key != name})


@pytest.mark.parametrize(("service", "module"), SERVICES.items())
def test_a_service_has_time_to_stop(service: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grace = float(COMPOSE["services"][service]["stop_grace_period"].removesuffix("s"))
    assert grace > settings_of(_environment(service), monkeypatch).runtime.shutdown_s


def test_strategy_may_be_scaled() -> None:
    strategy = COMPOSE["services"]["strategy"]
    assert "ports" not in strategy
    assert "container_name" not in strategy
    assert "CAUSEWAY_RUNTIME__SLOT=$(hostname) " in strategy["command"][-1]


def test_what_is_published_stays_on_this_machine() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_networks_volumes_and_files_exist() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service["networks"]) <= set(COMPOSE["networks"]), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            exists = (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
            assert exists, f"{name}: {mount}"
        for dependency in service.get("depends_on", {}):
            assert dependency in COMPOSE["services"], name


def test_who_sees_whom() -> None:
    def members(network: str) -> set[str]:
        return {name for name, service in COMPOSE["services"].items() if network in service["networks"]}

    assert members("ledger") == {"postgres", "migrate", "health"}
    assert members("bus") == {"valkey", "operator", *SERVICES}
    assert all(COMPOSE["networks"][name]["internal"] for name in ("bus", "ledger", "metrics"))


def test_ours_run_locked_up() -> None:
    ours = [service for service in COMPOSE["services"].values() if "build" in service]
    assert len(ours) == len(SERVICES) + 2
    for service in ours:
        assert _locked(service)
        build = service["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert (ROOT / build["dockerfile"]).is_file()


def _locked(service: Json) -> bool:
    return bool(
        service["read_only"]
        and service["cap_drop"] == ["ALL"]
        and service["security_opt"] == ["no-new-privileges:true"]
    )


def test_health_waits_for_the_schema() -> None:
    health, migrate = COMPOSE["services"]["health"], COMPOSE["services"]["migrate"]
    assert health["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert migrate["command"] == ["python", "migrate_schema.py"]
    assert migrate["environment"] == {"DATABASE_URL": health["environment"]["DATABASE_URL"]}
    assert urlsplit(health["environment"]["DATABASE_URL"]).password == VARIABLES["POSTGRES_PASSWORD"]
