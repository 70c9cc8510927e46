"""What this service runs: the order manager and the venue of an account, on paper or live."""

from __future__ import annotations

from collections.abc import Callable

from bus_schemas.bus.port import Bus, Owner
from bus_schemas.decider import Decider
from bus_schemas.runtime.process import MakeDecider, decider_service, service
from bus_schemas.runtime.pulse import Vitals
from bus_schemas.runtime.work import Work
from bus_schemas.settings import Settings
from bus_schemas.topology import Unit
from execution.manager import OrderManager
from execution.paper import PaperVenue


def deciders(settings: Settings) -> MakeDecider:
    """A fresh decider for each unit."""
    instruments = settings.instrument_table()

    def make(unit: Unit) -> Decider:
        if unit.reader == "venue":
            return PaperVenue(settings.paper, instruments, unit.part)
        return OrderManager(settings.execution, instruments, unit.part)

    return make


def build(settings: Settings) -> Callable[[], int]:
    """The service for the venue of the settings.

    Raises:
        ConfigurationError: a live venue without keys or consent.
    """
    make = service("execution", _live) if settings.venue.live else decider_service("execution", deciders)
    return make(settings)


def _live(settings: Settings, bus: Bus, owner: Owner, vitals: Vitals) -> Work:
    from execution.live.work import LiveWork  # brings ccxt with it

    return LiveWork(settings, bus, owner, vitals)
