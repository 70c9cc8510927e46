"""Which adapter speaks to which venue. They are imported here on demand: ccxt is heavy."""

from __future__ import annotations

from collections.abc import Sequence

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import VenueSettings
from execution.live.port import Venue


def make_venue(settings: VenueSettings, symbols: Sequence[str]) -> Venue:
    """The adapter for a venue; not yet connected.

    Args:
        symbols: canonical symbols that are traded.

    Raises:
        ConfigurationError: ccxt knows no such venue, or it is the paper venue, which has no adapter.
    """
    if not settings.live:
        raise ConfigurationError("the paper venue has no adapter: name a venue in [venue]")
    if settings.name == "krakenfutures":
        from execution.live.kraken import KrakenFutures

        return KrakenFutures(settings, symbols)
    if settings.name == "binanceusdm":
        from execution.live.binance import BinanceFutures

        return BinanceFutures(settings, symbols)
    from execution.live.other import OtherVenue

    return OtherVenue(settings, symbols)
