"""What this service runs: one strategy a partition."""

from __future__ import annotations

from bus_schemas.decider import Decider
from bus_schemas.runtime.process import MakeDecider, decider_service
from bus_schemas.settings import Settings
from bus_schemas.topology import Unit
from strategy.decider import StrategyDecider


def deciders(settings: Settings) -> MakeDecider:
    """A fresh decider for each unit."""

    def make(_unit: Unit) -> Decider:
        return StrategyDecider(settings.strategy)

    return make


build = decider_service("strategy", deciders)
