"""May this process send orders to a real venue? Who agreed, and with what keys.

`run.py live` asks before it starts anything, and the execution service asks again by itself: it may have
been started by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from bus_schemas.errors import EXIT_NO_CONSENT, EXIT_NO_KEYS, GateClosed
from bus_schemas.settings import VenueSettings
from bus_schemas.settings.purpose import practice
from bus_schemas.venues.ending import ending

log = logging.getLogger("causeway.venue")

ENVIRONMENT = "ENVIRONMENT"
PRODUCTION = "prod"
CONFIRM = "CONFIRM_LIVE"
CONFIRMED = "YES"


def production(environment: Mapping[str, str]) -> bool:
    """Whether this is meant for the production environment. What it forbids it forbids under both names;
    consent takes `prod` alone."""
    return _environment(environment) in (PRODUCTION, "production")


def _environment(environment: Mapping[str, str]) -> str:
    return environment.get(ENVIRONMENT, "").strip().lower()


def given() -> dict[str, str]:
    """Variables that hand a person's consent on to a child."""
    return {ENVIRONMENT: PRODUCTION, CONFIRM: CONFIRMED}


def missing_keys(settings: VenueSettings) -> str:
    """What is wrong with the keys, in a sentence that holds none of them; empty where nothing is."""
    named = {"CAUSEWAY_VENUE__API_KEY": settings.api_key, "CAUSEWAY_VENUE__API_SECRET": settings.api_secret}
    blank = [name for name, key in named.items() if key is None or not key.get_secret_value().strip()]
    return f"there is no API key for {settings.name}: set {' and '.join(blank)}" if blank else ""


def missing_consent(settings: VenueSettings, environment: Mapping[str, str]) -> str:
    """Why live orders are not agreed to, in a sentence; empty where they are, or where it is practice."""
    if practice(settings):
        return ""
    lacking = [] if _environment(environment) == PRODUCTION else [f"{ENVIRONMENT}={PRODUCTION}"]
    if environment.get(CONFIRM) != CONFIRMED:
        lacking.append(f"{CONFIRM}={CONFIRMED}")
    if not lacking:
        return ""
    return f"orders to {settings.name} are for real money and nobody has agreed: set {' and '.join(lacking)}"


def require(settings: VenueSettings, environment: Mapping[str, str]) -> None:
    """See that keys are there and live orders agreed to, where the venue is a live one. Logs that it ends.

    Raises:
        GateClosed: with the exit code of the gate that is closed.
    """
    if not settings.live:
        return
    if sentence := missing_keys(settings):
        raise GateClosed(sentence, EXIT_NO_KEYS)
    if sentence := missing_consent(settings, environment):
        raise GateClosed(sentence, EXIT_NO_CONSENT)
    if end := ending(settings):  # a service that was started by itself heard it from nobody
        log.warning(
            "%s switches off %s on %s: nothing can be placed, moved or cancelled from then on; %s",
            settings.name,
            end.what,
            end.day,
            end.link,
        )
