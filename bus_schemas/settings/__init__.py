"""Settings of every service: one file, the environment, and nothing else.

Order of precedence: a command's options, then the environment (`CAUSEWAY_RISK__DAILY_LOSS_PCT=3`),
then the TOML or JSON file, then `REDIS_URL` for the bus, then the defaults. Unknown keys are refused in
all. All errors of all are reported at once. Secrets come from the environment or the file and are never
printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import DEFAULT_INSTRUMENTS, Instrument
from bus_schemas.settings.bus import BusSettings, RuntimeSettings
from bus_schemas.settings.execution import ExecutionSettings, PaperSettings
from bus_schemas.settings.gates import GateSettings
from bus_schemas.settings.health import HealthSettings
from bus_schemas.settings.market_data import MarketDataSettings
from bus_schemas.settings.purpose import live_namespace, name_symbols
from bus_schemas.settings.risk import RiskSettings
from bus_schemas.settings.section import Section
from bus_schemas.settings.sources import (
    PREFIX,
    child_environment,
    config_path,
    from_environment,
    from_file,
    from_platform,
    merge,
)
from bus_schemas.settings.strategy import StrategySettings
from bus_schemas.settings.venue import PAPER, VenueSettings
from bus_schemas.topology import Topology

__all__ = [
    "BusSettings",
    "ExecutionSettings",
    "GateSettings",
    "HealthSettings",
    "MarketDataSettings",
    "PaperSettings",
    "RiskSettings",
    "RuntimeSettings",
    "Settings",
    "StrategySettings",
    "VenueSettings",
    "child_environment",
    "dump",
    "load",
]


class Settings(BaseSettings):
    """Everything that a process may be told. The class itself reads nothing; `load` does."""

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
    venue: VenueSettings = VenueSettings()
    gates: GateSettings = GateSettings()
    health: HealthSettings = HealthSettings()
    instruments: dict[str, Any] = Field(
        {},
        description="Contract terms by symbol, over the defaults: tick, step, min_quantity, min_notional, "
        "max_quantity.",
    )

    @field_validator("instruments")
    @classmethod
    def _instruments(cls, value: dict[str, Any]) -> dict[str, Any]:
        faults = []
        for symbol, terms in value.items():
            try:
                _instrument(symbol, terms)
            except ValueError as error:
                faults.append(str(error))
        if faults:
            raise ValueError("; ".join(faults))
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
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load(file: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Settings from the file (or `CAUSEWAY_CONFIG`), the environment and a command's options.

    Args:
        overrides: by section; options of a command line. They win over file and environment.

    Raises:
        ConfigurationError: with every fault, one a line.
    """
    path = file or config_path()
    in_file, faults = from_file(path) if path else ({}, [])
    in_environment, more = from_environment(Settings)
    given = ((str(path), in_file), ("environment", in_environment), ("option", overrides or {}))
    sources = (("REDIS_URL", from_platform()), *given)
    merged, wrong = merge(Settings, sources)
    faults += more + wrong
    name_symbols(merged)
    settings = Settings()
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        found = _errors(error)
        faults += [_sentence(fault, sources) for fault in (*found, *_behind(found, merged))]
    if faults:
        raise ConfigurationError("the configuration is wrong:\n  - " + "\n  - ".join(faults))
    return _apart(settings)


def _apart(settings: Settings) -> Settings:
    """A live venue's events are kept apart from paper's, whoever starts the services.

    Raises:
        ConfigurationError: they are told to share the namespace that paper runs have by default.
    """
    if not settings.venue.live:
        return settings
    if "namespace" in settings.bus.model_fields_set:
        if settings.bus.namespace == PAPER:
            raise ConfigurationError(
                f"the configuration is wrong:\n  - bus.namespace: {PAPER!r} is for paper runs; leave it out "
                f"for {live_namespace(settings.venue)!r}, or choose another for {settings.venue.name}"
            )
        return settings
    bus = settings.bus.model_copy(update={"namespace": live_namespace(settings.venue)})
    return settings.model_copy(update={"bus": bus})


def dump(settings: Settings) -> dict[str, Any]:
    """Every setting as JSON values, secrets in clear: for a private file that a child reads.

    The child must not see this process's variables, which would win: see `child_environment`.
    """
    plain: dict[str, Any] = msgspec.to_builtins(
        {name: dict(section) for name, section in dict(settings).items()}, enc_hook=_plain
    )
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return dict(value) if isinstance(value, BaseModel) else str(value)


def _instrument(symbol: str, terms: Any) -> Instrument:
    if not isinstance(terms, Mapping):
        raise ValueError(f"instrument {symbol}: must be a table of terms")
    base = DEFAULT_INSTRUMENTS.get(symbol)
    default = msgspec.to_builtins(base) if base else {"symbol": symbol, "quote": "USDT", "settle": "USDT"}
    try:
        instrument = msgspec.convert(default | dict(terms), Instrument, strict=False)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"instrument {symbol}: {error}") from None
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    if instrument.symbol != symbol or not (symbol.isascii() and symbol.isalnum()):
        raise ValueError(f"instrument {symbol}: the symbol is the table's name, in letters and digits")
    return instrument


def _errors(error: ValidationError) -> list[dict[str, Any]]:
    return [dict(e) for e in error.errors(include_url=False, include_input=False, include_context=False)]


def _behind(found: Sequence[dict[str, Any]], merged: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The contradictions that pydantic did not look for, since another field of the section is broken."""
    broken: dict[str, set[str]] = {}
    for fault in found:
        if len(fault["loc"]) > 1:
            broken.setdefault(fault["loc"][0], set()).add(fault["loc"][1])
    for name, fields in broken.items():
        section = Settings.model_fields[name].annotation
        if not (isinstance(section, type) and issubclass(section, Section)):
            continue
        try:
            section.validate_sound(merged[name], fields)
        except ValidationError as error:
            yield from (fault | {"loc": (name, *fault["loc"])} for fault in _errors(error))


def _sentence(fault: dict[str, Any], sources: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """One fault in words: which setting, what is wrong with it, and where it was said."""
    loc = fault["loc"]
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such setting"
    said = [origin for origin, data in sources if len(loc) > 1 and loc[1] in data.get(loc[0], ())]
    origin = f" ({said[-1]})" if said else ""
    return f"{'.'.join(map(str, loc))}: {message}{origin}"
