"""Smart Money Concepts, incremental: what each event means stands in this folder's README."""

from strategy.smc.candle import BadCandle, Candle
from strategy.smc.engine import SmcEngine
from strategy.smc.events import StructureEvent
from strategy.smc.params import Parameters, Session

__all__ = ["BadCandle", "Candle", "Parameters", "Session", "SmcEngine", "StructureEvent"]
