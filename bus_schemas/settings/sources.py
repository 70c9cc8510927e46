"""Where settings come from: a file and the environment, as nested dictionaries with their faults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "CAUSEWAY_"
CONFIG_VARIABLE = "CAUSEWAY_CONFIG"
PLATFORM_VARIABLE = "REDIS_URL"
TEST_PREFIX = "CAUSEWAY_TEST_"

Data = dict[str, Any]
Faults = list[str]


class _Environment(EnvSettingsSource):
    """Reads nested variables. A list that is no JSON stays text; `Section` splits it at commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def from_environment(model: type[BaseSettings]) -> tuple[Data, Faults]:
    """What the variables with our prefix say. An empty variable counts as not set."""
    known = {CONFIG_VARIABLE.lower()}
    for name, field in model.model_fields.items():
        known.add(f"{PREFIX}{name}".lower())
        inner = getattr(field.annotation, "model_fields", {})
        known.update(f"{PREFIX}{name}__{key}".lower() for key in inner)
    source = _Environment(model, env_ignore_empty=True)
    source.env_vars = {name: value for name, value in source.env_vars.items() if name in known}
    faults = [
        f"{name}: no such setting (environment)"
        for name in sorted(os.environ)  # edge: settings are read here and nowhere else
        if _ours(name) and name.lower() not in known
    ]
    return source(), faults


def from_platform() -> Data:
    """The bus as hosting platforms name it: `REDIS_URL`, where nothing else says where it is."""
    url = os.environ.get(PLATFORM_VARIABLE)  # edge: settings are read here and nowhere else
    return {"bus": {"url": url}} if url else {}


def config_path() -> Path | None:
    """The file that `CAUSEWAY_CONFIG` names."""
    name = os.environ.get(CONFIG_VARIABLE)  # edge: settings are read here and nowhere else
    return Path(name) if name else None


def from_file(path: Path) -> tuple[Data, Faults]:
    """What a TOML file says, or a JSON file by its suffix."""
    try:
        text = path.read_text(encoding="utf-8")
        data = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        return {}, [f"cannot read {path}: {error.strerror}"]
    except UnicodeDecodeError:
        return {}, [f"cannot read {path}: it is not UTF-8 text"]
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        return {}, [f"cannot read {path}: {error}"]
    if not isinstance(data, dict):
        return {}, [f"cannot read {path}: it is not a JSON object"]
    return msgspec.to_builtins(data), []  # a TOML date becomes ISO text, as everywhere else


def merge(model: type[BaseSettings], sources: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Data, Faults]:
    """One dictionary by section out of several; a later source wins.

    A section that is none, or that does not exist, is a fault and is left out, so that it hides no other.
    """
    merged: Data = {}
    faults: Faults = []
    for origin, data in sources:
        for name, section in data.items():
            if name not in model.model_fields:
                faults.append(f"{name}: no such setting ({origin})")
            elif not isinstance(section, Mapping):
                faults.append(f"{name}: must be a table of settings ({origin})")
            else:
                merged[name] = _over(merged.get(name, {}), section)
    return merged, faults


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child that gets a dump of the settings in a file: without our variables.

    They would win over the file, and so over the options that the dump has taken in.
    """
    return {
        name: value
        for name, value in environment.items()
        if not (_ours(name) or name.upper() == CONFIG_VARIABLE)
    }


def _ours(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(PREFIX) and not upper.startswith(TEST_PREFIX)


def _over(under: Mapping[str, Any], over: Mapping[str, Any]) -> Data:
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = _over(below, value)
        else:
            result[key] = value
    return result
