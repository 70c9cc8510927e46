"""Contract terms of a venue in the settings of the services."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bus_schemas.instruments import Instrument
from bus_schemas.settings import Settings


def over_theirs(settings: Settings, theirs: Mapping[str, Instrument]) -> Settings:
    """The same settings with every contract of the venue; what the configuration says of one stands."""
    told = {symbol: msgspec.to_builtins(terms) for symbol, terms in theirs.items()}
    own = {symbol: told.get(symbol, {}) | dict(terms) for symbol, terms in settings.instruments.items()}
    return settings.model_copy(update={"instruments": told | own})
