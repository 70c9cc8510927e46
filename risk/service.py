"""What this service runs: one risk decider an account."""

from __future__ import annotations

from decimal import Decimal

from bus_schemas.decider import Decider
from bus_schemas.runtime.process import MakeDecider, decider_service
from bus_schemas.settings import Settings
from bus_schemas.topology import Unit
from risk.costs import Costs
from risk.decider import RiskDecider

BASIS_POINT = Decimal("0.0001")


def deciders(settings: Settings) -> MakeDecider:
    """A fresh decider for each unit."""
    instruments = settings.instrument_table()
    costs = Costs(
        maker_fee=settings.paper.maker_fee,
        taker_fee=settings.paper.taker_fee,
        slippage=settings.paper.slippage_bps * BASIS_POINT,
    )

    def make(unit: Unit) -> Decider:
        return RiskDecider(settings.risk, costs, instruments, unit.part)

    make(Unit("risk", settings.bus.account))
    return make


build = decider_service("risk", deciders)
