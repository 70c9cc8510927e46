"""What this service runs: the order manager and the venue of an account."""

from __future__ import annotations

from bus_schemas.decider import Decider
from bus_schemas.runtime.process import MakeDecider, decider_service
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


build = decider_service("execution", deciders)
