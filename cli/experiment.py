"""`run.py experiment`: a configuration on a venue's candles as they come, in this one process."""

from __future__ import annotations

import os
from collections.abc import Callable

from bus_schemas.errors import CausewayError, ConfigurationError
from bus_schemas.settings import Settings
from bus_schemas.venues.consent import production


class NotInProduction(CausewayError):
    """An experiment was started where `ENVIRONMENT=prod`. A person starts `run.py live` instead."""


def run_experiment(load: Callable[[], Settings], hours: float | None, json: bool) -> None:  # noqa: ARG001
    """Run it until Ctrl-C, or for so many hours of the venue's time; print its report.

    Raises:
        NotInProduction: `ENVIRONMENT=prod`.
        ConfigurationError: no venue is named.
    """
    if production(os.environ):
        raise NotInProduction(
            "experiment is for trials on a desk and this is ENVIRONMENT=prod; run.py live trades"
        )
    settings = load()
    if not settings.venue.live:
        raise ConfigurationError("name the venue whose candles are polled: --venue binanceusdm")
    raise ConfigurationError("candles of a venue cannot be polled yet")
