"""Settings of every service: one file, the environment, and nothing else.

Order of precedence: environment (`CAUSEWAY_RISK__DAILY_LOSS_PCT=3`), then the TOML file, then the
defaults. Unknown keys are refused in both. All errors are reported at once. Secrets come from the
environment or the file and are never printed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import DEFAULT_INSTRUMENTS, Instrument
from bus_schemas.settings.bus import BusSettings, RuntimeSettings
from bus_schemas.settings.execution import ExecutionSettings, PaperSettings
from bus_schemas.settings.health import HealthSettings
from bus_schemas.settings.market_data import MarketDataSettings
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.settings.strategy import StrategySettings
from bus_schemas.topology import Topology

PREFIX = "CAUSEWAY_"
CONFIG_VARIABLE = "CAUSEWAY_CONFIG"
_OUTSIDE = frozenset({CONFIG_VARIABLE, "CAUSEWAY_TEST_REDIS"})

__all__ = [
    "BusSettings",
    "ExecutionSettings",
    "HealthSettings",
    "MarketDataSettings",
    "PaperSettings",
    "RiskSettings",
    "RuntimeSettings",
    "Settings",
    "StrategySettings",
    "dump",
    "load",
]


class Settings(BaseSettings):
    """Everything that a process may be told."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    bus: BusSettings = BusSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    market_data: MarketDataSettings = MarketDataSettings()
    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    execution: ExecutionSettings = ExecutionSettings()
    paper: PaperSettings = PaperSettings()
    health: HealthSettings = HealthSettings()
    instruments: dict[str, Any] = Field(
        {}, description="Contract terms by symbol, over the defaults: tick, step, min_quantity, min_notional."
    )

    @field_validator("instruments")
    @classmethod
    def _instruments(cls, value: dict[str, Any]) -> dict[str, Any]:
        for symbol, terms in value.items():
            _instrument(symbol, terms)
        return value

    @property
    def topology(self) -> Topology:
        return Topology(self.bus.partitions, self.bus.account, self.bus.lockstep)

    def instrument_table(self) -> dict[str, Instrument]:
        """The defaults with this configuration's terms over them."""
        own = {symbol: _instrument(symbol, terms) for symbol, terms in self.instruments.items()}
        return DEFAULT_INSTRUMENTS | own

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings, init_settings)


def load(file: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Settings from the file (or `CAUSEWAY_CONFIG`), the environment and a command's options.

    Args:
        overrides: by section; options of a command line. They win over file and environment.

    Raises:
        ConfigurationError: with every fault, one a line.
    """
    path = file or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    data = _read(path) if path else {}
    faults = _unknown_variables()
    try:
        settings = Settings(**data)
        if overrides:
            merged = {
                name: getattr(settings, name).model_dump() | dict(section)
                for name, section in overrides.items()
            }
            fresh = {name: Settings.model_fields[name].annotation(**part) for name, part in merged.items()}  # type: ignore[misc]
            settings = settings.model_copy(update=fresh)
    except ValidationError as error:
        faults += [_sentence(dict(fault)) for fault in error.errors(include_url=False)]
    if faults:
        source = f" ({path})" if path else ""
        raise ConfigurationError(f"the configuration{source} is wrong:\n  - " + "\n  - ".join(faults))
    return settings


def dump(settings: Settings) -> dict[str, Any]:
    """Every setting as JSON values, secrets in clear: for a private file that a child reads."""
    return {
        name: {
            key: value.get_secret_value()
            if isinstance(value, SecretStr)
            else msgspec.to_builtins(value, enc_hook=str)
            for key, value in dict(section).items()
            if value is not None
        }
        for name, section in dict(settings).items()
    }


def _instrument(symbol: str, terms: Any) -> Instrument:
    base = DEFAULT_INSTRUMENTS.get(symbol)
    default = msgspec.to_builtins(base) if base else {"symbol": symbol, "quote": "USDT", "settle": "USDT"}
    try:
        return msgspec.convert(default | dict(terms), Instrument, strict=False)
    except (msgspec.ValidationError, TypeError, ValueError, ConfigurationError) as error:
        raise ValueError(f"instrument {symbol}: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error}") from None
    try:
        if path.suffix == ".json":
            data = msgspec.json.decode(text)
            if not isinstance(data, dict):
                raise ConfigurationError(f"{path}: not a JSON object")
            return data
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _unknown_variables() -> list[str]:
    """Environment variables with our prefix that no setting reads: most likely a typing error."""
    known = set()
    for name, field in Settings.model_fields.items():
        section = field.annotation
        fields = getattr(section, "model_fields", None)
        known.add(f"{PREFIX}{name}".upper())
        known.update(f"{PREFIX}{name}__{key}".upper() for key in fields or ())
    own = (name for name in os.environ if name.upper().startswith(PREFIX) and name not in _OUTSIDE)
    return [f"{name} (environment): no such setting" for name in sorted(own) if name.upper() not in known]


def _sentence(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such setting"
    return f"{where}: {message}" if where else message
