"""The settings of `run.py live`: what its options, the platform and the configuration say together."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bus_schemas.errors import ConfigurationError
from bus_schemas.instruments import Instrument
from bus_schemas.settings import BusSettings, HealthSettings, Settings, load
from bus_schemas.venues.client import require_known
from cli.lifecycle import beside_each_other
from cli.terms import over_theirs
from execution.live.terms import check_terms
from health.database import database_url

PORT = "PORT"
SECRETS = ("api_key", "api_secret", "password")
EVERYWHERE = "0.0.0.0"
"""Where a platform that gives $PORT looks for us: from outside of this machine."""
KEEP_EVENTS = 200_000
"""Two days and more of a symbol's marks at one a second, 100 MB or so for each busy stream."""
_PATIENCE = {
    "execution": ("answer_ms", "not_found_grace_ms", "stop_deadline_ms", "mismatch_grace_ms"),
    "risk": ("unprotected_s",),
    "venue": ("lag_ms", "entry_patience_ms"),
}
"""Settings in the venue's time that are patience with our own network."""


def live_settings(
    config: Path | None,
    options: Mapping[str, Mapping[str, Any]],
    health: bool,
    environment: Mapping[str, str],
) -> Settings:
    """Settings of a live run.

    Args:
        options: of the command line, by section.
        health: it serves HTTP, where the platform says.

    Raises:
        ConfigurationError: no live venue is named, the port cannot be used, or a setting is wrong.
    """
    settings = load(config, options)
    if not settings.venue.live:
        raise ConfigurationError(
            "name the venue to trade: --venue krakenfutures, --venue binanceusdm, or name in [venue]; "
            "on paper it is run.py paper"
        )
    if not settings.venue.proven:
        require_known(settings.venue.name)
    update: dict[str, Any] = {
        "bus": settings.bus.model_copy(update={"lockstep": False} | _horizon(settings.bus)),
        "runtime": beside_each_other(settings.runtime),
        "health": _health(settings.health, health, environment),
    }
    return at_the_pace(settings.model_copy(update=update))


def _horizon(bus: BusSettings) -> dict[str, int]:
    """What the streams keep: a live run has no end, and what tells of the past is the ledger."""
    return {} if "keep_events" in bus.model_fields_set else {"keep_events": KEEP_EVENTS}


def at_the_pace(settings: Settings) -> Settings:
    """The same for a simulated venue whose clock runs faster than ours.

    Event time is the venue's, and what waits for an answer waits for our network: ten of the venue's
    seconds are a sixth of one of ours at sixty times. So these defaults grow with the pace; a value of
    the configuration stands.
    """
    rate = settings.venue.clock_rate
    if rate <= 1:
        return settings
    update = {}
    for name, fields in _PATIENCE.items():
        section = getattr(settings, name)
        grown = {
            field: round(getattr(section, field) * rate)
            for field in fields
            if field not in section.model_fields_set
        }
        update[name] = section.model_copy(update=grown)
    return settings.model_copy(update=update)


def _health(health: HealthSettings, served: bool, environment: Mapping[str, str]) -> HealthSettings:
    """The ledger as `migrate_schema.py` finds it, wherever the children work; and where HTTP is served."""
    url = database_url(health, environment)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        url = url.set(database=str(Path(url.database).resolve()))
    update: dict[str, Any] = {"database": SecretStr(url.render_as_string(hide_password=False))}
    if served:
        told = "host" in health.model_fields_set or not environment.get(PORT)
        host = health.host if told else EVERYWHERE
        update |= {"host": host, "port": _free(host, _port(health, environment))}
    return health.model_copy(update=update)


def _port(health: HealthSettings, environment: Mapping[str, str]) -> int:
    text = environment.get(PORT)
    if not text:
        return health.port
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ConfigurationError(f"${PORT} must be a port from 0 to 65535")
    return int(text)


def _free(host: str, port: int) -> int:
    """The port; a free one for 0, so that it stays where it is when health is started again."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        raise ConfigurationError(
            f"health cannot listen on {host}:{port}: {error.strerror}. Set ${PORT} or health.port"
        ) from None


def with_terms(settings: Settings, theirs: Mapping[str, Instrument]) -> Settings:
    """The same with the venue's contract terms, for risk to size by and execution to place by.

    Terms of the configuration stand, where the venue can take them. The venue's others come with it all:
    a position that is found there may be in any of them.

    Raises:
        ConfigurationError: a symbol is not listed, or has terms that the venue does not take.
    """
    merged = over_theirs(settings, theirs)
    check_terms(merged.instrument_table(), theirs, settings.market_data.symbols)
    return merged


def without_secrets(settings: Settings) -> Settings:
    """The same without the venue's keys: for a file that every service reads."""
    return settings.model_copy(update={"venue": settings.venue.model_copy(update=dict.fromkeys(SECRETS))})


def key_variables(settings: Settings) -> dict[str, str]:
    """The venue's keys as variables, for the one service that needs them."""
    keys = {name: getattr(settings.venue, name) for name in SECRETS}
    return {
        f"CAUSEWAY_VENUE__{name.upper()}": key.get_secret_value()
        for name, key in keys.items()
        if key is not None
    }
