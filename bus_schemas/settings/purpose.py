"""What a run is for, told by its venue: paper, practice, the venue's sandbox, or real money.

Each has a namespace of its own where the settings name none: they never share a key.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from bus_schemas.settings.venue import VenueSettings


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


def _loopback(host: str | None) -> bool:
    if not host:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
