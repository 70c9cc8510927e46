"""What deploy/ says, as a machine would read it: compose with its variables filled in, the manifests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bus_schemas.settings import Settings
from bus_schemas.settings import load as load_settings
from tests.unit.deploy.plain_yaml import load, load_all

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
SERVICES = {"market-data": "market_data"} | {
    name: name for name in ("strategy", "risk", "execution", "health")
}
"""Module by the name that compose and Kubernetes know it by: underscores are no host names."""

Json = dict[str, Any]


def new_env(*arguments: str, **variables: str) -> str:
    """What new-env.sh writes."""
    return subprocess.run(
        ["sh", str(DEPLOY / "new-env.sh"), *arguments],
        env={"PATH": os.environ["PATH"]} | variables,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def dotenv(text: str) -> dict[str, str]:
    """Variables of an .env file."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Compose's interpolation. A required variable that is missing is a KeyError."""
    if isinstance(value, dict):
        return {key: interpolate(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolate(inner, variables) for inner in value]
    return _filled(value, variables) if isinstance(value, str) else value


def _filled(text: str, variables: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["kind"] == ":-":
            return variables.get(match["name"]) or match["rest"]
        if not variables.get(match["name"]):
            raise KeyError(match["name"])
        return variables[match["name"]]

    return re.sub(r"(?P<dollar>\$\$)|\$\{(?P<name>\w+)(?P<kind>:-|:\?)(?P<rest>[^}]*)\}", fill, text)


def compose(variables: Mapping[str, str]) -> Json:
    """compose.yaml as Compose sees it with these variables."""
    document: Json = interpolate(load(DEPLOY / "compose.yaml"), variables)
    return document


def strings(value: Any) -> Iterator[str]:
    """Every text inside a document, keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def manifests() -> list[Json]:
    """Every resource that kustomization.yaml lists."""
    listed = load(DEPLOY / "kustomization.yaml")["resources"]
    return [document for name in listed for document in load_all(DEPLOY / name)]


def of_kind(kind: str) -> dict[str, Json]:
    """Manifests of one kind by their names."""
    return {doc["metadata"]["name"]: doc for doc in manifests() if doc["kind"] == kind}


def settings_of(environment: Mapping[str, str], patch: pytest.MonkeyPatch) -> Settings:
    """Settings of a process that has this environment and no other of ours."""
    with patch.context() as inner:
        for name in list(os.environ):
            if name.upper().startswith("CAUSEWAY_"):
                inner.delenv(name)
        for name, value in environment.items():
            inner.setenv(name, value)
        return load_settings()


def check(module: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`python -m module --check` with this environment."""
    own = {"PATH": os.environ["PATH"]} | dict(environment)
    return subprocess.run(
        [sys.executable, "-m", module, "--check"],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )
