"""Contract terms of a venue in the settings of the services."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from bus_schemas.instruments import Instrument
from bus_schemas.settings import Settings


def over_theirs(settings: Settings, theirs: Mapping[str, Instrument]) -> Settings:
    """The same settings with every contract of the venue; what the configuration says of one stands, but no
    order may be larger than the venue takes: that may have become less since it was written.
    """
    told = {symbol: msgspec.to_builtins(terms) for symbol, terms in theirs.items()}
    own = {symbol: told.get(symbol, {}) | dict(terms) for symbol, terms in settings.instruments.items()}
    for symbol in own.keys() & theirs.keys():
        most, least = own[symbol].get("max_quantity"), theirs[symbol].max_quantity
        if least is not None and (most is None or Decimal(str(most)) > least):
            own[symbol]["max_quantity"] = str(least)
    return settings.model_copy(update={"instruments": told | own})
