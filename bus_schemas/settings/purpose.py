"""What a run is for, told by its venue: paper, practice, the venue's sandbox, or real money.

Each has a namespace of its own where the settings name none: they never share a key.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from bus_schemas.settings.venue import VenueSettings

_BASES = ("BTC", "ETH", "SOL")
_QUOTES = {"krakenfutures": "USD"}


def simulated(venue: VenueSettings) -> bool:
    """Whether the venue's REST host is on this machine: a simulated venue."""
    return _loopback(urlsplit(venue.rest_url).hostname)


def practice(venue: VenueSettings) -> bool:
    """Whether no money is at stake: the venue's sandbox, or a simulated venue on this machine."""
    return venue.sandbox or simulated(venue)


def live_namespace(venue: VenueSettings) -> str:
    """The namespace of a live venue where no other is told."""
    suffix = "-sandbox" if venue.sandbox else "-practice" if practice(venue) else ""
    return f"live-{venue.name}{suffix}"


def name_symbols(merged: dict[str, Any]) -> None:
    """Where candles come from a venue and nobody said of what: Bitcoin, Ether and Solana, as it spells them.

    Args:
        merged: settings by section, before they are checked; changed in place.
    """
    market, venue = merged.get("market_data", {}), merged.get("venue", {})
    name = market.get("venue") or venue.get("name")
    told = market.get("symbols") or market.get("universe_top")
    if market.get("source") == "venue" and isinstance(name, str) and not told:
        quote = _QUOTES.get(name, "USDT")
        merged["market_data"] = {**market, "symbols": [f"{base}{quote}" for base in _BASES]}


def _loopback(host: str | None) -> bool:
    if not host:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
